"""Drawing a patient on a grid: ideal HU at a beam, and the label maps that belong to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy.bones import (
    Labels,
    paint_canal,
    paint_disc,
    paint_ligament,
    paint_vertebra,
    shell_hu,
)
from tools.phantom.anatomy.bowel import paint_bowel
from tools.phantom.anatomy.chest.chest import paint_chest, paint_chest_bones, paint_upper_spine
from tools.phantom.anatomy.muscles import paint_muscles
from tools.phantom.anatomy.organs import paint_organs
from tools.phantom.anatomy.patient import Patient
from tools.phantom.anatomy.pelvis import paint_pelvis
from tools.phantom.anatomy.ribs import paint_ribs
from tools.phantom.anatomy.sacrum_painting import paint_sacrum
from tools.phantom.anatomy.trunk_painting import LAYER_STEP_MM, paint_trunk
from tools.phantom.anatomy.variants.painting import paint_fusions
from tools.phantom.anatomy.vessels import paint_vessels
from tools.phantom.drawing.canvas import WORLD, Canvas
from tools.phantom.drawing.painting import Paint
from tools.phantom.given.painting import paint_given, paint_given_disc
from tools.phantom.pathology.painting import paint_bridges, paint_implants, paint_swellings
from tools.phantom.physics.beam import Beam
from tools.volumes import Grid

#: Voxels drawn at a time: memory stays small whatever the scan's size.
SLAB_VOXELS = 16_000_000
#: HU of lung vessels per SD of the texture above this many SD, sampled so far apart, mm.
LUNG_VESSELS_HU = 260.0
LUNG_VESSELS_LEVEL = 1.6
LUNG_VESSELS_STEP_MM = 2.5
#: Mineral of the cortex of ribs, hips and femora, mg HA/cm³ (design).
CORTEX_HA = 850.0
#: Spongy bone of ribs and hips relative to L5's (design).
SPONGY_DENSITY = 1.3
#: Below the domes' apex by this many recesses nothing of the lungs is left.
LUNG_REACH = 2.2


@dataclass(frozen=True)
class Drawing:
    """A drawn patient.

    Attributes:
        hu: Ideal HU, float32 [X, Y, Z].
        labels: Bodies, trabecular cores and posterior elements.
    """

    hu: torch.Tensor
    labels: Labels


def draw(
    patient: Patient, grid: Grid, beam: Beam, dark_canal_hu: float = 0.0, device: str = "cpu"
) -> Drawing:
    """Draw everything, from the table to the vertebrae.

    Args:
        patient: Who is drawn.
        grid: Where; any orientation, spacing and obliquity.
        beam: Spectrum inside this patient.
        dark_canal_hu: How much too dark the scanner shows the canal inside its ring of bone, HU.
        device: Torch device.
    """
    size_x, size_y, size_z = grid.shape
    # Slices lie one after the other in memory, as the scanner takes them up.
    hu = torch.empty((size_z, size_x, size_y), device=device).permute(1, 2, 0)
    labels = Labels.empty(grid.shape, device)
    depth = max(1, SLAB_VOXELS // (size_x * size_y))
    for first in range(0, size_z, depth):
        part = slice(first, min(first + depth, size_z))
        affine = grid.affine.copy()
        affine[:3, 3] = grid.to_world(np.array([0.0, 0.0, first]))
        slab = Grid((size_x, size_y, part.stop - first), affine)
        canvas = Canvas(slab, beam.hu("air"), device, (0, 0, first))
        paint = Paint(canvas, beam, patient.tissues, dark_canal_hu)
        _paint_around_spine(paint, patient)
        paint_spine(paint, patient, labels.part(part))
        paint_implants(paint, patient)
        hu[:, :, part] = canvas.hu
    return Drawing(hu, labels)


def _paint_around_spine(paint: Paint, patient: Patient) -> None:
    paint_trunk(paint, patient.trunk, patient.broad, patient.strands)
    if patient.chest:
        paint_chest(paint, patient.chest, patient.broad, patient.strands)
    else:
        _paint_lungs(paint, patient)
    paint_organs(paint, patient.organs, patient.trunk, patient.broad)
    paint_bowel(paint, patient.bowel, patient.trunk, patient.spine, patient.broad)
    paint_swellings(paint, patient)
    paint_vessels(paint, patient.vessels)
    spine = patient.chest.spine if patient.chest else patient.spine
    paint_muscles(paint, patient.muscles, spine, patient.trunk, patient.pelvis)
    bone = patient.bones["L5"]
    marrow = bone.marrow_hu(paint.beam)
    spongy = shell_hu(paint, SPONGY_DENSITY * bone.ha, marrow)
    cortex = shell_hu(paint, CORTEX_HA, marrow)
    paint_ribs(paint, patient.ribs, cortex, spongy)
    if patient.chest:
        paint_chest_bones(paint, patient.chest, cortex, spongy)
    paint_pelvis(paint, patient.pelvis, cortex, spongy)


def paint_spine(paint: Paint, patient: Patient, labels: Labels) -> None:
    """Paint canal, discs, sacrum and vertebrae.

    Args:
        paint: Canvas and HU.
        patient: Whose spine.
        labels: Maps of the canvas' grid, marked in place.
    """
    if patient.chest:
        paint_upper_spine(paint, patient.chest, labels)
    paint_canal(paint, patient.spine, patient.sacrum.canal_course())
    for vertebra in patient.spine.vertebrae.values():
        paint_ligament(paint, vertebra)
    for vertebra in patient.spine.vertebrae.values():
        if vertebra.solid is None:
            paint_disc(paint, vertebra)
        else:
            paint_given_disc(paint, vertebra, vertebra.solid)
    paint_bridges(paint, patient)
    paint_sacrum(paint, patient.sacrum, patient.spine, patient.bones["L5"], labels)
    for level, vertebra in patient.spine.vertebrae.items():
        if vertebra.solid is None:
            paint_vertebra(paint, vertebra, patient.bones[level], labels)
        else:
            paint_given(paint, vertebra, vertebra.solid, patient.bones[level], labels)
    paint_fusions(paint, patient)


def _paint_lungs(paint: Paint, patient: Patient) -> None:
    """Paint the lungs with vessels on a dark ground."""
    canvas = paint.canvas
    low = min(patient.trunk.dome) - LUNG_REACH * patient.trunk.recess
    high = canvas.grid.corners_mm()[:, 2].max()
    box = canvas.box(patient.trunk.corners_mm(low, high), 0.0) if high > low else None
    if box is None:
        return
    distance = canvas.distance(box, patient.trunk.lungs, WORLD, LAYER_STEP_MM)
    slow = box.coarse(LUNG_VESSELS_STEP_MM)
    vessels = patient.strands.sample(*slow.coordinates()) - LUNG_VESSELS_LEVEL
    vessels = slow.refine(vessels.clamp(min=0))
    hu = paint.hu("lung") + LUNG_VESSELS_HU * vessels
    canvas.blend(box, hu, canvas.coverage(distance))
