"""Which whole numbers a slice stores, and what turns them back into HU (PS3.3, C.11.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PADDING_HU = -3024
"""HU that one vendor writes outside the circle that was reconstructed."""

INTERCEPT = -1024
"""HU of the stored number 0, as most vendors have it."""

BITS_12 = 4095
"""Largest number that 12 bits hold."""


@dataclass(frozen=True)
class Stored:
    """A volume as its slices store it; HU = number + intercept.

    Attributes:
        numbers: uint16 or int16, [X, Y, Z].
        bits: Bits that are used of 16.
        intercept: HU of the number 0.
        padding: The number that pads, if any does.
    """

    numbers: np.ndarray
    bits: int
    intercept: int
    padding: int | None = None

    @property
    def signed(self) -> bool:
        """Whether numbers may be negative."""
        return self.numbers.dtype == np.int16


def store(hu: np.ndarray, circle: np.ndarray | None = None, whole_words: bool = False) -> Stored:
    """Choose numbers for a volume.

    Unsigned ones of 12 bits where that holds every HU, of 16 bits where it is more, and signed
    ones where some lie below -1024 HU or where slices are padded.

    Args:
        hu: Whole HU [X, Y, Z], int16.
        circle: Pixels [X, Y] inside the reconstructed circle; what lies outside is padded.
        whole_words: Whether 16 bits are used in any case, as compressions want it.

    Raises:
        ValueError: If 16 bits cannot hold the values.
    """
    wide = hu.astype(np.int32)
    if circle is not None:
        wide[~circle] = PADDING_HU
    numbers = wide - INTERCEPT
    low, high = int(numbers.min()), int(numbers.max())
    if low >= 0:
        bits = 16 if whole_words or high > BITS_12 else 12
        return Stored(numbers.astype(np.uint16), bits, INTERCEPT)
    if high > np.iinfo(np.int16).max:
        raise ValueError(f"{low + INTERCEPT} and {high + INTERCEPT} HU do not fit in 16 bits")
    padding = None if circle is None else PADDING_HU - INTERCEPT
    return Stored(numbers.astype(np.int16), 16, INTERCEPT, padding)


def reconstructed_circle(shape: tuple[int, int], pixel_mm: tuple[float, float]) -> np.ndarray:
    """Pixels whose centres lie in the circle about the middle of a slice, bool [X, Y].

    Its diameter is the longer side of the slice.

    Args:
        shape: Pixels along X and Y.
        pixel_mm: Their edges along X and Y, mm.
    """
    x, y = (
        (np.arange(count) - (count - 1) / 2) * edge
        for count, edge in zip(shape, pixel_mm, strict=True)
    )
    radius = max(count * edge for count, edge in zip(shape, pixel_mm, strict=True)) / 2
    return x[:, None] ** 2 + y[None, :] ** 2 <= radius**2
