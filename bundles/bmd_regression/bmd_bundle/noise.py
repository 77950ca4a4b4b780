"""Noise of a CT near a vertebra, and what it does to the mean of a patch.

Noise is the most frequent standard deviation within small windows of homogeneous soft tissue, as
Christianson et al. 2015 (AJR 205:W93) measure it over whole scans; bone is left out, because its
texture would count as noise. Neighbouring voxels share noise, so its correlation length is measured
too: the error of a mean follows from how many independent samples a patch holds.

    found = noise.measure(image, affine, centre_mm, mask)
    noise.standard_error(found, axes, extent_mm)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle.geometry import to_index

#: Soft tissue is looked for this far around the body, mm: psoas and back muscles lie within.
REACH_MM = 55.0
#: Edge of a window, mm: 40 voxels of a 1 mm CT; Christianson 2015 uses some 30 mm² in a slice.
WINDOW_MM = 7.0
#: Mean of a window of soft tissue, HU: 0 to 100 in Christianson 2015.
SOFT_TISSUE_HU = (0.0, 100.0)
#: Windows that must be there, or the noise is not known.
LEAST_WINDOWS = 100
#: Windows with less spread are no scan, HU: padding, or what someone masked out.
LEAST_SD_HU = 0.1
#: Share of the windows within which the most frequent value is looked for: the shortest interval
#: that holds them; windows with an edge in them lie far above and do not count.
MODE_SHARE = 0.25
#: Windows up to this many times the noise are homogeneous enough to read the correlation from.
HOMOGENEOUS = 1.25
#: Voxel edges this close are equal, mm: matrices are stored with 32 bits.
TIE_MM = 0.01
#: A voxel's centre this close to the reach, in voxels, lies within.
ROUNDING = 1e-4
#: Voxels share noise no further than this, mm: the widest kernels' grain is about 2 mm.
LONGEST_MM = 8.0


@dataclass(frozen=True)
class Noise:
    """Noise of a CT.

    Attributes:
        sd_hu: Standard deviation of a voxel, HU.
        directions: Unit vectors of the voxel axes in RAS+ mm, columns, [3, 3].
        lengths_mm: Length of noise that counts as one sample along each of them, mm, [3].
    """

    sd_hu: float
    directions: np.ndarray
    lengths_mm: np.ndarray


def measure(
    image: np.ndarray, affine: np.ndarray, centre_mm: np.ndarray, body: np.ndarray
) -> Noise | None:
    """Measure noise in the soft tissue around a body.

    Args:
        image: CT in HU, [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        centre_mm: The body's middle, RAS+ mm, [3].
        body: Its mask, bool [X, Y, Z]; left out.

    Returns:
        The noise, or None where too little soft tissue is in the field.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    middle = to_index(affine, centre_mm)
    box = tuple(
        slice(
            max(0, int(np.ceil(at - REACH_MM / step - ROUNDING))),
            max(0, min(size, int(np.floor(at + REACH_MM / step + ROUNDING)) + 1)),
        )
        for at, step, size in zip(middle, spacing, image.shape, strict=True)
    )
    values = np.asarray(image[box], dtype=np.float32)
    # The two finest axes: a window across thick slices would hold anatomy. Of equal ones the axis
    # nearest the patient's is left out, so that the array's order does not matter.
    sizes = [1, 1, 1]
    upright = np.abs(affine[2, :3]) / spacing
    for axis in np.lexsort((upright, np.round(spacing / TIE_MM)))[:2]:
        sizes[axis] = max(3, 2 * round((WINDOW_MM / spacing[axis] - 1) / 2) + 1)
    count = int(np.prod(sizes))
    if values.size == 0 or any(size > side for size, side in zip(sizes, values.shape, strict=True)):
        return None
    mean = ndimage.uniform_filter(values, sizes)
    spread = ndimage.uniform_filter((values - mean) ** 2, sizes) * (count / (count - 1))
    low, high = SOFT_TISSUE_HU
    soft = (mean > low) & (mean < high) & (spread > LEAST_SD_HU**2) & ~body[box]
    if soft.sum() < LEAST_WINDOWS:
        return None
    deviation = np.sqrt(np.where(soft, spread, 0))
    sd = _most_frequent(deviation[soft])
    even = soft & (deviation <= HOMOGENEOUS * sd)
    lengths = _lengths(np.where(even, values - mean, 0.0), even, spacing)
    return Noise(sd, affine[:3, :3] / spacing, lengths)


def standard_error(noise: Noise, axes: np.ndarray, extent_mm: np.ndarray) -> float:
    """Standard error of the mean over a box, HU, from noise alone.

    Args:
        noise: As measured.
        axes: Unit vectors of the box's edges in RAS+ mm, rows, [3, 3].
        extent_mm: Lengths of its edges, mm, [3].
    """
    share = (axes @ noise.directions) ** 2
    lengths = (share @ noise.lengths_mm) / share.sum(axis=1)
    samples = np.maximum(1.0, np.asarray(extent_mm) / lengths)
    return float(noise.sd_hu / np.sqrt(np.prod(samples)))


def _most_frequent(values: np.ndarray) -> float:
    """Middle of the shortest interval that holds `MODE_SHARE` of the values."""
    ordered = np.sort(values)
    count = max(2, round(MODE_SHARE * len(ordered)))
    widths = ordered[count - 1 :] - ordered[: len(ordered) - count + 1]
    first = int(np.argmin(widths))
    return float((ordered[first] + ordered[first + count - 1]) / 2)


def _lengths(rest: np.ndarray, even: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Length along each axis that counts as one sample, mm [3]: the sum of the correlations.

    Args:
        rest: Values less the mean of their window, 0 where not `even`.
        even: Where windows are homogeneous.
        spacing: Voxel edges, mm.
    """
    power = float((rest[even] ** 2).mean())
    if power == 0:
        return spacing
    lengths = []
    for axis, step in enumerate(spacing):
        total = 1.0
        for lag in range(1, min(rest.shape[axis] - 1, int(LONGEST_MM / step)) + 1):
            before, after = (
                tuple(part if each == axis else slice(None) for each in range(rest.ndim))
                for part in (slice(None, -lag), slice(lag, None))
            )
            both = even[before] & even[after]
            if not both.any():
                break
            shared = float((rest[before] * rest[after])[both].mean()) / power
            if shared <= 0:
                break
            total += 2 * shared
        lengths.append(step * total)
    return np.array(lengths)
