"""Bowel: loops of small bowel and the frame of the colon, with gas, fluid, stool or contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.canvas import WORLD, Texture
from tools.phantom.painting import Paint
from tools.phantom.shapes import capsule, smooth_max
from tools.phantom.spine import Spine
from tools.phantom.trunk import Trunk

WALL_MM = 2.2
SAMPLE_MM = 2.5
#: Stretches of small bowel in one patient, fewest and most.
LOOPS = (50, 80)


@dataclass(frozen=True)
class Loop:
    """One stretch of bowel.

    Attributes:
        course: RAS+ millimetres, [N, 3].
        radius: Of its outside, mm.
        content: Tissue that fills it.
        gas: Share of its depth filled with gas, in front.
    """

    course: np.ndarray
    radius: float
    content: str
    gas: float


def draw_bowel(rng: np.random.Generator, spine: Spine, trunk: Trunk, contrast: bool) -> list[Loop]:
    """Draw colon and small bowel in front of the spine.

    Args:
        rng: Random stream.
        spine: Vertebrae.
        trunk: The cavity.
        contrast: Whether oral contrast medium was given.
    """
    top = float(spine.vertebrae["L1"].frame.origin[2])
    bottom = -95.0 * spine.scale
    wide, deep, back = trunk.half_width, trunk.half_depth, trunk.back
    loops = []
    for side in (1, -1):
        x = side * 0.66 * wide
        points = [
            [x, back + 0.75 * deep, top - 10],
            [x * 1.02, back + 0.8 * deep, top - 60],
            [x, back + 0.85 * deep, 40],
            [x * 0.92, back + 0.95 * deep, -20],
        ]
        loops.append(_colon(rng, np.array(points), contrast))
    front = back + 2 * deep - trunk.fat[1] - trunk.wall - 32
    across = [[0.62 * wide * s, front - 12 * abs(s), top - 30 - 22 * (1 - s * s)] for s in (-1, -0.5, 0, 0.5, 1)]  # fmt: skip
    loops.append(_colon(rng, np.array(across), contrast))
    sigmoid = [[-0.6 * wide, 20, -20], [-0.35 * wide, 40, -60], [-10, 25, -70], [4, -10, -78]]
    loops.append(_colon(rng, np.array(sigmoid), contrast))
    ventral = spine.vertebrae["L3"].frame.origin[1] + 42
    for _ in range(int(rng.integers(*LOOPS))):
        start = np.array([
            rng.uniform(-0.6, 0.6) * wide,
            rng.uniform(ventral, max(front + 14, ventral + 20)),
            rng.uniform(bottom, top - 25),
        ])  # fmt: skip
        loops.append(_loop(rng, start, contrast))
    return loops


def _colon(rng: np.random.Generator, course: np.ndarray, contrast: bool) -> Loop:
    course = course + rng.normal(0, 5, course.shape)
    content = "oral_contrast" if contrast and rng.random() < 0.4 else "bowel_wall"
    return Loop(course, float(rng.uniform(17, 27)), content, float(rng.beta(1.4, 1.6)))


def _loop(rng: np.random.Generator, start: np.ndarray, contrast: bool) -> Loop:
    """A random walk that keeps its direction for a while."""
    heading = rng.normal(0, 1, 3)
    points = [start]
    for _ in range(int(rng.integers(4, 9))):
        heading = 0.7 * heading / np.linalg.norm(heading) + rng.normal(0, 0.5, 3)
        points.append(points[-1] + 19 * heading / np.linalg.norm(heading) * [1, 0.6, 1])
    kind = rng.random()
    if contrast and kind < 0.55:
        content = "oral_contrast"
    else:
        content = "bowel_wall" if kind < 0.8 else "bowel_fluid"
    gas = float(rng.uniform(0.2, 0.8)) if rng.random() < 0.15 else 0.0
    return Loop(np.array(points), float(rng.uniform(10, 16)), content, gas)


def paint_bowel(paint: Paint, loops: list[Loop], trunk: Trunk, spine: Spine, texture: Texture) -> None:  # fmt: skip
    """Paint every loop, clear of the abdominal wall and of what lies on the spine."""
    for number, loop in enumerate(loops):
        _paint_loop(paint, loop, trunk, spine, texture, 53.0 * number)


def _paint_loop(
    paint: Paint, loop: Loop, trunk: Trunk, spine: Spine, texture: Texture, shift: float
) -> None:
    canvas = paint.canvas
    box = canvas.box(loop.course, loop.radius + 4)
    if box is None:
        return
    ends = [tuple(map(float, point)) for point in loop.course]

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        size = (loop.radius, loop.radius)
        tube = capsule(x, y, z, ends[0], ends[1], size)
        for start, end in zip(ends[1:-1], ends[2:], strict=True):
            tube = torch.minimum(tube, capsule(x, y, z, start, end, size))
        tube = tube + 0.16 * loop.radius * texture.sample(x * 2 + shift, y * 2, z * 2)
        within = smooth_max(trunk.cavity(x, y, z) + 3, 4 + trunk.diaphragm(x, y, z), 6)
        # Beside the spine the bowel may lie further back than in front of it.
        spine_side = spine.front(z) + 22 - y - 1.1 * (x.abs() - 26).clamp(min=0)
        return smooth_max(smooth_max(tube, within, 6), spine_side, 6)

    surface = canvas.distance(box, distance, WORLD, SAMPLE_MM)
    canvas.blend(box, paint.hu("bowel_wall"), canvas.coverage(surface))
    inside = surface + WALL_MM
    slow = box.coarse(3.0)
    crumbs = slow.refine(texture.sample(*(3 * part + shift for part in slow.coordinates())))
    uneven = 60.0 if loop.content == "oral_contrast" else 9.0
    canvas.blend(box, paint.hu(loop.content) + uneven * crumbs, canvas.coverage(inside))
    if loop.gas:
        _, y, _ = box.coordinates()
        low, high = loop.course[:, 1].min() - loop.radius, loop.course[:, 1].max() + loop.radius
        level = high - loop.gas * (high - low)
        canvas.blend(box, paint.hu("gas"), canvas.coverage(torch.maximum(inside, level - y)))
