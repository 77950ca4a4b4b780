"""The central slab of a vertebral body: where QCT measures, and where a body's density holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tools.phantom.anatomy.bones import body_mineral
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.anatomy.vertebra import BodyShape

#: QCT measures a slab of this height at the middle of the body (S2: "central slab"), mm.
SLAB_MM = 9.0
#: Its border keeps this far from the body's surface, mm: QCT regions leave the cortex out.
SLAB_DEPTH_MM = 3.0
#: Step at which the slab is sampled to set its density, mm.
STEP_MM = 1.0


def in_slab(distance: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Whether places lie in the central slab, bool.

    Args:
        distance: Signed distance to the body's surface, mm.
        w: Height over the body's middle, mm; broadcasts with `distance`.
    """
    return (distance < -SLAB_DEPTH_MM) & (w.abs() <= SLAB_MM / 2)


def slab_mean(vertebra: Vertebra, bone: Trabecular) -> float:
    """Mean mineral of the slab over `bone.ha`: the profile inside a body does not average to 1."""
    extents = (
        vertebra.width * vertebra.flare / 2,
        vertebra.depth * vertebra.flare / 2,
        SLAB_MM / 2,
    )
    counts = [int(np.ceil(extent / STEP_MM)) for extent in extents]
    axes = [torch.arange(-count, count + 1, dtype=torch.float32) * STEP_MM for count in counts]
    u, v, w = torch.meshgrid(*axes, indexing="ij")
    inside = in_slab(BodyShape(vertebra).distance(u, v, w), w)
    return float(body_mineral(vertebra, bone, u, v, w)[inside].mean())


def settle(spine: Spine, bones: dict[str, Trabecular]) -> dict[str, Trabecular]:
    """Scale every body's mineral so that its central slab holds the drawn mean.

    Args:
        spine: Shapes of the bodies.
        bones: Spongy bone by level, `ha` as drawn.

    Returns:
        The same with `ha` such that the slab's mean mineral is the drawn one.
    """
    return {
        level: replace(bone, ha=bone.ha / slab_mean(spine.vertebrae[level], bone))
        for level, bone in bones.items()
    }
