"""`SpineSlabd`: a CT of any grid, cut to a slab of sagittal slices about the spine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import ensure_tuple_rep

from lumbar_bundle.grids import (
    OUTSIDE_HU,
    block_factors,
    block_mean,
    box_in,
    corners_mm,
    covered,
    sample,
    shifted,
    spacing_mm,
    to_ras,
    unpack,
)
from lumbar_bundle.planning import Reach, Slab, grid_between, plan_slab

#: Grid on which ribs are looked for: voxel edge, and reach to each side of the curve, mm.
WIDE_STEP_MM, WIDE_HALF_MM = 3.0, 90.0

MODES = ("bilinear", "nearest")


class SpineSlab(Transform):
    """Find the spine in a CT and cut a slab of sagittal slices about it (`planning.plan_slab`).

    Sampling is anti-aliased: whole voxels are averaged to about the new step, then interpolated.
    Beyond the scan the slab reads -1024 HU.

    Args:
        spacing_mm: Pixel edge within the slices, mm.
        slice_step_mm: Distance of the slices, mm; sagittal reformats keep their own if it is wider.
        half_width_mm: Slices reach this far to each side of the curve, mm.
        behind_mm: Slices reach this far behind the curve's hindmost point, mm.
        front_mm: Slices reach this far before the curve's foremost point, mm.
    """

    def __init__(
        self,
        spacing_mm: float = 2.0,
        slice_step_mm: float = 2.0,
        half_width_mm: float = 30.0,
        behind_mm: float = 75.0,
        front_mm: float = 125.0,
    ) -> None:
        """Store the settings."""
        step = np.array([slice_step_mm, spacing_mm, spacing_mm], dtype=float)
        self.reach = Reach(step, half_width_mm, behind_mm, front_mm)

    def plan(self, image: torch.Tensor) -> Slab:
        """Lay the working grid through a CT [1, X, Y, Z] in HU.

        Raises:
            ValueError: If it is no volume in space, or holds values that are not finite.
        """
        array, affine, name = unpack(image)
        return plan_slab(array, affine, self.reach, name)

    def __call__(self, image: torch.Tensor) -> MetaTensor:
        """Cut the slab out of a CT [1, X, Y, Z] in HU; returns [1, X', Y', Z'], float32."""
        return cut(image, self.plan(image))


class SpineSlabd(MapTransform):
    """Dictionary form of `SpineSlab`; also gives the canal curve and a wide grid for the ribs.

    The working grid is laid through the first key; every other key is sampled on the same grid.
    Of the meta data, `original_affine`, `spatial_shape` and `filename_or_obj` go on naming the
    input and its grid.

    Args:
        keys: CT first, then labels, if any.
        mode: "bilinear" or "nearest", one for all keys or one per key.
        spacing_mm: Pixel edge within the slices, mm.
        slice_step_mm: Distance of the slices, mm; sagittal reformats keep their own if it is wider.
        half_width_mm: Reach of the slices to each side of the curve, mm.
        behind_mm: Reach behind the curve, mm.
        front_mm: Reach before the curve, mm.
        curve_key: Where the curve goes, float32 [N, 3], RAS+ mm, bottom to top, may be [0, 3].
        wide_key: Where the CT on a 3 mm RAS grid goes, int16 HU [1, X, Y, Z], 90 mm to each side of
            the curve (of the slab's middle without one); not made for reformats. None: not made.
        allow_missing_keys: As in MONAI.

    Raises:
        ValueError: If a mode is unknown.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mode: str | Sequence[str] = "bilinear",
        spacing_mm: float = 2.0,
        slice_step_mm: float = 2.0,
        half_width_mm: float = 30.0,
        behind_mm: float = 75.0,
        front_mm: float = 125.0,
        curve_key: str | None = "curve",
        wide_key: str | None = "wide",
        allow_missing_keys: bool = False,
    ) -> None:
        """Store the settings."""
        super().__init__(keys, allow_missing_keys)
        self.mode = ensure_tuple_rep(mode, len(self.keys))
        if not set(self.mode) <= set(MODES):
            raise ValueError(f"mode is {self.mode}; choose from {', '.join(MODES)} for each key")
        self.slab = SpineSlab(spacing_mm, slice_step_mm, half_width_mm, behind_mm, front_mm)
        self.curve_key = curve_key
        self.wide_key = wide_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Cut every key."""
        result = dict(data)
        slab: Slab | None = None
        for key, mode in self.key_iterator(result, self.mode):
            image = result[key]
            if slab is None:
                slab = self.slab.plan(image)
                if self.curve_key is not None:
                    result[self.curve_key] = torch.from_numpy(slab.curve.astype(np.float32))
                if self.wide_key is not None and slab.coarse is not None:
                    result[self.wide_key] = cut_wide(image, slab)
            result[key] = cut(image, slab, mode)
        return result


def cut(image: torch.Tensor, slab: Slab, mode: str = "bilinear") -> MetaTensor:
    """Sample a volume on the working grid.

    Args:
        image: [1, X, Y, Z] of any grid.
        slab: The working grid.
        mode: "bilinear" for HU (float32, -1024 beyond the scan), "nearest" for labels (their own
            type, 0 beyond).

    Returns:
        [1, *slab.shape].
    """
    array, affine, _ = unpack(image)
    view, ras = to_ras(array, affine)
    if mode == "nearest":
        values = sample(view, ras, slab.shape, slab.affine, order=0, outside=0)
        return with_grid(values, slab.affine, image)
    factors = block_factors(ras, spacing_mm(slab.affine))
    part = box_in(view.shape, ras, slab.shape, slab.affine, margin=2 * int(factors.max()))
    if part is None:
        return with_grid(np.full(slab.shape, OUTSIDE_HU, np.float32), slab.affine, image)
    means, means_affine = block_mean(view[part], shifted(ras, part), factors)
    values = sample(means, means_affine, slab.shape, slab.affine, outside=None)
    values[~covered(view.shape, ras, slab.shape, slab.affine)] = OUTSIDE_HU
    return with_grid(values, slab.affine, image)


def cut_wide(image: torch.Tensor, slab: Slab) -> MetaTensor:
    """Sample the grid for the ribs: RAS axes, depth and height of the slab, 90 mm to each side.

    Args:
        image: The CT, for its meta data.
        slab: Working grid of a volume, no reformat.

    Returns:
        HU, int16 [1, X, Y, Z].
    """
    if slab.coarse is None:
        raise ValueError("a sagittal reformat shows no ribs; a wide grid is made for volumes only")
    corners = corners_mm(slab.shape, slab.affine)
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = slab.curve[:, 0] if len(slab.curve) else corners[:, 0].mean(keepdims=True)
    low[0], high[0] = sides.min() - WIDE_HALF_MM, sides.max() + WIDE_HALF_MM
    volume = slab.coarse
    step = np.full(3, WIDE_STEP_MM)
    shape, grid = grid_between(low, high, np.eye(3), step, volume.hu.shape, volume.affine)
    values = sample(volume.hu, volume.affine, shape, grid)
    bounds = np.iinfo(np.int16)
    values = np.rint(values).clip(bounds.min, bounds.max).astype(np.int16)
    return with_grid(values, grid, image)


def with_grid(values: np.ndarray, affine: np.ndarray, source: torch.Tensor) -> MetaTensor:
    """Put an array [X, Y, Z] on a new grid, keeping what names the input and its own grid.

    Args:
        values: The array.
        affine: 4x4 matrix of its grid.
        source: [1, X, Y, Z] that it was made from; its own grid is noted as the input's unless its
            meta data name one already.

    Returns:
        [1, X, Y, Z].
    """
    meta = dict(getattr(source, "meta", {}))
    if "original_affine" not in meta or np.size(meta.get("spatial_shape", ())) != 3:
        meta["original_affine"] = np.asarray(getattr(source, "affine", np.eye(4)), dtype=float)
        meta["spatial_shape"] = np.array(source.shape[1:])
    meta.pop("affine", None)
    return MetaTensor(torch.from_numpy(values[None]), affine=torch.from_numpy(affine), meta=meta)
