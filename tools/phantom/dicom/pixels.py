"""Which whole numbers slices store, and what turns them back into HU (PS3.3, C.11.1)."""

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
class Storage:
    """How a series stores HU; HU = number + intercept.

    Attributes:
        signed: Whether numbers may be negative.
        bits: Bits that are used of 16.
        intercept: HU of the number 0.
        circle: Pixels [X, Y] inside the reconstructed circle, what lies outside is padded here;
            None where nothing is.
        padding_hu: HU that pads, here or already in the scan; None where nothing does.
    """

    signed: bool
    bits: int
    intercept: int = INTERCEPT
    circle: np.ndarray | None = None
    padding_hu: int | None = None

    @property
    def padding(self) -> int | None:
        """The number that pads, if any does."""
        return None if self.padding_hu is None else self.padding_hu - self.intercept

    def numbers(self, hu: np.ndarray) -> np.ndarray:
        """Return the numbers of a slice, int16 or uint16 [X, Y], for its HU, int16 [X, Y]."""
        wide = hu.astype(np.int32) - self.intercept
        if self.circle is not None:
            wide[~self.circle] = PADDING_HU - self.intercept
        return wide.astype(np.int16 if self.signed else np.uint16)


def choose(
    low: int,
    high: int,
    circle: np.ndarray | None = None,
    padding_hu: int | None = None,
    whole_words: bool = False,
) -> Storage:
    """Choose how a series stores its HU.

    Unsigned numbers of 12 bits where they hold every HU, of 16 bits where it is more, and signed
    ones where some lie below -1024 HU or where slices are padded.

    Args:
        low: Least HU of all slices.
        high: Largest one.
        circle: Pixels [X, Y] inside the reconstructed circle, if what lies outside is padded.
        padding_hu: HU with which the scan comes padded already, if it does.
        whole_words: Whether 16 bits are used in any case, as compressions want it.

    Raises:
        ValueError: If 16 bits cannot hold the values.
    """
    if circle is not None:
        low, padding_hu = min(low, PADDING_HU), PADDING_HU
    if low >= INTERCEPT:
        twelve = not whole_words and high - INTERCEPT <= BITS_12
        return Storage(False, 12 if twelve else 16, padding_hu=padding_hu)
    if high - INTERCEPT > np.iinfo(np.int16).max:
        raise ValueError(f"{low} and {high} HU do not fit in 16 bits")
    return Storage(True, 16, circle=circle, padding_hu=padding_hu)


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
