"""The sacrum's bodies: five segments on a curve that is concave forwards, and the coccyx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from tools.phantom.alignment import tilt
from tools.phantom.canvas import Frame, vec
from tools.phantom.shapes import Triple, smooth_max, superellipse
from tools.phantom.spine import Spine


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
    """

    segments: tuple[Segment, ...]
    coccyx: tuple[tuple[Frame, Triple], ...]
    scale: float

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
    return Sacrum(tuple(segments), tuple(bones), scale)
