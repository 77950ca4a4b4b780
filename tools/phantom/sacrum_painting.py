"""Painting the sacrum: fused bodies, alae, crest and coccyx."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from tools.levels import LABEL_IDS
from tools.phantom.bones import CORE_DEPTH_MM, FILLET_MM, Labels, mark, rods, shell_hu
from tools.phantom.canvas import WORLD, Frame
from tools.phantom.painting import Paint, Piece, paint_shell, paint_union, union_distance
from tools.phantom.sacrum import ROUNDING_MM, Sacrum, Segment
from tools.phantom.shapes import Distance, Triple, ellipsoid, smooth_max, triple
from tools.phantom.spine import Spine
from tools.phantom.trabecular import Trabecular
from tools.phantom.vertebra import Part

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


class Wing(NamedTuple):
    """A rod from a body's side to the sacroiliac joint; mm at scale 1 in the segment's frame.

    Attributes:
        segment: From which it starts, 0 = S1.
        inner: Start's distance from the middle.
        outer: End's.
        back: The end's v; the start lies at -3.
        drop: Height of both in the segment, in its heights.
        radii: At start and end.
    """

    segment: int
    inner: float
    outer: float
    back: float
    drop: float
    radii: tuple[float, float]


#: Rods of the alae (design after anatomical atlases).
WINGS = (
    Wing(0, 18, 52, -6, -0.1, (9.0, 11.0)),
    Wing(0, 16, 50, -22, -0.45, (10.0, 12.0)),
    Wing(1, 12, 44, -16, -0.1, (9.0, 10.0)),
    Wing(2, 10, 36, -12, -0.1, (7.0, 8.0)),
    Wing(3, 8, 27, -8, -0.1, (5.5, 5.5)),
    Wing(4, 6, 17, -5, -0.1, (4.5, 4.0)),
)


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
    crest = rods(_crest(sacrum))
    behind = paint_union(canvas, WORLD, crest, FILLET_MM, CREST_SHELL_MM, cortex, spongy)
    if behind is not None:
        box, distance = behind
        mark(labels.posterior, box, distance < 0, label)
    front = union_distance(canvas, WORLD, [*_bodies(sacrum), *rods(_alae(sacrum))], FUSION_MM)
    if front is not None:
        box, distance = front
        # Nothing of the fused bones rises above S1's endplate but the upper articular processes.
        _, _, flat = spine.sacral_frame.local(*box.coordinates())
        distance = smooth_max(distance, flat, ROUNDING_MM)
        paint_shell(canvas, box, distance, SHELL_MM, cortex, spongy)
        mark(labels.bodies, box, distance < 0, label)
        mark(labels.posterior, box, distance < 0, 0)
        mark(labels.trabecular, box, distance < -CORE_DEPTH_MM, label)
    for segment in sacrum.segments:
        _paint_remnant(paint, segment)
    for frame, half in sacrum.coccyx:
        _paint_coccyx(paint, frame, half, cortex, spongy)


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


def _rod(
    segment: Segment, start: tuple[float, ...], end: tuple[float, ...], radii: tuple[float, float]
) -> Part:
    """A rod given in a segment's frame, in world coordinates."""
    return Part(triple(segment.frame.point(*start)), triple(segment.frame.point(*end)), radii)


def _alae(sacrum: Sacrum) -> list[Part]:
    """Wings: rods from the bodies' sides out to the sacroiliac joints."""
    scale = sacrum.scale
    parts = []
    for wing in WINGS:
        segment = sacrum.segments[wing.segment]
        drop = wing.drop * segment.height
        radii = (wing.radii[0] * scale, wing.radii[1] * scale)
        for side in (-1, 1):
            start = (side * wing.inner * scale, -3 * scale, drop)
            end = (side * wing.outer * scale, wing.back * scale, drop)
            parts.append(_rod(segment, start, end, radii))
    return parts


def _crest(sacrum: Sacrum) -> list[Part]:
    """Roof of the sacral canal, median crest, and S1's articular processes."""
    scale = sacrum.scale
    parts = []
    for number, segment in enumerate(sacrum.segments[:4]):
        back = -segment.above[1] / 2
        roof = back - (14 - 2.0 * number) * scale
        half = 0.38 * segment.above[0]
        for share in (-0.3, 0.1):
            w = share * segment.height
            for side in (-1, 1):
                start, end = (side * half, roof + 8 * scale, w), (0.0, roof - 2, w)
                parts.append(_rod(segment, start, end, (2.6, 2.6)))
        ridge = roof - (8 - 1.5 * number) * scale
        start, end = (0.0, roof, -0.1 * segment.height), (0.0, ridge, -0.15 * segment.height)
        parts.append(_rod(segment, start, end, (3.0, 3.0)))
    first = sacrum.segments[0]
    back = -first.above[1] / 2
    for side in (-1, 1):
        start = (side * 20 * scale, back - 9 * scale, 0.1 * first.height)
        end = (side * 19 * scale, back - 10 * scale, 0.5 * first.height + 7 * scale)
        parts.append(_rod(first, start, end, (5.0, 5.0)))
    return parts
