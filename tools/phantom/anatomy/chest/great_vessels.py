"""Great vessels of the chest: aorta from the heart on, pulmonary arteries, large veins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.phantom.anatomy.chest.places import Places, along, smooth
from tools.phantom.anatomy.vessels import Vessels
from tools.phantom.drawing.painting import Paint

#: A place: thoracic level, mm to the right, share of the way to the sternum.
Place = tuple[float, float, float]

#: The aorta from its root to T6 (design after chest CT), then along the drawn one from T7.
AORTA: tuple[Place, ...] = (
    (7.3, -6.0, 0.60), (6.5, 8.0, 0.66), (5.5, 17.0, 0.70), (4.6, 16.0, 0.70), (3.9, 7.0, 0.76),
    (3.5, -6.0, 0.72), (3.45, -18.0, 0.54), (3.65, -24.0, 0.34), (4.1, -25.0, 0.20),
    (4.9, -24.0, 0.11), (6.0, -23.0, 0.08),
)  # fmt: skip
#: Radius relative to the abdominal aorta's: root, ascending, arch, T6, and T7 to T12 (Wolak 2008:
#: ascending about 33 mm, descending about 24 mm wide; design between).
AORTA_FACTORS = (1.62, 1.66, 1.66, 1.62, 1.52, 1.42, 1.36, 1.32, 1.28, 1.26, 1.24)
DESCENDING_FACTORS = (1.22, 1.18, 1.14, 1.09, 1.04, 1.0)


@dataclass(frozen=True)
class Tube:
    """A vessel: course RAS+ mm [N, 3], and radii, mm."""

    course: np.ndarray
    radii: Sequence[float]


#: Pulmonary trunk and arteries, veins, branches of the arch, azygos: places and radii at their
#: ends, mm at scale 1 (design after chest CT).
COURSES: tuple[tuple[tuple[Place, ...], tuple[float, ...]], ...] = (
    (((7.0, -14.0, 0.80), (6.1, -20.0, 0.72), (5.5, -19.0, 0.60), (5.2, -22.0, 0.50)),
     (14, 14, 12)),
    (((5.4, -18.0, 0.55), (5.5, 2.0, 0.45), (5.6, 24.0, 0.40), (5.9, 42.0, 0.36)), (11.5, 10, 8)),
    (((5.3, -20.0, 0.52), (5.0, -32.0, 0.40), (5.5, -42.0, 0.30)), (11, 9.5, 8)),
    (((3.5, 22.0, 0.64), (5.0, 26.0, 0.58), (6.9, 27.0, 0.54)), (8.5, 9.5, 10)),
    (((1.0, 30.0, 0.55), (2.4, 27.0, 0.62), (3.6, 22.0, 0.64)), (6, 7, 7.5)),
    (((1.2, -34.0, 0.55), (2.6, -24.0, 0.68), (3.1, 0.0, 0.78), (3.6, 19.0, 0.66)), (5.5, 6.5, 7)),
    (((3.7, 5.0, 0.56), (2.7, 12.0, 0.56), (1.0, 24.0, 0.48)), (7, 6, 5)),
    (((3.6, -6.0, 0.46), (2.4, -13.0, 0.46), (0.5, -24.0, 0.45)), (4.5, 4, 3.6)),
    (((3.7, -14.0, 0.32), (2.2, -20.0, 0.32), (1.2, -38.0, 0.40)), (5.5, 5, 4.5)),
    (((11.5, 7.0, 0.08), (8.0, 6.0, 0.08), (5.4, 10.0, 0.09), (4.5, 17.0, 0.28), (4.7, 24.0, 0.52)),
     (2.6, 3.2, 3.8)),
    (((7.0, 34.0, 0.32), (7.1, 16.0, 0.34)), (6.5, 7.5)),
    (((6.9, -40.0, 0.28), (7.0, -20.0, 0.32)), (6, 7)),
)  # fmt: skip


@dataclass(frozen=True)
class GreatVessels:
    """Vessels of the chest.

    Attributes:
        aorta: From the root to T12, where the abdomen's goes on.
        others: Pulmonary arteries, large veins, branches of the arch.
    """

    aorta: Tube
    others: list[Tube]


def draw_great_vessels(places: Places, low: Vessels) -> GreatVessels:
    """Lay the vessels; the aorta runs into the one drawn for the abdomen.

    Args:
        places: The chest.
        low: Vessels of the abdomen, whose aorta begins at T7.
    """
    upper = np.array([places.at(*place) for place in AORTA])
    count = len(DESCENDING_FACTORS)
    points = np.concatenate([upper, low.aorta[:count]])
    course = smooth(points)
    factors = along((*AORTA_FACTORS, *DESCENDING_FACTORS), len(course))
    aorta = Tube(course, [low.aorta_radius * factor for factor in factors])
    others = []
    for stations, radii in COURSES:
        line = places.course(*stations)
        others.append(Tube(line, [places.spine.scale * r for r in along(radii, len(line))]))
    return GreatVessels(aorta, others)


def paint_great_vessels(paint: Paint, vessels: GreatVessels) -> None:
    """Paint veins and pulmonary arteries, then the aorta.

    Args:
        paint: Canvas and HU.
        vessels: Their courses.
    """
    blood = paint.hu("blood")
    for tube in vessels.others:
        paint.tube(tube.course, tube.radii, blood)
    paint.tube(vessels.aorta.course, vessels.aorta.radii, blood)
