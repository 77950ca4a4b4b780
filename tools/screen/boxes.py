"""The part of a volume about a mask, so that what is measured near it costs no whole volume."""

from __future__ import annotations

import numpy as np

MARGIN_MM = 40.0
"""Kept about the mask: noise is read in soft tissue near the bodies."""


def surroundings(
    inside: np.ndarray, affine: np.ndarray, margin_mm: float = MARGIN_MM
) -> tuple[tuple[slice, ...], np.ndarray]:
    """Box of voxels about a mask with a margin, and the matrix of that part.

    Args:
        inside: The mask, bool [X, Y, Z], not empty.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        margin_mm: Kept on every side, mm, as far as the volume reaches.

    Examples:
        >>> mask = np.zeros((9, 9, 9), dtype=bool)
        >>> mask[4, 4, 8] = True
        >>> box, moved = surroundings(mask, np.diag([2.0, 2.0, 2.0, 1.0]), margin_mm=3.0)
        >>> box, moved[:3, 3].tolist()
        ((slice(2, 7, None), slice(2, 7, None), slice(6, 11, None)), [4.0, 4.0, 12.0])
    """
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    box = []
    for axis, edge in enumerate(edges):
        others = tuple(other for other in range(3) if other != axis)
        shown = np.flatnonzero(inside.any(axis=others))
        margin = int(np.ceil(margin_mm / edge))
        box.append(slice(max(0, int(shown[0]) - margin), int(shown[-1]) + margin + 1))
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return tuple(box), moved
