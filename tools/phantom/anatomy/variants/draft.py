"""A spine taken apart into what variants change, before it is stacked again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.phantom.anatomy.alignment import Alignment
from tools.phantom.anatomy.spine import Spine, Vertebra, stack

#: Rims of neighbouring bodies stay this far apart where a disc is angled, mm.
RIM_GAP_MM = 0.8


@dataclass
class Draft:
    """Bodies foot to head, and what lies between them; changed in place.

    Attributes:
        bodies: By level; their frames are those of the last stacking.
        middles: Height of the disc under each in its middle, mm.
        discs: Angle of the disc under each, degrees, + = higher in front.
        leans: Its coronal angle, degrees, + = the spine above leans to the right.
        alignment: As drawn.
        cobb: Coronal curve, degrees.
        scale: Size factor of the patient.
    """

    bodies: dict[str, Vertebra]
    middles: dict[str, float]
    discs: dict[str, float]
    leans: dict[str, float]
    alignment: Alignment
    cobb: float
    scale: float

    @staticmethod
    def of(spine: Spine) -> Draft:
        """Take a spine apart."""
        angles, dish, middles = spine.alignment, 0.0, {}
        for level, body in spine.vertebrae.items():
            middles[level] = body.disc_height + body.concavity[1] + dish
            dish = body.concavity[0]
        bodies = dict(spine.vertebrae)
        discs, leans = dict(angles.discs), dict(angles.leans)
        return Draft(bodies, middles, discs, leans, angles, angles.cobb, spine.scale)

    def change(self, level: str, **changes: object) -> None:
        """Replace fields of one body."""
        self.bodies[level] = replace(self.bodies[level], **changes)  # type: ignore[arg-type]

    def gap(self, level: str) -> float:
        """Gap between the rims of the disc under a level, mm, as it will be stacked."""
        levels = list(self.bodies)
        place = levels.index(level)
        dish = self.bodies[levels[place - 1]].concavity[0] if place else 0.0
        return self.middles[level] - self.bodies[level].concavity[1] - dish

    def steepest(self, level: str, half_mm: float) -> float:
        """Largest angle of a disc, degrees, that leaves its rims apart.

        Args:
            level: Above the disc.
            half_mm: Half the endplate's size in the angle's plane.
        """
        return float(np.degrees(np.arctan(max(self.gap(level) - RIM_GAP_MM, 0.3) / half_mm)))

    def spread(self, angle: float, levels: list[str]) -> float:
        """Give discs more angle, each as it has room for.

        Args:
            angle: To be shared out, degrees; nothing happens if it is not positive.
            levels: Above the discs that may take it.

        Returns:
            What they have no room for.
        """
        rooms = {
            level: max(self.steepest(level, self.bodies[level].depth / 2) - self.discs[level], 0.0)
            for level in levels
        }
        whole = sum(rooms.values())
        taken = float(np.clip(angle, 0.0, whole))
        for level, room in rooms.items():
            self.discs[level] += taken * room / max(whole, 1e-9)
        return max(angle, 0.0) - taken

    def open(self, level: str, angle: float) -> None:
        """Give a disc more angle, and the height that keeps its rims apart.

        Args:
            level: Above the disc.
            angle: Degrees.
        """
        self.discs[level] += angle
        half = self.bodies[level].depth / 2
        needed = float(np.tan(np.radians(abs(self.discs[level]))) * half) + RIM_GAP_MM
        self.middles[level] += max(0.0, needed - self.gap(level))

    def lordosis(self) -> float:
        """Upper endplate of T12 to the sacrum, degrees: discs open in front, bodies lower there."""
        total = 0.0
        for level, body in self.bodies.items():
            total += self.discs[level] - body.wedge
            if level == "T12":
                break
        return total

    def spine(self) -> Spine:
        """Stack it."""
        alignment = replace(
            self.alignment,
            lordosis=self.lordosis(),
            cobb=self.cobb,
            wedges={level: body.wedge for level, body in self.bodies.items()},
            discs=dict(self.discs),
            leans=dict(self.leans),
        )
        middles = [self.middles[level] for level in self.bodies]
        return stack(list(self.bodies.values()), middles, alignment, self.scale)
