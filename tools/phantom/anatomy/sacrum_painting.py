"""Painting the sacrum: fused bodies, alae, crest and coccyx."""

from __future__ import annotations

from dataclasses import replace

import torch

from tools.levels import LABEL_IDS
from tools.phantom.anatomy.bones import CORE_DEPTH_MM, FILLET_MM, Labels, mark, rods, shell_hu
from tools.phantom.anatomy.sacrum import ROUNDING_MM, Sacrum, Segment, alae, crest
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.drawing.canvas import WORLD, Box, Frame
from tools.phantom.drawing.painting import Paint, Piece, paint_shell, paint_union, union_distance
from tools.phantom.drawing.shapes import Distance, Triple, ellipsoid, smooth_max

#: Remnants of the sacral discs: extent relative to the body, and HU to the discs'.
REMNANT_SIZE = 0.62
REMNANT_HU = 0.8
#: Cortex of the sacrum, of its crest and of the coccyx, mm, and its mineral, mg HA/cm³ (design).
SHELL_MM = 0.8
CREST_SHELL_MM = 1.2
COCCYX_SHELL_MM = 0.9
SHELL_HA = 700.0
#: Spongy bone of the sacrum relative to L5's (design).
SPONGY_DENSITY = 0.95
#: Fillet between the fused bodies and the alae, mm.
FUSION_MM = 5.0
#: From the bodies' sides the spongy bone thins out to that of the alae over this, mm (design).
THINNING_MM = 7.0


def paint_sacrum(
    paint: Paint, sacrum: Sacrum, spine: Spine, bone: Trabecular, labels: Labels
) -> None:
    """Paint sacrum and coccyx; the label map holds bodies and alae.

    Args:
        paint: Canvas and HU.
        sacrum: Its shape.
        spine: For the endplate that the lowest disc lies on.
        bone: Spongy bone of L5, which the sacrum's follows.
        labels: Marked in place.
    """
    marrow = bone.marrow_hu(paint.beam)
    cortex = shell_hu(paint, SHELL_HA, marrow)
    spongy = shell_hu(paint, SPONGY_DENSITY * bone.ha, marrow)
    label = LABEL_IDS["sacrum"]
    canvas = paint.canvas
    roof = rods(crest(sacrum))
    behind = paint_union(canvas, WORLD, roof, FILLET_MM, CREST_SHELL_MM, cortex, spongy)
    if behind is not None:
        box, distance = behind
        mark(labels.posterior, box, distance < 0, label)
    front = union_distance(canvas, WORLD, [*_bodies(sacrum), *rods(alae(sacrum))], FUSION_MM)
    if front is not None:
        box, distance = front
        # Nothing of the fused bones rises above S1's endplate but the upper articular processes.
        _, _, flat = spine.sacral_frame.local(*box.coordinates())
        distance = smooth_max(distance, flat, ROUNDING_MM)
        aside = _aside(paint, sacrum, box)
        thickness = SHELL_MM + aside * (sacrum.alae.cortex - SHELL_MM)
        sparse = shell_hu(paint, sacrum.alae.density * SPONGY_DENSITY * bone.ha, marrow)
        paint_shell(canvas, box, distance, thickness, cortex, spongy + aside * (sparse - spongy))
        mark(labels.bodies, box, distance < 0, label)
        mark(labels.posterior, box, distance < 0, 0)
        mark(labels.trabecular, box, distance < -CORE_DEPTH_MM, label)
    for segment in sacrum.segments:
        _paint_remnant(paint, segment)
    for frame, half in sacrum.coccyx:
        _paint_coccyx(paint, frame, half, cortex, spongy)


def _aside(paint: Paint, sacrum: Sacrum, box: Box) -> torch.Tensor:
    """How much a place belongs to the alae: 0 in the fused bodies, 1 beside them."""
    aside = torch.ones(box.counts, device=paint.canvas.device)
    middle = union_distance(paint.canvas, WORLD, _bodies(sacrum), FUSION_MM)
    if middle is not None:
        inner, distance = middle
        aside[inner.within(box)] = (distance / THINNING_MM).clamp(0, 1)
    return aside


def _paint_remnant(paint: Paint, segment: Segment) -> None:
    if not segment.remnant:
        return
    face = (REMNANT_SIZE * segment.below[0], REMNANT_SIZE * segment.below[1])
    plate = replace(
        segment,
        frame=segment.frame.moved(0.0, 0.0, -segment.height / 2),
        above=face,
        below=face,
        height=segment.remnant,
    )
    size = segment.below[0] / 2 + 2
    box = paint.canvas.box([plate.frame.origin], size)
    paint.canvas.paint(box, REMNANT_HU * paint.hu("disc"), plate.distance, plate.frame)


def _paint_coccyx(paint: Paint, frame: Frame, half: Triple, cortex: float, spongy: float) -> None:
    box = paint.canvas.box([frame.origin], max(half) + 2)
    if box is None:
        return
    distance = ellipsoid(*box.coordinates(frame), half)
    paint_shell(paint.canvas, box, distance, COCCYX_SHELL_MM, cortex, spongy)


def _bodies(sacrum: Sacrum) -> list[Piece]:
    pieces = []
    for segment in sacrum.segments:
        reach = max(*segment.above, segment.height) / 2 * 1.5  # holds its corners
        pieces.append(Piece(segment.frame.origin[None], reach, _in_frame(segment)))
    return pieces


def _in_frame(segment: Segment) -> Distance:
    """The segment's distance in world coordinates."""

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return segment.distance(*segment.frame.local(x, y, z))

    return distance
