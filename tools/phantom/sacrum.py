"""The sacrum: five fused bodies on a curve that is concave forwards, the alae and the crest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from tools.levels import LABEL_IDS
from tools.phantom.bones import FILLET_MM, Labels, mark, shell_hu
from tools.phantom.canvas import Frame
from tools.phantom.painting import Paint, paint_shell, union_distance
from tools.phantom.shapes import Distance, smooth_max, superellipse
from tools.phantom.alignment import tilt
from tools.phantom.spine import Spine
from tools.phantom.trabecular import Trabecular
from tools.phantom.vertebra import Part

#: Segments S1-S5: width and depth above and below, height, mm at scale 1; forward turn to the next,
#: degrees, mean and SD (design after Panjabi's L5 and anatomical atlases).
SEGMENTS = (
    (50.0, 34.0, 38.0, 24.0, 30.0, 9.0, 4.0),
    (38.0, 23.0, 33.0, 17.5, 25.0, 17.0, 5.0),
    (33.0, 17.0, 29.0, 13.5, 21.0, 21.0, 6.0),
    (29.0, 13.0, 25.0, 11.0, 18.0, 17.0, 6.0),
    (25.0, 10.5, 19.0, 8.5, 15.0, 14.0, 6.0),
)
#: Coccygeal segments: half size and height, mm.
COCCYX = ((8.0, 5.0, 10.0), (6.0, 4.0, 9.0), (4.5, 3.2, 7.0))
#: Remnants of the sacral discs: thickness, mm, and extent relative to the body.
REMNANT_MM = (1.0, 3.5)
SHELL_MM = 0.8
#: Bone above S1's endplate plane that the plane cuts away, mm.
ENDPLATE_RESERVE_MM = 6.0
ROUNDING_MM = 2.5


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
        side = superellipse(u, v, width / 2, depth / 2, 2.4)
        return smooth_max(side, w.abs() - self.height / 2, ROUNDING_MM)


@dataclass(frozen=True)
class Sacrum:
    """All segments, head to foot, and the size factor."""

    segments: tuple[Segment, ...]
    coccyx: tuple[tuple[Frame, tuple[float, float, float]], ...]
    scale: float

    def canal_course(self) -> np.ndarray:
        """Points of the sacral canal, RAS+ millimetres, [N, 3]."""
        points = [
            segment.frame.to_world(np.array([0.0, -segment.above[1] / 2 - 6 * self.scale, 0.0]))
            for segment in self.segments[:4]
        ]
        return np.array(points)


def draw_sacrum(rng: np.random.Generator, spine: Spine) -> Sacrum:
    """Draw a sacrum under the spine's lowest disc."""
    scale = spine.scale
    axes, point = spine.sacral_frame.axes, spine.sacral_frame.origin
    segments = []
    flat = float(rng.uniform(0.6, 1.3))  # flat to strongly curved sacra
    remnants = [float(rng.uniform(*REMNANT_MM)) if rng.random() < share else 0.0 for share in (0.9, 0.5, 0.25, 0.1, 0.0)]  # fmt: skip
    for number, (wide, deep, wide_below, deep_below, height, turn, sd) in enumerate(SEGMENTS):
        factor = scale * float(rng.normal(1, 0.03))
        height *= factor
        # S1's endplate is not square to its walls: the body leans back under it.
        lean = float(rng.normal(8, 4)) if number == 0 else 0.0
        axes = axes @ tilt(lean, 0.0)
        # S1 is drawn higher than its endplate, which cuts it.
        above = ENDPLATE_RESERVE_MM if number == 0 else 0.0
        height += above
        center = point - axes @ np.array([0.0, 0.0, height / 2 - above])
        segments.append(
            Segment(
                Frame(center, axes),
                (wide * factor, deep * factor),
                (wide_below * factor, deep_below * factor),
                height,
                remnants[number],
            )
        )
        point = center - axes @ np.array([0.0, 0.0, height / 2 - 0.5])
        axes = axes @ tilt(-float(rng.normal(turn * flat, sd)), 0.0)
    bones = []
    for half_width, half_depth, height in COCCYX:
        center = point - axes @ np.array([0.0, 0.0, height * scale / 2 + 2])
        bones.append((Frame(center, axes), (half_width * scale, half_depth * scale, height * scale / 2)))  # fmt: skip
        point = center - axes @ np.array([0.0, 0.0, height * scale / 2])
        axes = axes @ tilt(-float(rng.normal(12, 6)), 0.0)
    return Sacrum(tuple(segments), tuple(bones), scale)


def top_face(sacrum: Sacrum, spine: Spine) -> Distance:
    """Signed distance to the half-space under S1's endplate, in world coordinates."""
    frame = spine.sacral_frame

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        normal = frame.axes[:, 2]
        u, v, w = ((x, y, z)[i] - float(frame.origin[i]) for i in range(3))
        return u * float(normal[0]) + v * float(normal[1]) + w * float(normal[2])

    return distance


def paint_sacrum(
    paint: Paint, sacrum: Sacrum, spine: Spine, bone: Trabecular, labels: Labels
) -> None:
    """Paint sacrum and coccyx; the label map holds bodies and alae."""
    marrow = bone.marrow_hu(paint.beam)
    cortex = shell_hu(paint, 700.0, marrow)
    spongy = shell_hu(paint, 0.95 * bone.ha, marrow)
    label = LABEL_IDS["sacrum"]
    world = Frame(np.zeros(3))
    behind = union_distance(paint.canvas, world, list(_crest(sacrum)), FILLET_MM)
    if behind is not None:
        box, distance = behind
        paint_shell(paint.canvas, box, distance, 1.2, cortex, spongy)
        mark(labels.posterior, box, distance < 0, label)
    front = union_distance(paint.canvas, world, [*_bodies(sacrum), *_alae(sacrum)], 5.0)
    if front is not None:
        box, distance = front
        # Nothing of the fused bones rises above S1's endplate but the upper articular processes.
        flat = top_face(sacrum, spine)(*box.coordinates())
        distance = smooth_max(distance, flat, ROUNDING_MM)
        paint_shell(paint.canvas, box, distance, SHELL_MM, cortex, spongy)
        mark(labels.bodies, box, distance < 0, label)
        mark(labels.posterior, box, distance < 0, 0)
        mark(labels.trabecular, box, distance < -2.0, label)
    for segment in sacrum.segments:
        _paint_remnant(paint, segment)
    for frame, half in sacrum.coccyx:
        _paint_coccyx(paint, frame, half, cortex, spongy)


def _paint_remnant(paint: Paint, segment: Segment) -> None:
    if not segment.remnant:
        return
    plate = replace(
        segment,
        frame=segment.frame.moved(0.0, 0.0, -segment.height / 2),
        above=(0.62 * segment.below[0], 0.62 * segment.below[1]),
        below=(0.62 * segment.below[0], 0.62 * segment.below[1]),
        height=segment.remnant,
    )
    size = segment.below[0] / 2 + 2
    box = paint.canvas.box([plate.frame.origin], size)
    paint.canvas.paint(box, 0.8 * paint.hu("disc"), plate.distance, plate.frame)


def _paint_coccyx(
    paint: Paint, frame: Frame, half: tuple[float, float, float], cortex: float, spongy: float
) -> None:
    box = paint.canvas.box([frame.origin], max(half) + 2)
    if box is None:
        return
    u, v, w = box.coordinates(frame)
    q = (u / half[0]) ** 2 + (v / half[1]) ** 2 + (w / half[2]) ** 2
    paint_shell(paint.canvas, box, (q.clamp(min=1e-4).sqrt() - 1) * min(half), 0.9, cortex, spongy)


def _bodies(sacrum: Sacrum) -> list[tuple[list[np.ndarray], float, Distance]]:
    return [
        ([segment.frame.origin], max(*segment.above, segment.height) / 2 * 1.5, _in_frame(segment))
        for segment in sacrum.segments
    ]


def _in_frame(segment: Segment) -> Distance:
    """The segment's distance in world coordinates."""
    axes, origin = segment.frame.axes, segment.frame.origin

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        gaps = (x - float(origin[0]), y - float(origin[1]), z - float(origin[2]))
        local = [
            sum(gap * float(axes[row, column]) for row, gap in enumerate(gaps))
            for column in range(3)
        ]
        return segment.distance(local[0], local[1], local[2])  # type: ignore[arg-type]

    return distance


def _alae(sacrum: Sacrum) -> list[tuple[object, float, Distance]]:
    """Wings: rods from the bodies' sides out to the sacroiliac joints."""
    scale = sacrum.scale
    rows = (
        (0, 18, 52, -6, 9.0, 11.0, (1.0, 1.0, 1.0)),
        (0, 16, 50, -22, 10.0, 12.0, (1.0, 1.0, 1.0)),
        (1, 12, 44, -16, 9.0, 10.0, (1.0, 1.0, 1.0)),
        (2, 10, 36, -12, 7.0, 8.0, (1.0, 1.0, 1.0)),
        (3, 8, 27, -8, 5.5, 5.5, (1.0, 1.0, 1.0)),
        (4, 6, 17, -5, 4.5, 4.0, (1.0, 1.0, 1.0)),
    )
    parts: list[tuple[object, float, Distance]] = []
    for number, inner, outer, back, start, end, flatten in rows:
        segment = sacrum.segments[number]
        drop = -0.1 * segment.height if back > -20 else -0.45 * segment.height
        for side in (-1, 1):
            ends = segment.frame.to_world(
                np.array(
                    [[side * inner * scale, -3 * scale, drop], [side * outer * scale, back * scale, drop]]
                )
            )  # fmt: skip
            part = Part(tuple(ends[0]), tuple(ends[1]), (start * scale, end * scale), flatten)
            parts.append((ends, part.reach(), part.distance))
    return parts


def _crest(sacrum: Sacrum) -> list[tuple[object, float, Distance]]:
    """Roof of the sacral canal, median crest, and S1's articular processes."""
    scale = sacrum.scale
    parts: list[tuple[object, float, Distance]] = []

    def add(segment: Segment, start: list[float], end: list[float], radius: float) -> None:
        ends = segment.frame.to_world(np.array([start, end]))
        part = Part(tuple(ends[0]), tuple(ends[1]), (radius, radius))
        parts.append((ends, part.reach(), part.distance))

    for number, segment in enumerate(sacrum.segments[:4]):
        back = -segment.above[1] / 2
        roof = back - (14 - 2.0 * number) * scale
        half = 0.38 * segment.above[0]
        for w in (-0.3, 0.1):
            level = w * segment.height
            for side in (-1, 1):
                add(segment, [side * half, roof + 8 * scale, level], [0.0, roof - 2, level], 2.6)
        ridge = roof - (8 - 1.5 * number) * scale
        add(segment, [0.0, roof, -0.1 * segment.height], [0.0, ridge, -0.15 * segment.height], 3.0)
    first = sacrum.segments[0]
    back = -first.above[1] / 2
    for side in (-1, 1):
        top = [side * 19 * scale, back - 10 * scale, 0.5 * first.height + 7 * scale]
        add(first, [side * 20 * scale, back - 9 * scale, 0.1 * first.height], top, 5.0)
    return parts
