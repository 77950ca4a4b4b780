"""The central slab of a body, where QCT measures: what density is read from.

A patch is three millimetres of the body's middle, cut by the basivertebral vein and by one accident
of texture; QCT reads a slab of 9 mm over the whole cross-section. On noise-free phantoms the slab's
mean follows the true density about three times as closely as the patch's.

Dense foci (bone islands, sclerosis) are no trabecular bone: QCT regions are placed so that they
avoid focal lesions (practice parameter of ACR, SPR and SSR for QCT). A slab lies where it lies, so
they are marked and left out of its mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle.body_frame import SLAB_MM, STEP_MM, Body
from bmd_bundle.geometry import to_index

#: Places of a slab that must be there, or its mean is not given: half a cubic centimetre, less than
#: half of what a patch of 20 mm holds.
LEAST_CELLS = 500
#: The seed of a dense focus stands this far above the median, HU (design): untreated sclerotic
#: metastases read about 650 HU, bone islands 1200 (Ulano 2016), less where a voxel holds half.
SEED_HU = 250.0
#: And this many spreads, so that noise is no seed.
SEED_SPREADS = 5.0
#: A focus reaches as far as connected places stand this many spreads above the median, ...
REACH_SPREADS = 2.0
#: ... but no further from its seeds than its blurred border, mm. On phantoms with balls of 400 to
#: 800 HU put in, 2 spreads left the least error (+1 mg/cm³ of +20), and 3 to 6 mm the same one.
REACH_MM = 3.0
#: Spread in median absolute deviations, for a normal distribution.
MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Slab:
    """What the central slab reads.

    Attributes:
        hu: Mean without dense foci, HU.
        dense: Share of the slab in dense foci, 0 to 1.
        extent_mm: Edges of a box of the same height and volume, mm, [3].
    """

    hu: float
    dense: float
    extent_mm: np.ndarray


def read(
    image: np.ndarray, affine: np.ndarray, body: Body, axes: np.ndarray, margin_mm: float
) -> Slab | None:
    """Read the central slab.

    Args:
        image: CT in HU, [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        body: The body.
        axes: Rows right, forward, up of the slab, [3, 3].
        margin_mm: Least distance to the body's surface, mm.

    Returns:
        What it reads, or None where the body is too small or the CT does not cover it.
    """
    local = np.moveaxis(np.indices(body.depth_mm.shape), 0, -1) * STEP_MM + body.low_mm
    height = local @ (body.frame.axes @ axes[2])
    where = (body.depth_mm >= margin_mm) & (np.abs(height) <= SLAB_MM / 2)
    if where.sum() < LEAST_CELLS:
        return None
    index = to_index(affine, body.frame.to_world(local[where]))
    if (index.min(axis=0) < 0).any() or (index.max(axis=0) > np.array(image.shape) - 1).any():
        return None
    low, high = np.floor(index.min(axis=0)).astype(int), np.ceil(index.max(axis=0)).astype(int) + 1
    part = np.asarray(image[tuple(map(slice, low, high))], dtype=np.float64)
    values = np.zeros(where.shape)
    values[where] = ndimage.map_coordinates(part, (index - low).T, order=1, mode="nearest")
    if not np.isfinite(values).all():
        return None
    spongy = where & ~dense_foci(values, where)
    edge = float(np.sqrt(where.sum() * STEP_MM**3 / SLAB_MM))
    return Slab(
        hu=float(values[spongy].mean()),
        dense=float(1 - spongy.sum() / where.sum()),
        extent_mm=np.array([edge, edge, SLAB_MM]),
    )


def dense_foci(
    hu: np.ndarray, where: np.ndarray, spacing_mm: Sequence[float] = (STEP_MM,) * 3
) -> np.ndarray:
    """Mark dense foci in trabecular bone.

    The rule is relative to the median, so an offset of the HU changes nothing.

    Args:
        hu: HU on a grid, [U, V, W].
        where: The trabecular bone on it, bool, same shape.
        spacing_mm: The grid's steps, mm.

    Returns:
        Where dense foci are, bool, same shape.
    """
    inside = hu[where]
    median = float(np.median(inside))
    spread = MAD_TO_SD * float(np.median(np.abs(inside - median)))
    seeds = where & (hu > median + max(SEED_HU, SEED_SPREADS * spread))
    if not seeds.any():
        return seeds
    high = where & (hu > median + REACH_SPREADS * spread)
    near = ndimage.distance_transform_edt(~seeds, sampling=spacing_mm) <= REACH_MM
    return ndimage.binary_propagation(seeds, mask=high & near)
