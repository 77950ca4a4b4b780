"""Vertebral bodies as separate instances, from one map of "any body".

    labels = find_bodies(body, spacing_mm)

Neighbouring bodies often touch in a network's output where a disc is narrow. So the depth inside
the outline is averaged over several thresholds: what bridges a disc is rarely as certain as bone,
and the average keeps a saddle there. Basins of that landscape are bodies; basins whose saddle is
nearly as deep as themselves are parts of one body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

#: Probability from which a voxel belongs to a body.
BODY_THRESHOLD = 0.5
#: Outlines whose depths are averaged.
THRESHOLDS = (0.5, 0.7, 0.9)
#: Depth beyond this counts no more, mm: half the height of the lowest body of a small adult (T10).
#: Otherwise a column of bridged bodies would be deepest in its bridges.
DEPTH_CAP_MM = 9.0
#: Two basins are one body when the saddle between them is at least this share of the shallower.
SAME_BODY_SADDLE = 0.82
#: Smoothing of the probability before, SD along x, y and z, mm. Discs lie across z: what is
#: averaged along them keeps a disc of 3 mm, and noise goes.
SMOOTHING_MM = np.array([4.0, 2.0, 1.0])
#: Smoothing of the depth, SD in mm.
DEPTH_SMOOTHING_MM = 1.0
#: Basins that are nowhere deeper are specks, mm.
LEAST_DEPTH_MM = 2.0
#: Radius in which a basin has one maximum, mm.
PEAK_RADIUS_MM = 5.0


#: Parts whose middles differ less than this in height have no room for a disc: T10 to T11, the
#: closest, lie 22 mm apart in a small adult. They are one body if the saddle is not negligible.
NO_ROOM_MM = 14.0
NO_ROOM_SADDLE = 0.3
#: An instance this many times taller than usual is two bodies; tilt alone makes L5 1.4 times.
TALL = 1.6
#: Saddles tried to part such an instance.
STRICTER_SADDLES = (0.88, 0.93, 0.97)
#: Share of the voxels at either end that do not count for the height.
FRINGE = 0.03


@dataclass(frozen=True)
class _Part:
    """One or several basins: their numbers, greatest depth in mm, voxels, mean height in mm."""

    basins: tuple[int, ...]
    peak: float
    size: float
    middle: float

    def joined(self, other: _Part) -> _Part:
        size = self.size + other.size
        middle = (self.size * self.middle + other.size * other.middle) / size
        return _Part(self.basins + other.basins, max(self.peak, other.peak), size, middle)


def find_bodies(body: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Separate the bodies.

    Args:
        body: Probability of any vertebral body, [X, Y, Z].
        spacing_mm: Voxel size, [3].

    Returns:
        Instance numbers 1 to n, 0 elsewhere; int32 [X, Y, Z]. Fragments are instances too.
    """
    labels = np.zeros(body.shape, dtype=np.int32)
    mask = body > BODY_THRESHOLD
    if not mask.any():
        return labels
    box = tuple(
        slice(max(0, part.start - 2), part.stop + 2)
        for part in ndimage.find_objects(mask.astype(np.uint8))[0]
    )
    mask = _filled(mask[box])
    near = np.where(mask, np.maximum(body[box], BODY_THRESHOLD), body[box]).astype(np.float32)
    depth = _depth(near, mask, spacing_mm)
    labels[box] = _merged(_basins(depth, mask, spacing_mm), depth, spacing_mm)
    return labels


def _filled(mask: np.ndarray) -> np.ndarray:
    """Close holes of each sagittal slice: a dark basivertebral vein parts no body."""
    return np.stack([ndimage.binary_fill_holes(part) for part in mask])


def _depth(body: np.ndarray, mask: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Mean depth inside the outlines of all thresholds, mm, float32 [X, Y, Z]."""
    smooth = _smoothed(body, SMOOTHING_MM, spacing_mm)
    depth = np.zeros(body.shape, dtype=np.float32)
    for threshold in THRESHOLDS:
        # A rim of background, so that a body cut by the field is no deeper there.
        inside = np.pad((smooth > threshold) & mask, ((0, 0), (1, 1), (1, 1)))
        distance = ndimage.distance_transform_edt(inside, sampling=spacing_mm)
        depth += np.minimum(distance[:, 1:-1, 1:-1], DEPTH_CAP_MM).astype(np.float32)
    return _smoothed(depth / len(THRESHOLDS), DEPTH_SMOOTHING_MM, spacing_mm)


def _smoothed(
    volume: np.ndarray, sigma_mm: np.ndarray | float, spacing_mm: np.ndarray
) -> np.ndarray:
    sigma = np.where(np.array(volume.shape) > 1, sigma_mm / spacing_mm, 0.0)
    return ndimage.gaussian_filter(volume, sigma, truncate=2.0)


def _basins(depth: np.ndarray, mask: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Watershed basins of every local maximum of the depth, int32 [X, Y, Z]."""
    size = 2 * np.round(PEAK_RADIUS_MM / spacing_mm).astype(int) + 1
    highest = ndimage.maximum_filter(depth, size=tuple(size))
    peaks = mask & (depth >= np.maximum(highest - 1e-6, LEAST_DEPTH_MM))
    markers, _ = ndimage.label(peaks, np.ones((3, 3, 3)))
    return watershed(-depth, markers, mask=mask).astype(np.int32)


def _merged(basins: np.ndarray, depth: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Join basins that belong to one body and number the instances from 1."""
    count = int(basins.max())
    if count == 0:
        return basins
    numbers = np.arange(1, count + 1)
    peaks = np.asarray(ndimage.maximum(depth, basins, numbers), dtype=float)
    sizes = np.bincount(basins.ravel(), minlength=count + 1)[1:].astype(float)
    middles = np.array(ndimage.center_of_mass(basins > 0, basins, numbers))[:, 2] * spacing_mm[2]
    parts = {n: _Part((n,), peaks[n - 1], sizes[n - 1], middles[n - 1]) for n in numbers.tolist()}
    saddles = _saddles(basins, depth)
    groups = _joined(parts, saddles, SAME_BODY_SADDLE)
    profiles = _profiles(basins)
    largest = max(group.size for group in groups)
    tallest = TALL * float(
        np.median([_height_steps(profiles, part) for part in groups if part.size > largest / 4])
    )
    final: list[_Part] = []
    for group in groups:
        final += _resplit(group, parts, saddles, profiles, tallest)
    owner = np.zeros(count + 1, dtype=np.int32)
    for number, group in enumerate(final, start=1):
        owner[list(group.basins)] = number
    return owner[basins]


def _joined(
    parts: dict[int, _Part], saddles: dict[tuple[int, int], float], same: float
) -> list[_Part]:
    """Join parts, those with the highest saddles first, until only different bodies touch."""
    parts, saddles = dict(parts), dict(saddles)
    while True:
        rated = [
            (_oneness(parts[a], parts[b], saddle, same), a, b) for (a, b), saddle in saddles.items()
        ]
        best, keep, drop = max(rated, default=(0.0, 0, 0))
        if best < same:
            return list(parts.values())
        parts[keep] = parts[keep].joined(parts.pop(drop))
        saddles = _renamed(saddles, keep, drop)


def _oneness(one: _Part, other: _Part, saddle: float, same: float) -> float:
    """Saddle relative to the shallower part; at least `same` where two bodies have no room."""
    ratio = saddle / min(one.peak, other.peak)
    if ratio > NO_ROOM_SADDLE and abs(one.middle - other.middle) < NO_ROOM_MM:
        return max(ratio, same)
    return ratio


def _resplit(
    group: _Part,
    parts: dict[int, _Part],
    saddles: dict[tuple[int, int], float],
    profiles: np.ndarray,
    tallest: float,
) -> list[_Part]:
    """Part an instance that is too tall for one body at its lowest saddles, if it has any."""
    if _height_steps(profiles, group) <= tallest:
        return [group]
    own = {number: parts[number] for number in group.basins}
    inner = {pair: saddle for pair, saddle in saddles.items() if set(pair) <= set(own)}
    for same in STRICTER_SADDLES:
        pieces = _joined(own, inner, same)
        big = [piece for piece in pieces if piece.size > group.size / 8]
        if len(big) > 1 and max(_height_steps(profiles, piece) for piece in big) <= tallest:
            return pieces
    return [group]


def _profiles(basins: np.ndarray) -> np.ndarray:
    """Voxels of every basin at every height, [basins + 1, Z]."""
    count, depth = int(basins.max()) + 1, basins.shape[2]
    flat = basins.astype(np.int64) * depth + np.arange(depth)
    return np.bincount(flat.ravel(), minlength=count * depth).reshape(count, depth)


def _height_steps(profiles: np.ndarray, part: _Part) -> int:
    """Height of a part in voxels, without the thin fringes at both ends."""
    share = np.cumsum(profiles[list(part.basins)].sum(0)) / part.size
    return int(np.searchsorted(share, 1 - FRINGE) - np.searchsorted(share, FRINGE)) + 1


def _renamed(
    saddles: dict[tuple[int, int], float], keep: int, drop: int
) -> dict[tuple[int, int], float]:
    """Saddles after basin `drop` has become part of `keep`."""
    renamed: dict[tuple[int, int], float] = {}
    for pair, saddle in saddles.items():
        first, second = sorted(keep if part == drop else part for part in pair)
        if first != second:
            renamed[first, second] = max(saddle, renamed.get((first, second), 0.0))
    return renamed


def _saddles(basins: np.ndarray, depth: np.ndarray) -> dict[tuple[int, int], float]:
    """Depth of the saddle between every two basins that touch, mm."""
    saddles: dict[tuple[int, int], float] = {}
    for axis in range(3):
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        one, other = basins[tuple(low)], basins[tuple(high)]
        border = (one != other) & (one > 0) & (other > 0)
        height = np.minimum(depth[tuple(low)][border], depth[tuple(high)][border])
        pairs = np.sort(np.stack([one[border], other[border]], 1), axis=1)
        for first, second in np.unique(pairs, axis=0):
            between = (pairs[:, 0] == first) & (pairs[:, 1] == second)
            key = (int(first), int(second))
            saddles[key] = max(saddles.get(key, 0.0), float(height[between].max()))
    return saddles
