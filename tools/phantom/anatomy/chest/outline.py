"""The trunk of a patient whose chest is scanned: outline and cavity follow spine and rib cage.

Below L5 it is the trunk of the abdomen, above L1 the chest's own: there the back keeps its cover
over the spinous processes, the cage narrows to the neck, and raised arms leave the shoulders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy.chest.profile import Profile
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.shapes import (
    Triple,
    ellipsoid,
    smooth_max,
    smooth_min,
    superellipse,
    triple,
)

#: The pectoral muscle is thinner over the sternum by this much, over this half width, mm.
STERNUM_BARE_MM, STERNUM_HALF_MM = 9.0, 26.0
#: Fat under the skin of the upper chest relative to the abdomen's: side, front (design).
CHEST_FAT = (0.7, 0.55)
#: Outside of the cage to the pleura: ribs and intercostal muscles, mm.
CAGE_WALL_MM = 9.0
#: Apex of the lungs above T1's middle, half width of its dome, its steepness, mm (design).
APEX_MM, APEX_HALF_MM, APEX_FALL_MM = 4.0, (36.0, 42.0), 24.0
APEX_ASIDE_MM = 33.0
#: The cavity ends so far above the lungs' apices, mm: above it is the neck.
INLET_MM = 4.0
#: Fat of the arm relative to the side's.
ARM_FAT = 0.5
#: Arms and breasts join the trunk's skin with creases rounded over this many mm.
ARM_JOIN_MM, BREAST_JOIN_MM = 24.0, 20.0


@dataclass(frozen=True)
class ChestTrunk(Trunk):
    """A trunk with a chest; lengths in mm.

    Attributes:
        joins: z below which it is the abdomen's trunk, and above which wholly the chest's.
        skin_back: y of the skin of the back.
        skin_front: y of the skin in front.
        skin_half: Half width of the skin.
        fat_back: Fat over the back.
        fat_side: Fat over the sides.
        cage_back: y of the cage's outside behind, at the ribs' angles.
        cage_front: y of its outside in front.
        cage_half: Half its outer width.
        apex: Highest point of the lungs on the right, RAS+ mm, [3].
        arms: Courses of both arms, right first, [2, 3, 3].
        arm_radii: Radii of their skin.
        sheets_from: z above which the wall is made of the shoulder's muscles.
        bare_from: z above which the sternum lies bare.
        breasts: Centres and half axes, RAS+ mm; none in men.
    """

    joins: tuple[float, float]
    skin_back: Profile
    skin_front: Profile
    skin_half: Profile
    fat_back: Profile
    fat_side: Profile
    cage_back: Profile
    cage_front: Profile
    cage_half: Profile
    apex: np.ndarray
    arms: np.ndarray
    arm_radii: tuple[float, float, float]
    sheets_from: float
    bare_from: float
    breasts: tuple[tuple[Triple, Triple], ...]

    def chest_share(self, z: torch.Tensor) -> torch.Tensor:
        """How much of the outline at z is the chest's, 0-1."""
        share = ((z - self.joins[0]) / (self.joins[1] - self.joins[0])).clamp(0, 1)
        return share * share * (3 - 2 * share)

    def back_at(self, z: torch.Tensor) -> torch.Tensor:
        """Y of the skin of the back at height z, mm."""
        share = self.chest_share(z)
        return self.back + share * (self.skin_back(z) - self.back)

    def half_axes(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Half width and half depth of the skin at height z."""
        wide, deep = super().half_axes(z)
        share = self.chest_share(z)
        front = torch.lerp(self.back + 2 * deep, self.skin_front(z), share)
        return torch.lerp(wide, self.skin_half(z), share), (front - self.back_at(z)) / 2

    def skin(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the skin of trunk and arms."""
        skin = super().skin(x, y, z)
        for center, half in self.breasts:
            a, b, c = center
            # Beyond thrice its size an ellipsoid is further away than the rounding reaches.
            if float(z.min()) < c + 3 * half[2] and float(z.max()) > c - 3 * half[2]:
                skin = smooth_min(skin, ellipsoid(x - a, y - b, z - c, half), BREAST_JOIN_MM)
        return self._with_arms(skin, x, y, z, 0.0)

    def wall_outside(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the border of subcutaneous fat and muscle."""
        share = self.chest_share(z)
        side, front, behind = self.fat
        layer = self._layer(
            x, y, z,
            side + (self.fat_side(z) - side) * share,
            front * (1 - (1 - CHEST_FAT[1]) * share),
            behind + (self.fat_back(z) - behind) * share,
        )  # fmt: skip
        # The sternum lies under skin and fat alone, between the pectoral muscles.
        ahead = torch.sigmoid((y - self.back - self.half_depth) / 10)
        bare = STERNUM_BARE_MM * ((z - self.bare_from) / 40).clamp(0, 1) * ahead
        layer = layer + bare * torch.exp(-(((x - self.lean) / STERNUM_HALF_MM) ** 2))
        return self._with_arms(layer, x, y, z, ARM_FAT * side + 2)

    def fat_behind(self, z: float) -> float:
        """Fat over the back at a height, mm."""
        share = float(self.chest_share(torch.tensor(z)))
        return self.fat[2] + share * (self.fat_back.at(z) - self.fat[2])

    def slender(self, z: float) -> float:
        """Least radius of the back muscles relative to the abdomen's: they thin upwards."""
        return float(np.interp(z, self.joins[1] + np.array([20.0, 120.0]), [1.0, 0.45]))

    def cage(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the outside of the rib cage."""
        back, front = self.cage_back(z), self.cage_front(z)
        middle, deep = (back + front) / 2, (front - back) / 2
        return superellipse(x - self.lean, y - middle, self.cage_half(z), deep, self.squareness)

    def cavity(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the inside of wall and cage."""
        inside = super().cavity(x, y, z)
        inside = torch.lerp(inside, self.cage(x, y, z) + CAGE_WALL_MM, self.chest_share(z))
        return smooth_max(inside, z - float(self.apex[2]) - INLET_MM, 12.0)

    def lungs(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to both lungs and what stands between them."""
        chest = smooth_max(self.cavity(x, y, z) + 1.5, -self.diaphragm(x, y, z), 10.0)
        aside = ((x - self.lean).abs() - APEX_ASIDE_MM) / APEX_HALF_MM[0]
        ahead = (y - float(self.apex[1])) / APEX_HALF_MM[1]
        # A paraboloid at the apex, a cone further down, where the cage itself is narrower.
        fall = (1 + 1.5 * (aside * aside + ahead * ahead)).sqrt() - 1
        dome = float(self.apex[2]) - APEX_FALL_MM * fall
        return smooth_max(chest, (z - dome) * 0.6, 12.0)

    def extent_mm(self) -> tuple[float, float]:
        """Largest distance of the skin from the trunk's middle, and its foremost y, mm."""
        side, front = super().extent_mm()
        shoulder = float(np.abs(self.arms[:, :2, 0] - self.lean).max()) + self.arm_radii[1]
        return max(side, shoulder), max(front, float(self.skin_front.values.max()))

    def corners_mm(self, low: float, high: float) -> np.ndarray:
        """Corners of the box that holds trunk and arms between two heights z, RAS+ mm [8, 3]."""
        corners = super().corners_mm(low, high)
        reach = float(np.abs(self.arms[:, :, 0] - self.lean).max()) + self.arm_radii[0]
        if high > self.arms[0, 0, 2] - self.arm_radii[0]:
            corners[:, 0] = self.lean + np.sign(corners[:, 0] - self.lean) * reach
        return corners

    def _with_arms(
        self, trunk: torch.Tensor, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, depth: float
    ) -> torch.Tensor:
        """Join the arms, `depth` mm under their skin, to a layer of the trunk."""
        if float(z.max()) < self.arms[0, 0, 2] - self.arm_radii[0] - ARM_JOIN_MM:
            return trunk
        for arm in self.arms:
            for number in (0, 1):
                radii = (self.arm_radii[number] - depth, self.arm_radii[number + 1] - depth)
                rod = Part(triple(arm[number]), triple(arm[number + 1]), radii)
                trunk = smooth_min(trunk, rod.distance(x, y, z), ARM_JOIN_MM)
        return trunk
