"""The sacrum: five fused bodies on a curve that is concave forwards, alae, crest and coccyx."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from tools.phantom.anatomy.alignment import tilt
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import Frame, vec
from tools.phantom.drawing.shapes import Triple, smooth_max, superellipse, triple


class SegmentSize(NamedTuple):
    """One sacral segment at scale 1.

    Attributes:
        above: Width and depth of its upper face, mm.
        below: Width and depth of its lower face, mm.
        height: mm.
        turn: Mean forward turn to the next segment, degrees; the pelvic surface is concave.
        turn_sd: And its SD, degrees.
        remnant: Share of people in whom a disc remnant is left below it.
    """

    above: tuple[float, float]
    below: tuple[float, float]
    height: float
    turn: float
    turn_sd: float
    remnant: float


#: S1-S5 (design after Panjabi's L5 and anatomical atlases).
SEGMENTS = (
    SegmentSize((50.0, 34.0), (38.0, 24.0), 30.0, 9.0, 4.0, 0.9),
    SegmentSize((38.0, 23.0), (33.0, 17.5), 25.0, 17.0, 5.0, 0.5),
    SegmentSize((33.0, 17.0), (29.0, 13.5), 21.0, 21.0, 6.0, 0.25),
    SegmentSize((29.0, 13.0), (25.0, 11.0), 18.0, 17.0, 6.0, 0.1),
    SegmentSize((25.0, 10.5), (19.0, 8.5), 15.0, 14.0, 6.0, 0.0),
)
#: SD of a segment's size, relative; factor on all turns, flat to strongly curved sacra (design).
SEGMENT_SD = 0.03
CURVATURE = (0.6, 1.3)
#: S1's endplate is not square to its walls: the body leans back under it, degrees, mean and SD.
ENDPLATE_LEAN = (8.0, 4.0)
#: Coccygeal segments: half width, half depth and height, mm; their forward turn, degrees.
COCCYX = ((8.0, 5.0, 10.0), (6.0, 4.0, 9.0), (4.5, 3.2, 7.0))
COCCYX_TURN = (12.0, 6.0)
COCCYX_GAP_MM = 2.0
#: Thickness of the remnants of the sacral discs, mm.
REMNANT_MM = (1.0, 3.5)
#: Bone above S1's endplate plane that the plane cuts away, mm.
ENDPLATE_RESERVE_MM = 6.0
ROUNDING_MM = 2.5
#: Exponent of the segments' outline.
SQUARENESS = 2.4


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
#: Beside the foramina the alae of the first three segments are one mass: where it passes each, as
#: distance from the middle and v, mm, and height in segment heights; its radius there (design).
LATERAL_MASS = ((39.0, -16.0, -0.3, 12.0), (36.0, -15.0, -0.1, 11.0), (33.0, -11.0, -0.1, 8.0))


class Alae(NamedTuple):
    """How a patient's alae differ from the table, and what they hold.

    Attributes:
        size: Factor on the rods' radii.
        forward: Shift of the rods' outer ends, mm.
        up: And upwards, mm.
        density: Mineral of their spongy bone relative to that of the sacral bodies.
        cortex: Thickness of their shell, mm.
    """

    size: float
    forward: float
    up: float
    density: float
    cortex: float


#: Ranges they are drawn from (design). The alae are by far the least dense part of the sacrum:
#: where L5 reads less than 100 HU, the zone beside the foramina from S1 to S3 is below 0 HU on
#: average (Wagner, J Bone Joint Surg Am 2016; 98: 584-90; Richards, J Osteoporos 2010: 504078).
ALAE = {
    "size": (0.85, 1.2),
    "forward": (-4.0, 4.0),
    "up": (-4.0, 6.0),
    "density": (0.0, 0.65),
    "cortex": (0.8, 2.0),
}


@dataclass(frozen=True)
class Segment:
    """One sacral segment; millimetres.

    Attributes:
        frame: Middle of the segment; w towards the head.
        above: Width and depth of its upper face.
        below: Width and depth of its lower face.
        height: Along w.
        remnant: Thickness of the disc remnant below it, 0 for none.
    """

    frame: Frame
    above: tuple[float, float]
    below: tuple[float, float]
    height: float
    remnant: float

    def distance(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance in the segment's frame; the front walls of all are kept in line."""
        share = (0.5 - w / self.height).clamp(0, 1)
        width = self.above[0] + (self.below[0] - self.above[0]) * share
        depth = self.above[1] + (self.below[1] - self.above[1]) * share
        side = superellipse(u, v, width / 2, depth / 2, SQUARENESS)
        return smooth_max(side, w.abs() - self.height / 2, ROUNDING_MM)


@dataclass(frozen=True)
class Sacrum:
    """Sacrum and coccyx.

    Attributes:
        segments: S1 to S5.
        coccyx: Frame and half axes, mm, of its bones, head to foot.
        scale: Size factor.
        alae: Its wings.
    """

    segments: tuple[Segment, ...]
    coccyx: tuple[tuple[Frame, Triple], ...]
    scale: float
    alae: Alae

    def canal_course(self) -> np.ndarray:
        """Points of the sacral canal, RAS+ millimetres, [N, 3]."""
        points = [
            segment.frame.point(0.0, -segment.above[1] / 2 - 6 * self.scale, 0.0)
            for segment in self.segments[:4]
        ]
        return np.array(points)


def draw_sacrum(rng: np.random.Generator, spine: Spine) -> Sacrum:
    """Draw a sacrum under the spine's lowest disc.

    Args:
        rng: Random stream.
        spine: Gives S1's endplate and the size factor.
    """
    scale = spine.scale
    # Of their own stream: all that is drawn after the sacrum does not depend on them.
    (stream,) = rng.spawn(1)
    wings = Alae(**{name: float(stream.uniform(*ends)) for name, ends in ALAE.items()})
    axes, point = spine.sacral_frame.axes, spine.sacral_frame.origin
    segments = []
    flat = float(rng.uniform(*CURVATURE))
    remnants = [
        float(rng.uniform(*REMNANT_MM)) if rng.random() < size.remnant else 0.0 for size in SEGMENTS
    ]
    for number, (size, remnant) in enumerate(zip(SEGMENTS, remnants, strict=True)):
        factor = scale * float(rng.normal(1, SEGMENT_SD))
        height = size.height * factor
        lean = float(rng.normal(*ENDPLATE_LEAN)) if number == 0 else 0.0
        axes = axes @ tilt(lean, 0.0)
        # S1 is drawn higher than its endplate, which cuts it.
        above = ENDPLATE_RESERVE_MM if number == 0 else 0.0
        height += above
        frame = Frame(point - axes @ vec(0, 0, height / 2 - above), axes)
        upper = (size.above[0] * factor, size.above[1] * factor)
        lower = (size.below[0] * factor, size.below[1] * factor)
        segments.append(Segment(frame, upper, lower, height, remnant))
        point = frame.point(0, 0, -(height / 2 - 0.5))
        axes = axes @ tilt(-float(rng.normal(size.turn * flat, size.turn_sd)), 0.0)
    bones = []
    for half_width, half_depth, height in COCCYX:
        half = (half_width * scale, half_depth * scale, height * scale / 2)
        frame = Frame(point - axes @ vec(0, 0, half[2] + COCCYX_GAP_MM), axes)
        bones.append((frame, half))
        point = frame.point(0, 0, -half[2])
        axes = axes @ tilt(-float(rng.normal(*COCCYX_TURN)), 0.0)
    return Sacrum(tuple(segments), tuple(bones), scale, wings)


def _rod(
    segment: Segment, start: tuple[float, ...], end: tuple[float, ...], radii: tuple[float, float]
) -> Part:
    """A rod given in a segment's frame, in world coordinates."""
    return Part(triple(segment.frame.point(*start)), triple(segment.frame.point(*end)), radii)


def alae(sacrum: Sacrum) -> list[Part]:
    """Wings: rods from the bodies' sides to the sacroiliac joints, joined beside the foramina."""
    scale, own = sacrum.scale, sacrum.alae
    wide = scale * own.size
    parts = []
    for wing in WINGS:
        if wing.segment >= len(sacrum.segments):  # after lumbarisation of S1
            continue
        segment = sacrum.segments[wing.segment]
        drop = wing.drop * segment.height
        radii = (wing.radii[0] * wide, wing.radii[1] * wide)
        for side in (-1, 1):
            start = (side * wing.inner * scale, -3 * scale, drop)
            end = (side * wing.outer * scale, wing.back * scale + own.forward, drop + own.up)
            parts.append(_rod(segment, start, end, radii))
    for side in (-1, 1):
        stations = [
            segment.frame.point(side * u * scale, v * scale + own.forward, share * segment.height)
            for segment, (u, v, share, _) in zip(sacrum.segments, LATERAL_MASS, strict=False)
        ]
        around = [wide * radius for *_, radius in LATERAL_MASS]
        joined = zip(pairwise(stations), pairwise(around), strict=True)
        parts += [Part(triple(start), triple(end), ends) for (start, end), ends in joined]
    return parts


def crest(sacrum: Sacrum) -> list[Part]:
    """Roof of the sacral canal, median crest, and S1's articular processes."""
    scale = sacrum.scale
    parts = []
    for number, segment in enumerate(sacrum.segments[:4]):
        back = -segment.above[1] / 2
        roof = back - (14 - 2.0 * number) * scale
        half = 0.38 * segment.above[0]
        # So close together that the roof behind the canal has no gaps.
        for share in (-0.42, -0.16, 0.1, 0.36):
            w = share * segment.height
            for side in (-1, 1):
                start, end = (side * half, roof + 8 * scale, w), (0.0, roof - 2, w)
                parts.append(_rod(segment, start, end, (3.0, 3.0)))
        ridge = roof - (8 - 1.5 * number) * scale
        start, end = (0.0, roof, -0.1 * segment.height), (0.0, ridge, -0.15 * segment.height)
        parts.append(_rod(segment, start, end, (3.0, 3.0)))
    first = sacrum.segments[0]
    back = -first.above[1] / 2
    for side in (-1, 1):
        start = (side * 20 * scale, back - 9 * scale, 0.1 * first.height)
        end = (side * 19 * scale, back - 10 * scale, 0.5 * first.height + 7 * scale)
        parts.append(_rod(first, start, end, (6.0, 5.5)))
    return parts


def rearmost_mm(sacrum: Sacrum) -> float:
    """Y of the part of the sacrum that lies furthest behind, RAS+ millimetres."""
    rods = [*alae(sacrum), *crest(sacrum)]
    ends = [(rod.start[1], rod.radii[0]) for rod in rods] + [
        (rod.end[1], rod.radii[1]) for rod in rods
    ]
    bones = [(frame.origin[1], max(half)) for frame, half in sacrum.coccyx]
    return float(min(y - radius for y, radius in ends + bones))
