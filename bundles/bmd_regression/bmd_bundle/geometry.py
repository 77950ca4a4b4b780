"""Voxel indices and patient millimetres."""

from __future__ import annotations

import numpy as np


def to_index(affine: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Map RAS+ mm [..., 3] to voxel indices.

    Args:
        affine: 4x4 voxel to RAS+ millimetre matrix.
        points_mm: Places, RAS+ mm.
    """
    inverse = np.linalg.inv(affine)
    return points_mm @ inverse[:3, :3].T + inverse[:3, 3]


def to_world(affine: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Map voxel indices [..., 3] to RAS+ mm; the inverse of `to_index`."""
    return index @ affine[:3, :3].T + affine[:3, 3]


def bounds(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
    """Smallest box of voxels that holds a mask [X, Y, Z]; None when it is empty."""
    slices = []
    view = mask
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(view.any(axis=others))
        if not len(hit):
            return None
        slices.append(slice(int(hit[0]), int(hit[-1]) + 1))
        view = view[tuple(slices[-1] if each == axis else slice(None) for each in range(3))]
    return slices[0], slices[1], slices[2]
