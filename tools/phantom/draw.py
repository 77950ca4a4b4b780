"""Drawing a patient on a grid: ideal HU at a beam, and the label maps that belong to it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tools.phantom.beam import Beam
from tools.phantom.bones import Labels, paint_canal, paint_disc, paint_vertebra, shell_hu
from tools.phantom.bowel import paint_bowel
from tools.phantom.canvas import WORLD, Canvas
from tools.phantom.muscles import paint_muscles
from tools.phantom.organs import paint_organs
from tools.phantom.painting import Paint
from tools.phantom.patient import Patient
from tools.phantom.pelvis import paint_pelvis
from tools.phantom.ribs import paint_ribs
from tools.phantom.sacrum import paint_sacrum
from tools.phantom.trunk import LAYER_STEP_MM, paint_trunk
from tools.phantom.vessels import paint_vessels
from tools.volumes import Grid

#: HU texture of lung: vessels on a dark ground.
LUNG_VESSELS_HU = 260.0


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
    canvas = Canvas(grid, beam.hu("air"), device)
    paint = Paint(canvas, beam, patient.tissues, dark_canal_hu)
    paint_trunk(paint, patient.trunk, patient.broad, patient.strands)
    _paint_lungs(paint, patient)
    paint_organs(paint, patient.organs, patient.trunk, patient.broad)
    paint_bowel(paint, patient.bowel, patient.trunk, patient.spine, patient.broad)
    paint_vessels(paint, patient.vessels)
    paint_muscles(paint, patient.muscles, patient.spine, patient.trunk, patient.pelvis)
    bone = patient.bones["L5"]
    marrow = bone.marrow_hu(beam)
    spongy = shell_hu(paint, 1.3 * bone.ha, marrow)
    cortex = shell_hu(paint, 850.0, marrow)
    paint_ribs(paint, patient.ribs, cortex, spongy)
    paint_pelvis(paint, patient.pelvis, cortex, spongy)
    return Drawing(canvas.hu, paint_spine(paint, patient))


def paint_spine(paint: Paint, patient: Patient) -> Labels:
    """Paint canal, discs, sacrum and vertebrae, and label them."""
    labels = Labels.empty(paint.canvas)
    paint_canal(paint, patient.spine, patient.sacrum.canal_course())
    for vertebra in patient.spine.vertebrae.values():
        paint_disc(paint, vertebra)
    paint_sacrum(paint, patient.sacrum, patient.spine, patient.bones["L5"], labels)
    for level, vertebra in patient.spine.vertebrae.items():
        paint_vertebra(paint, vertebra, patient.bones[level], labels)
    return labels


def _paint_lungs(paint: Paint, patient: Patient) -> None:
    canvas = paint.canvas
    low = min(patient.trunk.dome) - 1.4 * patient.trunk.recess
    if canvas.grid.corners_mm()[:, 2].max() < low:
        return
    box = canvas.whole()
    distance = canvas.distance(box, patient.trunk.lungs, WORLD, LAYER_STEP_MM)
    slow = box.coarse(2.5)
    vessels = slow.refine((patient.strands.sample(*slow.coordinates()) - 1.6).clamp(min=0))
    hu = paint.hu("lung") + LUNG_VESSELS_HU * vessels
    canvas.blend(box, hu, canvas.coverage(distance))
