"""Ribs T7-T12: bent rods from the spine round the chest, the last two free in the flank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.bones import rods
from tools.phantom.canvas import WORLD
from tools.phantom.painting import Paint, paint_shell, union_distance
from tools.phantom.spine import Spine
from tools.phantom.trunk import Trunk
from tools.phantom.vertebra import Part

#: Length along the rib, mm, of a person of scale 1, and its drop from back to tip, mm (design
#: after anatomical atlases: the 12th rib varies most).
LENGTHS = {"T12": (115.0, 75.0), "T11": (185.0, 110.0), "T10": (270.0, 135.0), "T9": (300.0, 130.0), "T8": (310.0, 120.0), "T7": (310.0, 110.0)}  # fmt: skip
LENGTH_SD = {"T12": 0.22, "T11": 0.10}
#: Half height and half thickness of a rib's section, mm.
HALF_HEIGHT_MM = 5.6
HALF_THICKNESS_MM = 3.4
CORTEX_MM = 1.0
POINTS = 12


@dataclass(frozen=True)
class Rib:
    """One rib: level, side (+1 right) and its course, RAS+ millimetres [N, 3]."""

    level: str
    side: int
    course: np.ndarray


def draw_ribs(rng: np.random.Generator, spine: Spine, trunk: Trunk) -> list[Rib]:
    """Draw the ribs of every level from T7 to T12."""
    ribs = []
    for level, (length, drop) in LENGTHS.items():
        factor = spine.scale * float(np.clip(rng.normal(1, LENGTH_SD.get(level, 0.05)), 0.55, 1.4))
        for side in (-1, 1):
            course = _course(spine, trunk, level, side, length * factor, drop * factor)
            ribs.append(Rib(level, side, course))
    return ribs


def _course(
    spine: Spine, trunk: Trunk, level: str, side: int, length: float, drop: float
) -> np.ndarray:
    """Head at the body's back edge, then along the inside of the wall, sinking forwards."""
    vertebra = spine.vertebrae[level]
    head = vertebra.frame.to_world(
        np.array([side * (vertebra.width / 2 - 1), -vertebra.depth / 2 + 2, 0.30 * vertebra.height])
    )
    neck = vertebra.frame.to_world(
        np.array([side * (vertebra.width / 2 + 12), -vertebra.depth / 2 - 15, 0.25 * vertebra.height])
    )  # fmt: skip
    wide = trunk.half_width * 1.03 - trunk.fat[0] - 6
    front = trunk.back + 2 * trunk.half_depth - trunk.fat[1] - 8
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
        for first in range(0, len(rib.course) - 1, 2):
            stretch = rib.course[first : first + 3]
            parts = [
                Part(tuple(start), tuple(end), size, flatten)
                for start, end in zip(stretch[:-1], stretch[1:], strict=True)
            ]
            drawn = union_distance(paint.canvas, WORLD, rods(parts), 1.0)
            if drawn is not None:
                paint_shell(paint.canvas, drawn[0], drawn[1], CORTEX_MM, cortex, spongy)
