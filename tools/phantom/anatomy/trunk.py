"""The trunk: outline of skin, subcutaneous fat, muscular wall, cavity, diaphragm and lungs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch

from tools.phantom.anatomy.pelvis import Pelvis, femur
from tools.phantom.anatomy.sacrum import Sacrum, rearmost_mm
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.vertebra import posterior_parts
from tools.phantom.drawing.shapes import smooth_max, superellipse

#: Body mass index, kg/m², mean, SD and range of a hospital population (design).
BMI = (25.5, 4.2, 17.0, 40.0)
#: Half the sagittal and the transverse diameter at the waist of a person of scale 1 and BMI 24,
#: mm, their growth per kg/m² and relative SD (design: they give the usual 20-32 cm of water).
BASE_BMI = 24.0
HALF_DEPTH = (103.0, 3.9, 0.04)
HALF_WIDTH = (163.0, 4.3, 0.03)
#: Subcutaneous fat in front at BMI 24, mm, its growth per kg/m², SD and least (design): women
#: carry more fat under the skin, men more inside.
FAT_WOMEN_MM, FAT_MEN_MM, FAT_GROWTH_MM, FAT_SD_MM, FAT_LEAST_MM = 16.0, 11.0, 1.9, 3.0, 3.0
#: Fat at the side and behind relative to the front's.
FAT_ASIDE = 0.9
#: Levels in a scan's field: their spinous processes and the sacrum lie on the subcutaneous fat.
LOW_SPINE = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
SPINOUS_RADIUS_MM = 4.0
BACK_RESERVE_MM = 4.0
#: Relative extra width of the chest.
CHEST_WIDER = 0.04
#: Room between the middle of any body and the skin in front, at least, mm.
BELLY_LEAST_MM = 75.0
#: Muscle between the bones of hips and thighs and the fat over them, at least, mm.
HIP_COVER_MM = 4.0
#: Lean people are broader at the hips than at the waist: relative steps until bones are covered.
HIPS_STEP, SIZE_STEP, MOST_STEPS = 0.02, 0.01, 60


@dataclass(frozen=True)
class Trunk:
    """Outline of the trunk about the spine; millimetres in RAS+.

    Its layers give signed distances, mm, first-order, at x, y and z that broadcast.

    Attributes:
        bmi: Body mass index, kg/m².
        half_width: Half the transverse diameter at the waist.
        half_depth: Half the sagittal diameter.
        back: y of the skin of the back.
        fat: Subcutaneous fat at the side, in front and behind.
        wall: Thickness of the muscular wall.
        hips: Relative extra width at the hips.
        belly: Relative extra depth at the navel.
        squareness: Exponent of the outline.
        lean: Lateral offset of the outline.
        navel: z of the navel.
        dome: z of the diaphragm's domes, right and left.
        recess: How far the lungs reach below the domes behind.
        table_gap: Mattress between skin and table.
    """

    bmi: float
    half_width: float
    half_depth: float
    back: float
    fat: tuple[float, float, float]
    wall: float
    hips: float
    belly: float
    squareness: float
    lean: float
    navel: float
    dome: tuple[float, float]
    recess: float
    table_gap: float

    def half_axes(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Half width and half depth of the skin at height z."""
        hip = torch.exp(-(((z + 90) / 90) ** 2))
        chest = torch.sigmoid((z - 170) / 40)
        wide = self.half_width * (1 + self.hips * hip + CHEST_WIDER * chest)
        belly = torch.exp(-(((z - self.navel) / 90) ** 2))
        deep = self.half_depth * (1 + self.belly * belly - 0.05 * hip)
        return wide, deep

    def back_at(self, z: torch.Tensor) -> float | torch.Tensor:
        """Y of the skin of the back at height z, mm: one plane here, lying on the table."""
        return self.back

    def fat_behind(self, z: float) -> float:
        """Fat over the back at a height, mm."""
        return self.fat[2]

    def slender(self, z: float) -> float:
        """Least radius of the back muscles at a height, relative to their usual one."""
        return 1.0

    def skin(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the skin."""
        return self._layer(x, y, z, 0.0, 0.0, 0.0)

    def wall_outside(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the border of subcutaneous fat and muscle."""
        side, front, behind = self.fat
        return self._layer(x, y, z, side, front, behind)

    def cavity(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the inside of the muscular wall.

        The wall is thin in the midline of the front: linea alba between the straight muscles.
        """
        side, front, behind = self.fat
        wall = self.wall
        inside = self._layer(x, y, z, side + wall, front + 0.8 * wall, behind + 1.2 * wall)
        ahead = torch.sigmoid((y - self.back - self.half_depth) / 10)
        return inside - 0.45 * wall * torch.exp(-(((x - self.lean) / 12) ** 2)) * ahead

    def _layer(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        z: torch.Tensor,
        side: float | torch.Tensor,
        front: float | torch.Tensor,
        behind: float | torch.Tensor,
    ) -> torch.Tensor:
        """Signed distance to the outline, drawn in by so many mm at the sides, in front, behind."""
        wide, deep = self.half_axes(z)
        middle = self.back_at(z) + deep + (behind - front) / 2
        return superellipse(
            x - self.lean, y - middle, wide - side, deep - (front + behind) / 2, self.squareness
        )

    def extent_mm(self) -> tuple[float, float]:
        """Largest distance of the skin from the trunk's middle, and its foremost y, mm."""
        side = self.half_width * (1 + CHEST_WIDER + self.hips)
        return side, self.back + 2 * self.half_depth * (1 + max(self.belly, 0.0))

    def corners_mm(self, low: float, high: float) -> np.ndarray:
        """Corners of the box that holds the trunk between two heights z, RAS+ mm [8, 3]."""
        side, front = self.extent_mm()
        sides = ((self.lean - side, self.lean + side), (self.back, front), (low, high))
        return np.array(list(product(*sides)))

    def held(self, points: np.ndarray, depth_mm: float) -> np.ndarray:
        """Move points that lie less than `depth_mm` under the skin inwards, in their axial plane.

        Args:
            points: RAS+ millimetres, [N, 3].
            depth_mm: How deep they shall lie.
        """
        moved = points.copy()
        for _ in range(3):  # the distance is of first order: every step leaves a small part
            x, y, z = torch.tensor(moved, dtype=torch.float32).T
            excess = (self.skin(x, y, z) + depth_mm).clamp(min=0).numpy()
            _, deep = self.half_axes(z)
            middle = np.stack([np.full(len(z), self.lean), (self.back_at(z) + deep).numpy()], 1)
            out = moved[:, :2] - middle
            moved[:, :2] -= excess[:, None] * out / np.linalg.norm(out, axis=1, keepdims=True)
        return moved

    def diaphragm(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed height over the diaphragm: positive in the chest, mm."""
        right = self._dome(x, y, 1.0, self.dome[0])
        left = self._dome(x, y, -1.0, self.dome[1])
        return (z - torch.maximum(right, left)) * 0.7

    def _dome(self, x: torch.Tensor, y: torch.Tensor, side: float, apex: float) -> torch.Tensor:
        """Height z of one half of the diaphragm, a paraboloid; side +1 is right."""
        middle = self.back + 1.05 * self.half_depth
        q = ((x - self.lean - side * 0.42 * self.half_width) / (0.58 * self.half_width)) ** 2
        q = q + ((y - middle) / (0.95 * self.half_depth)) ** 2
        return apex - self.recess * q

    def lungs(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Signed distance to the lungs: inside the ribs, above the diaphragm, off the midline."""
        chest = smooth_max(self.cavity(x, y, z) + 3, -self.diaphragm(x, y, z), 10.0)
        forwards = ((y - self.back) / (2 * self.half_depth)).clamp(0.15, 1)
        mediastinum = 16 + 60 * (forwards - 0.35).clamp(min=0)
        return smooth_max(chest, mediastinum - x.abs(), 8.0)

    def water_equivalent_cm(self) -> float:
        """Diameter of the water cylinder of the same attenuation, about its area's, cm."""
        return float(2 * np.sqrt(self.half_width * self.half_depth) / 10 * 0.97)


def draw_trunk(
    rng: np.random.Generator, spine: Spine, sacrum: Sacrum, pelvis: Pelvis, sex: str
) -> Trunk:
    """Draw a trunk around a spine lying supine on the table.

    Args:
        rng: Random stream.
        spine: What it must hold.
        sacrum: And this.
        pelvis: And this.
        sex: "F" or "M".
    """
    bmi = float(np.clip(rng.normal(*BMI[:2]), *BMI[2:]))
    excess = bmi - BASE_BMI
    scale = spine.scale
    half_depth, half_width = (
        (base + growth * excess) * scale * float(rng.normal(1, sd))
        for base, growth, sd in (HALF_DEPTH, HALF_WIDTH)
    )
    usual = FAT_WOMEN_MM if sex == "F" else FAT_MEN_MM
    subcutaneous = max(FAT_LEAST_MM, usual + FAT_GROWTH_MM * excess + rng.normal(0, FAT_SD_MM))
    fat = (FAT_ASIDE * subcutaneous, subcutaneous, max(5.0, FAT_ASIDE * subcutaneous))
    low = [body for level, body in spine.vertebrae.items() if level in (*LOW_SPINE, "L6")]
    tips = [_spinous_tip(vertebra) for vertebra in low]
    back = min([*tips, rearmost_mm(sacrum)]) - fat[2] - BACK_RESERVE_MM
    t10 = spine.vertebrae["T10"].frame.origin[2]
    dome = t10 + float(rng.normal(5, 14))
    front = max(vertebra.frame.origin[1] for vertebra in low) + BELLY_LEAST_MM
    trunk = Trunk(
        bmi=bmi,
        half_width=half_width,
        half_depth=max(half_depth, (front - back) / 2),
        back=back,
        fat=fat,
        wall=float(np.clip(rng.normal(13, 2.5), 7, 20)) * scale,
        hips=float(rng.uniform(0.02, 0.12)) * (1.2 if sex == "F" else 0.8),
        belly=float(rng.uniform(-0.04, 0.02) + 0.006 * excess),
        squareness=float(rng.uniform(2.15, 2.6)),
        lean=float(rng.normal(0, 5)),
        navel=float(spine.vertebrae["L4"].frame.origin[2] + rng.normal(0, 15)),
        dome=(dome, dome - float(rng.uniform(4, 16))),
        recess=float(rng.uniform(55, 85)),
        table_gap=float(rng.uniform(4, 14)),
    )
    return _made_to_hold(trunk, pelvis)


def _made_to_hold(trunk: Trunk, pelvis: Pelvis) -> Trunk:
    """Broaden the hips and deepen the trunk until the bones of hips and thighs are covered."""
    rods = [*pelvis.parts, *femur(pelvis)]
    starts = [[*rod.start, rod.radii[0]] for rod in rods]
    ends = np.array([*starts, *([*rod.end, rod.radii[1]] for rod in rods)])
    ends = np.concatenate([ends, ends * np.array([-1.0, 1.0, 1.0, 1.0])])
    x, y, z, radius = torch.tensor(ends, dtype=torch.float32).T
    cover = radius + trunk.fat[0] + HIP_COVER_MM

    def lacking(held: Trunk) -> float:
        return float((held.skin(x, y, z) + cover).max())

    for _ in range(MOST_STEPS):
        if lacking(trunk) <= 0:
            break
        broader = (
            replace(trunk, hips=trunk.hips + HIPS_STEP),
            replace(trunk, half_width=trunk.half_width * (1 + SIZE_STEP)),
            replace(trunk, half_depth=trunk.half_depth * (1 + SIZE_STEP)),
        )
        trunk = min(broader, key=lacking)
    return trunk


def _spinous_tip(vertebra: Vertebra) -> float:
    """Tip of the spinous process: its y, mm."""
    if vertebra.solid is not None:
        return float(vertebra.frame.to_world(vertebra.solid.corners(whole=True))[:, 1].min())
    process = posterior_parts(vertebra)[-1]
    return float(vertebra.frame.point(*process.end)[1]) - SPINOUS_RADIUS_MM
