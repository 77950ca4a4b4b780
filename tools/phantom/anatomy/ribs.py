"""Ribs T7-T12: bent rods from the spine round the chest, the last two free in the flank."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tools.phantom.anatomy.bones import rods
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD
from tools.phantom.drawing.painting import Paint, paint_union
from tools.phantom.drawing.shapes import triple


class RibSize(NamedTuple):
    """One pair of ribs in a person of scale 1.

    Attributes:
        length: Along the rib, mm.
        drop: From back to tip, mm.
        sd: Between-person SD of both, relative.
    """

    length: float
    drop: float
    sd: float = 0.05


#: Design after anatomical atlases: the 12th rib varies most.
RIB_SIZES = MappingProxyType(
    {
        "T12": RibSize(115.0, 75.0, 0.22),
        "T11": RibSize(185.0, 110.0, 0.10),
        "T10": RibSize(270.0, 135.0),
        "T9": RibSize(300.0, 130.0),
        "T8": RibSize(310.0, 120.0),
        "T7": RibSize(310.0, 110.0),
    }
)
#: Factor on a rib's size at least and at most.
SIZE_RANGE = (0.55, 1.4)
#: Share of patients with a short 12th rib (published rate), and its length relative to the usual.
SHORT_LAST_SHARE = 0.126
SHORT_LAST_FACTOR = (0.3, 0.6)

#: Half height and half thickness of a rib's section, mm (design).
HALF_HEIGHT_MM = 5.6
HALF_THICKNESS_MM = 3.4
CORTEX_MM = 1.0
#: Between a rib's outside and the subcutaneous fat: muscle at the side and in front, mm.
COVER_MM = (6.0, 8.0)
#: The cage at the ribs relative to the waist's half width (design).
CAGE_WIDTH = 1.03
#: Points of a rib's course from its neck on.
POINTS = 12


@dataclass(frozen=True)
class Rib:
    """One rib: level, side (+1 right) and its course, RAS+ millimetres [N, 3]."""

    level: str
    side: int
    course: np.ndarray


def draw_ribs(rng: np.random.Generator, spine: Spine, trunk: Trunk) -> list[Rib]:
    """Draw the ribs of every level from T7 to T12.

    Args:
        rng: Random stream.
        spine: Vertebrae that carry them.
        trunk: The wall they follow.
    """
    ribs = []
    for level, size in RIB_SIZES.items():
        factor = spine.scale * float(np.clip(rng.normal(1, size.sd), *SIZE_RANGE))
        if level == "T12" and rng.random() < SHORT_LAST_SHARE:
            factor *= float(rng.uniform(*SHORT_LAST_FACTOR))
        for side in (-1, 1):
            course = _course(spine, trunk, level, side, size.length * factor, size.drop * factor)
            ribs.append(Rib(level, side, course))
    return ribs


def _course(
    spine: Spine, trunk: Trunk, level: str, side: int, length: float, drop: float
) -> np.ndarray:
    """Head at the body's back edge, then along the inside of the wall, sinking forwards."""
    vertebra = spine.vertebrae[level]
    half_width, half_depth, height = vertebra.width / 2, vertebra.depth / 2, vertebra.height
    head = vertebra.frame.point(side * (half_width - 1), -half_depth + 2, 0.30 * height)
    neck = vertebra.frame.point(side * (half_width + 12), -half_depth - 15, 0.25 * height)
    wide = trunk.half_width * CAGE_WIDTH - trunk.fat[0] - COVER_MM[0]
    front = trunk.back + 2 * trunk.half_depth - trunk.fat[1] - COVER_MM[1]
    # The cage's ellipse: its back lies just behind the neck, its front under the skin's fat.
    deep = (front - neck[1] + 12) / 2
    middle = front - deep
    bearing = np.arcsin(np.clip((abs(neck[0] - trunk.lean) + 8) / wide, 0, 0.9))
    angles = np.linspace(bearing, np.pi * 0.97, 200)
    x = trunk.lean + side * wide * np.sin(angles)
    y = middle - deep * np.cos(angles)
    run = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    run_drop = drop / length
    end = length / np.hypot(1, run_drop)
    stations = np.linspace(0, min(end, run[-1]), POINTS)
    arc = np.stack(
        [np.interp(stations, run, x), np.interp(stations, run, y), neck[2] - run_drop * stations], 1
    )
    # From the neck the rib joins the wall over its first third.
    blend = np.clip(np.linspace(0, 1, POINTS) * 3, 0, 1)[:, None]
    arc[:, :2] += (1 - blend) * (neck[:2] - arc[0, :2])
    arc = trunk.held(arc, trunk.fat[0] + COVER_MM[0])
    return np.concatenate([[head], arc])


def paint_ribs(paint: Paint, ribs: list[Rib], cortex: float, spongy: float) -> None:
    """Paint all ribs.

    Args:
        paint: Canvas and HU.
        ribs: Their courses.
        cortex: HU of the cortex.
        spongy: HU inside.
    """
    flatten = (1.0, 1.0, HALF_HEIGHT_MM / HALF_THICKNESS_MM)
    size = (HALF_THICKNESS_MM, HALF_THICKNESS_MM)
    for rib in ribs:
        # Two stretches at a time: small boxes hold little but rib.
        for first in range(0, len(rib.course) - 1, 2):
            stations = [triple(place) for place in rib.course[first : first + 3]]
            parts = [Part(start, end, size, flatten) for start, end in pairwise(stations)]
            paint_union(paint.canvas, WORLD, rods(parts), 1.0, CORTEX_MM, cortex, spongy)
