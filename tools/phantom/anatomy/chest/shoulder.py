"""Shoulder girdle with raised arms: clavicles, scapulae, humeri."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tools.phantom.anatomy.bones import rods
from tools.phantom.anatomy.chest.cage import NOTCH_LEVEL, STERNUM_DEPTH_MM, on_cage
from tools.phantom.anatomy.chest.places import Places, smooth
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD, vec
from tools.phantom.drawing.painting import Paint, paint_union
from tools.phantom.drawing.shapes import triple

#: Over the cage: between it and the scapula lie subscapular and serratus muscle, mm.
OVER_CAGE_MM = 13.0
#: Scapula with the arm raised: its medial border from above to the lower angle, and the lower
#: angle's neighbours: thoracic level and angle about the cage, degrees (design after chest CT).
MEDIAL = ((2.6, 46.0), (4.5, 52.0), (6.8, 68.0))
#: Rods that make the blade, their radius and height over radius, mm.
BLADE_RODS, BLADE_MM, BLADE_HIGH = 9, 2.0, 4.2
#: Radii of the other bones, mm at scale 1.
CLAVICLE_MM, HEAD_MM, SHAFT_MM, SPINE_MM, GLENOID_MM = 5.5, 22.0, 11.0, 4.5, 11.0
CORTEX_MM = 1.2


def shoulder_bones(places: Places) -> list[list[Part]]:
    """Rods of every bone of both shoulders, one list per bone."""
    bones = []
    for side, arm in zip((1, -1), places.trunk.arms, strict=True):
        bones += [_clavicle(places, side, arm), _scapula(places, side, arm), _humerus(places, arm)]
    return bones


def _chain(
    points: np.ndarray, radius: float, flatten: tuple[float, float, float] = (1, 1, 1)
) -> list[Part]:
    stations = [triple(point) for point in points]
    return [Part(start, end, (radius, radius), flatten) for start, end in pairwise(stations)]


def _joint(arm: np.ndarray) -> np.ndarray:
    """Middle of the humeral head."""
    return np.asarray(arm[0] + 0.25 * (arm[1] - arm[0]))


def _clavicle(places: Places, side: int, arm: np.ndarray) -> list[Part]:
    scale, z = places.spine.scale, places.height(NOTCH_LEVEL)
    inner = vec(
        places.trunk.lean + side * 21 * scale,
        places.trunk.cage_front.at(z) - STERNUM_DEPTH_MM,
        z + 3,
    )
    outer = _joint(arm) + vec(-side * 14, 12, 26) * scale
    gap = outer - inner
    bends = [inner + 0.35 * gap + vec(0, 9, 2), inner + 0.75 * gap + vec(0, -5, 6)]
    return _chain(smooth(np.array([inner, *bends, outer])), CLAVICLE_MM * scale)


def _scapula(places: Places, side: int, arm: np.ndarray) -> list[Part]:
    """The blade, a fan of flat rods from the medial to the lateral border; spine and glenoid."""
    scale = places.spine.scale
    glenoid = _joint(arm) + vec(-side * 29, -12, -4) * scale
    medial = smooth(
        np.array(
            [
                on_cage(places.trunk, angle, places.height(level), side, OVER_CAGE_MM)
                for level, angle in MEDIAL
            ]
        )
    )
    lower, upper = medial[-1], medial[0]
    shares = np.linspace(0, 1, BLADE_RODS)
    run = np.linspace(0, len(medial) - 1, BLADE_RODS)
    border = np.stack([np.interp(run, range(len(medial)), part) for part in medial.T], 1)
    lateral = glenoid + shares[:, None] * (lower - glenoid)
    # The blade bows with the cage.
    parts = []
    for inner, outer in zip(border, lateral, strict=True):
        middle = (inner + outer) / 2 + vec(side * 3, -5, 0)
        parts += _chain(np.array([inner, middle, outer]), BLADE_MM * scale, (1, 1, BLADE_HIGH))
    parts += _chain(
        np.array([glenoid, (glenoid + lower) / 2 + vec(side * 2, -2, 0), lower]), 3.6 * scale
    )
    acromion = _joint(arm) + vec(-side * 6, -24, 24) * scale
    root = upper + 0.28 * (lower - upper)
    ridge = (root + acromion) / 2 + vec(0, -14, 0) * scale
    parts += _chain(np.array([root, ridge, acromion]), SPINE_MM * scale, (1, 1, 1.3))
    parts.append(
        Part(
            triple(glenoid),
            triple(glenoid + vec(side * 2, 1, 0)),
            (GLENOID_MM * scale,) * 2,
            (0.7, 0.9, 1.3),
        )
    )
    return parts


def _humerus(places: Places, arm: np.ndarray) -> list[Part]:
    scale = places.spine.scale
    head, neck = _joint(arm), arm[0] + 0.7 * (arm[1] - arm[0])
    return [
        Part(triple(head), triple(neck), (HEAD_MM * scale, SHAFT_MM * 1.3 * scale)),
        Part(triple(neck), triple(arm[1]), (SHAFT_MM * 1.3 * scale, SHAFT_MM * scale)),
        Part(triple(arm[1]), triple(arm[2]), (SHAFT_MM * scale, SHAFT_MM * scale)),
    ]


def paint_shoulders(paint: Paint, bones: list[list[Part]], cortex: float, spongy: float) -> None:
    """Paint the bones.

    Args:
        paint: Canvas and HU.
        bones: Rods of each.
        cortex: HU of the cortex.
        spongy: HU inside.
    """
    for parts in bones:
        # A few rods at a time: small boxes hold little but bone.
        for first in range(0, len(parts), 6):
            paint_union(
                paint.canvas, WORLD, rods(parts[first : first + 6]), 2.0, CORTEX_MM, cortex, spongy
            )
