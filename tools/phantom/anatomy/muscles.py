"""Muscles around the spine: erector, psoas, quadratus, gluteal, each streaked with fat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from tools.phantom.anatomy.bones import rods
from tools.phantom.anatomy.pelvis import Pelvis
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD, vec
from tools.phantom.drawing.painting import Paint, union_distance
from tools.phantom.drawing.shapes import Triple, triple
from tools.phantom.drawing.texture import Texture


class Column(NamedTuple):
    """A back muscle that runs along the whole spine; mm at bulk 1 (design).

    Attributes:
        side: Its axis' distance from the middle.
        behind: And behind the canal, in radii.
        radii: Smallest and largest radius along the spine.
        fill: Radius over half the hollow between laminae and the skin's fat.
        tail_side: Distance from the middle at the sacrum, mm.
        tail_radii: At its two lowest points, over the sacrum.
        flatten: Stretch of its section.
    """

    side: float
    behind: float
    radii: tuple[float, float]
    fill: float
    tail_side: float
    tail_radii: tuple[float, float]
    flatten: Triple


ERECTOR = Column(39.0, 0.9, (19.0, 34.0), 0.98, 26.0, (15.0, 8.0), (1.2, 1.0, 1.0))
MULTIFIDUS = Column(16.0, 1.0, (12.0, 22.0), 0.8, 12.0, (12.0, 7.0), (0.85, 1.1, 1.0))

#: Radius of the psoas above L1 and its growth per level, mm at bulk 1; then down to the groin.
PSOAS_RADIUS_MM, PSOAS_GROWTH_MM = 6.0, 2.9
PSOAS_LOW_RADII_MM = (19.0, 15.0)
LUMBAR = ("L1", "L2", "L3", "L4", "L5", "L6")
#: Fat of psoas, iliacus and quadratus relative to the back muscles' (design: they stay leaner).
FLEXOR_FAT = 0.4
QUADRATUS_FAT = 0.6

#: Muscle bulk of men and women at 50, its SD and yearly loss, its range (design).
BULK_MEN, BULK_WOMEN, BULK_SD, BULK_YEARLY, BULK_RANGE = 1.06, 0.94, 0.1, 0.002, (0.7, 1.3)
#: Fat in back muscles at 40, its yearly gain, SD and range, volume fractions (design).
FATTY_AT_40, FATTY_YEARLY, FATTY_SD, FATTY_RANGE = 0.10, 0.004, 0.08, (0.02, 0.5)
#: Distance of fat streaks, mm, and the step at which they are sampled.
STREAK_MM = (2.5, 4.5)
STREAK_STEP_MM = 2.2
#: A streak is where the texture exceeds this many SD; its edge; its fat; fat between streaks.
STREAK_LEVEL, STREAK_EDGE, STREAK_FAT, EVEN_FAT = 1.3, 3.0, 2.5, 0.35


@dataclass(frozen=True)
class Muscles:
    """Sizes of the muscles.

    Attributes:
        bulk: Factor on every radius.
        fatty: Share of fat that streaks the back muscles.
        streaks: Texture of the streaks.
    """

    bulk: float
    fatty: float
    streaks: Texture


def draw_muscles(rng: np.random.Generator, age: float, sex: str) -> Muscles:
    """Draw muscle bulk and fat; both turn for the worse with age.

    Args:
        rng: Random stream.
        age: Years.
        sex: "F" or "M".
    """
    usual = BULK_MEN if sex == "M" else BULK_WOMEN
    bulk = float(np.clip(rng.normal(usual, BULK_SD) - BULK_YEARLY * (age - 50), *BULK_RANGE))
    fatty = float(
        np.clip(rng.normal(FATTY_AT_40 + FATTY_YEARLY * (age - 40), FATTY_SD), *FATTY_RANGE)
    )
    return Muscles(bulk, fatty, Texture.draw(rng, float(rng.uniform(*STREAK_MM))))


def paint_muscles(
    paint: Paint, muscles: Muscles, spine: Spine, trunk: Trunk, pelvis: Pelvis
) -> None:
    """Paint the muscles that stand beside the spine on every slice.

    Args:
        paint: Canvas and HU.
        muscles: Their sizes.
        spine: Vertebrae that they follow.
        trunk: Wall that they lie in.
        pelvis: Where they end.
    """
    bulk = muscles.bulk * spine.scale
    for side in (-1, 1):
        for column in (ERECTOR, MULTIFIDUS):
            _column(paint, muscles, spine, trunk, column, side)
        groin = pelvis.hip * vec(side, 1, 1) + vec(-side * 14, 26, 12)
        _psoas(paint, muscles, spine, groin, bulk, side)
        _quadratus(paint, muscles, spine, bulk, side)
        _gluteal(paint, muscles, trunk, pelvis, side)
        _iliacus(paint, muscles, pelvis, groin, bulk, side)
    _crura(paint, spine)


def _column(
    paint: Paint, muscles: Muscles, spine: Spine, trunk: Trunk, column: Column, side: int
) -> None:
    """A back muscle along all vertebrae, filling the hollow behind them, tapering below."""
    bulk = muscles.bulk * spine.scale
    course, radii = [], []
    for vertebra in reversed(spine.vertebrae.values()):
        back = -vertebra.depth / 2 - vertebra.canal_depth
        u = side * column.side * bulk
        ahead = vertebra.frame.point(u, back, 0.0)
        # Lordosis opens a hollow between laminae and the skin's fat, which the muscle fills.
        z = float(ahead[2])
        hollow = (ahead[1] - float(trunk.back_at(torch.tensor(z))) - trunk.fat_behind(z)) / 2
        low, high = (bound * bulk for bound in column.radii)
        low *= trunk.slender(z)
        radius = float(np.clip(column.fill * hollow, low, high))
        course.append(vertebra.frame.point(u, back - column.behind * radius, 0.0))
        radii.append(radius)
    for share, step_back, step_down in ((1.0, 14, 48), (0.7, 6, 45)):
        _, y, z = course[-1]
        course.append(vec(side * column.tail_side * share, y - step_back, z - step_down))
    radii += [radius * bulk for radius in column.tail_radii]
    _streaked(paint, muscles, np.array(course), radii, column.flatten)


def _psoas(
    paint: Paint, muscles: Muscles, spine: Spine, groin: np.ndarray, bulk: float, side: int
) -> None:
    """From beside L1, growing downwards, over the pelvic brim to the groin."""
    course, radii = [], []
    shown = [spine.vertebrae[level] for level in LUMBAR if level in spine.vertebrae]
    for number, vertebra in enumerate(shown, start=1):
        radius = (PSOAS_RADIUS_MM + PSOAS_GROWTH_MM * min(number, 5)) * bulk
        beside = vertebra.width / 2 + 0.85 * radius
        course.append(vertebra.frame.point(side * beside, -2.0 - number, 0.0))
        radii.append(radius)
    course += [(course[-1] + groin) / 2 + vec(side * 4, 2, 0), groin]
    radii += [radius * bulk for radius in PSOAS_LOW_RADII_MM]
    _streaked(paint, muscles, np.array(course), radii, (1.0, 1.15, 1.0), FLEXOR_FAT)


def _quadratus(paint: Paint, muscles: Muscles, spine: Spine, bulk: float, side: int) -> None:
    """From the 12th rib beside the transverse processes to the iliac crest."""
    steps = {
        "T12": vec(side * 52 * bulk, -32, -12),
        "L3": vec(side * 66 * bulk, -30, 0),
        next(iter(spine.vertebrae)): vec(side * 76 * bulk, -26, 12),
    }
    course = [spine.vertebrae[level].frame.origin + step for level, step in steps.items()]
    radii = [7 * bulk, 10 * bulk, 10 * bulk]
    _streaked(paint, muscles, np.array(course), radii, (1.8, 1.0, 1.0), QUADRATUS_FAT)


def _iliacus(
    paint: Paint, muscles: Muscles, pelvis: Pelvis, groin: np.ndarray, bulk: float, side: int
) -> None:
    """On the inside of the iliac wing, to the groin."""
    hip = pelvis.hip * vec(side, 1, 1)
    course = np.array([hip + vec(side * 14, -4, 92), hip + vec(side * 6, 14, 40), groin])
    radii = [10 * bulk, 16 * bulk, 15 * bulk]
    _streaked(paint, muscles, course, radii, (1.3, 1.0, 1.0), FLEXOR_FAT)


def _gluteal(paint: Paint, muscles: Muscles, trunk: Trunk, pelvis: Pelvis, side: int) -> None:
    """The great gluteal muscle behind, the middle one beside the hip."""
    bulk = muscles.bulk
    hip = pelvis.hip * vec(side, 1, 1)
    back = trunk.back + trunk.fat[2]
    great = np.array(
        [
            [side * 60, back + 30, hip[2] + 90],
            [side * 74, back + 32, hip[2] + 40],
            [side * 92, back + 40, hip[2] - 20],
        ]
    )
    _streaked(paint, muscles, great, [20 * bulk, 30 * bulk, 28 * bulk], (1.4, 1.0, 1.0))
    middle = np.array([hip + vec(side * 50, -20, 85), hip + vec(side * 42, -10, 35)])
    middle = trunk.held(middle, trunk.fat[0] + 20 * bulk)
    _streaked(paint, muscles, middle, [20 * bulk, 24 * bulk], (0.8, 1.5, 1.0))


def _crura(paint: Paint, spine: Spine) -> None:
    """The diaphragm's crura in front of T12-L2, beside the aorta; the right one is stronger."""
    lifts = {"T11": 2.0, "T12": 1.2, "L1": 0.4, "L2": 0.0}
    for side in (-1, 1):
        bodies = ((spine.vertebrae[level], lift) for level, lift in lifts.items())
        course = np.array(
            [
                body.frame.point(side * 13.0, body.depth / 2 + 4.0 + 4.0 * lift, 0.0)
                for body, lift in bodies
            ]
        )
        radii = [3.0, 4.5, 4.5, 2.5] if side > 0 else [3.0, 4.0, 3.5, 2.0]
        paint.tube(course, radii, paint.hu("muscle"), (1.3, 1.0, 1.0))


def _streaked(
    paint: Paint,
    muscles: Muscles,
    points: np.ndarray,
    radii: Sequence[float],
    flatten: Triple,
    fatty: float = 1.0,
) -> None:
    """Paint a bent muscle with fat between its bundles.

    Args:
        paint: Canvas and HU.
        muscles: Texture and share of fat.
        points: Course, RAS+ millimetres [N, 3].
        radii: Radius at each point, mm.
        flatten: Stretch of the section per axis.
        fatty: Factor on the share of fat.
    """
    fat = muscles.fatty * fatty
    lean, full = paint.hu("muscle"), paint.hu("subcutaneous_fat")
    for (start, first), (end, last) in pairwise(zip(points, radii, strict=True)):
        part = Part(triple(start), triple(end), (first, last), flatten)
        drawn = union_distance(paint.canvas, WORLD, rods([part]), 1.0)
        if drawn is None:
            continue
        box, distance = drawn
        slow = box.coarse(STREAK_STEP_MM)
        streaks = slow.refine(muscles.streaks.sample(*slow.coordinates()))
        share = torch.sigmoid((streaks - STREAK_LEVEL) * STREAK_EDGE) * min(1.0, STREAK_FAT * fat)
        share = share + EVEN_FAT * fat
        paint.canvas.blend(box, lean + share * (full - lean), paint.canvas.coverage(distance))
