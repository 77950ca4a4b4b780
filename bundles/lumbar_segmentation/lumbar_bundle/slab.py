"""`SpineSlabd`: a CT of any grid, cut to a slab of sagittal slices about the spine.

The slab's axes are those of the patient (RAS+), turned in the coronal plane so that the slices
follow the spine: the turn is that of a straight line through the canal curve (`foramen`). A
sagittal reformat (one slice, or a stack of few or thick ones) keeps its slices as they are.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import ensure_tuple_rep
from scipy import ndimage

from lumbar_bundle.foramen import BONE_HU, DETECTION_MM, Coarse, canal_curve, coarse
from lumbar_bundle.grids import (
    OUTSIDE_HU,
    block_factors,
    block_mean,
    box_in,
    check_grid,
    corners_mm,
    covered,
    sample,
    shifted,
    spacing_mm,
    to_index,
    to_ras,
)

#: A volume narrower than this from right to left is taken for a sagittal reformat, mm: a body with
#: its transverse processes is about 80 mm wide, and no axial scan is this narrow.
NARROW_MM = 60.0
#: Slices at least this far apart from right to left, and by so many times further than the pixels
#: within them, are a sagittal reformat of any width.
THICK_MM = 2.5
THICK_RATIO = 1.5
#: A shorter curve does not say how the spine leans, mm: about two vertebrae.
LEAN_MM = 60.0
#: The slices lean with the spine up to this angle, degrees; recumbent spines lean less.
LARGEST_LEAN_DEG = 25.0
#: Width of the bone column that stands in for a canal that is not found, mm.
COLUMN_MM = 40.0
#: Bone of a slice that counts for the column at most, mm2: about a body's cross section.
COLUMN_MM2 = 1500.0
#: Grid for the ribs: voxel edge and reach to each side of the curve, mm.
WIDE_STEP_MM = 3.0
WIDE_HALF_MM = 90.0


@dataclass(frozen=True)
class Slab:
    """Where to cut.

    Attributes:
        shape: Voxels of the working grid [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        curve: RAS+ millimetres of the canal from bottom to top, [N, 3]; [0, 3] if none was found.
        reformat: Whether the volume is a sagittal reformat.
        coarse: The volume on the detection grid; None for reformats.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    curve: np.ndarray
    reformat: bool
    coarse: Coarse | None


def is_sagittal_reformat(shape: tuple[int, ...], affine: np.ndarray) -> bool:
    """Tell a sagittal reformat (one slice, or few or thick ones) from a volume.

    Args:
        shape: Shape of a grid in RAS order (`to_ras`).
        affine: Its matrix.
    """
    step = spacing_mm(affine)
    thick = step[0] >= THICK_MM and step[0] >= THICK_RATIO * max(step[1], step[2])
    return bool(shape[0] * step[0] < NARROW_MM or thick)


class SpineSlab(Transform):
    """Find the spine in a volume and cut a slab of sagittal slices about it.

    Sampling is anti-aliased: whole voxels are averaged to about the new step, then interpolated.
    Beyond the scan the slab reads -1024 HU.

    Where no canal is found (chest, metal, a small crop) the slab stands upright on the column of
    40 mm that holds most bone, and shows the whole field from back to front.

    Args:
        spacing_mm: Pixel edge within the slices, mm.
        slice_step_mm: Distance of the slices, mm; sagittal reformats keep their own if it is wider.
        half_width_mm: Slices reach this far to each side of the curve.
        behind_mm: Slices reach this far behind the curve's hindmost point.
        front_mm: Slices reach this far before the curve's foremost point.
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
        self.step = np.array([slice_step_mm, spacing_mm, spacing_mm], dtype=float)
        self.half_width_mm = half_width_mm
        self.behind_mm = behind_mm
        self.front_mm = front_mm

    def plan(self, array: np.ndarray, affine: np.ndarray, name: str = "image") -> Slab:
        """Lay the working grid through a volume.

        Args:
            array: HU [X, Y, Z], any orientation.
            affine: Its 4x4 voxel to RAS+ millimetre matrix.
            name: What an error calls the volume.

        Raises:
            ValueError: If the array is no volume in space, or holds values that are not finite.
        """
        check_grid(array.shape, affine, name)
        view, ras = to_ras(array, affine)
        reformat = is_sagittal_reformat(view.shape, ras)
        if reformat and view.shape[0] * spacing_mm(ras)[0] <= 2 * self.half_width_mm:
            _check_finite(view, name)
            return self._along_slices(view.shape, ras, np.zeros((0, 3)))
        volume = coarse(view, ras)
        _check_finite(volume.hu, name)
        curve = canal_curve(volume)
        if reformat:
            return self._along_slices(view.shape, ras, curve)
        turn = _lean(curve)
        if len(curve):
            low, high = (curve @ turn).min(axis=0), (curve @ turn).max(axis=0)
            low += [-self.half_width_mm, -self.behind_mm, -np.inf]
            high += [self.half_width_mm, self.front_mm, np.inf]
        else:
            x = _bone_column_mm(volume)
            low = np.array([x - self.half_width_mm, -np.inf, -np.inf])
            high = np.array([x + self.half_width_mm, np.inf, np.inf])
        corners = corners_mm(view.shape, ras) @ turn
        low, high = np.maximum(low, corners.min(axis=0)), np.minimum(high, corners.max(axis=0))
        shape = np.maximum(1, np.floor((high - low) / self.step + 1e-3)).astype(int)
        grid = np.eye(4)
        grid[:3, :3] = turn * self.step
        grid[:3, 3] = turn @ ((low + high) / 2 - self.step * (shape - 1) / 2)
        shape, grid = _trim(view.shape, ras, shape, grid)
        return Slab((int(shape[0]), int(shape[1]), int(shape[2])), grid, curve, False, volume)

    def _along_slices(self, shape: tuple[int, ...], ras: np.ndarray, curve: np.ndarray) -> Slab:
        """Lay the working grid along the slices of a sagittal reformat in RAS order."""
        own = spacing_mm(ras)
        factors = np.array([block_factors(ras, self.step)[0], 1, 1])
        step = np.array([own[0] * factors[0], self.step[1], self.step[2]])
        extent = np.array(shape) * own
        middle = (np.array(shape) - 1) / 2
        if len(curve):
            middle[0] = np.median(to_index(ras, curve)[:, 0])
        first, last = 0, shape[0] // factors[0] - 1
        reach = self.half_width_mm / step[0]
        at = (middle[0] - (factors[0] - 1) / 2) / factors[0]
        first = min(max(first, int(np.ceil(at - reach - 1e-3))), last)
        last = max(min(last, int(np.floor(at + reach + 1e-3))), first)
        size = np.maximum(1, np.floor(extent / step + 1e-3)).astype(int)
        size[0] = last - first + 1
        grid = np.array(ras)
        grid[:3, :3] = ras[:3, :3] / own * step
        start = middle - (size - 1) / 2 * step / own
        start[0] = first * factors[0] + (factors[0] - 1) / 2
        grid[:3, 3] = ras[:3, :3] @ start + ras[:3, 3]
        return Slab((int(size[0]), int(size[1]), int(size[2])), grid, curve, True, None)

    def cut(
        self, array: np.ndarray, affine: np.ndarray, slab: Slab, mode: str = "bilinear"
    ) -> np.ndarray:
        """Sample a volume on the working grid.

        Args:
            array: [X, Y, Z], any orientation.
            affine: Its 4x4 voxel to RAS+ millimetre matrix.
            slab: From `plan`.
            mode: "bilinear" for HU (float32, -1024 beyond the scan), "nearest" for labels (their
                own type, 0 beyond).
        """
        view, ras = to_ras(array, affine)
        if mode == "nearest":
            return sample(view, ras, slab.shape, slab.affine, order=0, outside=0)
        factors = block_factors(ras, spacing_mm(slab.affine))
        part = box_in(view.shape, ras, slab.shape, slab.affine, margin=2 * int(factors.max()))
        if part is None:
            return np.full(slab.shape, OUTSIDE_HU, dtype=np.float32)
        means, means_affine = block_mean(view[part], shifted(ras, part), factors)
        values = sample(means, means_affine, slab.shape, slab.affine)
        # Blocks and margins end elsewhere than the scan does.
        values[~covered(view.shape, ras, slab.shape, slab.affine)] = OUTSIDE_HU
        return values

    def __call__(self, image: MetaTensor) -> MetaTensor:
        """Cut the slab out of a CT [1, X, Y, Z] in HU; returns [1, X', Y', Z'], float32."""
        array, affine, name = _volume(image)
        slab = self.plan(array, affine, name)
        return _with_meta(self.cut(array, affine, slab)[None], slab.affine, image)


class SpineSlabd(MapTransform):
    """Dictionary form of `SpineSlab`; also gives the canal curve and a wide grid for the ribs.

    The working grid is laid through the first key; every other key is sampled on the same grid.

    Args:
        keys: CT first, then labels, if any.
        mode: "bilinear" or "nearest", one for all keys or one per key.
        spacing_mm: Pixel edge within the slices, mm.
        slice_step_mm: Distance of the slices, mm.
        half_width_mm: Reach of the slices to each side of the curve, mm.
        behind_mm: Reach behind the curve, mm.
        front_mm: Reach before the curve, mm.
        curve_key: Where the curve goes, float32 [N, 3], RAS+ mm, bottom to top, may be [0, 3].
        wide_key: Where the CT on a 3 mm grid goes, int16 HU [1, X, Y, Z], 90 mm to each side of
            the curve (of the slab's middle without one); not made for reformats. None: not made.
        allow_missing_keys: As in MONAI.
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
        self.slab = SpineSlab(spacing_mm, slice_step_mm, half_width_mm, behind_mm, front_mm)
        self.curve_key = curve_key
        self.wide_key = wide_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Cut every key."""
        result = dict(data)
        slab: Slab | None = None
        for key, mode in self.key_iterator(result, self.mode):
            array, affine, name = _volume(result[key])
            if slab is None:
                slab = self.slab.plan(array, affine, name)
                if self.curve_key is not None:
                    result[self.curve_key] = torch.from_numpy(slab.curve.astype(np.float32))
                if self.wide_key is not None and slab.coarse is not None:
                    result[self.wide_key] = _wide(slab, result[key])
            cut = self.slab.cut(array, affine, slab, mode)
            result[key] = _with_meta(cut[None], slab.affine, result[key])
        return result


def _lean(curve: np.ndarray) -> np.ndarray:
    """Working axes as columns, [3, 3]: the world's, turned about the one that points forward."""
    if len(curve) < 2 or np.ptp(curve[:, 2]) < LEAN_MM:
        return np.eye(3)
    limit = np.radians(LARGEST_LEAN_DEG)
    angle = np.clip(np.arctan(np.polyfit(curve[:, 2], curve[:, 0], 1)[0]), -limit, limit)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def _bone_column_mm(volume: Coarse) -> float:
    """Right-left position of the upright column that holds most bone, RAS+ mm."""
    area = (volume.hu > BONE_HU).sum(axis=1) * DETECTION_MM[0] * DETECTION_MM[1]  # [X, Z]
    width = min(int(COLUMN_MM / DETECTION_MM[0]), area.shape[0])
    column = ndimage.uniform_filter1d(area.astype(float), width, axis=0, mode="constant") * width
    held = np.minimum(column, COLUMN_MM2).sum(axis=1)
    best = np.flatnonzero(held >= held.max() - 1e-6)
    return float(volume.affine[0, 3] + DETECTION_MM[0] * best.mean())


def _trim(
    source_shape: tuple[int, ...], source: np.ndarray, shape: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut planes off a grid that lie wholly beyond the scan."""
    inside = covered(source_shape, source, tuple(shape), grid)
    first, last = np.zeros(3, dtype=int), np.array(shape) - 1
    for axis in range(3):
        kept = np.flatnonzero(inside.any(axis=tuple(i for i in range(3) if i != axis)))
        if len(kept):
            first[axis], last[axis] = kept[0], kept[-1]
    moved = np.array(grid)
    moved[:3, 3] = grid[:3, :3] @ first + grid[:3, 3]
    return last - first + 1, moved


def _wide(slab: Slab, image: MetaTensor) -> MetaTensor:
    """Sample the ribs' grid: RAS axes, all of the slab's height, 90 mm to each side."""
    assert slab.coarse is not None
    corners = corners_mm(slab.shape, slab.affine)
    low, high = corners.min(axis=0), corners.max(axis=0)
    x = slab.curve[:, 0] if len(slab.curve) else corners[:, 0].mean(keepdims=True)
    low[0], high[0] = x.min() - WIDE_HALF_MM, x.max() + WIDE_HALF_MM
    field = corners_mm(slab.coarse.hu.shape, slab.coarse.affine)
    low, high = np.maximum(low, field.min(axis=0)), np.minimum(high, field.max(axis=0))
    shape = np.maximum(1, np.floor((high - low) / WIDE_STEP_MM + 1e-3)).astype(int)
    grid = np.diag([WIDE_STEP_MM] * 3 + [1.0])
    grid[:3, 3] = (low + high) / 2 - WIDE_STEP_MM * (shape - 1) / 2
    values = sample(slab.coarse.hu, slab.coarse.affine, tuple(shape), grid)
    return _with_meta(np.rint(values).clip(-32768, 32767).astype(np.int16)[None], grid, image)


def _check_finite(values: np.ndarray, name: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name}: holds values that are not finite (NaN or infinity); replace them by "
            f"{OUTSIDE_HU:g} HU"
        )


def _volume(image: Any) -> tuple[np.ndarray, np.ndarray, str]:
    """Array [X, Y, Z], affine and name of a channel-first volume."""
    affine = np.asarray(getattr(image, "affine", np.eye(4)), dtype=float)
    name = "image"
    if isinstance(image, MetaTensor):
        stored = image.meta.get("filename_or_obj", name)
        name = str(stored if isinstance(stored, str) or not stored else stored[0])
    array = np.asarray(image.detach().cpu().numpy() if torch.is_tensor(image) else image)
    if array.ndim != 4 or array.shape[0] != 1:
        raise ValueError(
            f"{name}: shape {tuple(array.shape)} is not one CT volume [1, X, Y, Z]; give a single "
            "slice as a volume that is one voxel thick, one phase of a series"
        )
    return array[0], affine, name


def _with_meta(array: np.ndarray, affine: np.ndarray, source: Any) -> MetaTensor:
    """Attach a new affine, and of the source's meta what names the input and its grid."""
    meta = dict(source.meta) if isinstance(source, MetaTensor) else {}
    if "original_affine" not in meta or "spatial_shape" not in meta:
        meta["original_affine"] = np.asarray(getattr(source, "affine", np.eye(4)), dtype=float)
        meta["spatial_shape"] = np.array(source.shape[1:])
    meta.pop("affine", None)
    return MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(affine), meta=meta)
