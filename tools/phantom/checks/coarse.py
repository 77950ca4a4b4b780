"""Makes a coarse label map of a fine one, as a scan with large voxels would have shown it."""

from __future__ import annotations

import numpy as np


def coarsen(
    labels: np.ndarray, affine: np.ndarray, factor: int, shift: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Joins blocks of voxels; a block takes the label that fills at least half of it.

    >>> fine = np.zeros((6, 6, 6), np.uint8)
    >>> fine[:3, :3, 1:3] = 4
    >>> coarse, moved = coarsen(fine, np.eye(4), 3, (0, 0, 0))
    >>> coarse.shape, int(coarse[0, 0, 0]), moved[:3, 3].tolist()
    ((2, 2, 2), 4, [1.0, 1.0, 1.0])

    Args:
        labels: ``[X, Y, Z]`` label map.
        affine: ``[4, 4]`` voxel to RAS mm.
        factor: voxels per block along each axis.
        shift: voxels left out at the start of each axis, so that blocks begin anywhere.

    Returns:
        Coarse label map and its affine.
    """
    size = [(n - s) // factor for n, s in zip(labels.shape, shift, strict=True)]
    cut = tuple(slice(s, s + factor * n) for s, n in zip(shift, size, strict=True))
    blocks = labels[cut].reshape(size[0], factor, size[1], factor, size[2], factor)
    coarse = np.zeros(size, labels.dtype)
    for label in np.unique(labels):
        if label:
            share = (blocks == label).mean(axis=(1, 3, 5), dtype=np.float32)
            coarse[share >= 0.5] = label
    moved = np.array(affine, float)
    moved[:3, 3] += moved[:3, :3] @ (np.array(shift) + (factor - 1) / 2)
    moved[:3, :3] *= factor
    return coarse, moved
