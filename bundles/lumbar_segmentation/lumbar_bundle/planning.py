"""Where to cut the slab of sagittal slices: its grid, from the volume's and the canal curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lumbar_bundle.common import is_sagittal_reformat
from lumbar_bundle.foramen import BONE_HU, DETECTION_MM, Coarse, canal_curve, coarse
from lumbar_bundle.grids import (
    block_factors,
    check_finite,
    check_grid,
    corners_mm,
    covered,
    spacing_mm,
    to_index,
    to_ras,
    to_world,
)

#: A shorter curve does not say how the spine leans, mm: about two vertebrae.
LEAN_MM = 60.0
#: The slices lean with the spine up to this angle, degrees; hardly any spine leans more.
LARGEST_LEAN_DEG = 25.0
#: A wide stack of sagittal slices that the spine leaves at a steeper angle than this is cut anew as
#: a volume, degrees: 5 degrees are half a body's width over L1-L5.
OBLIQUE_DEG = 5.0
#: Width of the column of bone that stands in for a canal that is not found, mm: about a body.
COLUMN_MM = 40.0
#: Bone of one slice that counts for the column at most, mm2: about a body's cross section.
COLUMN_MM2 = 1500.0
#: Part of a voxel that floating-point error may cost an extent.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Reach:
    """How far the slab reaches from the canal curve, and its step, all mm.

    Attributes:
        step: Distance of the slices, then the pixel edges within them, [3].
        side: To each side of the curve's outermost points.
        behind: Behind its hindmost point.
        front: Before its foremost point.
    """

    step: np.ndarray
    side: float
    behind: float
    front: float


@dataclass(frozen=True)
class Slab:
    """The working grid, and what was seen on the way.

    Attributes:
        shape: Voxels of the working grid [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        curve: RAS+ millimetres of the canal from bottom to top, [N, 3]; [0, 3] if none was found.
        coarse: The volume on the detection grid; None for reformats.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    curve: np.ndarray
    coarse: Coarse | None


def plan_slab(array: np.ndarray, affine: np.ndarray, reach: Reach, name: str) -> Slab:
    """Lay the working grid through a volume.

    A volume gets a grid along the patient's axes, turned in the coronal plane so that its height
    follows the straight line through the curve; it ends where the scan ends. Where no canal is
    found it stands upright on the column that holds most bone, and is as deep as the scan.
    A sagittal reformat keeps the directions of its slices and their distance (thinner slices than
    the step are averaged), but no slice further than `reach.side` from the curve, or from the
    stack's middle where the stack is too narrow to find a curve. One that the spine crosses at
    an angle is no reformat of a spine and is treated as a volume.

    Args:
        array: HU [X, Y, Z], any orientation.
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        reach: Extent and step of the slab.
        name: What an error calls the volume: its file.

    Raises:
        ValueError: If the array is no volume in space, or holds values that are not finite.
    """
    check_grid(array.shape, affine, name)
    view, ras = to_ras(array, affine)
    reformat = is_sagittal_reformat(view.shape, ras)
    if reformat and view.shape[0] * spacing_mm(ras)[0] <= 2 * reach.side:
        check_finite(view, name)
        nothing = np.zeros((0, 3))
        return Slab(*slices_grid(view.shape, ras, reach, nothing), nothing, None)
    volume = coarse(view, ras)
    check_finite(volume.hu, name)
    curve = canal_curve(volume)
    if reformat and crossing_deg(curve, ras) <= OBLIQUE_DEG:
        return Slab(*slices_grid(view.shape, ras, reach, curve), curve, None)
    turn = leaning_axes(curve)
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    if len(curve):
        turned = curve @ turn
        low[:2] = turned.min(axis=0)[:2] - [reach.side, reach.behind]
        high[:2] = turned.max(axis=0)[:2] + [reach.side, reach.front]
    else:
        middle = bone_column_mm(volume)
        low[0], high[0] = middle - reach.side, middle + reach.side
    grid = grid_between(low, high, turn, reach.step, view.shape, ras)
    return Slab(*grid, curve, volume)


def leaning_axes(curve: np.ndarray) -> np.ndarray:
    """Working axes as columns, [3, 3]: the world's, turned about the one that points forward."""
    if len(curve) < 2 or np.ptp(curve[:, 2]) < LEAN_MM:
        return np.eye(3)
    limit = np.radians(LARGEST_LEAN_DEG)
    angle = np.clip(np.arctan(np.polyfit(curve[:, 2], curve[:, 0], 1)[0]), -limit, limit)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def crossing_deg(curve: np.ndarray, ras: np.ndarray) -> float:
    """Angle between the canal and the sagittal slices of a grid in RAS order, degrees."""
    if len(curve) < 2 or np.ptp(curve[:, 2]) < LEAN_MM:
        return 0.0
    along = np.linalg.svd(curve - curve.mean(axis=0), full_matrices=False)[2][0]
    normal = np.cross(ras[:3, 1], ras[:3, 2])
    sine = min(1.0, abs(float(along @ normal)) / float(np.linalg.norm(normal)))
    return float(np.degrees(np.arcsin(sine)))


def bone_column_mm(volume: Coarse) -> float:
    """Right-left position of the upright column that holds most bone, RAS+ mm."""
    area = (volume.hu > BONE_HU).sum(axis=1) * DETECTION_MM[0] * DETECTION_MM[1]  # [X, Z]
    width = min(int(COLUMN_MM / DETECTION_MM[0]), area.shape[0])
    column = ndimage.uniform_filter1d(area.astype(float), width, axis=0, mode="constant") * width
    held = np.minimum(column, COLUMN_MM2).sum(axis=1)
    best = np.flatnonzero(held >= held.max() - ROUNDING)
    return float(volume.affine[0, 3] + DETECTION_MM[0] * best.mean())


def grid_between(
    low: np.ndarray,
    high: np.ndarray,
    axes: np.ndarray,
    step: np.ndarray,
    source_shape: tuple[int, ...],
    source: np.ndarray,
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Fill the box between two corners with voxels, as far as another grid covers it.

    Args:
        low: Lower corner along `axes`, mm [3]; -inf for as far as the other grid goes.
        high: Upper corner.
        axes: Directions of the new grid as columns, orthonormal, RAS+ [3, 3].
        step: Voxel edges, mm [3].
        source_shape: Shape of the other grid.
        source: Its matrix.

    Returns:
        Shape and matrix of the grid; planes wholly beyond the other grid are cut off.
    """
    corners = corners_mm(source_shape, source) @ axes
    low, high = np.maximum(low, corners.min(axis=0)), np.minimum(high, corners.max(axis=0))
    shape = np.maximum(1, np.floor((high - low) / step + ROUNDING)).astype(int)
    grid = np.eye(4)
    grid[:3, :3] = axes * step
    grid[:3, 3] = axes @ ((low + high) / 2 - step * (shape - 1) / 2)
    inside = covered(source_shape, source, tuple(shape), grid)
    first, last = np.zeros(3, dtype=int), shape - 1
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        kept = np.flatnonzero(inside.any(axis=others))
        if len(kept):
            first[axis], last[axis] = kept[0], kept[-1]
    x, y, z = (int(n) for n in last - first + 1)
    grid[:3, 3] = to_world(grid, first)
    return (x, y, z), grid


def slices_grid(
    shape: tuple[int, ...], ras: np.ndarray, reach: Reach, curve: np.ndarray
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Lay the working grid along the slices of a sagittal reformat.

    Args:
        shape: Shape of the reformat in RAS order.
        ras: Its matrix.
        reach: Extent and step of the slab.
        curve: Canal [N, 3], RAS+ mm; [0, 3] for the middle of the stack.

    Returns:
        Shape and matrix of the grid: all of every slice, at least one slice.
    """
    own = spacing_mm(ras)
    averaged = int(min(block_factors(ras, reach.step)[0], shape[0]))
    step = np.array([own[0] * averaged, reach.step[1], reach.step[2]])
    first_place = (averaged - 1) / 2  # of the first new slice, in old ones
    middle = (shape[0] - 1) / 2
    at = float(np.median(to_index(ras, curve)[:, 0])) if len(curve) else middle
    at, side = (at - first_place) / averaged, reach.side / step[0]
    slices = np.arange(shape[0] // averaged)
    kept = slices[np.abs(slices - at) <= side + ROUNDING]
    if len(kept) == 0:
        kept = slices[[int(np.argmin(np.abs(slices - at)))]]
    start = first_place + kept[0] * averaged
    return in_plane_grid(shape, ras, step, float(start), len(kept))


def in_plane_grid(
    shape: tuple[int, ...], ras: np.ndarray, step: np.ndarray, start: float, count: int
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Lay a grid along sagittal slices, in their own directions.

    Args:
        shape: Shape of the stack in RAS order.
        ras: Its matrix.
        step: Distance of the slices and pixel edges of the new grid, mm [3].
        start: Place of the first slice, in slices of the stack.
        count: How many slices.

    Returns:
        Shape and matrix of the grid: all of every slice.
    """
    own = spacing_mm(ras)
    middle = (np.array(shape) - 1) / 2
    size = np.maximum(1, np.floor(np.array(shape) * own / step + ROUNDING)).astype(int)
    first = middle - (size - 1) / 2 * step / own
    first[0] = start
    grid = np.array(ras)
    grid[:3, :3] = ras[:3, :3] / own * step
    grid[:3, 3] = to_world(ras, first)
    return (count, int(size[1]), int(size[2])), grid
