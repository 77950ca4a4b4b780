"""Implants: cement in a body, pedicle screws with rods; and loose fragments of bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.anatomy.spine import FOOT_TO_HEAD, Spine, Vertebra
from tools.phantom.anatomy.vertebra import posterior_parts

#: Cement: lumps per body, their radii, and how far they lie from the middle, shares of the body.
LUMPS = (2, 6)
LUMP_RADIUS_MM = (2.5, 6.5)
#: Volume share of cement between the trabeculae, in a lump's middle (design).
CEMENT_SHARE = (0.55, 0.95)
#: Screws: radius, length beyond the body's rear wall in its depths, levels spanned, mm.
SCREW_RADIUS_MM = (2.6, 3.4)
SCREW_REACH = (0.55, 0.85)
CONSTRUCT_LEVELS = (2, 4)
ROD_RADIUS_MM = (2.5, 3.0)
HEAD_RADIUS_MM = 5.0


@dataclass(frozen=True)
class Cement:
    """Bone cement in one body.

    Attributes:
        level: Which.
        lumps: (u, v, w, radius) of each lump, mm, [N, 4].
        share: Volume share of cement.
    """

    level: str
    lumps: np.ndarray
    share: float


@dataclass(frozen=True)
class Screws:
    """Pedicle screws of some levels, joined by a rod on either side.

    Attributes:
        levels: Foot to head.
        radius: Of a screw, mm.
        rod: Radius of the rods, mm.
        reach: How deep the screws go, in body depths from the rear wall.
    """

    levels: tuple[str, ...]
    radius: float
    rod: float
    reach: float

    def courses(self, body: Vertebra) -> list[np.ndarray]:
        """Head and tip of the left and the right screw, in the body's frame, mm, [2, 3] each."""
        pedicles = [part for part in posterior_parts(body) if part.start[2] == part.end[2]]
        paths = []
        for part in pedicles[:2]:
            u, _, w = part.start
            tip = [0.45 * u, -body.depth / 2 + self.reach * body.depth, w - 0.05 * body.height]
            head = [1.22 * u, part.end[1] - 12.0 * body.scale, w + 0.02 * body.height]
            paths.append(np.array([head, tip]))
        return paths


@dataclass(frozen=True)
class Fragment:
    """A loose piece of bone at a body's edge.

    Attributes:
        level: Which body.
        center: (u, v, w), mm.
        half: Half axes, mm.
    """

    level: str
    center: tuple[float, float, float]
    half: tuple[float, float, float]


def draw_cement(rng: np.random.Generator, body: Vertebra) -> Cement:
    """Fill a body: one or two needles leave lumps that run into each other."""
    sides = [-1, 1] if rng.random() < 0.6 else [int(rng.choice([-1, 1]))]
    lumps = []
    for side in sides:
        middle = np.array([side * rng.uniform(0.1, 0.5), rng.uniform(-0.1, 0.5), 0.0])
        for _ in range(int(rng.integers(*LUMPS))):
            place = middle + rng.normal(0, [0.15, 0.2, 0.14])
            half = np.array([body.width, body.depth, 0.8 * body.height]) / 2
            lumps.append([*(np.clip(place, -0.7, 0.7) * half), rng.uniform(*LUMP_RADIUS_MM)])
    return Cement(body.level, np.array(lumps), float(rng.uniform(*CEMENT_SHARE)))


def draw_screws(rng: np.random.Generator, spine: Spine, levels: list[str]) -> Screws:
    """Draw a construct over neighbouring levels."""
    known = [level for level in FOOT_TO_HEAD if level in levels and level in spine.vertebrae]
    count = int(rng.integers(CONSTRUCT_LEVELS[0], CONSTRUCT_LEVELS[1] + 1))
    first = int(rng.integers(0, max(1, len(known) - count + 1)))
    narrow = min(spine.vertebrae[level].pedicle_width for level in known[first : first + count])
    radius = min(float(rng.uniform(*SCREW_RADIUS_MM)), 0.42 * narrow)
    return Screws(
        tuple(known[first : first + count]),
        radius,
        float(rng.uniform(*ROD_RADIUS_MM)),
        float(rng.uniform(*SCREW_REACH)),
    )
