"""Trachea, main bronchi and oesophagus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.anatomy.chest.great_vessels import Tube
from tools.phantom.anatomy.chest.places import Places, along
from tools.phantom.drawing.painting import Paint

#: Courses as (level, mm to the right, share of the way to the sternum) and lumen radii at their
#: ends, mm at scale 1: trachea 18 mm wide, the right main bronchus steeper and wider (atlases).
TRACHEA = ((-1.0, 0.0, 0.30), (1.0, 2.0, 0.29), (3.0, 5.0, 0.25), (4.75, 5.0, 0.25))
RIGHT_MAIN = ((4.7, 6.0, 0.25), (5.2, 19.0, 0.28), (5.8, 34.0, 0.30))
LEFT_MAIN = ((4.7, 4.0, 0.25), (5.4, -16.0, 0.34), (6.0, -38.0, 0.36))
RADII = ((8.3, 8.8), (6.8, 5.4), (6.2, 4.8))
WALL_MM = 1.6
OESOPHAGUS = (
    (0.0, -4.0, 0.14), (2.5, -5.0, 0.13), (4.5, -4.0, 0.14), (6.5, 2.0, 0.12), (8.5, -4.0, 0.14),
    (10.0, -15.0, 0.26), (10.8, -26.0, 0.38),
)  # fmt: skip
OESOPHAGUS_MM = (6.0, 7.5)
#: Share of patients with a little air in the oesophagus, and its radius, mm (design).
AIR_SHARE, AIR_MM = 0.4, (1.0, 3.0)


@dataclass(frozen=True)
class Airways:
    """Trachea and bronchi, right and left, with lumen radii; the oesophagus and air in it.

    Attributes:
        lumina: Trachea, right and left main bronchus.
        oesophagus: Its outside.
        air: Air in it, if any.
    """

    lumina: list[Tube]
    oesophagus: Tube
    air: Tube | None


def draw_airways(rng: np.random.Generator, places: Places) -> Airways:
    """Draw the airways.

    Args:
        rng: Random stream.
        places: The chest.
    """
    factor = places.spine.scale * float(rng.normal(1, 0.08))
    lumina = []
    for stations, radii in zip((TRACHEA, RIGHT_MAIN, LEFT_MAIN), RADII, strict=True):
        course = places.course(*stations)
        lumina.append(Tube(course, [factor * r for r in along(radii, len(course))]))
    course = places.course(*OESOPHAGUS)
    oesophagus = Tube(course, [float(rng.uniform(*OESOPHAGUS_MM))] * len(course))
    air = None
    if rng.random() < AIR_SHARE:
        first = int(rng.integers(0, len(course) - 6))
        part = course[first : first + 5] + np.array([0.0, 1.5, 0.0])
        air = Tube(part, [float(rng.uniform(*AIR_MM))] * len(part))
    return Airways(lumina, oesophagus, air)


def paint_airways(paint: Paint, airways: Airways) -> None:
    """Paint walls, then lumina.

    Args:
        paint: Canvas and HU.
        airways: Their courses.
    """
    wall = paint.hu("bowel_wall")
    flat = (1.15, 0.8, 1.0)
    paint.tube(airways.oesophagus.course, airways.oesophagus.radii, wall, flat)
    if airways.air:
        paint.tube(airways.air.course, airways.air.radii, paint.hu("gas"), flat, None)
    for tube in airways.lumina:
        paint.tube(tube.course, [radius + WALL_MM for radius in tube.radii], wall)
    for tube in airways.lumina:
        paint.tube(tube.course, tube.radii, paint.hu("gas"), coarse_mm=None)
