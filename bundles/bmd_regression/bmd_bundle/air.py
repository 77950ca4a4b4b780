"""Air beside the patient, which reads -1000 HU by definition.

    air.air_hu(image, affine)        # -998.0, or None where the field shows no air

Gas in the bowel and lungs are no reference: only air at the sides of the field, without the
constant that scanners fill the corners with, is read.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

#: Air reads -1000 HU by definition, within this.
AIR_HU, TOLERANCE_HU = -1000.0, 30.0
#: Air is looked for below this, HU: what is darker than any lung tissue at rest, on a scale that is
#: wrong by a third.
DARK_HU = -600.0
#: Samples are taken this far apart, mm.
STEP_MM = 3.0
#: Left at the surface of patient, table and clothes, samples.
ERODED = 2
#: Air of less than this is a fold or a gap, mm³.
LEAST_MM3 = 20_000.0
#: Air is even: lungs spread more than this (1.48 times the median absolute deviation), HU.
EVEN_HU = 45.0
#: Of what lies outside the patient at least this share is air, percent; the rest may be a table.
AIR_PERCENT = 10.0
#: A single value that this share of the dark region has exactly is filling, not measured air.
FILLING_SHARE = 0.2
#: What is so much darker than most air is padding of no one value, as at its rim in a resampled
#: scan, HU.
PADDED_BELOW_HU = 200.0


def air_hu(image: np.ndarray, affine: np.ndarray) -> float | None:
    """Read the air beside the patient.

    Args:
        image: HU [X, Y, Z]; any orientation.
        affine: 4x4 voxel to RAS+ millimetre matrix.

    Returns:
        Median HU, None if the field shows no air outside the patient.
    """
    view, edges, axial = thinned(np.asarray(image), np.asarray(affine, dtype=float))
    dark = view < DARK_HU
    if not dark.any():
        return None
    filling = _filling(view[dark])
    dark = ndimage.binary_erosion(dark, _plane(axial), iterations=ERODED, border_value=1)
    labels, count = ndimage.label(dark, ndimage.generate_binary_structure(3, 1))
    if not count:
        return None
    sides = [labels.take(end, axis) for axis in range(3) if axis != axial for end in (0, -1)]
    outside = np.setdiff1d(np.unique(np.concatenate([side.ravel() for side in sides])), [0])
    values = view[np.isin(labels, outside)]
    voxel = float(np.prod(edges))
    measured = values[~np.isin(values, filling)]
    if len(measured) * voxel < LEAST_MM3:
        # A scanner that clips at the least value it stores shows air as a constant, too.
        measured = values[np.abs(values - AIR_HU) <= TOLERANCE_HU]
    if len(measured) * voxel < LEAST_MM3:
        return None
    middle = float(np.median(measured))
    spread = 1.4826 * float(np.median(np.abs(measured - middle)))
    if spread > EVEN_HU:
        return None
    measured = measured[measured > middle - PADDED_BELOW_HU]
    # A narrow field shows more of the table's foam, 50 to 100 HU brighter, than of the air.
    darkest = float(np.percentile(measured, AIR_PERCENT))
    return float(np.median(measured[np.abs(measured - darkest) <= EVEN_HU]))


def thinned(image: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Take every few voxels of an image.

    Args:
        image: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.

    Returns:
        The samples, their distances in mm [3], and the array's axis along the patient's.
    """
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    steps = np.maximum(1, np.floor(STEP_MM / edges)).astype(int)
    view = image[tuple(slice(None, None, int(step)) for step in steps)]
    return view, edges * steps, int(np.argmax(np.abs(affine[2, :3]) / edges))


def _plane(axial: int) -> np.ndarray:
    """Neighbours within an axial slice: a scan of few slices is not eroded away."""
    structure = ndimage.generate_binary_structure(3, 1)
    for end in (0, 2):
        structure[tuple(end if axis == axial else slice(None) for axis in range(3))] = False
    return structure


def _filling(values: np.ndarray) -> np.ndarray:
    """Values that so many dark voxels have exactly that they were never measured."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts >= FILLING_SHARE * len(values)]
