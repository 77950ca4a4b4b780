"""Painting a given vertebra: one closed cortex, thin over the body and thicker over the arch."""

from __future__ import annotations

import torch

from tools.phantom.anatomy import bones
from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.drawing.painting import Paint, paint_shell
from tools.phantom.given.solid import Solid

#: Over this distance about the plane between body and arch the cortex, and the spongy bone's
#: mineral, pass from one into the other, mm (design).
CORTEX_PASSAGE_MM = 3.0
SPONGY_PASSAGE_MM = 9.0
#: Above and below the rims the disc's tissue reaches only so far, mm.
RIM_RESERVE_MM = 1.0


def paint_given(
    paint: Paint, vertebra: Vertebra, solid: Solid, bone: Trabecular, labels: bones.Labels
) -> None:
    """Paint one given vertebra and mark its labels.

    Args:
        paint: Canvas and HU.
        vertebra: Its size and place.
        solid: Its surface.
        bone: Its spongy bone.
        labels: Marked in place.
    """
    canvas = paint.canvas
    box = canvas.box(vertebra.frame.to_world(solid.corners(whole=True)), 1.5)
    if box is None:
        return
    u, v, w = box.coordinates(vertebra.frame)
    distance = solid.whole(u, v, w)
    marrow = bone.marrow_hu(paint.beam)
    cortex = bones.shell_hu(paint, vertebra.shell_ha, marrow)
    arch = bones.shell_hu(paint, bones.POSTERIOR_DENSITY * bone.ha, marrow)
    body = bone.hu(bones.body_mineral(vertebra, bone, u, v, w), paint.beam)
    behind = solid.behind(u, v)
    inside = arch + (0.5 - behind / SPONGY_PASSAGE_MM).clamp(0, 1) * (body - arch)
    share = (0.5 - behind / CORTEX_PASSAGE_MM).clamp(0, 1)
    thickness = bones.POSTERIOR_CORTEX_MM + share * (vertebra.shell_mm - bones.POSTERIOR_CORTEX_MM)
    paint_shell(canvas, box, distance, thickness, cortex, inside)
    label = bones.LABEL_IDS[vertebra.level]
    before = behind < 0
    bones.mark(labels.posterior, box, (distance < 0) & ~before, label)
    bones.mark(labels.bodies, box, (distance < 0) & before, label)
    core = torch.maximum(distance, behind) < -bones.CORE_DEPTH_MM
    bones.mark(labels.trabecular, box, core, label)


def paint_given_disc(paint: Paint, vertebra: Vertebra, solid: Solid) -> None:
    """Paint the disc under a given vertebra; the bodies painted later cut it to shape.

    Args:
        paint: Canvas and HU.
        vertebra: The one above the disc.
        solid: Its surface.
    """
    top, bottom = -vertebra.height / 2, -vertebra.height / 2 - vertebra.disc_height
    half_width, half_depth = vertebra.width / 2, vertebra.depth / 2

    def inner(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return ((u / half_width) ** 2 + (v / half_depth) ** 2).clamp(max=1.2)

    def shape(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        hollow = (1 - inner(u, v)).clamp(min=0)
        into = (solid.reserves[0] * hollow + RIM_RESERVE_MM, solid.reserves[1])
        side = solid.outline(u, v, w.clamp(min=top))
        return torch.maximum(side, torch.maximum(w - top - into[0], bottom - into[1] - w))

    reach = max(solid.reserves) + vertebra.disc_height + 2
    box = paint.canvas.box(vertebra.frame.to_world(solid.corners()), reach)
    if box is None:
        return
    u, v, _ = box.coordinates(vertebra.frame)
    hu = paint.hu("disc") * (bones.NUCLEUS_SHARE + bones.ANNULUS_RISE * inner(u, v))
    paint.canvas.paint(box, hu, shape, vertebra.frame)
