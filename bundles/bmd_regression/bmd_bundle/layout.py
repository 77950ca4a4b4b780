"""Where the samples of a trabecular patch lie: size, slices and their thickness in one body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bmd_bundle.body_frame import Body
from bmd_bundle.geometry import to_world
from bmd_bundle.placing import Place, place, place_deep

#: Edge of the patch, mm (S2's 32 pixels on fields of 200 to 350 mm are 12 to 22 mm).
SIZE_MM = 20.0
#: Pixels along an edge (S2).
PIXELS = 32
#: Least distance of the patch from the body's surface, mm: outside the cortex and its blur, and as
#: far as an outline may err.
MARGIN_MM = 5.0
#: Distance of the outer slices from the middle one, mm (S2: 1 mm reconstruction interval).
SLICE_STEP_MM = 1.0
#: Planes over which a thick slice is averaged lie no further apart, mm: the grid of the slab.
PLANE_STEP_MM = 1.0
#: Slices of a patch (S2): one channel of the network each.
SLICES = 3


@dataclass(frozen=True)
class Settings:
    """What a patch shall be like.

    Attributes:
        size_mm: Edge of the square, mm; smaller where the body is.
        pixels: Samples along an edge.
        margin_mm: Least distance to the body's surface, mm.
        slice_step_mm: Distance of the outer slices from the middle one, mm.
        slice_thickness_mm: Height over which a slice is averaged, mm; None for a single plane.
        tilt: Whether the patch lies parallel to the mean endplate, or in the patient's axial plane.
    """

    size_mm: float = SIZE_MM
    pixels: int = PIXELS
    margin_mm: float = MARGIN_MM
    slice_step_mm: float = SLICE_STEP_MM
    slice_thickness_mm: float | None = None
    tilt: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no patch."""
        if min(self.size_mm, self.slice_step_mm) <= 0 or self.pixels < 2 or self.margin_mm < 0:
            raise ValueError(
                "size_mm and slice_step_mm must be above 0, margin_mm at least 0, pixels at least 2"
            )
        if self.slice_thickness_mm is not None and self.slice_thickness_mm <= 0:
            raise ValueError("slice_thickness_mm must be above 0, or null for single planes")


@dataclass(frozen=True)
class Layout:
    """Samples of a patch in one body.

    Attributes:
        place: Where its square lies.
        pixels: Samples along an edge.
        step_mm: Distance of the outer slices from the middle one, mm.
        thickness_mm: Height of a slice, mm; None for a single plane.
    """

    place: Place
    pixels: int
    step_mm: float
    thickness_mm: float | None

    @property
    def height_mm(self) -> float:
        """Height of all slices together, mm; single planes stand for what lies halfway between."""
        return 2 * self.step_mm + (self.thickness_mm or self.step_mm)

    @property
    def affine(self) -> np.ndarray:
        """Matrix from patch indices (slice, row, column) to RAS+ mm, 4x4."""
        right, forward, up = self.place.axes
        step = self.place.size_mm / self.pixels
        middle = [(SLICES - 1) / 2, (self.pixels - 1) / 2, (self.pixels - 1) / 2]
        affine = np.eye(4)
        affine[:3, :3] = np.column_stack([up * self.step_mm, -forward * step, -right * step])
        affine[:3, 3] = self.place.centre_mm - affine[:3, :3] @ middle
        return affine

    def points(self, border: int = 0) -> np.ndarray:
        """Give the places of all samples, RAS+ mm, [planes, P, P, 3], planes from below up.

        Args:
            border: Further samples on each side, P = pixels + 2 border.
        """
        planes = planes_of(self.step_mm, self.thickness_mm) / self.step_mm + (SLICES - 1) / 2
        edge = np.arange(-border, self.pixels + border, dtype=float)
        index = np.stack(np.meshgrid(planes, edge, edge, indexing="ij"), axis=-1)
        return to_world(self.affine, index)

    def slices(self, values: np.ndarray) -> np.ndarray:
        """Average samples [planes, P, P] to slices, float32 [3, P, P]."""
        return values.reshape(SLICES, -1, *values.shape[1:]).mean(axis=1).astype(np.float32)


def planes_of(step_mm: float, thickness_mm: float | None) -> np.ndarray:
    """Heights of the planes of all slices over the middle, mm, from below up.

    Examples:
        >>> planes_of(1.0, None).tolist()
        [-1.0, 0.0, 1.0]
        >>> planes_of(2.0, 2.0).tolist()
        [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
    """
    slices = step_mm * (np.arange(SLICES) - (SLICES - 1) / 2)
    if thickness_mm is None:
        return slices
    count = math.ceil(thickness_mm / PLANE_STEP_MM - 1e-9)
    within = ((np.arange(count) + 0.5) / count - 0.5) * thickness_mm
    return (slices[:, None] + within).ravel()


def lay_out(body: Body, settings: Settings) -> Layout:
    """Find the place of the patch in a body.

    Args:
        body: The body.
        settings: What the patch shall be like.

    Raises:
        PatchError: `patch_outside_body` if it does not fit.
    """
    axes = body.frame.axes if settings.tilt else np.eye(3)
    step, thickness = settings.slice_step_mm, settings.slice_thickness_mm
    if thickness is None:
        found = place(body, axes, settings.size_mm, settings.margin_mm, step)
        return Layout(found, settings.pixels, step, None)
    whole = float(planes_of(step, thickness)[-1])
    found, reach = place_deep(body, axes, settings.size_mm, settings.margin_mm, whole)
    # Fewer planes lie nearer to the middle of their slice: then the reach is even kept by a margin.
    share = reach / whole
    return Layout(found, settings.pixels, step * share, thickness * share)
