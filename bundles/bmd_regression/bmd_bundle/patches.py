"""The trabecular patch of a vertebral body: three parallel slices through its spongy middle.

S2 section 3.3: a square of 32 x 32 pixels in the middle of the body, free of cortex, on the slice
through the middle and on those before and behind. Here its size is in millimetres, it keeps a
margin to the body's surface, and by default it lies parallel to the mean endplate; `tilt=False` is
S2's axial slice. HU are interpolated linearly from the CT's own voxels and not touched otherwise.

    patch = patches.extract(image, affine, mask)
    patch.mean_hu, patch.standard_error_hu
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from bmd_bundle import noise as noises
from bmd_bundle import slab as slabs
from bmd_bundle.body_frame import Body, PatchError, fit
from bmd_bundle.geometry import bounds, to_index, to_world
from bmd_bundle.layout import (
    MARGIN_MM,
    PIXELS,
    SIZE_MM,
    SLICE_STEP_MM,
    Layout,
    Settings,
    lay_out,
)

__all__ = ["Patch", "PatchError", "extract", "sample"]

#: The trabecular core begins this far inside the surface, mm: QCT regions leave the cortex out.
CORE_DEPTH_MM = 3.0
#: With thick voxels it begins half a voxel behind the cortex as CT blurs it, mm.
CORTEX_MM = 2.0
#: Voxels coarser than this within the plane of the patch give less than four samples across, mm.
COARSEST_MM = 6.0
#: A patch may reach this share of a voxel beyond the outermost voxel centres: their own extent.
EDGE_VOXELS = 0.5


@dataclass(frozen=True)
class Patch:
    """A trabecular patch with what was measured in it.

    Attributes:
        hu: HU, float32 [3, P, P]: slices from below up; rows from the front back; columns from the
            patient's right to the left, as a radiologist sees an axial slice.
        affine: 4x4 matrix from patch indices (slice, row, column) to RAS+ mm.
        size_mm: Edge of the square, mm.
        margin_mm: Least distance of the patch from the body's surface, mm.
        tilt_deg: Angle between the patch and the patient's axial plane, degrees.
        mean_hu: Mean, HU.
        median_hu: Median, HU.
        sd_hu: Standard deviation of the CT's own voxels in the patch (not of `hu`, whose
            interpolation smooths noise), HU.
        noise_hu: Noise of the CT in soft tissue near the body, HU; None where there is none.
        standard_error_hu: Standard error of `mean_hu` from noise, HU; None likewise.
        purity: Share of the samples in the trabecular core, 0 to 1.
        core_mean_hu: Mean over the whole trabecular core of the body, HU; None without core.
        trabecular_hu: What density is read from, HU: the mean of the body's central slab without
            dense foci (`bmd_bundle.slab`), or `mean_hu` where the body is too small for a slab.
        trabecular_error_hu: Standard error of `trabecular_hu` from noise, HU; None likewise.
        dense_share: Share of the slab in dense foci, 0 to 1; None without slab.
    """

    hu: np.ndarray
    affine: np.ndarray
    size_mm: float
    margin_mm: float
    tilt_deg: float
    mean_hu: float
    median_hu: float
    sd_hu: float
    noise_hu: float | None
    standard_error_hu: float | None
    purity: float
    core_mean_hu: float | None
    trabecular_hu: float
    trabecular_error_hu: float | None
    dense_share: float | None

    @property
    def centre_mm(self) -> np.ndarray:
        """Middle of the patch, RAS+ mm, [3]."""
        return to_world(self.affine, (np.array(self.hu.shape) - 1) / 2)

    @property
    def normal(self) -> np.ndarray:
        """Unit vector through the slices, upwards, RAS+ mm, [3]."""
        return self.affine[:3, 0] / np.linalg.norm(self.affine[:3, 0])

    @property
    def corners_mm(self) -> np.ndarray:
        """Corners of the middle slice's square, in order around it, RAS+ mm, [4, 3]."""
        low, high = -0.5, self.hu.shape[1] - 0.5
        ring = [(low, low), (low, high), (high, high), (high, low)]
        return to_world(self.affine, np.array([(1.0, row, column) for row, column in ring]))


def extract(
    image: np.ndarray,
    affine: np.ndarray,
    body: np.ndarray,
    size_mm: float = SIZE_MM,
    pixels: int = PIXELS,
    margin_mm: float = MARGIN_MM,
    slice_step_mm: float = SLICE_STEP_MM,
    slice_thickness_mm: float | None = None,
    tilt: bool = True,
) -> Patch:
    """Take the trabecular patch of one level and measure what it holds.

    Args:
        image: CT in HU, [X, Y, Z], any orientation, spacing and obliquity.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        body: Mask of the level's whole vertebral body, bool [X, Y, Z].
        size_mm: Edge of the square, mm; smaller where the body is.
        pixels: Samples along an edge.
        margin_mm: Least distance to the body's surface, mm.
        slice_step_mm: Distance of the outer slices from the middle one, mm.
        slice_thickness_mm: Each slice is the mean over this height, mm; where the body is too low,
            step and thickness shrink together. None: single planes, as in S2.
        tilt: Whether the patch lies parallel to the mean endplate, or in the patient's axial plane.

    Returns:
        The patch.

    Raises:
        PatchError: The level's mask is no body, or is too small for a patch (`patch_outside_body`);
            or the CT does not show the patch, or too coarsely (`no_axial_data`).
        ValueError: Image and mask are not volumes of one shape, or a setting is not positive.
    """
    affine, body = np.asarray(affine, dtype=float), np.asarray(body, dtype=bool)
    settings = Settings(size_mm, pixels, margin_mm, slice_step_mm, slice_thickness_mm, tilt)
    shape, layout = locate(image, affine, body, settings)
    found, axes = layout.place, layout.place.axes
    points = layout.points()
    values, squares = _read(image, affine, points)
    depth = shape.depth_at(points)
    found_noise = noises.measure(image, affine, found.centre_mm, body)
    slab = slabs.read(image, affine, shape, axes, margin_mm)
    extent = np.array([found.size_mm, found.size_mm, layout.height_mm])

    def error_over(extent_mm: np.ndarray) -> float | None:
        return noises.standard_error(found_noise, axes, extent_mm) if found_noise else None

    return Patch(
        hu=layout.slices(values),
        affine=layout.affine,
        size_mm=found.size_mm,
        margin_mm=float(depth.min()),
        tilt_deg=float(np.degrees(np.arccos(np.clip(axes[2, 2], -1, 1)))),
        mean_hu=float(values.mean()),
        median_hu=float(np.median(values)),
        sd_hu=float(np.sqrt(max(0.0, squares.mean() - values.mean() ** 2))),
        noise_hu=found_noise.sd_hu if found_noise else None,
        standard_error_hu=error_over(extent),
        purity=float((depth >= CORE_DEPTH_MM).mean()),
        core_mean_hu=_core_mean(image, affine, body, shape),
        trabecular_hu=slab.hu if slab else float(values.mean()),
        trabecular_error_hu=error_over(slab.extent_mm if slab else extent),
        dense_share=slab.dense if slab else None,
    )


def sample(
    image: np.ndarray, affine: np.ndarray, body: np.ndarray, border: int = 0, **settings: Any
) -> np.ndarray:
    """Take the trabecular patch of one level with a border, without measuring anything.

    Args:
        image: CT in HU, [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        body: Mask of the level's whole vertebral body, bool [X, Y, Z].
        border: Further samples on each side, which may lie nearer to the body's surface.
        **settings: `size_mm` and so on, as in `extract`.

    Returns:
        HU, float32 [3, P + 2 border, P + 2 border].

    Raises:
        PatchError: As `extract`.
        ValueError: As `extract`.
    """
    affine, body = np.asarray(affine, dtype=float), np.asarray(body, dtype=bool)
    _, layout = locate(image, affine, body, Settings(**settings))
    values, _ = _read(image, affine, layout.points(border), inner=layout.points())
    return layout.slices(values)


def locate(
    image: np.ndarray, affine: np.ndarray, body: np.ndarray, settings: Settings
) -> tuple[Body, Layout]:
    """Find a body's axes and the place of the patch in it.

    Args:
        image: CT, [X, Y, Z]; only its shape counts.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        body: Mask, bool [X, Y, Z].
        settings: Size and slices.

    Raises:
        PatchError: As `extract`.
        ValueError: As `extract`.
    """
    if image.ndim != 3 or image.shape != body.shape:
        raise ValueError(f"image {image.shape} and mask {body.shape} are not volumes of one grid")
    _refuse_coarse(affine, image.shape)
    try:
        shape = fit(body, affine)
        return shape, lay_out(shape, settings)
    except PatchError as error:
        if _touches_edge(body):
            text = f"the CT shows only a part of the body: {error}"
            raise PatchError("no_axial_data", text) from error
        raise


def _refuse_coarse(affine: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse a single slice, and voxels too coarse across the patient for a patch."""
    if min(shape) < 2:
        raise PatchError("no_axial_data", "a single slice shows no patch; give the whole CT")
    for direction in np.eye(3)[:2]:
        # Places in headers are rounded: 6 mm may be 6.000001.
        step = round(1 / float(np.linalg.norm(np.linalg.inv(affine[:3, :3]) @ direction)), 2)
        if step > COARSEST_MM:
            text = f"voxels {step:.1f} mm apart across the body are too coarse for a patch"
            raise PatchError("no_axial_data", text)


def _touches_edge(body: np.ndarray) -> bool:
    """Whether a mask [X, Y, Z] reaches an outer face of its volume."""
    box = bounds(body)
    return box is not None and any(
        side.start == 0 or side.stop == size for side, size in zip(box, body.shape, strict=True)
    )


def _read(
    image: np.ndarray, affine: np.ndarray, points: np.ndarray, inner: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate HU and squared HU at places [..., 3], or refuse what the CT does not show.

    The squares, averaged, give the spread of the CT's own voxels with the weights of the mean:
    interpolated HU are smoother than these. `inner` are the places that the CT must show, if not
    all: beyond its edge the outermost voxels go on.
    """
    index = to_index(affine, points)
    needed = index if inner is None else to_index(affine, inner)
    beyond = np.maximum(-needed, needed - (np.array(image.shape) - 1))
    if beyond.max() > EDGE_VOXELS:
        raise PatchError("no_axial_data", "the CT does not cover the middle of the body")
    low = np.clip(np.floor(index.min(axis=(0, 1, 2))).astype(int), 0, np.array(image.shape) - 1)
    high = np.maximum(np.ceil(index.max(axis=(0, 1, 2))).astype(int), low) + 1
    part = np.asarray(image[tuple(map(slice, low, high))], dtype=np.float64)
    if not np.isfinite(part).all():
        raise PatchError("no_axial_data", "the CT holds no numbers in the middle of the body")
    places = np.moveaxis(index - low, -1, 0)
    values, squares = (
        ndimage.map_coordinates(each, places, order=1, mode="nearest") for each in (part, part**2)
    )
    return values, squares


def _core_mean(
    image: np.ndarray, affine: np.ndarray, body: np.ndarray, shape: Body
) -> float | None:
    """Mean HU of the voxels in the body's trabecular core."""
    box = bounds(body)
    if box is None:
        return None
    # Every voxel of the box: the depth tells which lie inside, those that the mask lacks as well.
    index = np.indices(body[box].shape).reshape(3, -1).T + [each.start for each in box]
    coarse = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    deep = shape.depth_at(to_world(affine, index.astype(float)))
    kept = index[deep >= max(CORE_DEPTH_MM, CORTEX_MM + coarse / 2)]
    values = np.asarray(image[tuple(kept.T)], dtype=np.float64)
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None
