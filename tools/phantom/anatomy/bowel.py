"""Bowel: loops of small bowel and the frame of the colon, with gas, fluid, stool or contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
import torch

from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.drawing.canvas import WORLD, vec
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.shapes import capsule, smooth_max, triple
from tools.phantom.drawing.texture import Texture

WALL_MM = 2.2
#: The loops' surface is sampled this far apart, their content this far, mm.
SAMPLE_MM = 2.5
CRUMB_STEP_MM = 3.0
#: Stretches of small bowel in one patient, fewest and most (design).
LOOPS = (50, 80)
#: Points of a stretch after its start, fewest and most, and their distance, mm; loops rather lie
#: side by side than behind each other.
LOOP_POINTS = (4, 9)
LOOP_STEP_MM = 19.0
LOOP_SPREAD = vec(1.0, 0.6, 1.0)
#: Radius of small bowel and of the colon, mm (design).
SMALL_RADIUS_MM = (10.0, 16.0)
COLON_RADIUS_MM = (17.0, 27.0)
#: SD of the colon's course about its frame, mm.
COLON_SD_MM = 5.0
#: With oral contrast medium, this share of the colon's and the small bowel's stretches holds it.
COLON_CONTRAST = 0.4
SMALL_CONTRAST = 0.55
#: Share of the other stretches of small bowel that are collapsed, the rest holds fluid.
COLLAPSED_SHARE = 0.8
#: Share of stretches of small bowel that hold gas, and how much of their depth it fills.
GAS_SHARE = 0.15
GAS_RANGE = (0.2, 0.8)
#: Unevenness of the surface, relative to the radius (haustra and folds).
FOLDS = 0.16
#: Unevenness of contrast medium and of other content, HU.
CONTRAST_MOTTLE_HU = 60.0
CONTENT_MOTTLE_HU = 9.0
#: Bowel keeps this far from the wall, the diaphragm and the front of the spine, mm; more than
#: so far beside the spine it may lie further back.
WALL_GAP_MM = 3.0
DIAPHRAGM_GAP_MM = 4.0
SPINE_GAP_MM = 22.0
SPINE_SIDE_MM = 26.0
#: Rounding where a loop meets these, mm.
ROUNDING_MM = 6.0


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
    front = back + 2 * deep - trunk.fat[1] - trunk.wall - 32
    loops = [_colon(rng, course, contrast) for course in _colon_frame(top, front, trunk)]
    ventral = spine.vertebrae["L3"].frame.origin[1] + 42
    for _ in range(int(rng.integers(*LOOPS))):
        start = vec(
            rng.uniform(-0.6, 0.6) * wide,
            rng.uniform(ventral, max(front + 14, ventral + 20)),
            rng.uniform(bottom, top - 25),
        )
        loops.append(_loop(rng, start, contrast))
    return loops


def _colon_frame(top: float, front: float, trunk: Trunk) -> list[np.ndarray]:
    """Ascending, descending, transverse and sigmoid colon: courses, RAS+ millimetres [N, 3]."""
    wide, deep, back = trunk.half_width, trunk.half_depth, trunk.back
    flanks = [
        np.array(
            [
                [x, back + 0.75 * deep, top - 10],
                [x * 1.02, back + 0.8 * deep, top - 60],
                [x, back + 0.85 * deep, 40],
                [x * 0.92, back + 0.95 * deep, -20],
            ]
        )
        for x in (0.66 * wide, -0.66 * wide)
    ]
    # The transverse colon sags between its two bends.
    across = np.array(
        [
            [0.62 * wide * s, front - 12 * abs(s), top - 30 - 22 * (1 - s * s)]
            for s in (-1, -0.5, 0, 0.5, 1)
        ]
    )
    sigmoid = np.array(
        [[-0.6 * wide, 20, -20], [-0.35 * wide, 40, -60], [-10, 25, -70], [4, -10, -78]]
    )
    return [*flanks, across, sigmoid]


def _colon(rng: np.random.Generator, course: np.ndarray, contrast: bool) -> Loop:
    course = course + rng.normal(0, COLON_SD_MM, course.shape)
    content = "oral_contrast" if contrast and rng.random() < COLON_CONTRAST else "bowel_wall"
    return Loop(course, float(rng.uniform(*COLON_RADIUS_MM)), content, float(rng.beta(1.4, 1.6)))


def _loop(rng: np.random.Generator, start: np.ndarray, contrast: bool) -> Loop:
    """A random walk that keeps its direction for a while."""
    heading = rng.normal(0, 1, 3)
    points = [start]
    for _ in range(int(rng.integers(*LOOP_POINTS))):
        heading = 0.7 * heading / np.linalg.norm(heading) + rng.normal(0, 0.5, 3)
        points.append(points[-1] + LOOP_STEP_MM * heading / np.linalg.norm(heading) * LOOP_SPREAD)
    kind = rng.random()
    if contrast and kind < SMALL_CONTRAST:
        content = "oral_contrast"
    else:
        content = "bowel_wall" if kind < COLLAPSED_SHARE else "bowel_fluid"
    gas = float(rng.uniform(*GAS_RANGE)) if rng.random() < GAS_SHARE else 0.0
    return Loop(np.array(points), float(rng.uniform(*SMALL_RADIUS_MM)), content, gas)


def paint_bowel(
    paint: Paint, loops: list[Loop], trunk: Trunk, spine: Spine, texture: Texture
) -> None:
    """Paint every loop, clear of the abdominal wall and of what lies on the spine.

    Args:
        paint: Canvas and HU.
        loops: What is painted, in this order.
        trunk: The cavity that holds them.
        spine: What they keep clear of.
        texture: Makes their surface and content uneven.
    """
    for number, loop in enumerate(loops):
        _paint_loop(paint, loop, trunk, spine, texture, 53.0 * number)


def _paint_loop(
    paint: Paint, loop: Loop, trunk: Trunk, spine: Spine, texture: Texture, shift: float
) -> None:
    """Paint one loop; `shift`, mm, gives each its own part of the texture."""
    canvas = paint.canvas
    box = canvas.box(loop.course, loop.radius + 4)
    if box is None:
        return
    stretches = list(pairwise(triple(point) for point in loop.course))
    size = (loop.radius, loop.radius)

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        tube = reduce(
            torch.minimum, (capsule(x, y, z, start, end, size) for start, end in stretches)
        )
        tube = tube + FOLDS * loop.radius * texture.sample(x * 2 + shift, y * 2, z * 2)
        wall, diaphragm = trunk.cavity(x, y, z), trunk.diaphragm(x, y, z)
        within = smooth_max(wall + WALL_GAP_MM, DIAPHRAGM_GAP_MM + diaphragm, ROUNDING_MM)
        aside = (x.abs() - SPINE_SIDE_MM).clamp(min=0)
        spine_side = spine.front(z) + SPINE_GAP_MM - y - 1.1 * aside
        return smooth_max(smooth_max(tube, within, ROUNDING_MM), spine_side, ROUNDING_MM)

    surface = canvas.distance(box, distance, WORLD, SAMPLE_MM)
    canvas.blend(box, paint.hu("bowel_wall"), canvas.coverage(surface))
    inside = surface + WALL_MM
    slow = box.coarse(CRUMB_STEP_MM)
    crumbs = slow.refine(texture.sample(*(3 * part + shift for part in slow.coordinates())))
    uneven = CONTRAST_MOTTLE_HU if loop.content == "oral_contrast" else CONTENT_MOTTLE_HU
    canvas.blend(box, paint.hu(loop.content) + uneven * crumbs, canvas.coverage(inside))
    if loop.gas:
        _, y, _ = box.coordinates()
        low, high = loop.course[:, 1].min() - loop.radius, loop.course[:, 1].max() + loop.radius
        level = high - loop.gas * (high - low)
        canvas.blend(box, paint.hu("gas"), canvas.coverage(torch.maximum(inside, level - y)))
