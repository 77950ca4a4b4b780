"""The rib cage: ribs T1-T10 on its outside, costal cartilages, sternum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.phantom.anatomy.bones import rods
from tools.phantom.anatomy.chest.outline import ChestTrunk
from tools.phantom.anatomy.chest.places import Places, smooth
from tools.phantom.anatomy.chest.profile import Profile
from tools.phantom.anatomy.ribs import Rib
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD, vec
from tools.phantom.drawing.painting import Paint, paint_union
from tools.phantom.drawing.shapes import triple

#: A rib's middle lies this far inside the cage's outside, mm.
INSET_MM = 4.6
#: Angle about the cage at which each rib ends, 0 behind and 180 in front, degrees (design).
ENDS_DEG = {1: 138, 2: 146, 3: 150, 4: 150, 5: 148, 6: 143, 7: 136, 8: 124, 9: 112, 10: 98}
#: How far below its place at the sternum, or for 8 to 10 below the seventh's, a rib ends, mm.
TIP_DROP_MM = {1: -4, 2: 2, 3: 8, 4: 16, 5: 28, 6: 44, 7: 60, 8: 82, 9: 104, 10: 126}
#: Levels, as thoracic numbers, of sternal notch, angle and lower end of the sternum's body
#: (anatomical atlases: T2/3, T4/5, T9).
NOTCH_LEVEL, ANGLE_LEVEL, XIPHOID_LEVEL = 2.5, 4.5, 8.8
FIRST_RIB_LEVEL = 2.9
#: Sternum: middle of its thickness inside the cage's outside, half thickness, half widths from
#: notch to xiphoid, length of the xiphoid, mm (design).
STERNUM_DEPTH_MM, STERNUM_HALF_MM, XIPHOID_MM = 6.0, 5.0, 26.0
STERNUM_WIDTHS_MM = ((26.0, 17.0), (14.0, 19.0))
CORTEX_MM = 1.1
#: HU of its spongy bone relative to that of ribs and hips (design: the sternum is sparse).
STERNUM_SPONGY = 0.5
#: Radius of a costal cartilage, mm, and of what stays soft when its rim has calcified.
CARTILAGE_MM, CARTILAGE_CORE_MM = 4.8, 3.2
#: HU that the rim gains per year over 35, and its most (design: calcified in old age).
RIM_YEARLY_HU, RIM_AGE, RIM_MOST_HU = 5.0, 35.0, 220.0
POINTS = 15


@dataclass(frozen=True)
class Cage:
    """Front of the cage.

    Attributes:
        cartilages: Courses from the ribs' ends, RAS+ mm [N, 3] each.
        sternum: Rods of the sternum.
        rim_hu: What calcification adds to a cartilage's rim, HU.
    """

    cartilages: list[np.ndarray]
    sternum: list[Part]
    rim_hu: float


def draw_cage(
    rng: np.random.Generator, places: Places, age: float, low: list[Rib]
) -> tuple[list[Rib], Cage]:
    """Draw ribs, cartilages and sternum.

    Args:
        rng: Random stream.
        places: The chest.
        age: Years.
        low: Ribs of the abdomen's trunk, of which the free ones, T11 and T12, stay.

    Returns:
        Ribs T1 to T12, and the front of the cage.
    """
    spine, trunk = places.spine, places.trunk
    inserts = _inserts(places)
    drop = float(rng.normal(1, 0.08))
    ribs: list[Rib] = []
    cartilages = []
    for side in (-1, 1):
        previous = np.empty((0, 3))
        for number in range(1, 11):
            insert = inserts[min(number, 7)]
            tip = insert - TIP_DROP_MM[number] * drop * spine.scale
            course = _course(spine, trunk, number, side, tip)
            ribs.append(Rib(f"T{number}", side, course))
            if number <= 7:
                end = _sternum_place(trunk, insert) + vec(side * _half_width(places, insert), 0, 0)
                bend = course[-1] + 0.45 * (end - course[-1])
                bend[1] = max(bend[1], course[-1][1])
                bend[2] = course[-1][2] + 0.25 * (end[2] - course[-1][2])
            else:
                end = previous[len(previous) // 2]
                bend = (course[-1] + end) / 2 + vec(0, 2, -3)
            previous = smooth(np.array([course[-1], bend, end]))
            cartilages.append(previous)
    free = [rib for rib in low if rib.level in ("T11", "T12")]
    rim = float(np.clip(RIM_YEARLY_HU * (age - RIM_AGE) * rng.uniform(0.2, 1.2), 0, RIM_MOST_HU))
    return [*ribs, *free], Cage(cartilages, _sternum(places), rim)


def _inserts(places: Places) -> dict[int, float]:
    """Z at which cartilages 1-7 meet the sternum, mm."""
    levels = [FIRST_RIB_LEVEL, *np.linspace(ANGLE_LEVEL, XIPHOID_LEVEL, 6)]
    return {n: places.height(float(level)) for n, level in enumerate(levels, start=1)}


def _sternum_place(trunk: ChestTrunk, z: float) -> np.ndarray:
    return vec(trunk.lean, trunk.cage_front.at(z) - STERNUM_DEPTH_MM, z)


def _half_width(places: Places, z: float) -> float:
    """Half width of the sternum at a height, mm."""
    notch, angle, low = (places.height(n) for n in (NOTCH_LEVEL, ANGLE_LEVEL, XIPHOID_LEVEL))
    (top, above), (below, end) = STERNUM_WIDTHS_MM
    width = np.interp(-z, [-notch, -angle, -angle + 0.1, -low], [top, above, below, end])
    return float(width) * places.spine.scale


def _course(spine: Spine, trunk: ChestTrunk, number: int, side: int, tip: float) -> np.ndarray:
    """Head at the body's back edge, neck, then round the cage, sinking forwards."""
    body = spine.vertebrae[f"T{number}"]
    half_width, half_depth = body.width / 2, body.depth / 2
    head = body.frame.point(side * (half_width - 1), -half_depth + 2, 0.30 * body.height)
    neck = body.frame.point(side * (half_width + 12), -half_depth - 14, 0.25 * body.height)
    wide = trunk.cage_half.at(float(neck[2])) - INSET_MM
    start = np.arcsin(np.clip((abs(neck[0] - trunk.lean) + 14) / wide, 0.1, 0.8)) * 0.8
    angles = np.linspace(start, np.radians(ENDS_DEG[number]), 120)
    # Height falls with the way along the rib, of which the angle is a good enough measure here.
    z = neck[2] + (tip - neck[2]) * ((angles - start) / (angles[-1] - start)) ** 1.1
    edges = zip(*(part.along(z) for part in _edges(trunk)), strict=True)
    arc = np.stack(
        [
            _within(trunk, edge, angle, float(h), side, INSET_MM)
            for edge, angle, h in zip(edges, angles, z, strict=True)
        ]
    )
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(arc, axis=0), axis=1))])
    steps = np.linspace(0, run[-1], POINTS)
    even = np.stack([np.interp(steps, run, part) for part in arc.T], 1)
    return np.concatenate([[head, neck], even])


def _edges(trunk: ChestTrunk) -> tuple[Profile, Profile, Profile]:
    """The cage's back, front and half width along z."""
    return trunk.cage_back, trunk.cage_front, trunk.cage_half


def _within(
    trunk: ChestTrunk, edges: Sequence[float], angle: float, z: float, side: int, inset: float
) -> np.ndarray:
    """A place on the cage, 0 degrees behind, RAS+ mm; `edges` at z, `angle` in radians."""
    back, front = edges[0] + inset, edges[1] - inset
    wide, deep, power = edges[2] - inset, (front - back) / 2, 2 / trunk.squareness
    across, ahead = np.sin(angle), -np.cos(angle)
    return vec(
        trunk.lean + side * wide * abs(across) ** power,
        (back + front) / 2 + deep * np.sign(ahead) * abs(ahead) ** power,
        z,
    )


def on_cage(
    trunk: ChestTrunk, angle_deg: float, z: float, side: int, outside_mm: float
) -> np.ndarray:
    """A place over the cage, RAS+ mm.

    Args:
        trunk: The chest.
        angle_deg: About the cage, 0 behind and 180 in front.
        z: Height, mm.
        side: +1 right.
        outside_mm: Distance from the cage's outside.
    """
    edges = [part.at(z) for part in _edges(trunk)]
    return _within(trunk, edges, np.radians(angle_deg), z, side, -outside_mm)


def _sternum(places: Places) -> list[Part]:
    """Manubrium, body and xiphoid as flat rods."""
    trunk, half = places.trunk, STERNUM_HALF_MM * places.spine.scale
    notch, angle, low = (places.height(n) for n in (NOTCH_LEVEL, ANGLE_LEVEL, XIPHOID_LEVEL))
    parts = []
    for top, bottom in ((notch - half, angle + 1), (angle - 1, low)):
        for first, second in ((0.0, 0.5), (0.5, 1.0)):
            start, end = (top + (bottom - top) * share for share in (first, second))
            wide = _half_width(places, (start + end) / 2) / half
            parts.append(
                Part(
                    triple(_sternum_place(trunk, start)),
                    triple(_sternum_place(trunk, end)),
                    (half, half),
                    (wide, 1.0, 1.0),
                )
            )
    root = _sternum_place(trunk, low)
    tail = root + vec(0, -4, -XIPHOID_MM)
    parts.append(Part(triple(root), triple(tail), (0.6 * half, 0.4 * half), (2.2, 1.0, 1.0)))
    return parts


def paint_cage(paint: Paint, cage: Cage, cortex: float, spongy: float) -> None:
    """Paint cartilages, then the sternum.

    Args:
        paint: Canvas and HU.
        cage: What is painted.
        cortex: HU of the cortex.
        spongy: HU inside the sternum.
    """
    soft = paint.hu("cartilage")
    for course in cage.cartilages:
        paint.tube(course, [CARTILAGE_MM] * len(course), soft + cage.rim_hu, (1, 1, 1.25), None)
        if cage.rim_hu:
            paint.tube(course, [CARTILAGE_CORE_MM] * len(course), soft, (1, 1, 1.25), None)
    paint_union(
        paint.canvas, WORLD, rods(cage.sternum), 3.0, CORTEX_MM, cortex, STERNUM_SPONGY * spongy
    )
