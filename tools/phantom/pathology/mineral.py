"""Conserves mineral: what a broken body held before, its squeezed bone and shell hold after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tools.phantom.anatomy.bones import body_mineral
from tools.phantom.anatomy.patient import Patient
from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.pathology.heights import before
from tools.phantom.pathology.warp import LayeredWarp

#: Step of the integration, mm.
STEP_MM = 1.0
#: Gains of the band's surplus that are allowed.
GAIN_RANGE = (0.3, 3.0)


def mineral_mg(body: Vertebra, bone: Trabecular, step_mm: float = STEP_MM) -> float:
    """Mineral of a body, shell included, mg HA."""
    warp = body.warp
    margin = 2.0 + (0.0 if warp is None else warp.reach_mm)
    half = np.array([body.width, body.depth, body.height]) / 2 * max(1.0, body.flare) + margin
    half[2] += body.depth / 2 * abs(np.tan(np.radians(body.wedge / 2)))
    axes = [torch.arange(-part, part + step_mm, step_mm) for part in half.tolist()]
    u, v, w = torch.meshgrid(*axes, indexing="ij")
    distance = BodyShape(body).distance(u, v, w)
    inside = (0.5 - distance / step_mm).clamp(0, 1)
    spongy = (0.5 - (distance + body.shell_mm) / step_mm).clamp(0, 1)
    trabecular = bone.ha * body_mineral(body, bone, u, v, w)
    mineral = body.shell_ha * (inside - spongy) + trabecular * spongy
    return float(mineral.sum()) * step_mm**3 / 1000


def conserve_mineral(patient: Patient) -> Patient:
    """Set the squeezed bands so that each impacted body holds what it held before its fracture."""
    found = patient.pathology
    if found is None:
        return patient
    bodies = dict(patient.spine.vertebrae)
    for level, fracture in found.fractures.items():
        if fracture.impaction:
            bodies[level] = _conserved(bodies[level], patient.bones[level])
    return replace(patient, spine=replace(patient.spine, vertebrae=bodies))


def _conserved(body: Vertebra, bone: Trabecular) -> Vertebra:
    """A body whose band's gain makes up for the wall's lost shell; mineral is linear in it."""
    warp = body.warp
    assert isinstance(warp, LayeredWarp)

    def gained(gain: float) -> Vertebra:
        return replace(body, warp=replace(warp, gain=gain))

    wanted = mineral_mg(before(body), bone)
    low, high = mineral_mg(gained(0.5), bone), mineral_mg(gained(1.5), bone)
    gain = 0.5 + (wanted - low) / max(high - low, 1e-6)
    return gained(float(np.clip(gain, *GAIN_RANGE)))
