"""Whether a body reaches the end of what was scanned: then part of it may be missing.

The end is a face of the input's own voxel box, or blank filling inside it (a turned volume, a
tilted gantry), which no tissue looks like.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lumbar_bundle.grids import sample, spacing_mm, to_index

#: A body this close to a face may be cut by it, mm: one voxel of the working grid, and the
#: network's uncertainty where its input ends.
FACE_MM = 3.0
#: ... beyond half a slice of the input, which is not interpolated past its middle.
BEYOND_SLICE_MM = 2.0
#: Share of a body's voxels that may lie there by chance.
STRAY = 0.002
#: At the left and right faces more: a slab about the spine may clip the rim of a wide body.
STRAY_BESIDE = 0.03
#: Filling at or below this, HU: lung is above -950 but for specks, air outside the patient does not
#: meet a vertebra.
BLANK_HU = -950.0
#: Blank within this distance of a body, in voxels of the working grid of 2 mm, cuts it.
BLANK_REACH = 2
#: In a reformat, which has no wide grid, the window's lower end over this width, voxels, is blank:
#: gas in a disc is thinner.
BLANK_WIDTH = 7


def touches_face(
    points_mm: np.ndarray,
    input_affine: np.ndarray,
    input_shape: tuple[int, ...],
    reformat: bool,
) -> bool:
    """Tell whether a body reaches a face of the input.

    Args:
        points_mm: Its voxels, RAS+ mm [N, 3].
        input_affine: 4x4 voxel to RAS+ matrix of the input in RAS order (`grids.to_ras`).
        input_shape: Its shape [3].
        reformat: Whether the input is a sagittal reformat, whose outer slices cut bodies always.
    """
    edges = spacing_mm(input_affine)
    index = to_index(input_affine, points_mm)
    for axis in (1, 2) if reformat else (0, 1, 2):
        margin = max(FACE_MM, edges[axis] / 2 + BEYOND_SLICE_MM)
        stray = STRAY if axis else STRAY_BESIDE
        for room in (index[:, axis] + 0.5, input_shape[axis] - 0.5 - index[:, axis]):
            if np.quantile(room, stray) * edges[axis] < margin:
                return True
    return False


def blank_of_wide(
    wide: np.ndarray, wide_affine: np.ndarray, shape: tuple[int, ...], affine: np.ndarray
) -> np.ndarray:
    """Find blank filling on the working grid.

    Args:
        wide: HU on the 3 mm grid, [X', Y', Z'].
        wide_affine: Its 4x4 matrix.
        shape: Of the working grid.
        affine: Its 4x4 matrix.

    Returns:
        bool [X, Y, Z]; not blank beyond the wide grid.
    """
    blank = ndimage.binary_opening(wide <= BLANK_HU, np.ones((3, 3, 3)))
    if not blank.any():
        return np.zeros(shape, dtype=bool)
    return sample(blank.astype(np.uint8), wide_affine, shape, affine, order=0, outside=0) > 0


def blank_of_reformat(image: np.ndarray) -> np.ndarray:
    """Find blank filling of a reformat on the working grid, from the windowed image [X, Y, Z]."""
    return ndimage.binary_opening(image <= 0, np.ones((1, BLANK_WIDTH, BLANK_WIDTH)))


def touches_blank(inside: np.ndarray, blank: np.ndarray | None) -> bool:
    """Tell whether blank filling lies beside a body.

    Args:
        inside: The body's voxels and their surroundings, bool [X, Y, Z].
        blank: Filling, same shape.
    """
    if blank is None or not blank.any():
        return False
    steps = np.zeros((3, 3, 3), dtype=bool)
    steps[1, :, :] = True
    near = ndimage.binary_dilation(blank, steps, iterations=BLANK_REACH)
    return bool((near & inside).sum() > STRAY * inside.sum())
