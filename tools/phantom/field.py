"""The scanned field: where the voxels of a scan lie in the patient."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from tools.phantom.anatomy.chest.outline import ChestTrunk
from tools.phantom.anatomy.patient import Patient
from tools.phantom.anatomy.spine import Spine
from tools.phantom.imaging.vendor import NO_ERRORS, Vendor
from tools.phantom.recipe_rules import CHEST_FIELDS
from tools.phantom.truth import rim_points
from tools.volumes import Grid

#: Fields that show a part of the trunk from which its axis cannot be told.
NARROW_FIELDS = ("bodies", "vertebrae")
#: Half width of the slab about the spine, mm.
SLAB_HALF_WIDTH_MM = 35.0
#: Air around the skin, and table below it, that a whole-width field shows, mm.
AIR_MM = 14.0
TABLE_MM = 48.0
FIELDS = ("abdomen", "lumbar", "sagittal_slab", *NARROW_FIELDS, *CHEST_FIELDS)
#: Room about the bodies L1-L4 in the field `bodies`, mm (design): to each side the psoas, in front
#: the aorta, above and below the slice profile; behind it reaches through the skin into the air.
BODIES_SIDE_MM, BODIES_FRONT_MM, BODIES_END_MM = 24.0, 36.0, 12.0
#: Room about them in the field `vertebrae`, for kernel and slice profile alone, mm (design).
VERTEBRAE_ROOM_MM = 12.0
MEASURED = ("L1", "L2", "L3", "L4")
#: Fields whose ends `trunk_slab` takes, one for each patient.
TRUNK_SLABS = ("abdomen", "abdomen", "thoracolumbar", "chest", "chest_abdomen_pelvis")
#: Levels that a label map of the spine alone shows above the sacrum, and the margin about them, mm.
SPINE_LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
BODY_MARGIN_MM = 5.0
#: Margin about the centres of the sacral segments that holds the alae, mm.
SACRUM_MARGIN_MM = np.array([66.0, 32.0, 26.0])


def bounds_mm(patient: Patient, field: str, rng: np.random.Generator) -> np.ndarray:
    """Draw the corners of a field, RAS+ millimetres, [[low], [high]].

    Args:
        patient: Who is scanned.
        field: `abdomen` (T10 to the pubic symphysis), `lumbar` (T11 to S2), `sagittal_slab`
            (35 mm to each side of the spine, with ends drawn between T9 and T12 and between S3
            and the hips), `bodies` (a box about L1 to L4 with psoas, aorta and the back),
            `vertebrae` (a box that just holds the bodies L1 to L4); or one of `CHEST_FIELDS`, all
            of whole width: `chest` (above the lungs' apices to L1 or L2), `chest_abdomen_pelvis`
            (to below the symphysis), `thoracolumbar` (T4-T7 to the sacrum), `abdomen_upper` (domes
            to L3 or L4), `pelvis` (L3-L5 to below the symphysis); or `trunk_slab` (35 mm to each
            side of the spine, as long as one of `TRUNK_SLABS`).
        rng: Stream of the scan, for where exactly the field ends.

    Raises:
        ValueError: If the field is unknown.
    """
    spine, trunk = patient.spine, patient.trunk
    middle = _middles_if_whole(patient)
    top = {level: z + spine.vertebrae[level].height / 2 for level, z in middle.items()}
    side, front = trunk.extent_mm()
    low = [trunk.lean - side - AIR_MM, trunk.back - TABLE_MM, 0.0]
    high = [trunk.lean + side + AIR_MM, front + AIR_MM, 0.0]
    symphysis = float(patient.pelvis.symphysis[2])
    if field == "trunk_slab":
        low[0], high[0] = _slab_sides(spine)
        field = str(rng.choice(TRUNK_SLABS))
    if field == "abdomen":
        low[2], high[2] = symphysis - rng.uniform(18, 40), top["T10"] + rng.uniform(4, 45)
    elif field == "lumbar":
        low[2], high[2] = -rng.uniform(35, 60), top["T11"] + rng.uniform(2, 12)
    elif field == "sagittal_slab":
        low[0], high[0] = _slab_sides(spine)
        upper = top[str(rng.choice(["T9", "T10", "T11", "T12"]))]
        low[2], high[2] = symphysis + rng.uniform(-30, 50), upper + rng.uniform(0, 40)
    elif field == "bodies":
        low, high = _bodies_mm(patient)
    elif field == "vertebrae":
        rims = _measured_rims(patient)
        low = list(rims.min(0) - VERTEBRAE_ROOM_MM)
        high = list(rims.max(0) + VERTEBRAE_ROOM_MM)
    elif field in CHEST_FIELDS and isinstance(trunk, ChestTrunk):
        low[2], high[2] = _chest_ends(field, patient, trunk, rng)
    else:
        raise ValueError(f"unknown field {field!r}; known: {', '.join(FIELDS)}")
    return np.array([low, high])


def _slab_sides(spine: Spine) -> tuple[float, float]:
    """Left and right end of a slab about the lumbar spine, x in mm."""
    across = float(np.mean([spine.vertebrae[f"L{n}"].frame.origin[0] for n in range(1, 6)]))
    return across - SLAB_HALF_WIDTH_MM, across + SLAB_HALF_WIDTH_MM


def _middles_if_whole(patient: Patient) -> dict[str, float]:
    """Z of the middle of every body, mm, where it lay before one below broke.

    Fields end there, so that the length of a scan does not tell that the spine has become shorter.
    """
    sunk = patient.pathology.sunk_mm if patient.pathology else {}
    return {
        level: float(body.frame.origin[2]) + sunk.get(level, 0.0)
        for level, body in patient.spine.vertebrae.items()
    }


def _chest_ends(
    field: str, patient: Patient, trunk: ChestTrunk, rng: np.random.Generator
) -> tuple[float, float]:
    """Draw both ends of a field of a patient with a chest, z in mm."""
    middle = _middles_if_whole(patient)
    apex, symphysis = float(trunk.apex[2]), float(patient.pelvis.symphysis[2])
    if field == "chest":
        return rng.uniform(middle["L2"] - 12, middle["L1"]), apex + rng.uniform(4, 22)
    if field == "chest_abdomen_pelvis":
        return symphysis - rng.uniform(18, 40), apex + rng.uniform(4, 22)
    if field == "thoracolumbar":
        return -rng.uniform(20, 50), rng.uniform(middle["T7"], middle["T4"] + 15)
    if field == "abdomen_upper":
        low = rng.uniform(middle["L4"] - 10, middle["L3"] + 10)
        return low, max(trunk.dome) + rng.uniform(5, 35)
    return symphysis - rng.uniform(25, 60), rng.uniform(middle["L5"] + 10, middle["L3"] + 10)


def _measured_rims(patient: Patient) -> np.ndarray:
    """Points about the endplates of L1 to L4, RAS+ millimetres, [N, 3]."""
    return np.concatenate([rim_points(patient.spine.vertebrae[level]) for level in MEASURED])


def _bodies_mm(patient: Patient) -> tuple[list[float], list[float]]:
    """Corners of the box about L1 to L4, RAS+ millimetres."""
    rims = _measured_rims(patient)
    (left, _, foot), (right, front, head) = rims.min(0), rims.max(0)
    return (
        [left - BODIES_SIDE_MM, patient.trunk.back - AIR_MM, foot - BODIES_END_MM],
        [right + BODIES_SIDE_MM, front + BODIES_FRONT_MM, head + BODIES_END_MM],
    )


def fine_grid(
    corners_mm: np.ndarray, pixel_mm: float, step_mm: float, steps: int, turn_deg: np.ndarray
) -> Grid:
    """Lay the grid on which a scan is drawn.

    Args:
        corners_mm: [[low], [high]] of the field before it is turned, RAS+ millimetres.
        pixel_mm: In-plane spacing.
        step_mm: Spacing along the scan's axis.
        steps: The number of voxels along the axis is a multiple of this.
        turn_deg: Rotation of the field about x, y and z, degrees.
    """
    size = corners_mm[1] - corners_mm[0]
    spacing = np.array([pixel_mm, pixel_mm, step_mm])
    counts = [max(1, math.ceil(float(part))) for part in size / spacing]
    counts[2] = steps * math.ceil(counts[2] / steps)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() * spacing
    affine[:3, 3] = corners_mm.mean(0) - affine[:3, :3] @ ((np.array(counts) - 1) / 2)
    return Grid((counts[0], counts[1], counts[2]), affine)


def trunk_middle(
    patient: Patient, grid: Grid, field: str, vendor: Vendor
) -> tuple[float, float] | None:
    """Where the trunk's axis lies in the plane of a grid, as fractions of the image, (x, y).

    None where the image itself tells: errors that fall off from the axis want its true place, also
    when the field shows the spine alone.

    Args:
        patient: Who is scanned.
        grid: Grid of the scan.
        field: As in `bounds_mm`.
        vendor: Errors of the scanner.
    """
    if field not in NARROW_FIELDS and vendor == NO_ERRORS:
        return None
    height = float(grid.center_mm[2])
    _, deep = patient.trunk.half_axes(torch.tensor(height))
    axis = np.array([patient.trunk.lean, patient.trunk.back + float(deep), height])
    share = (grid.to_index(axis) + 0.5) / np.array(grid.shape)
    return float(share[0]), float(share[1])


def slice_grid(fine: Grid, steps: int) -> Grid:
    """The grid of the slices that `steps` fine ones each make.

    Args:
        fine: Grid of the drawing.
        steps: Fine slices per slice; those left over at the top make none.
    """
    affine = fine.affine.copy()
    affine[:3, 2] *= steps
    affine[:3, 3] = fine.to_world(np.array([0.0, 0.0, (steps - 1) / 2]))
    return Grid((fine.shape[0], fine.shape[1], fine.shape[2] // steps), affine)


def spine_bounds_mm(patient: Patient) -> np.ndarray:
    """Corners of the box that holds the bodies T10 to L5 and the sacrum, RAS+ mm, [2, 3]."""
    bodies = [rim_points(patient.spine.vertebrae[level]) for level in SPINE_LEVELS]
    points = np.concatenate(bodies)
    ends = np.array([segment.frame.origin for segment in patient.sacrum.segments])
    low = np.minimum(points.min(0) - BODY_MARGIN_MM, ends.min(0) - SACRUM_MARGIN_MM)
    high = np.maximum(points.max(0) + BODY_MARGIN_MM, ends.max(0) + SACRUM_MARGIN_MM)
    return np.array([low, high])
