"""Sagittal slices as a department stores them: one, or a stack of a few thick ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tools.levels import LEVEL_NAMES
from tools.phantom.real import Scan
from tools.stress.sample import (
    Cut,
    Sample,
    body_points_mm,
    complete_levels,
    cropped_affine,
    cut_field,
    grid_of,
    sacrum_below,
)
from tools.stress.variants import BLANK_HU, HALF_SACRUM_MM, resample, resample_labels
from tools.volumes import Grid, reorient

PIXEL_MM = 1.0
"""Pixel of the slices: fine beside the CT's 3 mm, coarse beside a scanner's 0.5 mm."""

SEEN_MM2 = 60.0
"""A body of which a slice shows less, a tenth of a mid-sagittal cut, does not show."""

CAUDAL = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Reformat:
    """Which slices are cut.

    Attributes:
        count: Number of slices.
        step_mm: Thickness of each and distance to the next.
        offset_mm: Of their middle from the middle of the bodies, to the patient's left positive.
        codes: Axes of the stored array.
        top: Where the field ends above.
        bottom: Where the field ends below.
    """

    count: int
    step_mm: float
    offset_mm: float = 0.0
    codes: str = "RAS"
    top: Cut = ""
    bottom: Cut = ""

    def settings(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        return asdict(self)


def cut_slices(scan: Scan, reformat: Reformat) -> Sample:
    """Cut sagittal slices from a CT and its reference.

    Args:
        scan: A CT in RAS order with body ids of this project.
        reformat: Which slices.
    """
    assert scan.bodies is not None  # slices are cut from a CT with a reference
    points = body_points_mm(scan.bodies, scan.affine)
    l5 = points["L5"].mean(axis=0)
    middle = float(np.mean([p[:, 0].mean() for p in points.values()])) - reformat.offset_mm
    points["sacrum"] = (l5 + HALF_SACRUM_MM * CAUDAL)[None]
    old = scan.grid
    size = np.array(old.shape) * old.spacing_mm
    steps = np.array([reformat.step_mm, PIXEL_MM, PIXEL_MM])
    shape = (reformat.count, int(size[1] / PIXEL_MM), int(size[2] / PIXEL_MM))
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = scan.affine[:3, 3] + (steps - old.spacing_mm) / 2
    affine[0, 3] = middle - reformat.step_mm * (reformat.count - 1) / 2
    grid = Grid(shape, affine)
    image = np.clip(np.rint(resample(scan.image, scan.affine, grid)), BLANK_HU, 32767)
    labels = resample_labels(scan.bodies, scan.affine, grid)
    box = cut_field(points, grid, reformat.top, reformat.bottom)
    affine = cropped_affine(affine, box)
    field = grid_of(image[box], affine)
    # Whole from head to foot and from front to back is all that a slice can show.
    flat = {level: place * [0, 1, 1] + [middle, 0, 0] for level, place in points.items()}
    areas = {
        level: (labels[box] == label).sum() * PIXEL_MM**2 for level, label in _ids(labels).items()
    }
    complete = {
        level
        for level in complete_levels(flat, field)
        if areas.get(level, 0.0) >= SEEN_MM2 * reformat.count
    }
    stored, stored_affine = reorient(image[box].astype(np.int16), affine, reformat.codes)
    return Sample(
        image=stored,
        affine=stored_affine,
        labels=reorient(labels[box], affine, reformat.codes)[0],
        complete=frozenset(complete),
        sacrum=sacrum_below(l5, field, CAUDAL),
        across=np.array([1.0, 0.0, 0.0]),
    )


def _ids(labels: np.ndarray) -> dict[str, int]:
    """Levels of a map and their ids."""
    return {LEVEL_NAMES[int(label)]: int(label) for label in np.unique(labels) if label}
