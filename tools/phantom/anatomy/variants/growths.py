"""What wear adds to a vertebra: osteophytes, sclerosis of the endplates, gas in the disc.

Plain sizes; `growth_shapes.py` turns them into signed distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

#: Rods in a vertebra's frame, mm: start, end and the radii there.
Rods = tuple[
    tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float]], ...
]

#: Bearings from the front that the aorta and the caval vein may lie at, degrees.
FRONT_DEG = 40.0


class Spur(NamedTuple):
    """One osteophyte: a stretch of a rim that has grown outwards.

    Attributes:
        end: +1 at the upper rim, -1 at the lower.
        bearing: Where it is longest, degrees from the front, + to the right.
        spread: Its length falls off over this angle (an SD), degrees.
        length: Beyond the body's wall, mm.
        rise: Its tip stands this far beyond the endplate's plane: a claw's tip bends towards the
            disc (positive), a traction spur points sideways from below the rim (negative).
    """

    end: int
    bearing: float
    spread: float
    length: float
    rise: float


class Gas(NamedTuple):
    """Vacuum phenomenon: a flat cleft of gas in the disc below a body.

    Attributes:
        middle: Its place to the right, forwards and upwards of the disc's middle, mm.
        half: Its half axes, mm.
    """

    middle: tuple[float, float, float]
    half: tuple[float, float, float]


class Sclerosis(NamedTuple):
    """Dense bone under an endplate.

    Attributes:
        end: +1 under the upper endplate, -1 over the lower.
        mineral: Added at the endplate in the middle of the patch, mg HA/cm³.
        depth: Falls to 37 % over this depth, mm.
        side: Middle of the patch to the right, in half widths.
        forward: And forwards, in half depths.
        reach: Its radius (an SD), in half axes.
    """

    end: int
    mineral: float
    depth: float
    side: float
    forward: float
    reach: float


@dataclass(frozen=True)
class Wear:
    """Degenerative changes of one vertebra and the disc below it.

    Attributes:
        spurs: Osteophytes.
        sclerosis: Dense endplates.
        gas: Clefts of gas in the disc.
    """

    spurs: tuple[Spur, ...] = ()
    sclerosis: tuple[Sclerosis, ...] = ()
    gas: tuple[Gas, ...] = ()

    def reach(self) -> float:
        """How far the spurs stand out of the body at most, mm."""
        return max((spur.length + max(spur.rise, 0.0) for spur in self.spurs), default=0.0)

    def overhang_front(self) -> float:
        """How far spurs stand forward where the great vessels pass, mm."""
        ahead = [
            spur.length * float(np.exp(-0.5 * (max(0.0, away) / spur.spread) ** 2))
            for spur in self.spurs
            for away in [abs(spur.bearing) - FRONT_DEG]
        ]
        return max(ahead, default=0.0)
