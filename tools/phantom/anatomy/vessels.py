"""Aorta, caval vein and their iliac branches along the front of the spine."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tools.phantom.anatomy.pelvis import Pelvis
from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.drawing.canvas import vec
from tools.phantom.drawing.painting import Paint


class Passage(NamedTuple):
    """Where the great vessels pass a vertebra, mm (design after anatomical atlases).

    Attributes:
        aorta_left: The aorta's centre lies at least this far left of the spine's middle.
        aorta_gap: Between the body's front and the aorta.
        cava_gap: Between the body's front and the caval vein: far in the chest, at the heart.
    """

    aorta_left: float = 0.0
    aorta_gap: float = 1.5
    cava_gap: float = 4.0


#: Head to foot. The chest's aorta lies on the left of the spine and comes to its front below T11.
PASSAGES = MappingProxyType(
    {
        "T7": Passage(24.0, -6.0, 40.0),
        "T8": Passage(22.0, -5.0, 38.0),
        "T9": Passage(19.0, -3.0, 34.0),
        "T10": Passage(16.0, -1.0, 28.0),
        "T11": Passage(12.0, 1.5, 22.0),
        "T12": Passage(0.0, 1.5, 14.0),
        "L1": Passage(),
        "L2": Passage(),
        "L3": Passage(),
        "L4": Passage(),
    }
)
#: Radius of the aorta in men and women aged 55, its SD and yearly rise, its range, mm (design).
AORTA_MEN_MM, AORTA_WOMEN_MM, AORTA_SD_MM, AORTA_YEARLY_MM = 9.6, 8.4, 0.9, 0.02
AORTA_RANGE_MM = (6.5, 14.0)
#: Radius of the caval vein, mm (design: it varies with filling).
CAVA_MM = (7.5, 11.5)
#: How far the aorta lies left of the middle, mean and SD, mm.
AORTA_LEFT_MM = (9.0, 4.0)
#: SD of the vessels' course, mm, and its share per axis.
WANDER_MM = 1.2
WANDER_AXES = vec(1.0, 0.5, 0.0)
#: Radii of an iliac artery and its vein at half the way, mm, and their change along the course.
ILIAC_MM = (5.0, 6.5)
ILIAC_TAPER = (1.25, 1.1, 1.0, 0.9)
#: Plaques appear after this age, one more every so many years, up to a most (design).
PLAQUE_AGE, PLAQUE_YEARS, PLAQUE_MOST = 45.0, 5.0, 8.0
#: Length along the vessel and radius of a plaque, mm; its centre lies this deep in the wall, mm.
PLAQUE_LENGTH_MM = (1.0, 9.0)
PLAQUE_RADIUS_MM = (0.5, 1.6)
PLAQUE_DEPTH_MM = 0.8


@dataclass(frozen=True)
class Plaque:
    """A calcified plaque in the aortic wall, RAS+ millimetres: course and radius."""

    course: np.ndarray
    radius: float


@dataclass(frozen=True)
class Vessels:
    """Courses in RAS+ millimetres [N, 3] and radii.

    Attributes:
        aorta: Down to its bifurcation.
        cava: Down to where the iliac veins meet.
        aorta_radius: mm.
        cava_radius: mm.
        branches: Iliac arteries and veins as (course, radii), artery and vein in turn.
        plaques: Calcifications.
    """

    aorta: np.ndarray
    cava: np.ndarray
    aorta_radius: float
    cava_radius: float
    branches: tuple[tuple[np.ndarray, tuple[float, ...]], ...]
    plaques: tuple[Plaque, ...]


def draw_vessels(
    rng: np.random.Generator, spine: Spine, trunk: Trunk, pelvis: Pelvis, age: float, sex: str
) -> Vessels:
    """Draw the great vessels; calcified plaque becomes common with age.

    Args:
        rng: Random stream.
        spine: Vertebrae that they follow.
        trunk: What holds them.
        pelvis: Hips between which the iliac vessels leave.
        age: Years.
        sex: "F" or "M".
    """
    usual = AORTA_MEN_MM if sex == "M" else AORTA_WOMEN_MM
    aorta_radius = float(rng.normal(usual, AORTA_SD_MM) + AORTA_YEARLY_MM * (age - 55))
    aorta_radius = float(np.clip(aorta_radius, *AORTA_RANGE_MM))
    cava_radius = float(rng.uniform(*CAVA_MM))
    offset = float(rng.normal(*AORTA_LEFT_MM))
    courses: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for level, passage in PASSAGES.items():
        vertebra = spine.vertebrae[level]
        front = vertebra.front
        places = (
            (-max(offset, passage.aorta_left), front + aorta_radius + passage.aorta_gap),
            (18 + aorta_radius * 0.5, front + passage.cava_gap + cava_radius * 0.4),
        )
        for course, (u, v) in zip(courses, places, strict=True):
            wander = rng.normal(0, WANDER_MM, 3) * WANDER_AXES
            course.append(vertebra.frame.point(u, v, 0.0) + wander)
    lowest = spine.vertebrae["L4"]
    fork = lowest.frame.point(-offset * 0.4, lowest.depth / 2 + 10, -8.0)
    aorta = np.array([*courses[0], fork])
    # The iliac veins meet on the right, a little below the aorta's fork.
    confluence = lowest.frame.point(13.0, lowest.depth / 2 + 7, -20.0)
    venous = np.array([*courses[1], confluence])
    cava = trunk.held(venous, trunk.fat[1] + trunk.wall + 2 * cava_radius)
    branches = [branch for side in (-1, 1) for branch in _iliac(fork, cava[-1], pelvis, side)]
    plaques = _draw_plaques(rng, aorta, aorta_radius, age)
    return Vessels(aorta, cava, aorta_radius, cava_radius, tuple(branches), plaques)


def _iliac(
    fork: np.ndarray, confluence: np.ndarray, pelvis: Pelvis, side: int
) -> list[tuple[np.ndarray, tuple[float, ...]]]:
    """Artery and vein of one side (+1 right), from where they part along the brim to the groin."""
    hip = pelvis.hip * vec(side, 1, 1)
    brim = hip + vec(-side * 26, 34, 62)
    groin = hip + vec(-side * 6, 40, 12)
    branches = []
    starts = (fork, vec(0, 0, 0)), (confluence, vec(side * 3, -10, -6))
    for (start, shift), radius in zip(starts, ILIAC_MM, strict=True):
        sag = (start + brim) / 2 + shift + vec(0, -6, 0)
        course = np.array([start, sag, brim + shift, groin + shift])
        branches.append((course, tuple(radius * taper for taper in ILIAC_TAPER)))
    return branches


def _draw_plaques(
    rng: np.random.Generator, aorta: np.ndarray, radius: float, age: float
) -> tuple[Plaque, ...]:
    """Calcifications of the aorta below T10."""
    count = rng.poisson(np.clip((age - PLAQUE_AGE) / PLAQUE_YEARS, 0, PLAQUE_MOST))
    plaques = []
    for _ in range(count):
        first = int(rng.integers(3, len(aorta) - 1))
        share = rng.random()
        place = aorta[first] + share * (aorta[first + 1] - aorta[first])
        angle = rng.uniform(0, 2 * np.pi)
        start = place + vec(np.cos(angle), np.sin(angle), 0.0) * (radius - PLAQUE_DEPTH_MM)
        end = start + vec(0, 0, rng.uniform(*PLAQUE_LENGTH_MM))
        plaques.append(Plaque(np.array([start, end]), float(rng.uniform(*PLAQUE_RADIUS_MM))))
    return tuple(plaques)


def paint_vessels(paint: Paint, vessels: Vessels) -> None:
    """Paint veins, then arteries, then plaque.

    Args:
        paint: Canvas and HU.
        vessels: Their courses.
    """
    artery, vein = paint.hu("artery"), paint.hu("vein")
    cava = [vessels.cava_radius] * len(vessels.cava)
    paint.tube(vessels.cava, cava, vein - 2, (1.2, 0.85, 1.0))
    for number, (course, radii) in enumerate(vessels.branches):
        paint.tube(course, radii, vein if number % 2 else artery)
    wall = [vessels.aorta_radius] * len(vessels.aorta)
    paint.tube(vessels.aorta, wall, artery)
    for plaque in vessels.plaques:
        paint.tube(plaque.course, (plaque.radius,) * 2, paint.hu("plaque"), coarse_mm=None)
