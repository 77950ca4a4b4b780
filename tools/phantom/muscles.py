"""Muscles around the spine: erector, psoas, quadratus, gluteal, each streaked with fat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.bones import rods
from tools.phantom.canvas import WORLD, Texture
from tools.phantom.painting import Paint, union_distance
from tools.phantom.pelvis import Pelvis
from tools.phantom.spine import Spine
from tools.phantom.trunk import Trunk
from tools.phantom.vertebra import Part


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
    """Draw muscle bulk and fat; both turn for the worse with age."""
    bulk = float(np.clip(rng.normal(1.06 if sex == "M" else 0.94, 0.1) - 0.002 * (age - 50), 0.7, 1.3))  # fmt: skip
    fatty = float(np.clip(rng.normal(0.10 + 0.004 * (age - 40), 0.08), 0.02, 0.5))
    return Muscles(bulk, fatty, Texture.draw(rng, float(rng.uniform(2.5, 4.5))))


def paint_muscles(
    paint: Paint, muscles: Muscles, spine: Spine, trunk: Trunk, pelvis: Pelvis
) -> None:
    """Paint the muscles that stand beside the spine on every slice."""
    bulk = muscles.bulk * spine.scale
    levels = [spine.vertebrae[level] for level in spine.vertebrae]
    for side in (-1, 1):
        erector, deep, psoas = [], [], []
        for vertebra in reversed(levels):
            back = -vertebra.depth / 2 - vertebra.canal_depth
            to_world = vertebra.frame.to_world
            erector.append(to_world(np.array([side * 39 * bulk, back - 13 * bulk, 0.0])))
            deep.append(to_world(np.array([side * 16 * bulk, back - 14 * bulk, 0.0])))
            if vertebra.level in ("L1", "L2", "L3", "L4", "L5"):
                number = int(vertebra.level[1])
                radius = (6 + 2.9 * number) * bulk
                beside = vertebra.width / 2 + 0.85 * radius
                psoas.append(to_world(np.array([side * beside, -2.0 - number, 0.0])))
        # Below the spine the back muscles taper over the sacrum.
        for course, end in ((erector, 26.0), (deep, 12.0)):
            course.append(np.array([side * end, course[-1][1] - 14, course[-1][2] - 48]))
            course.append(np.array([side * end * 0.7, course[-1][1] - 6, course[-1][2] - 45]))
        _streaked(paint, muscles, np.array(erector), [23 * bulk] * (len(erector) - 2) + [14 * bulk, 7 * bulk], (1.3, 1.0, 1.0))  # fmt: skip
        _streaked(paint, muscles, np.array(deep), [13 * bulk] * (len(deep) - 2) + [11 * bulk, 6 * bulk], (0.95, 1.1, 1.0))  # fmt: skip
        groin = pelvis.hip * [side, 1, 1] + np.array([-side * 14, 26, 12])
        psoas_radii = [(6 + 2.9 * number) * bulk for number in range(1, 6)]
        psoas.extend([(psoas[-1] + groin) / 2 + np.array([side * 4, 2, 0]), groin])
        _streaked(paint, muscles, np.array(psoas), [*psoas_radii, 19 * bulk, 15 * bulk], (1.0, 1.15, 1.0), 0.4)  # fmt: skip
        lumbar = spine.vertebrae["L3"].frame.origin
        quadratus = np.array([
            spine.vertebrae["T12"].frame.origin + [side * 52 * bulk, -32, -12],
            lumbar + [side * 66 * bulk, -30, 0],
            spine.vertebrae["L5"].frame.origin + [side * 76 * bulk, -26, 12],
        ])  # fmt: skip
        _streaked(paint, muscles, quadratus, [7 * bulk, 10 * bulk, 10 * bulk], (1.8, 1.0, 1.0), 0.6)
        _gluteal(paint, muscles, trunk, pelvis, side)
        iliacus = np.array([
            pelvis.hip * [side, 1, 1] + np.array([side * 14, -4, 92]),
            pelvis.hip * [side, 1, 1] + np.array([side * 6, 14, 40]),
            groin,
        ])  # fmt: skip
        _streaked(paint, muscles, iliacus, [10 * bulk, 16 * bulk, 15 * bulk], (1.3, 1.0, 1.0), 0.4)
    _crura(paint, spine)


def _gluteal(paint: Paint, muscles: Muscles, trunk: Trunk, pelvis: Pelvis, side: int) -> None:
    bulk = muscles.bulk
    hip = pelvis.hip * [side, 1, 1]
    back = trunk.back + trunk.fat[2]
    great = np.array([
        [side * 60, back + 30, hip[2] + 90],
        [side * 74, back + 32, hip[2] + 40],
        [side * 92, back + 40, hip[2] - 20],
    ])  # fmt: skip
    _streaked(paint, muscles, great, [20 * bulk, 30 * bulk, 28 * bulk], (1.4, 1.0, 1.0))
    middle = np.array([hip + [side * 50, -20, 85], hip + [side * 42, -10, 35]])
    _streaked(paint, muscles, middle, [20 * bulk, 24 * bulk], (0.8, 1.5, 1.0))


def _crura(paint: Paint, spine: Spine) -> None:
    """The diaphragm's crura in front of T12-L2, beside the aorta."""
    for side in (-1, 1):
        course = np.array([
            spine.vertebrae[level].frame.to_world(
                np.array([side * 13.0, spine.vertebrae[level].depth / 2 + 4.0 + 4.0 * lift, 0.0])
            )
            for level, lift in (("T11", 2.0), ("T12", 1.2), ("L1", 0.4), ("L2", 0.0))
        ])  # fmt: skip
        radii = [3.0, 4.5, 4.5, 2.5] if side > 0 else [3.0, 4.0, 3.5, 2.0]
        paint.tube(course, radii, paint.hu("muscle"), (1.3, 1.0, 1.0))


def _streaked(
    paint: Paint,
    muscles: Muscles,
    points: np.ndarray,
    radii: list[float],
    flatten: tuple[float, float, float],
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
    ends = zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    parts = [Part(tuple(a), tuple(b), (first, last), flatten) for a, b, first, last in ends]
    for part in parts:
        drawn = union_distance(paint.canvas, WORLD, rods([part]), 1.0)
        if drawn is None:
            continue
        box, distance = drawn
        slow = box.coarse(2.2)
        streaks = slow.refine(muscles.streaks.sample(*slow.coordinates()))
        share = torch.sigmoid((streaks - 1.3) * 3.0) * min(1.0, 2.5 * muscles.fatty * fatty)
        share = share + 0.35 * muscles.fatty * fatty
        hu = paint.hu("muscle") + share * (paint.hu("subcutaneous_fat") - paint.hu("muscle"))
        paint.canvas.blend(box, hu, paint.canvas.coverage(distance))
