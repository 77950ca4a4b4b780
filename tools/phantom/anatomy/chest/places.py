"""Places in the mediastinum: by thoracic level, side, and share of the way to the sternum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from tools.phantom.anatomy.chest.outline import CAGE_WALL_MM, ChestTrunk
from tools.phantom.anatomy.spine import Spine
from tools.phantom.drawing.canvas import vec

#: Sternum inside the cage's wall, mm.
STERNUM_MM = 4.0
#: Points per span of a smoothed course.
SMOOTH = 3


@dataclass(frozen=True)
class Places:
    """Coordinates between the thoracic bodies and the sternum.

    Attributes:
        spine: T1 to L5.
        trunk: The chest.
    """

    spine: Spine
    trunk: ChestTrunk

    def height(self, level: float) -> float:
        """Z of a thoracic level, 4.5 = half-way from T4's middle to T5's, mm."""
        return float(self._body(level)[2])

    def level(self, z: float) -> float:
        """Thoracic level at a height, clipped to 1-12."""
        numbers = np.arange(12, 0, -1)
        return float(np.interp(z, [self.height(float(n)) for n in numbers], numbers))

    def at(self, level: float, right: float, ahead: float) -> np.ndarray:
        """A place, RAS+ mm.

        Args:
            level: Thoracic level, 1 to 12, fractions between; beyond T1 it goes on upwards.
            right: mm to the right of the middle at scale 1.
            ahead: 0 at the front of the body, 1 at the inside of the sternum.
        """
        x, y, z = self._body(level)
        inside = self.trunk.cage_front.at(float(z)) - CAGE_WALL_MM - STERNUM_MM
        side = x + ahead * (self.trunk.lean - x) + right * self.spine.scale
        return vec(side, y + ahead * (inside - y), z)

    def course(self, *places: tuple[float, float, float]) -> np.ndarray:
        """A smooth course through places given as (level, right, ahead), RAS+ mm [N, 3]."""
        return smooth(np.array([self.at(*place) for place in places]))

    def _body(self, level: float) -> np.ndarray:
        """Front of the spine at a level, RAS+ mm."""
        numbers = [1, *range(2, 13)]
        bodies = [self.spine.vertebrae[f"T{number}"] for number in numbers]
        fronts = np.array([body.frame.origin + vec(0, body.depth / 2, 0) for body in bodies])
        if level < 1:
            return fronts[0] + (level - 1) * (fronts[1] - fronts[0])
        return np.array([np.interp(level, numbers, part) for part in fronts.T])


def smooth(points: np.ndarray) -> np.ndarray:
    """Points of a curve through `points`, RAS+ mm [N, 3] -> [M, 3]."""
    if len(points) < 3:
        return points
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    steps = np.linspace(0, run[-1], SMOOTH * (len(points) - 1) + 1)
    return np.asarray(CubicSpline(run, points)(steps))


def along(values: Iterable[float], count: int) -> list[float]:
    """Values at the ends of equal parts, interpolated to `count` places."""
    known = list(values)
    places = np.linspace(0, len(known) - 1, count)
    return [float(value) for value in np.interp(places, range(len(known)), known)]
