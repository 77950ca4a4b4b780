"""Whole pictures shrunk by the mean over areas, the aspect kept (S1: better than a centre crop)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform


class ShrinkSlices(Transform):
    """Shrink whole pictures: each new pixel is the mean of the area it covers.

    MONAI's and torch's "area" take whole pixels only, which moves edges by up to half a pixel where
    the ratio is no whole number, as of 512 to 224.

    Args:
        pixels: New edge, pixels.
    """

    def __init__(self, pixels: int = 224) -> None:
        self.pixels = pixels

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Shrink [C, S, rows, columns] to [C, S, pixels, pixels]; the affine follows."""
        rows, columns = (area_weights(size, self.pixels) for size in image.shape[-2:])
        shrunk = rows @ image.to(torch.float32) @ columns.T
        if hasattr(shrunk, "affine"):
            source = torch.from_numpy(to_source(tuple(image.shape[-2:]), self.pixels))
            shrunk.affine = shrunk.affine @ source
        return shrunk


def to_source(size: tuple[int, ...], pixels: int) -> np.ndarray:
    """Matrix from (slice, row, column) of shrunk pictures to those they were made from, 4x4.

    Args:
        size: Rows and columns of the pictures before.
        pixels: Edge of the shrunk ones.
    """
    scale = np.array([1.0, *(n / pixels for n in size)])
    matrix = np.diag([*scale, 1.0])
    matrix[:3, 3] = (scale - 1) / 2
    return matrix


def area_weights(size: int, new_size: int) -> torch.Tensor:
    """Share of each old pixel in each new one, float32 [new, old]; rows add up to 1.

    Examples:
        >>> area_weights(3, 2)
        tensor([[0.6667, 0.3333, 0.0000],
                [0.0000, 0.3333, 0.6667]])
    """
    edges = torch.arange(new_size + 1, dtype=torch.float64) * size / new_size
    old = torch.arange(size, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], old + 1) - torch.maximum(edges[:-1, None], old)
    return (covered.clamp(min=0) * new_size / size).float()


class ShrinkSlicesd(MapTransform):
    """Dictionary form of `ShrinkSlices`.

    Args:
        keys: Keys of pictures.
        pixels: New edge, pixels.
    """

    def __init__(self, keys: KeysCollection, pixels: int = 224) -> None:
        super().__init__(keys)
        self.shrink = ShrinkSlices(pixels)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with shrunk pictures."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = self.shrink(changed[key])
        return changed
