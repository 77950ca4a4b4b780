"""Batch norm for a regression of absolute values: its statistics are settled before the end.

In training mode a batch norm subtracts the batch's own mean. Of patches whose mean HU is the very
thing to be told, 64 have a mean that is uncertain by an eighth of their spread, some 7 mg/cm³. Once
the statistics are running averages instead, training and evaluation are the same function, and the
last epochs fit that one. See `bmd_bundle.common`.
"""

from bmd_bundle.common import SettledNorms, settle

__all__ = ["SettledNorms", "settle"]
