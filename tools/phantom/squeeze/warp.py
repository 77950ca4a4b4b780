"""Resampling a CT and its labels along a displacement field, alike wherever they move or not.

Interpolation blurs, and takes noise away, wherever tissue moves by a part of a voxel, and not where
it stays: a network would read that. So the CT is smoothed a little everywhere before it is
interpolated, and sharpened by as much afterwards; and the noise that each place has lost can be
given back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import ndimage

#: Smoothing before interpolation, undone afterwards by one step of sharpening, voxels (design).
SMOOTHING_VOXELS = 0.4
#: The noise of a CT is its local SD at the flattest places of tissue: this percentile of the SD
#: over a cube of so many voxels.
FLATTEST_PERCENT, LOCAL_VOXELS = 20, 5
#: Trial volumes of white noise, and smoothing of their squares, voxels, that tell how much of the
#: noise's variance is kept where (to about 4 %).
TRIALS, TRIAL_VOXELS = 4, 2.0
#: Mineral is thickened by the CT smoothed this much, so that noise is not, voxels.
MINERAL_VOXELS = 0.8
#: Below this no tissue lies and no noise is given back, HU.
TISSUE_HU = -900.0
#: HU of marrow, in which mineral is counted: a mixture of red and yellow (design).
MARROW_HU = -20.0
#: Voxels warped at a time.
CHUNK = 2_000_000
#: Voxel indices after the squeeze [..., 3] -> where they came from.
Sources = Callable[[np.ndarray], np.ndarray]


def image(ct: np.ndarray, sources: Sources) -> np.ndarray:
    """Warp a CT, float32 [X, Y, Z]; beyond the field its last voxels go on."""
    return images([ct], sources)[0]


def images(volumes: Sequence[np.ndarray], sources: Sources) -> list[np.ndarray]:
    """Warp volumes of one grid; see `image`."""
    splines = [
        ndimage.spline_filter(_smooth(volume.astype(np.float32)), order=3, output=np.float32)
        for volume in volumes
    ]
    warped = [np.empty(spline.shape, np.float32) for spline in splines]
    for part, index in _chunks(splines[0].shape):
        places = np.moveaxis(sources(index), -1, 0)
        for spline, out in zip(splines, warped, strict=True):
            out[part] = ndimage.map_coordinates(
                spline, places, order=3, mode="nearest", prefilter=False
            )
    return [2 * out - _smooth(out) for out in warped]


def _smooth(volume: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(volume, SMOOTHING_VOXELS, mode="nearest")


def label_map(labels: np.ndarray, sources: Sources) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Warp a label map; each label is interpolated and kept where it fills at least half.

    Returns:
        The map, of the same type, and the coverage of each label, float32 [X, Y, Z].
    """
    ids = [int(label) for label in np.unique(labels) if label]
    best = np.full(labels.shape, 0.5, np.float32)
    out = np.zeros_like(labels)
    coverages = {label: np.zeros(labels.shape, np.float32) for label in ids}
    boxes = ndimage.find_objects(labels.astype(np.int32))
    for part, index in _chunks(labels.shape):
        places = np.moveaxis(sources(index), -1, 0)
        for label in ids:
            box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in boxes[label - 1])
            start = np.array([s.start for s in box]).reshape(3, 1, 1, 1)
            mask = (labels[box] == label).astype(np.float32)
            share = ndimage.map_coordinates(mask, places - start, order=1, mode="constant")
            coverages[label][part] = share
            wins = share >= best[part]
            out[part][wins] = label
            best[part] = np.maximum(best[part], share)
    return out, coverages


def thicken(warped: np.ndarray, coverage: np.ndarray, sources: Sources) -> np.ndarray:
    """Give a squeezed body all its mineral: denser by as much as it has become smaller.

    Args:
        warped: Warped CT, HU [X, Y, Z].
        coverage: How much of each voxel the squeezed body fills, [X, Y, Z].
        sources: The field.
    """
    out = warped.copy()
    box = ndimage.find_objects((coverage > 0).astype(np.int8))[0]
    wide = tuple(
        slice(max(s.start - 2, 0), min(s.stop + 2, n))
        for s, n in zip(box, warped.shape, strict=True)
    )
    index = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in wide), indexing="ij"), -1)
    places = sources(index.astype(float))
    slopes = np.stack([np.gradient(places, axis=axis) for axis in range(3)], axis=-1)
    gain = np.linalg.det(slopes)
    mineral = ndimage.gaussian_filter(warped[wide], MINERAL_VOXELS) - MARROW_HU
    out[wide] += coverage[wide] * (gain - 1) * np.maximum(mineral, 0)
    return out


def renoise(warped: np.ndarray, ct: np.ndarray, sources: Sources, seed: int) -> np.ndarray:
    """Give every place in tissue back the noise that it has lost, so that none has less.

    Args:
        warped: Warped CT, HU [X, Y, Z].
        ct: The CT before, whose finest noise is measured.
        sources: The field.
        seed: Of the new noise.
    """
    rng = np.random.default_rng(seed)
    trials = [rng.standard_normal(ct.shape, dtype=np.float32) for _ in range(TRIALS)]
    kept = np.mean([out**2 for out in images(trials, sources)], axis=0)
    kept = ndimage.gaussian_filter(kept, TRIAL_VOXELS, mode="nearest")
    white = rng.standard_normal(ct.shape, dtype=np.float32)
    # Fine noise is what interpolation loses; the same filter makes both and scales them.
    fine = white - _smooth(white)
    fine /= fine.std()
    lost = np.sqrt(np.clip(1 - kept, 0, None)) * _noise(ct)
    return warped + np.where(warped > TISSUE_HU, lost * fine, 0).astype(np.float32)


def _noise(ct: np.ndarray) -> float:
    """SD of a CT's noise as if it were white, HU, from its finest part."""
    plain = ct.astype(np.float32)
    fine = plain - _smooth(plain)
    mean = ndimage.uniform_filter(fine, LOCAL_VOXELS)
    local = ndimage.uniform_filter(fine * fine, LOCAL_VOXELS) - mean * mean
    tissue = ct > TISSUE_HU
    if not tissue.any():
        return 0.0
    point = np.zeros((9, 9, 9), np.float32)
    point[4, 4, 4] = 1
    share = float(((point - _smooth(point)) ** 2).sum())
    return float(np.sqrt(max(0.0, np.percentile(local[tissue], FLATTEST_PERCENT)) / share))


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[slice, np.ndarray]]:
    """Slabs of a volume and the indices of their voxels [x, Y, Z, 3]."""
    depth = max(1, CHUNK // (shape[1] * shape[2]))
    for first in range(0, shape[0], depth):
        part = slice(first, min(first + depth, shape[0]))
        axes = (np.arange(part.start, part.stop), np.arange(shape[1]), np.arange(shape[2]))
        yield part, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(float)
