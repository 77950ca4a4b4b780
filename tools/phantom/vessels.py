"""Aorta, caval vein and their iliac branches along the front of the spine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.painting import Paint
from tools.phantom.pelvis import Pelvis
from tools.phantom.spine import Spine

#: Levels that the great vessels pass, head to foot.
COURSE = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4")


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
        cava: Down to the iliac veins.
        aorta_radius: mm.
        cava_radius: mm.
        branches: Iliac arteries and veins as (course, radii).
        plaques: Calcifications.
    """

    aorta: np.ndarray
    cava: np.ndarray
    aorta_radius: float
    cava_radius: float
    branches: tuple[tuple[np.ndarray, tuple[float, ...]], ...]
    plaques: tuple[Plaque, ...]


def draw_vessels(
    rng: np.random.Generator, spine: Spine, pelvis: Pelvis, age: float, sex: str
) -> Vessels:
    """Draw the great vessels; calcified plaque becomes common with age."""
    aorta_radius = float(rng.normal(9.6 if sex == "M" else 8.4, 0.9) + 0.02 * (age - 55))
    aorta_radius = float(np.clip(aorta_radius, 6.5, 14))
    cava_radius = float(rng.uniform(7.5, 11.5))
    offset = float(rng.normal(9, 4))
    aorta, cava = [], []
    for level in COURSE:
        vertebra = spine.vertebrae[level]
        front = vertebra.depth / 2
        # The chest's aorta lies on the left of the spine and comes to its front below T11.
        side = -max(offset, {"T7": 24, "T8": 22, "T9": 19, "T10": 16, "T11": 12}.get(level, 0))
        lift = {"T7": -6, "T8": -5, "T9": -3, "T10": -1}.get(level, 1.5)
        place = np.array([side, front + aorta_radius + lift, 0.0])
        aorta.append(vertebra.frame.to_world(place) + rng.normal(0, 1.2, 3) * [1, 0.5, 0])
        ahead = {"T7": 40, "T8": 38, "T9": 34, "T10": 28, "T11": 22, "T12": 14}.get(level, 4)
        place = np.array([18 + aorta_radius * 0.5, front + ahead + cava_radius * 0.4, 0.0])
        cava.append(vertebra.frame.to_world(place) + rng.normal(0, 1.2, 3) * [1, 0.5, 0])
    fork = spine.vertebrae["L4"].frame.to_world(
        np.array([-offset * 0.4, spine.vertebrae["L4"].depth / 2 + 10, -8.0])
    )
    aorta.append(fork)
    branches = []
    for side in (-1, 1):
        hip = pelvis.hip * [side, 1, 1]
        along = hip + np.array([-side * 26, 34, 62])
        groin = hip + np.array([-side * 6, 40, 12])
        for shift, radius in ((np.zeros(3), 5.0), (np.array([side * 3, -10, -6]), 6.5)):
            course = np.array([fork + shift, (fork + along) / 2 + shift + [0, -6, 0], along + shift, groin + shift])  # fmt: skip
            branches.append((course, (radius * 1.25, radius * 1.1, radius, radius * 0.9)))
    plaques = _draw_plaques(rng, np.array(aorta), aorta_radius, age)
    return Vessels(
        np.array(aorta), np.array(cava), aorta_radius, cava_radius, tuple(branches), plaques
    )


def _draw_plaques(
    rng: np.random.Generator, aorta: np.ndarray, radius: float, age: float
) -> tuple[Plaque, ...]:
    count = rng.poisson(np.clip((age - 45) / 5, 0, 8))
    plaques = []
    for _ in range(count):
        first = int(rng.integers(3, len(aorta) - 1))
        share = rng.random()
        place = aorta[first] + share * (aorta[first + 1] - aorta[first])
        angle = rng.uniform(0, 2 * np.pi)
        out = np.array([np.cos(angle), np.sin(angle), 0.0]) * (radius - 0.8)
        length = rng.uniform(1, 9)
        course = np.array([place + out, place + out + [0, 0, length]])
        plaques.append(Plaque(course, float(rng.uniform(0.5, 1.6))))
    return tuple(plaques)


def paint_vessels(paint: Paint, vessels: Vessels) -> None:
    """Paint veins, then arteries, then plaque."""
    blood = paint.hu("blood")
    cava = [vessels.cava_radius] * len(vessels.cava)
    paint.tube(vessels.cava, cava, blood - 2, (1.2, 0.85, 1.0))
    for course, radii in vessels.branches:
        paint.tube(course, radii, blood)
    wall = [vessels.aorta_radius] * len(vessels.aorta)
    paint.tube(vessels.aorta, wall, blood)
    for plaque in vessels.plaques:
        paint.tube(plaque.course, (plaque.radius,) * 2, paint.hu("plaque"), coarse_mm=None)
