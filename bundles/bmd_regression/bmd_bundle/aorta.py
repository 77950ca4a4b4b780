"""The abdominal aorta in front of the spine, and the HU of its blood: is the scan enhanced?

    found = aorta.find(image, affine, {"L1": points_mm, "L2": points_mm})
    found.hu_median          # None where no aorta was found with certainty

Contrast medium in the blood raises vertebral HU, so a density from an enhanced scan is too high
(Pompe 2015: L1 +14 to +18 HU). DICOM tags often do not tell; the aorta does. It is searched for as
a homogeneous disc of a vessel's size, left of the middle in front of the bodies, followed from
slice to slice as the path with the best edges (dynamic programming over candidate circles). Only
the core of the disc is read: calcified wall and plaque lie outside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from bmd_bundle.geometry import to_index

#: Bodies in front of which the abdominal aorta runs: it forks before L4 (design: seldom above), and
#: above T12 it lies beside the spine, in the chest.
LEVELS = ("T12", "L1", "L2", "L3", "L4")
#: What a named level looks like; anything else is a body without a name.
NAMED = re.compile(r"[TL]\d{1,2}|sacrum")
#: The search field about the middle of the bodies' front: left, right, behind and before it, mm.
FIELD_MM = {"left": 48.0, "right": 28.0, "behind": 10.0, "before": 48.0}
#: Sample distance in the axial plane and along the axis, mm.
STEP_MM = 1.5
#: Smoothing of noise before edges are judged, SD in the plane and along the axis, mm: thin sharp
#: slices have a noise of 90 HU, and the vessel runs along the axis.
SMOOTHING_MM = (1.2, 2.5)
#: Lung beside the bodies' front, up to so far before it, tells that a slice lies in the chest where
#: the oesophagus runs in the aorta's place: darker than this, HU, over this share of what is seen.
CHEST_BEFORE_MM, LUNG_HU, CHEST_SHARE = 15.0, -500.0, 0.08
#: Circles are sought every so many samples along the axis.
STRIDE = 3
#: Radii tried, mm: a slender woman's aorta to an aneurysm of 5 cm.
RADII_MM = (5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 12.0, 13.5, 15.5, 18.0, 21.0, 25.0)
#: Directions in which the edge of a circle is looked for.
DIRECTIONS = 24
#: The edge is looked for this far outside the circle, mm.
OUTSIDE_MM = 2.0
#: A wall is seen where tissue outside differs from the blood by this, HU: fat by 140, unenhanced
#: muscle and vein not at all. Twice that counts as fully seen.
EDGE_HU = 25.0
#: Spread of smoothed blood in the inner part of the circle, HU: beyond it something else is inside.
SPREAD_HU = 14.0
#: Enhanced blood is allowed this share of its HU on top.
SPREAD_SHARE = 0.06
#: Inner part of a circle that is judged and read: the wall and its plaques lie outside.
CORE = 0.65
#: Where the aorta usually lies against the middle of the bodies' front: its centre to the left, its
#: hind wall before the body; mean and SD, mm (design after anatomical atlases, wide for scoliosis).
LEFT_MM = (10.0, 8.0)
GAP_MM = (2.5, 5.0)
#: What a place that is unusual by one SD squared costs, against a wall seen all around, 1.
PLACE_COST = 0.06
#: Change of place, radius and HU between circles that costs `PLACE_COST`.
DRIFT_MM, SWELL_MM, SHIFT_HU = 2.5, 1.5, 20.0
#: Best circles per slice that the path may take.
CANDIDATES = 160
#: Blood lies between these, HU: an anaemic's aorta to the densest arterial phase.
BLOOD_HU = (5.0, 650.0)
#: A circle is certain when this much of its wall is seen, and the inside is this even.
CERTAIN_WALL = 0.55
CERTAIN_SPREAD = 2.0
#: The path must be certain over this length, mm, and over this share of the path.
LEAST_LENGTH_MM = 24.0
LEAST_SHARE = 0.45
#: The aorta's centre lies no farther right of the bodies' middle than this, mm: beyond is the vein.
RIGHTMOST_MM = 6.0
#: Blood is one fluid: circles whose HU differ from the path's by more than this are no part of it,
#: HU and share.
SAME_BLOOD = (15.0, 0.15)


@dataclass(frozen=True)
class Aorta:
    """What was found of the aorta.

    Attributes:
        hu_median: Median HU of the blood, None where no aorta is certain.
        centre_mm: Centres of the certain circles, RAS+ mm [N, 3], head to foot.
        radius_mm: Their radii, mm [N].
        wall: Share of their wall that is seen, [N].
    """

    hu_median: float | None
    centre_mm: np.ndarray
    radius_mm: np.ndarray
    wall: np.ndarray


NOT_FOUND = Aorta(None, np.zeros((0, 3)), np.zeros(0), np.zeros(0))


def find(image: np.ndarray, affine: np.ndarray, bodies: Mapping[str, np.ndarray]) -> Aorta:
    """Find the aorta and read its blood.

    Args:
        image: HU [X, Y, Z]; any orientation, spacing and obliquity.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        bodies: Name -> voxel centres, RAS+ mm [N, 3]. Named bodies other than T12 to L4 are not
            followed; those under any other key are.

    Returns:
        The aorta; `hu_median` is None if the field does not show it or it cannot be told from what
        lies beside it.
    """
    line = _front_line(bodies)
    if line is None:
        return NOT_FOUND
    field = _Field.sample(np.asarray(image), np.asarray(affine, dtype=float), line)
    slices = [field.circles(k) for k in range(STRIDE // 2, field.smooth.shape[2], STRIDE)]
    path = _best_path([circles for circles in slices if len(circles)])
    if not len(path):
        return NOT_FOUND
    spread = path[:, SPREAD] / (SPREAD_HU + SPREAD_SHARE * np.maximum(path[:, HU], 0))
    certain = (path[:, WALL] >= CERTAIN_WALL) & (spread <= CERTAIN_SPREAD)
    certain &= path[:, X] <= RIGHTMOST_MM
    if certain.any():
        blood = float(np.median(path[certain, HU]))
        off = np.abs(path[:, HU] - blood)
        certain &= off <= SAME_BLOOD[0] + SAME_BLOOD[1] * abs(blood)
    length = float(certain.sum()) * STRIDE * STEP_MM
    if length < LEAST_LENGTH_MM or certain.sum() < LEAST_SHARE * len(path):
        return NOT_FOUND
    path = path[certain][::-1]
    values = np.concatenate([field.core(circle) for circle in path])
    return Aorta(
        float(np.median(values)),
        np.array([field.to_world(circle) for circle in path]),
        path[:, RADIUS].copy(),
        path[:, WALL].copy(),
    )


#: Columns of a circle: centre along the field's x and y in mm, slice, radius in mm, share of wall
#: seen, spread of the inside in HU, its mean HU, and worth.
X, Y, K, RADIUS, WALL, SPREAD, HU, WORTH = range(8)


def _front_line(bodies: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Middle of the bodies' front as a line up the spine, RAS+ mm [M, 3], bottom to top."""
    knots = []
    heights: list[float] = []
    for name, points in bodies.items():
        if len(points) == 0 or (NAMED.fullmatch(name) and name not in LEVELS):
            continue
        centre = points.mean(axis=0)
        near = points[np.abs(points[:, 0] - centre[0]) < FIELD_MM["behind"]]
        front = float(np.quantile(near[:, 1] if len(near) else points[:, 1], 0.97))
        knots.append([centre[0], front, centre[2]])
        heights += [float(points[:, 2].min()), float(points[:, 2].max())]
    if not knots:
        return None
    line = np.array(sorted(knots, key=lambda knot: knot[2]))
    # The fork lies before L4 or below: its lower half is left out where L4 is known.
    low = line[0, 2] if "L4" in bodies else min(heights)
    ends = np.array([[*line[0, :2], low], [*line[-1, :2], max(heights)]])
    return np.concatenate([ends[:1], line[line[:, 2] > low + 1e-3], ends[1:]])


@dataclass(frozen=True)
class _Field:
    """The search field: slices that follow the bodies' front, sampled in patient millimetres.

    Attributes:
        raw: HU [X, Y, Z]; NaN outside the scan.
        smooth: The same smoothed; NaN where too little is in the scan.
        offsets: x and y of the first sample against the line, mm.
        line: Point of the line on every slice, RAS+ mm [Z, 3].
    """

    raw: np.ndarray
    smooth: np.ndarray
    offsets: tuple[float, float]
    line: np.ndarray

    @staticmethod
    def sample(image: np.ndarray, affine: np.ndarray, line: np.ndarray) -> _Field:
        """Cut the field out of an image."""
        z = np.arange(line[0, 2], line[-1, 2] + STEP_MM / 2, STEP_MM)
        course = np.stack([*(np.interp(z, line[:, 2], line[:, axis]) for axis in (0, 1)), z], 1)
        x = np.arange(-FIELD_MM["left"], FIELD_MM["right"] + STEP_MM / 2, STEP_MM)
        y = np.arange(-FIELD_MM["behind"], FIELD_MM["before"] + STEP_MM / 2, STEP_MM)
        points = np.empty((len(x), len(y), len(z), 3))
        points[..., 0] = x[:, None, None] + course[:, 0]
        points[..., 1] = y[None, :, None] + course[:, 1]
        points[..., 2] = course[:, 2]
        index = to_index(affine, points)
        flat = np.moveaxis(index, -1, 0)
        raw = ndimage.map_coordinates(image, flat, np.float32, 1, mode="nearest", prefilter=False)
        last = np.array(image.shape) - 0.5
        inside = ((index >= -0.5) & (index <= last)).all(axis=-1)
        sigma = [SMOOTHING_MM[0] / STEP_MM] * 2 + [SMOOTHING_MM[1] / STEP_MM]
        weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
        total = ndimage.gaussian_filter(np.where(inside, raw, 0).astype(np.float32), sigma)
        known = weight > 0.5
        smooth = np.where(known, total / np.where(known, weight, 1), np.nan)
        return _Field(np.where(inside, raw, np.nan), smooth, (float(x[0]), float(y[0])), course)

    def circles(self, k: int) -> np.ndarray:
        """Best circles of one slice, [N, 8]; none in the chest."""
        plane = self.smooth[:, :, k]
        beside = plane[:, : int((CHEST_BEFORE_MM - self.offsets[1]) / STEP_MM)]
        if (beside < LUNG_HU).sum() > CHEST_SHARE * max(1, np.isfinite(beside).sum()):
            return np.zeros((0, 8))
        found = [self._circles_of(plane, k, radius) for radius in RADII_MM]
        every = np.concatenate(found)
        return every[np.argsort(-every[:, WORTH], kind="stable")[:CANDIDATES]]

    def _circles_of(self, plane: np.ndarray, k: int, radius: float) -> np.ndarray:
        """Circles of one radius about every sample of a slice that may hold blood."""
        reach = int(np.ceil(CORE * radius / STEP_MM))
        steps = np.arange(-reach, reach + 1) * STEP_MM
        disc = (np.hypot(steps[:, None], steps[None, :]) <= CORE * radius).astype(float)
        disc /= disc.sum()
        mean = ndimage.convolve(plane, disc, mode="constant", cval=np.nan)
        square = ndimage.convolve(plane**2, disc, mode="constant", cval=np.nan)
        with np.errstate(invalid="ignore"):
            spread = np.sqrt(np.maximum(square - mean**2, 0))
            allowed = SPREAD_HU + SPREAD_SHARE * np.maximum(mean, 0)
            maybe = (mean > BLOOD_HU[0]) & (mean < BLOOD_HU[1]) & (spread < 2.5 * allowed)
        at = np.argwhere(maybe)
        if not len(at):
            return np.zeros((0, 8))
        angle = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
        ring = np.stack([np.cos(angle), np.sin(angle)], 1) * ((radius + OUTSIDE_MM) / STEP_MM)
        where = at[:, None, :] + ring
        outside = ndimage.map_coordinates(plane, where.reshape(-1, 2).T, order=1, cval=np.nan)
        blood = mean[maybe]
        step = np.abs(outside.reshape(len(at), -1) - blood[:, None])
        seen = np.clip(np.nan_to_num(step) / EDGE_HU - 1, 0, 1)
        x, y = (at[:, axis] * STEP_MM + self.offsets[axis] for axis in (0, 1))
        odd = ((-x - LEFT_MM[0]) / LEFT_MM[1]) ** 2 + ((y - radius - GAP_MM[0]) / GAP_MM[1]) ** 2
        uneven = spread[maybe] / allowed[maybe]
        wall = seen.mean(axis=1)
        worth = wall - 0.25 * uneven - PLACE_COST * odd
        return np.stack(
            [x, y, np.full(len(x), float(k)), np.full(len(x), radius), wall, spread[maybe], blood,
             worth], axis=1,
        )  # fmt: skip

    def to_world(self, circle: np.ndarray) -> np.ndarray:
        """Centre of a circle, RAS+ mm [3]."""
        return self.line[int(circle[K])] + [circle[X], circle[Y], 0.0]

    def core(self, circle: np.ndarray) -> np.ndarray:
        """Unsmoothed HU in the inner part of a circle, over the samples that it stands for."""
        k = int(circle[K])
        around = slice(max(k - STRIDE // 2, 0), k + STRIDE // 2 + 1)
        x = np.arange(self.raw.shape[0]) * STEP_MM + self.offsets[0] - circle[X]
        y = np.arange(self.raw.shape[1]) * STEP_MM + self.offsets[1] - circle[Y]
        inside = np.hypot(x[:, None], y[None, :]) <= CORE * circle[RADIUS]
        values = self.raw[inside][:, around].ravel()
        return values[np.isfinite(values)]


def _best_path(slices: list[np.ndarray]) -> np.ndarray:
    """One circle per slice, so that worth less the cost of changes is greatest; [N, 8]."""
    if not slices:
        return np.zeros((0, 8))
    total = slices[0][:, WORTH]
    back: list[np.ndarray] = []
    for before, here in pairwise(slices):
        drift = (before[:, None, X] - here[None, :, X]) ** 2
        drift = drift + (before[:, None, Y] - here[None, :, Y]) ** 2
        swell = (before[:, None, RADIUS] - here[None, :, RADIUS]) ** 2
        scale = SHIFT_HU + 0.2 * np.abs(here[None, :, HU])
        shift = (before[:, None, HU] - here[None, :, HU]) / scale
        cost = PLACE_COST * (drift / DRIFT_MM**2 + swell / SWELL_MM**2 + shift**2)
        worth = total[:, None] - cost
        back.append(worth.argmax(axis=0))
        total = worth.max(axis=0) + here[:, WORTH]
    chosen = [int(total.argmax())]
    for links in reversed(back):
        chosen.append(int(links[chosen[-1]]))
    return np.array([circles[i] for circles, i in zip(slices, chosen[::-1], strict=True)])
