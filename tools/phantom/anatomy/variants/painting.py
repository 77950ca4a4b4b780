"""Painting what joins bones that are usually apart."""

from __future__ import annotations

import torch

from tools.phantom.anatomy.bones import POSTERIOR_CORTEX_MM, POSTERIOR_DENSITY, shell_hu
from tools.phantom.anatomy.patient import Patient
from tools.phantom.anatomy.sacrum_painting import SPONGY_DENSITY
from tools.phantom.anatomy.variants.processes import CORE_REACH_MM, fusion
from tools.phantom.drawing.canvas import WORLD
from tools.phantom.drawing.painting import Paint, union_distance


def paint_fusions(paint: Paint, patient: Patient) -> None:
    """Let spongy bone run from a sacralised L5 into the wings it has joined.

    No cortex is left between them; the bone thins out from the process to the wing.

    Args:
        paint: Canvas and HU; vertebrae and sacrum are drawn.
        patient: Whose.
    """
    transition, bone = patient.plan.transition, patient.bones["L5"]
    if transition is None:
        return
    marrow = bone.marrow_hu(paint.beam)
    dense = shell_hu(paint, POSTERIOR_DENSITY * bone.ha, marrow)
    sparse = shell_hu(paint, patient.sacrum.alae.density * SPONGY_DENSITY * bone.ha, marrow)
    vertebra, plate = patient.spine.vertebrae["L5"], patient.spine.sacral_frame
    for side, form in zip((-1, 1), transition.sides, strict=True):
        if form != "III":
            continue
        core, whole, depth = fusion(vertebra, patient.sacrum, plate, side)
        drawn = union_distance(paint.canvas, WORLD, core, 3.0)
        if drawn is None:
            continue
        box, distance = drawn
        place = box.coordinates(WORLD)
        inside = torch.maximum(distance, whole(*place) + POSTERIOR_CORTEX_MM)
        share = (depth(*place) / CORE_REACH_MM).clamp(0, 1)
        paint.canvas.blend(box, dense + share * (sparse - dense), paint.canvas.coverage(inside))
