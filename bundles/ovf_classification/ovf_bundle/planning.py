"""Where the sagittal slices of a CT lie: the patient's millimetres decide, never array indices.

S1 keeps the central 5 % of the sagittal slices. Of a volume these are the central 5 % of its width
from right to left, cut into slices; of a stack of sagittal reformats the central 5 % of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes

from ovf_bundle.common import is_sagittal_reformat

#: Axes of slices cut from a volume, as columns of RAS+: right to left, head to foot, front to back,
#: as a console shows a sagittal picture.
PATIENT_AXES = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
#: Parts of a long scan share this much, mm: a thoracolumbar body with both its neighbours and discs
#: (3 x 35 mm) is whole in one of them.
OVERLAP_MM = 105.0
#: A picture shows at least this much, mm: a cropped scan is padded, not blown up to bodies of a
#: size that no network has seen. Lumbar spines are scanned with fields from here on.
LEAST_PICTURE_MM = 250.0
#: Less of the spine shows no body between its neighbours, mm; nor does less depth show one at all.
LEAST_FIELD_MM = 60.0
#: Half the width of a vertebral body, mm: a slice further from its middle shows none.
HALF_BODY_MM = 20.0
#: Part of a slice that floating-point error may cost.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Choice:
    """What slices are wanted.

    Attributes:
        share: Part of the width, or of the stack's slices.
        least: Fewest slices; a stack with fewer gives all it has.
        slice_mm: Thickness and distance of slices cut from a volume, mm.
        most_mm: Longest part of the spine in one picture, mm; None for all of it.
        pixels: Edge of the picture.
    """

    share: float
    least: int
    slice_mm: float
    most_mm: float | None
    pixels: int

    def __post_init__(self) -> None:
        """Refuse what no picture can have."""
        if not 0 < self.share <= 1 or self.least < 1 or self.slice_mm <= 0 or self.pixels < 1:
            raise ValueError(f"{self}: share is above 0 up to 1, the others are above 0")
        if self.most_mm is not None and self.most_mm <= OVERLAP_MM:
            raise ValueError(
                f"most_mm is {self.most_mm}; give more than {OVERLAP_MM:g} mm, or null"
            )


@dataclass(frozen=True)
class Layout:
    """Pictures to cut out of a CT.

    Attributes:
        places: Of each part of the spine, head first, the matrix from (slice, row, column) to RAS+
            mm, [parts, 4, 4].
        slices: Slices of each part.
        pixels: Edge of each picture.
        averaged: Whether a slice is the mean over its thickness; else it is one plane.
        reformat: Whether they are a reformat's own slices.
        field_mm: Extent of the scan along rows and columns, mm.
        beside_mm: How far the spine lies beside the middle of the slices, mm; None if unknown.
    """

    places: np.ndarray
    slices: int
    pixels: int
    averaged: bool
    reformat: bool
    field_mm: tuple[float, float]
    beside_mm: float | None


def plan(
    shape: Sequence[int],
    affine: np.ndarray,
    choice: Choice,
    spine_mm: np.ndarray,
    on_spine: bool = False,
) -> Layout:
    """Lay the slices through a CT.

    Args:
        shape: Voxels of the CT, its axes in the order nearest to `PATIENT_AXES`.
        affine: 4x4 matrix from voxel indices to RAS+ mm.
        choice: What slices are wanted.
        spine_mm: Points of the spinal canal, RAS+ mm [N, 3]; [0, 3] if none was found.
        on_spine: Whether the slices stand on the canal, if there is one, not in the scan's middle.
    """
    reformat = is_sagittal_reformat(shape, affine)
    spacing = voxel_sizes(affine)
    axes = affine[:3, :3] / spacing if reformat else PATIENT_AXES
    from_ras = np.linalg.inv(axes)
    faces = apply_affine(affine, list(product(*((-0.5, size - 0.5) for size in shape))))
    low, high = (faces @ from_ras.T).min(axis=0), (faces @ from_ras.T).max(axis=0)
    middle = (low + high) / 2
    spine = float(np.median((spine_mm @ from_ras.T)[:, 0])) if len(spine_mm) else None
    at = spine if on_spine and spine is not None else float(middle[0])
    if reformat:
        step, stack = float(spacing[0]), int(shape[0])
        count = min(stack, max(choice.least, round(choice.share * stack)))
        first_slice = math.floor((at - low[0]) / step - count / 2 + ROUNDING)
        first = low[0] + (min(max(first_slice, 0), stack - count) + 0.5) * step
    else:
        step = choice.slice_mm
        count = max(choice.least, round(choice.share * (high[0] - low[0]) / step))
        half = count * step / 2
        first = min(max(at, low[0] + half), high[0] - half) - half + step / 2
    ends = cut_along(float(low[1]), float(high[1]), choice.most_mm)
    longer = max(high[2] - low[2], ends[0][1] - ends[0][0], LEAST_PICTURE_MM)
    edge = longer / choice.pixels
    places = np.tile(np.eye(4), (len(ends), 1, 1))
    places[:, :3, :3] = axes * [step, edge, edge]
    corner = (choice.pixels - 1) / 2 * edge
    for place, (head, foot) in zip(places, ends, strict=True):
        place[:3, 3] = axes @ [first, (head + foot) / 2 - corner, middle[2] - corner]
    return Layout(
        places,
        count,
        choice.pixels,
        averaged=not reformat,
        reformat=reformat,
        field_mm=(float(high[1] - low[1]), float(high[2] - low[2])),
        beside_mm=None if spine is None else abs(spine - first - (count - 1) / 2 * step),
    )


def cut_along(head: float, foot: float, most_mm: float | None) -> list[tuple[float, float]]:
    """Cut a length into the fewest equal parts that overlap and are no longer than allowed.

    Args:
        head: Where it begins, mm.
        foot: Where it ends, mm; the larger.
        most_mm: Longest part; None for one part.

    Examples:
        >>> cut_along(0.0, 560.0, 560.0)
        [(0.0, 560.0)]
        >>> cut_along(0.0, 695.0, 560.0)
        [(0.0, 400.0), (295.0, 695.0)]
    """
    length, number = foot - head, 1
    if most_mm is not None and length > most_mm:
        number = math.ceil((length - OVERLAP_MM) / (most_mm - OVERLAP_MM) - ROUNDING)
    each = (length + (number - 1) * OVERLAP_MM) / number
    starts = [head + n * (each - OVERLAP_MM) for n in range(number)]
    return [(start, start + each) for start in starts]


def refusal(layout: Layout) -> str:
    """Say why no slice can show what is looked for; empty if one may.

    Returns:
        `field_too_small`, `spine_beside_slices`, or nothing.
    """
    if min(layout.field_mm) < LEAST_FIELD_MM:
        return "field_too_small"
    reach = layout.slices * float(voxel_sizes(layout.places[0])[0]) / 2 + HALF_BODY_MM
    if layout.beside_mm is not None and layout.beside_mm > reach:
        return "spine_beside_slices"
    return ""
