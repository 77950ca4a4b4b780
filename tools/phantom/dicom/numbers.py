"""Numbers as DICOM writes them: decimal strings of at most 16 characters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.valuerep import format_number_as_ds

DECIMALS = 12
"""Digits kept after the point: 1e-12 of a direction cosine moves no voxel by a nanometre, and
what a rotation leaves of a zero (1e-17) becomes zero."""


def decimal_string(value: float) -> str:
    """Write a number as a legal decimal string (value representation DS, PS3.5 6.2).

    Args:
        value: Any finite number.

    Returns:
        At most 16 characters, with as many digits as fit.

    Raises:
        ValueError: If the number is not finite.

    >>> decimal_string(0.703125), decimal_string(-1e-17), decimal_string(-1 / 3)
    ('0.703125', '0', '-0.333333333333')
    """
    if not np.isfinite(value):
        raise ValueError(f"DICOM holds no number {value}")
    rounded = round(float(value), DECIMALS)
    if rounded.is_integer() and abs(rounded) < 1e15:
        return str(int(rounded))
    return str(format_number_as_ds(rounded))


def decimal_strings(values: npt.ArrayLike) -> list[str]:
    """Write each number of an array as a decimal string, in its order."""
    return [decimal_string(float(value)) for value in np.ravel(values)]
