"""The spinal canal as a curve: S2's vertebral foramen, found at any slice thickness.

S2 section 3.1 looks for the hole that the vertebral arch leaves on each axial slice: threshold at
150 HU, closing, NOT, remove background, 3-D denoising. In slices thicker than about 1 mm the arch
is open in almost every slice, because pedicles and laminae lie at different heights; so here a
maximum over 18 mm along the body axis comes first, which joins them. What remains are holes of many
kinds (osteoporotic bodies, bowel with contrast, pelvis); the canal is the longest chain of holes
that follow each other, with a vertebral body in front. `foramen_s2` is the literal recipe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.linalg import solveh_banded

from lumbar_bundle.grids import (
    block_factors,
    block_mean,
    corners_mm,
    sample,
    to_ras,
    to_world,
)

#: S2 section 3.1.
BONE_HU = 150.0
#: Half of the run of the maximum along the body axis, mm: pedicle and lamina of one vertebra are
#: at most this far apart, two neighbouring arches touch.
REACH_MM = 9.0
#: Radius of the in-plane closing, mm: gaps between facet joints.
CLOSING_MM = 4.0
#: Grid on which the canal is looked for, mm along right, front and up.
DETECTION_MM = (2.0, 2.0, 3.0)
#: A canal is 15-28 mm wide and 15-18 mm deep; the maximum eats part of that, mm2.
HOLE_MM2 = (24.0, 700.0)
#: Holes that reach over less than this along the body axis are noise, mm.
LEAST_LENGTH_MM = 9.0
#: Box in front of a canal where a vertebral body lies, mm from the hole's centre.
FRONT_MM = (10.0, 34.0)
SIDE_MM = 10.0
#: Box behind a canal where lamina and spinous process lie, mm from the hole's centre.
BACK_MM = (6.0, 22.0)
#: The canal bends at most this much against the body axis: 45 degrees at the sacrum.
STEEPEST = 1.0
#: Canal centres of neighbouring slices scatter by about this much, mm.
SCATTER_MM = 4.0
#: The chain may miss this much of the axis: a vertebra and both its discs, mm.
LONGEST_GAP_MM = 45.0
#: A shorter chain is no canal, mm: about a vertebra.
SHORTEST_CANAL_MM = 24.0
#: Stiffness of the smooth curve: features shorter than about 40 mm are smoothed away.
SMOOTHING_MM = 40.0
#: Centres further than this from the curve lose their say, mm.
OUTLIER_MM = 4.0


@dataclass(frozen=True)
class Coarse:
    """A volume on the detection grid, whose axes are those of the world.

    Attributes:
        hu: HU, float32 [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix: diagonal, `DETECTION_MM`.
    """

    hu: np.ndarray
    affine: np.ndarray


def coarse(array: np.ndarray, affine: np.ndarray) -> Coarse:
    """Average a volume of any grid onto the detection grid."""
    view, ras = to_ras(array, affine)
    means, means_affine = block_mean(view, ras, block_factors(ras, np.array(DETECTION_MM)))
    corners = corners_mm(view.shape, ras)
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = np.array(DETECTION_MM)
    shape = tuple(int(n) for n in np.maximum(1, np.floor((high - low) / step + 1e-3)))
    grid = np.diag([*step, 1.0])
    grid[:3, 3] = np.round((low + high) / 2 - step * (np.array(shape) - 1) / 2, 6)
    return Coarse(sample(means, means_affine, shape, grid), grid)


def disk(radius_mm: float, step_mm: np.ndarray) -> np.ndarray:
    """In-plane disk as a structuring element [x, y, 1]; the edge counts as inside."""
    reach = [int(radius_mm / step + 1e-3) for step in step_mm[:2]]
    x, y = (np.arange(-n, n + 1) * step for n, step in zip(reach, step_mm, strict=False))
    return (np.hypot(x[:, None], y[None]) <= radius_mm + 1e-3)[..., None]


def holes(bone: np.ndarray, step_mm: np.ndarray) -> np.ndarray:
    """Closing, NOT, remove background: the holes of every axial slice.

    Args:
        bone: Booleans [X, Y, Z].
        step_mm: Voxel edges, mm [3].

    Returns:
        Labels [X, Y, Z] of one hole and slice each, 0 elsewhere.
    """
    element = disk(CLOSING_MM, step_mm)
    margin = [(n // 2, n // 2) for n in element.shape]
    closed = ndimage.binary_closing(np.pad(bone, margin), element)
    closed = closed[tuple(slice(a, n - b) for (a, b), n in zip(margin, closed.shape, strict=True))]
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[:, 1, 1] = in_plane[1, :, 1] = True
    labels, _ = ndimage.label(~closed, in_plane)
    rims = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    background = np.unique(np.concatenate([rim.ravel() for rim in rims]))
    keep = np.ones(labels.max() + 1, dtype=bool)
    keep[background] = keep[0] = False
    labels[~keep[labels]] = 0
    return labels


@dataclass(frozen=True)
class _Holes:
    """Centres [N, 3] in voxels and scores [N] of the holes that may be the canal."""

    centres: np.ndarray
    scores: np.ndarray


def _candidates(volume: Coarse) -> _Holes:
    step = np.array(DETECTION_MM)
    run = 2 * int(REACH_MM / step[2]) + 1
    joined = ndimage.maximum_filter1d(volume.hu, run, axis=2)
    bone = joined > BONE_HU
    labels = holes(bone, step)
    areas = np.bincount(labels.ravel()) * step[0] * step[1]
    keep = (areas >= HOLE_MM2[0]) & (areas <= HOLE_MM2[1])
    keep[0] = False
    # 3-D denoising: a hole that no neighbouring slice repeats is no canal.
    solid, _ = ndimage.label(keep[labels])
    boxes = ndimage.find_objects(solid)
    short = [
        i + 1
        for i, box in enumerate(boxes)
        if (box[2].stop - box[2].start) * step[2] < LEAST_LENGTH_MM
    ]
    keep[np.unique(labels[np.isin(solid, short)])] = False
    numbers = np.flatnonzero(keep)
    if numbers.size == 0:
        return _Holes(np.zeros((0, 3)), np.zeros(0))
    centres = np.array(
        ndimage.center_of_mass(np.ones_like(labels, dtype=np.uint8), labels, numbers)
    )
    front = _bone_share(bone, centres, (FRONT_MM[0], FRONT_MM[1]))
    back = _bone_share(bone, centres, (-BACK_MM[1], -BACK_MM[0]))
    return _Holes(centres, front + back - 0.6)


def _bone_share(bone: np.ndarray, centres: np.ndarray, y_mm: tuple[float, float]) -> np.ndarray:
    """Share of bone in a box before or behind each centre, [N]."""
    step = np.array(DETECTION_MM)
    width = 2 * int(SIDE_MM / step[0]) + 1
    first, last = (round(edge / step[1]) for edge in y_mm)
    depth = last - first + 1
    share = ndimage.uniform_filter1d(bone.astype(np.float32), width, axis=0, mode="constant")
    share = ndimage.uniform_filter1d(share, depth, axis=1, mode="constant")
    index = np.rint(centres).astype(int)
    y = index[:, 1] + first + depth // 2
    inside = (y >= 0) & (y < bone.shape[1])
    return np.where(inside, share[index[:, 0], np.clip(y, 0, bone.shape[1] - 1), index[:, 2]], 0)


def _chain(found: _Holes) -> np.ndarray:
    """Best chain of holes from bottom to top: indices into `found`."""
    step = np.array(DETECTION_MM)
    order = np.argsort(found.centres[:, 2], kind="stable")
    points, scores = found.centres[order] * step, found.scores[order]
    best, before = scores.copy(), np.full(len(order), -1)
    for i, point in enumerate(points):
        rise = point[2] - points[:i, 2]
        side = np.hypot(point[0] - points[:i, 0], point[1] - points[:i, 1])
        near = (rise > 0.5) & (rise <= LONGEST_GAP_MM) & (side <= SCATTER_MM + STEEPEST * rise)
        if near.any():
            cost = (side / SCATTER_MM) ** 2 / 8 + 0.3 * (rise / step[2] - 1)
            value = np.where(near, best[:i] - cost, -np.inf)
            j = int(np.argmax(value))
            if value[j] > 0:
                best[i], before[i] = scores[i] + value[j], j
    chain, i = [], int(np.argmax(best))
    while i >= 0:
        chain.append(order[i])
        i = int(before[i])
    return np.array(chain[::-1])


def smooth(z_mm: np.ndarray, values: np.ndarray, at_mm: np.ndarray) -> np.ndarray:
    """Robust smooth line through scattered values (penalised curvature, outliers weighed down).

    Args:
        z_mm: Where the values stand, [N], on `at_mm`.
        values: Values, [N, 2].
        at_mm: Evenly spaced places to return the line at, [M].

    Returns:
        The line, [M, 2].
    """
    places = np.rint((z_mm - at_mm[0]) / (at_mm[1] - at_mm[0])).astype(int)
    stiff = (SMOOTHING_MM / (2 * np.pi * (at_mm[1] - at_mm[0]))) ** 4
    weights = np.ones(len(values))
    line = np.zeros((len(at_mm), values.shape[1]))
    for _ in range(8):
        line = _whittaker(places, values, weights, len(at_mm), stiff)
        away = np.linalg.norm(values - line[places], axis=1)
        weights = 1 / (1 + (away / OUTLIER_MM) ** 2) ** 2
    return line


def _whittaker(
    places: np.ndarray, values: np.ndarray, weights: np.ndarray, size: int, stiff: float
) -> np.ndarray:
    """Minimise weighted squared errors plus `stiff` times squared second differences."""
    diagonal = np.zeros(size)
    np.add.at(diagonal, places, weights)
    right = np.zeros((size, values.shape[1]))
    np.add.at(right, places, weights[:, None] * values)
    band = np.zeros((3, size))
    band[2] = diagonal + 1e-9
    second = np.array([1.0, -2.0, 1.0])
    for i in range(size - 2):
        for a in range(3):
            for b in range(a, 3):
                band[2 - (b - a), i + b] += stiff * second[a] * second[b]
    return solveh_banded(band, right)


def canal_curve(volume: Coarse) -> np.ndarray:
    """Find the canal's centre line.

    Args:
        volume: HU on the detection grid.

    Returns:
        RAS+ millimetres from bottom to top, one point every 3 mm, [N, 3]; [0, 3] where no chain of
        holes is long enough to be a canal.
    """
    nothing = np.zeros((0, 3))
    if min(volume.hu.shape) < 3:
        return nothing
    found = _candidates(volume)
    if len(found.scores) == 0:
        return nothing
    chain = _chain(found)
    points = to_world(volume.affine, found.centres[chain])
    if np.ptp(points[:, 2]) < SHORTEST_CANAL_MM:
        return nothing
    step = DETECTION_MM[2]
    z = points[0, 2] + step * np.arange(round(np.ptp(points[:, 2]) / step) + 1)
    return np.column_stack([smooth(points[:, 2], points[:, :2], z), z])
