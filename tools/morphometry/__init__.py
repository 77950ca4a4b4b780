"""Measures vertebral bodies on a label map: heights, depths, widths, discs and alignment.

>>> measured = measure(labels, affine)                       # doctest: +SKIP
>>> measured.levels["L1"].height_mm.anterior                 # doctest: +SKIP
25.1
"""

from tools.morphometry.model import Morphometry
from tools.morphometry.spine import measure

__all__ = ["Morphometry", "measure"]
