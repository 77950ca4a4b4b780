"""Sagittal pictures cut out of a CT of any orientation, obliquity and spacing."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from scipy import ndimage

from ovf_bundle.planning import Layout

#: HU beyond the scan: air, and the value that CT readers pad with.
OUTSIDE_HU = -1024.0
#: Part of a voxel that floating-point error may cost at an outer face.
TOLERANCE = 1e-3
#: Voxels per pixel that are rounding: a grid does not turn by so little.
TINY = 1e-9


def to_patient_order(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """View a volume with its axes in the order right to left, head to foot, front to back.

    An oblique grid stays oblique: the axes take the order that is closest.

    Args:
        array: Volume, any order of axes.
        affine: Its 4x4 voxel to RAS+ mm matrix.

    Returns:
        A view of the volume and its matrix.
    """
    change = ornt_transform(io_orientation(affine), axcodes2ornt("LIP"))
    return apply_orientation(array, change), affine @ inv_ornt_aff(change, array.shape)


def cut(view: np.ndarray, affine: np.ndarray, layout: Layout) -> np.ndarray:
    """Cut all pictures of a layout.

    Args:
        view: HU, axes as `to_patient_order` gives them.
        affine: Its matrix.
        layout: Where the pictures lie.

    Returns:
        HU, float32 [parts x slices, rows, columns], the parts one after the other; -1024 beyond
        the scan.
    """
    shape = (layout.slices, layout.pixels, layout.pixels)
    step_mm = voxel_sizes(layout.places[0])
    planes = int(np.ceil(step_mm[0] / voxel_sizes(affine)[0])) if layout.averaged else 1
    return np.concatenate([sample(view, affine, shape, place, planes) for place in layout.places])


def sample(
    view: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    place: np.ndarray,
    planes: int,
) -> np.ndarray:
    """Sample a grid linearly, without aliasing.

    Up to half a voxel beyond the outermost centres a scan still shows the patient (a voxel is an
    extent, not a point): there its edge value holds, further out `OUTSIDE_HU`.

    Args:
        view: Volume.
        affine: Its voxel to RAS+ mm matrix.
        shape: Shape of the grid.
        place: Its matrix.
        planes: Planes, evenly over the thickness, whose mean a slice is.

    Returns:
        float32 [*shape].
    """
    size = np.array(view.shape)
    coarser = voxel_sizes(place) / voxel_sizes(affine)
    to_voxel = np.linalg.inv(affine) @ place
    fine = to_voxel @ np.diag([1 / planes, 1, 1, 1])
    fine[:3, 3] -= to_voxel[:3, 0] * (planes - 1) / (2 * planes)
    fine_shape = (shape[0] * planes, *shape[1:])
    # Only what the grid looks at becomes float32.
    ends = apply_affine(fine, list(product(*((0, n - 1) for n in fine_shape))))
    margin = int(coarser[1:].max()) + 1
    first = np.clip(np.floor(ends.min(axis=0)).astype(int) - margin, 0, size - 1)
    last = np.clip(np.ceil(ends.max(axis=0)).astype(int) + margin + 1, first + 1, size)
    part = view[tuple(slice(a, b) for a, b in zip(first, last, strict=True))].astype(np.float32)
    for axis in (1, 2):
        if coarser[axis] >= 2:
            width = 2 * int(coarser[axis] / 2) + 1
            part = ndimage.uniform_filter1d(part, width, axis=axis, mode="nearest")
    turn = fine[:3, :3]
    straight = np.allclose(turn, np.diag(turn.diagonal()), atol=TOLERANCE / max(fine_shape))
    values = ndimage.affine_transform(
        part,
        turn.diagonal() if straight else turn,  # SciPy is faster without a turn
        fine[:3, 3] - first,
        output_shape=fine_shape,
        order=1,
        mode="nearest",
        prefilter=False,
    )
    values = values.reshape(shape[0], planes, *shape[1:]).mean(axis=1)
    lattice = np.ogrid[tuple(slice(n) for n in shape)]
    inside: Any = True
    for row, n in zip(to_voxel, size, strict=False):
        at = row[3] + sum(c * x for c, x in zip(row, lattice, strict=False) if abs(c) > TINY)
        inside = inside & (np.abs(at - (n - 1) / 2) <= n / 2 + TOLERANCE)
    return np.where(inside, values, np.float32(OUTSIDE_HU))
