"""What is known of a drawn patient: mineral, reading, areal density and heights of every level.

Everything is integrated on a fine grid in the vertebra's own frame, so the truth of a patient does
not depend on how the patient is scanned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tools.phantom.anatomy.bones import (
    CORE_DEPTH_MM,
    POSTERIOR_CORTEX_MM,
    POSTERIOR_DENSITY,
    body_hu,
    body_mineral,
    posterior_distance,
)
from tools.phantom.anatomy.patient import Patient
from tools.phantom.anatomy.slab import in_slab
from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.drawing.canvas import Box, Canvas
from tools.phantom.pathology.heights import losses, norm_losses
from tools.phantom.pathology.truth import findings_truth
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.qct import qct_ha
from tools.volumes import Grid

#: Step of the integration grid, mm.
STEP_MM = 1.0
#: Rays of the projection with more of the body than this belong to its silhouette, mm.
SILHOUETTE_MM = 3.0


def level_truth(patient: Patient, level: str) -> dict[str, Any]:
    """Measure one vertebra as it was drawn.

    Args:
        patient: Whose.
        level: Name, "L1".

    Returns:
        `centroid_ras_mm`, `volume_mm3` of the body; `ha_mass_mg_cm3` and `qct_ha_mg_cm3` of the
        central slab of the trabecular core, and both over the whole core; `marrow_fat`, a volume
        fraction; `areal_bmd_g_cm2`; `height_mm`, `height_loss` at front, middle and back.
    """
    vertebra, bone = patient.spine.vertebrae[level], patient.bones[level]
    canvas = _local_canvas(vertebra)
    box = canvas.whole()
    u, v, w = box.coordinates(vertebra.frame)
    shape = BodyShape(vertebra)
    distance = shape.distance(u, v, w)
    inside = canvas.coverage(distance)
    relative = body_mineral(vertebra, bone, u, v, w)
    hu = body_hu(vertebra, bone, relative, (u, v, w), REFERENCE_BEAM)
    core = distance < -CORE_DEPTH_MM
    slab = in_slab(distance, w)
    weight = inside / inside.sum()
    centroid = [float((weight * part).sum()) for part in (u, v, w)]
    heights = shape.heights_mm()
    return {
        "centroid_ras_mm": vertebra.frame.to_world(np.array(centroid)).tolist(),
        "volume_mm3": float(inside.sum()) * STEP_MM**3,
        "ha_mass_mg_cm3": bone.ha * float(relative[slab].mean()),
        "qct_ha_mg_cm3": _reading(hu[slab]),
        "core_ha_mass_mg_cm3": bone.ha * float(relative[core].mean()),
        "core_qct_ha_mg_cm3": _reading(hu[core]),
        "marrow_fat": bone.fat,
        "areal_bmd_g_cm2": _areal_density(patient, vertebra, bone, box, distance, relative),
        "height_mm": heights,
        "height_loss": losses(vertebra) | (vertebra.solid.losses if vertebra.solid else {}),
        "height_loss_to_norm": norm_losses(vertebra, patient.sex),
        "fracture": None,
        "mimic": None,
        "implants": [],
    } | findings_truth(patient, level)


def _reading(hu: torch.Tensor) -> float:
    """Ideal single-energy QCT of a region, mg/cm³ HA: linear, so the mean voxel's reading."""
    return float(qct_ha(float(hu.mean()), REFERENCE_BEAM))


def _local_canvas(vertebra: Vertebra) -> Canvas:
    """A canvas in the vertebra's frame that holds the body and what lies behind it."""
    half = np.array([
        vertebra.width / 2 * vertebra.flare + 3,
        vertebra.depth / 2 * vertebra.flare + 3,
        vertebra.height / 2 + abs(np.tan(np.radians(vertebra.wedge / 2))) * vertebra.depth / 2 + 3,
    ])  # fmt: skip
    behind = vertebra.canal_depth + 45 * vertebra.scale
    low = -half - np.array([0.0, behind, 0.0])
    shape = np.ceil((half - low) / STEP_MM).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = vertebra.frame.axes * STEP_MM
    affine[:3, 3] = vertebra.frame.to_world(low)
    return Canvas(Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine), 0.0)


def _areal_density(
    patient: Patient,
    vertebra: Vertebra,
    bone: Trabecular,
    box: Box,
    distance: torch.Tensor,
    relative: torch.Tensor,
) -> float:
    """Mineral per projected area, g/cm², as an antero-posterior DXA of the level sees it.

    The region is the body's silhouette; posterior elements of the level and of its upper
    neighbour, which overlie it, count.
    """
    canvas = _local_canvas(vertebra)
    inside = canvas.coverage(distance)
    spongy = canvas.coverage(distance + vertebra.shell_mm)
    mineral = vertebra.shell_ha * (inside - spongy) + bone.ha * relative * spongy
    for other in _overlying(patient, vertebra):
        drawn = posterior_distance(canvas, other)
        if drawn is None:
            continue
        part, gap = drawn
        whole = canvas.coverage(gap)
        core = canvas.coverage(gap + POSTERIOR_CORTEX_MM)
        density = min(other.shell_ha, POSTERIOR_DENSITY * patient.bones[other.level].ha)
        added = other.shell_ha * (whole - core) + density * core
        view = mineral[part.within(box)]
        view.copy_(torch.maximum(view, added))
    silhouette = inside.sum(1) * STEP_MM > SILHOUETTE_MM
    # mg/cm³ summed over v in mm: 1 mg/cm³ · 1 mm = 0.1 mg/cm².
    areal = mineral.sum(1) * STEP_MM * 0.1 / 1000
    return float(areal[silhouette].mean())


def _overlying(patient: Patient, vertebra: Vertebra) -> list[Vertebra]:
    levels = list(patient.spine.vertebrae)
    above = levels.index(vertebra.level) + 1
    return [vertebra, *(patient.spine.vertebrae[level] for level in levels[above : above + 1])]


def patient_truth(patient: Patient) -> dict[str, Any]:
    """What holds for the whole patient: sex, age, build and alignment (degrees)."""
    spine = patient.spine
    return {
        "sex": patient.sex,
        "age": round(patient.age, 1),
        "bmi_kg_m2": round(patient.trunk.bmi, 1),
        "fractured": any(body.solid and body.solid.losses for body in spine.vertebrae.values()),
        "alignment": {
            "pelvic_incidence_deg": spine.alignment.incidence,
            "sacral_slope_deg": spine.alignment.slope,
            "lordosis_t12_s1_deg": spine.alignment.lordosis,
            "cobb_deg": spine.alignment.cobb,
        },
        "variants": patient.plan.as_dict(),
    }


def rim_points(vertebra: Vertebra) -> np.ndarray:
    """Points around both rims of a body, RAS+ millimetres [N, 3]: what must be in the field."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    shape = BodyShape(replace(vertebra, concavity=(0.0, 0.0)))
    u = torch.tensor(np.cos(angle) * vertebra.width / 2 * vertebra.flare, dtype=torch.float32)
    v = torch.tensor(np.sin(angle) * vertebra.depth / 2 * vertebra.flare, dtype=torch.float32)
    top, bottom = shape.endplates(u, v)
    rims = [torch.stack([u, v, w], 1) for w in (top, bottom)]
    return vertebra.frame.to_world(torch.cat(rims).double().numpy())
