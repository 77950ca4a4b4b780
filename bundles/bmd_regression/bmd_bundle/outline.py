"""The solid body behind an outline: strays dropped, narrow notches closed, holes filled.

Outlines lack voxels where a dense spot lies, and one that is missing in the middle leaves no room
for a patch. A body itself has no hole as narrow: what is closed here belongs to it.

    outline.solid(mask, (0.8, 0.8, 3.0))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

#: Gaps are closed where a ball of this radius does not fit, mm: canals and notches up to 9 mm wide,
#: such as the basivertebral foramen. On voxels of 3 mm it just holds the diagonal neighbours
#: (4.2 mm), without which slanting gaps stay open. A body's own walls are hollowed with radii of
#: 10 mm and more (design: a waist of 3 mm on a height of 25 mm has 27 mm), so its surface stays.
CLOSE_MM = 4.5


def solid(mask: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Close the largest piece of a mask.

    Args:
        mask: One body, bool [X, Y, Z]; what lies beyond its volume is background.
        spacing_mm: Voxel edges, mm, [3].

    Returns:
        Its largest piece without notches and holes, bool [X, Y, Z]; nothing of the piece is lost.
    """
    # An edge longer than the radius counts as the radius: the ball reaches the next voxel at least.
    edges = np.minimum(np.asarray(spacing_mm, dtype=float), CLOSE_MM)
    reach = CLOSE_MM + 1e-3  # a whole number of voxels must not be lost to rounding
    room = np.ceil(reach / edges).astype(int) + 1
    part = np.pad(_largest(mask), [(width, width) for width in room])
    if not part.any():
        return mask
    grown = ndimage.distance_transform_edt(~part, sampling=edges) <= reach
    closed = ndimage.distance_transform_edt(grown, sampling=edges) > reach
    filled: np.ndarray = ndimage.binary_fill_holes(closed | part)
    return filled[tuple(slice(width, -width) for width in room)]


def _largest(mask: np.ndarray) -> np.ndarray:
    """Keep the largest piece of a mask: stray voxels must not move the middle."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    return pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
