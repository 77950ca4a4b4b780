"""The spinal canal as a curve: S2's vertebral foramen, found at any slice thickness.

S2 section 3.1 looks for the hole that the vertebral arch leaves on each axial slice: threshold at
150 HU, closing, NOT, remove background, 3-D denoising. In slices thicker than about 1 mm the arch
is open in almost every slice, because pedicles and laminae lie at different heights; so here a
maximum over 18 mm along the body axis comes first, which joins them. The holes that remain are of
many kinds (osteoporotic bodies, bowel with contrast, pelvis); the canal is the best chain of holes
that follow each other with a vertebral body in front and a lamina behind. A robust smooth line
through their centres is the curve. `midsagittal.foramen_s2` is the study's recipe as it stands.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from scipy import ndimage

from lumbar_bundle.grids import (
    block_factors,
    block_mean,
    check_finite,
    check_grid,
    corners_mm,
    sample,
    to_ras,
    to_world,
    unpack,
)
from lumbar_bundle.smoothing import smooth_line

#: Threshold of bone, S2 section 3.1.
BONE_HU = 150.0
#: Half of the run of the maximum along the body axis, mm: pedicle and lamina of one vertebra lie
#: within it, and the arches of neighbours meet.
REACH_MM = 9.0
#: At the sacrum the canal leans back by 45 degrees and more, and so long a run closes it: below the
#: lower end of the chain shorter ones are tried, mm.
SACRAL_REACH_MM = (6.0, 3.0)
#: How far to the sides, behind, in front and below of that end, mm.
SACRAL_FIELD_MM = {"side": 30.0, "behind": 80.0, "front": 40.0, "below": 60.0}
#: Radius of the in-plane closing, mm: clefts of the facet joints.
CLOSING_MM = 4.0
#: Grid on which the canal is looked for, mm along right, front and up.
DETECTION_MM = (2.0, 2.0, 3.0)
#: A canal is 15-28 mm wide and 15-18 mm deep; the maximum eats part of that, mm2.
HOLE_MM2 = (24.0, 700.0)
#: Holes that reach over less than this along the body axis are noise (3-D denoising), mm.
LEAST_LENGTH_MM = 9.0
#: Box in front of a canal where a vertebral body lies, mm before the hole's centre.
FRONT_MM = (10.0, 34.0)
#: Box where lamina and spinous process lie, mm before the hole's centre: behind it.
BACK_MM = (-22.0, -6.0)
#: Half width of both boxes, mm.
SIDE_MM = 10.0
#: Shares of bone in the two boxes that a canal has at least, added; less counts against a hole.
LEAST_BONE = 0.6
#: Canal centres of neighbouring slices scatter by about this much, mm.
SCATTER_MM = 4.0
#: The canal leans by at most this much against the body axis, mm per mm: 45 degrees.
STEEPEST = 1.0
#: What a sidestep of `SCATTER_MM` and a slice without a hole cost a chain; good holes bring 0.6.
STEP_COST, MISS_COST = 0.125, 0.3
#: The chain may miss this much of the axis: a vertebra and both its discs, mm.
LONGEST_GAP_MM = 45.0
#: A shorter chain is no canal, mm: about a vertebra.
SHORTEST_CANAL_MM = 24.0
#: Waves of the curve shorter than this are noise, mm: about one vertebra with its disc.
WAVELENGTH_MM = 40.0
#: Centres this far from the curve keep a quarter of their say, mm.
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

    def part(self, low_mm: np.ndarray, high_mm: np.ndarray) -> Coarse:
        """Return the box between two RAS+ points, at least one voxel wide."""
        step, origin = np.array(DETECTION_MM), self.affine[:3, 3]
        shape = np.array(self.hu.shape)
        first = np.clip(np.floor((low_mm - origin) / step), 0, shape - 1).astype(int)
        last = np.clip(np.ceil((high_mm - origin) / step), first, shape - 1).astype(int)
        moved = np.array(self.affine)
        moved[:3, 3] = origin + first * step
        return Coarse(
            self.hu[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))], moved
        )


@dataclass(frozen=True)
class Holes:
    """Holes that may be the canal.

    Attributes:
        centres_mm: RAS+ millimetres, [N, 3].
        scores: How much each looks like a canal, [N]; above 0 for most true ones.
    """

    centres_mm: np.ndarray
    scores: np.ndarray


def coarse(array: np.ndarray, affine: np.ndarray) -> Coarse:
    """Average a volume [X, Y, Z] of any grid onto the detection grid."""
    view, ras = to_ras(array, affine)
    step = np.array(DETECTION_MM)
    means, means_affine = block_mean(view, ras, block_factors(ras, step))
    corners = corners_mm(view.shape, ras)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = np.maximum(1, np.floor((high - low) / step + 1e-3)).astype(int)
    grid = np.diag([*step, 1.0])
    grid[:3, 3] = np.round((low + high) / 2 - step * (shape - 1) / 2, 6)
    return Coarse(sample(means, means_affine, tuple(shape), grid), grid)


def label_holes(bone: np.ndarray, step_mm: np.ndarray, closing_mm: float) -> np.ndarray:
    """Closing, NOT, remove background: the holes of every axial slice.

    Args:
        bone: Booleans [X, Y, Z], axes in RAS order.
        step_mm: Voxel edges, mm [3].
        closing_mm: Radius of the closing, mm; gaps of up to about twice this close.

    Returns:
        Labels [X, Y, Z], one number for each hole on each slice, 0 elsewhere.
    """
    x, y = (np.arange(-(r := int(closing_mm / s + 1e-3)), r + 1) * s for s in step_mm[:2])
    disk = (np.hypot(x[:, None], y[None]) <= closing_mm + 1e-3)[..., None]
    # A margin, because closing eats bone at the edge of the array.
    rim_x, rim_y = (size // 2 for size in disk.shape[:2])
    padded = np.pad(bone, ((rim_x, rim_x), (rim_y, rim_y), (0, 0)))
    closed = ndimage.binary_closing(padded, disk)
    closed = closed[rim_x : rim_x + bone.shape[0], rim_y : rim_y + bone.shape[1]]
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[:, 1, 1] = in_plane[1, :, 1] = True
    labels, count = ndimage.label(~closed, in_plane)
    keep = np.ones(count + 1, dtype=bool)
    keep[0] = False
    for rim in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        keep[rim] = False
    return np.where(keep[labels], labels, 0)


def find_holes(volume: Coarse, reach_mm: float) -> Holes:
    """Find the holes of a canal's size after a maximum over `reach_mm` up and down."""
    step = np.array(DETECTION_MM)
    run = 2 * int(reach_mm / step[2]) + 1
    bone = ndimage.maximum_filter1d(volume.hu, run, axis=2) > BONE_HU
    labels = label_holes(bone, step, CLOSING_MM)
    areas_mm2 = np.bincount(labels.ravel()) * step[0] * step[1]
    keep = (areas_mm2 >= HOLE_MM2[0]) & (areas_mm2 <= HOLE_MM2[1])
    keep[0] = False
    solid, _ = ndimage.label(keep[labels])
    for part, box in enumerate(ndimage.find_objects(solid), start=1):
        if (box[2].stop - box[2].start) * step[2] < LEAST_LENGTH_MM:
            keep[labels[box][solid[box] == part]] = False
    numbers = np.flatnonzero(keep)
    if len(numbers) == 0:
        return Holes(np.zeros((0, 3)), np.zeros(0))
    x, y, z = np.nonzero(keep[labels])
    at = labels[x, y, z]
    mass = np.bincount(at, minlength=len(keep))[numbers]
    centres = np.column_stack(
        [np.bincount(at, weights=i, minlength=len(keep))[numbers] / mass for i in (x, y, z)]
    )
    scores = _bone_share(bone, centres, FRONT_MM) + _bone_share(bone, centres, BACK_MM)
    return Holes(to_world(volume.affine, centres), scores - LEAST_BONE)


def _bone_share(bone: np.ndarray, centres: np.ndarray, y_mm: tuple[float, float]) -> np.ndarray:
    """Share of bone in a box before or behind each centre (voxels), [N]; none beyond the scan."""
    half = int(SIDE_MM / DETECTION_MM[0])
    near, far = (round(edge / DETECTION_MM[1]) for edge in y_mm)
    shares = np.zeros(len(centres))
    for i, (x, y, z) in enumerate(np.rint(centres).astype(int)):
        box = bone[max(0, x - half) : x + half + 1, max(0, y + near) : max(0, y + far + 1), z]
        shares[i] = box.sum() / ((2 * half + 1) * (far - near + 1))
    return shares


def best_chain(holes: Holes) -> np.ndarray:
    """Choose the holes that follow each other and look most like a canal.

    Dynamic programming from bottom to top: a chain's worth is the sum of its holes' scores, less
    what sidesteps and missed slices cost.

    Returns:
        Centres from bottom to top, RAS+ millimetres [M, 3]; [0, 3] without holes.
    """
    order = np.argsort(holes.centres_mm[:, 2], kind="stable")
    points, scores = holes.centres_mm[order], holes.scores[order]
    if len(points) == 0:
        return points
    best, before = scores.copy(), np.full(len(points), -1)
    slice_mm = DETECTION_MM[2]
    for i, point in enumerate(points):
        first = np.searchsorted(points[:, 2], point[2] - LONGEST_GAP_MM)
        last = np.searchsorted(points[:, 2], point[2] - slice_mm / 2)
        if last <= first:
            continue
        rise = point[2] - points[first:last, 2]
        side = np.hypot(*(point[:2] - points[first:last, :2]).T)
        cost = STEP_COST * (side / SCATTER_MM) ** 2 + MISS_COST * (rise / slice_mm - 1)
        worth = np.where(side <= SCATTER_MM + STEEPEST * rise, best[first:last] - cost, -np.inf)
        j = int(np.argmax(worth))
        if worth[j] > 0:
            best[i], before[i] = scores[i] + worth[j], first + j
    chain, i = [], int(np.argmax(best))
    while i >= 0:
        chain.append(i)
        i = int(before[i])
    return points[chain[::-1]]


def canal_curve(volume: Coarse) -> np.ndarray:
    """Find the canal's centre line.

    Args:
        volume: HU on the detection grid.

    Returns:
        RAS+ millimetres from bottom to top, one point every 3 mm, [N, 3]; [0, 3] where no chain of
        holes is long enough to be a canal.
    """
    found = find_holes(volume, REACH_MM)
    chain = best_chain(found)
    if len(chain) == 0 or np.ptp(chain[:, 2]) < SHORTEST_CANAL_MM:
        return np.zeros((0, 3))
    field = SACRAL_FIELD_MM
    end = volume.part(
        chain[0] - [field["side"], field["behind"], field["below"]],
        chain[0] + [field["side"], field["front"], LONGEST_GAP_MM],
    )
    lower = [find_holes(end, reach) for reach in SACRAL_REACH_MM]
    chain = best_chain(
        Holes(
            np.concatenate([found.centres_mm, *(more.centres_mm for more in lower)]),
            np.concatenate([found.scores, *(more.scores for more in lower)]),
        )
    )
    step = DETECTION_MM[2]
    places = np.rint((chain[:, 2] - chain[0, 2]) / step).astype(int)
    size = int(places[-1]) + 1
    line = smooth_line(places, chain[:, :2], size, WAVELENGTH_MM / step, OUTLIER_MM)
    return np.column_stack([line, chain[0, 2] + step * np.arange(size)])


class ForamenCurve(Transform):
    """Find the centre line of the spinal canal in a CT of any grid (S2 section 3.1)."""

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Find the curve.

        Args:
            image: HU, [1, X, Y, Z] with an affine.

        Returns:
            RAS+ millimetres from bottom to top, float32 [N, 3]; [0, 3] if there is none.

        Raises:
            ValueError: If the image is no volume in space or holds values that are not finite.
        """
        array, affine, name = unpack(image)
        check_grid(array.shape, affine, name)
        volume = coarse(array, affine)
        check_finite(volume.hu, name)
        return torch.from_numpy(canal_curve(volume).astype(np.float32))


class ForamenCurved(MapTransform):
    """Dictionary form of `ForamenCurve`: the curve of the first key goes to `curve_key`."""

    def __init__(
        self, keys: KeysCollection, curve_key: str = "curve", allow_missing_keys: bool = False
    ) -> None:
        """Store the settings."""
        super().__init__(keys, allow_missing_keys)
        self.curve_key = curve_key
        self.find = ForamenCurve()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Find the curve."""
        result = dict(data)
        result[self.curve_key] = self.find(result[self.first_key(result)])
        return result
