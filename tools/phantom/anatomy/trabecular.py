"""Mineral and marrow inside a vertebral body: how much, and where in the body.

A trabecular voxel is a volume mixture of bone tissue (1083 mg HA/cm³ when fully dense) and marrow,
itself a mixture of red and yellow. Mineral varies inside the body as reported: denser near the
endplates and behind, an anterior-superior deficit, the basivertebral vein without bone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy.sizes import LEVEL_SIZES
from tools.phantom.drawing.texture import Texture
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.materials import BONE_TISSUE_HA_MG_CM3, MATERIALS, Material
from tools.phantom.physics.qct import qct_ha

#: Between-level SD of a patient's density, mg/cm³ (design).
BETWEEN_LEVEL_SD = 6.0
#: Between-person SD of QCT density at one age, mg/cm³ (design).
BETWEEN_PERSON_SD = 28.0
#: QCT density at age 25 and its yearly change up to each age, mg/cm³ (design; anchored to means
#: of 171 / 158 / 140 mg/cm³ in women in their 20s / 30s / 40s).
DENSITY_COURSE = {
    "F": (175.0, ((45.0, -0.9), (55.0, -3.0), (120.0, -2.2))),
    "M": (165.0, ((120.0, -1.2),)),
}
#: Least density a body may have, mg/cm³; below it no CT series reports a patient.
MIN_DENSITY = 12.0
#: Marrow fat fraction by sex: ages and means (Baum 2018; Griffith 2012; last points design).
FAT_COURSE = {
    "F": ((20.0, 0.27), (50.0, 0.33), (56.0, 0.42), (65.0, 0.55), (80.0, 0.60)),
    "M": ((20.0, 0.31), (30.0, 0.35), (65.0, 0.48), (80.0, 0.52)),
}
#: Residual SD of the fat fraction, its correlation with density, its rise per level downwards.
FAT_SD = 0.10
FAT_DENSITY_CORRELATION = -0.4
FAT_PER_LEVEL = 0.01
#: Radius of the basivertebral vein's canal, mm, and HU-like content: marrow without bone.
VEIN_RADIUS_MM = (0.6, 1.5)
#: Mineral left around the vein, relative to the body's (design).
VEIN_MINERAL = 0.25


@dataclass(frozen=True)
class Trabecular:
    """The spongy bone of one body.

    Attributes:
        ha: Mean mineral mass, mg HA/cm³.
        fat: Volume fraction of the marrow that is yellow.
        red: Red marrow.
        yellow: Yellow marrow of this patient.
        bone: Bone tissue.
        toward_endplates: Relative rise of mineral from the middle to the endplates.
        toward_back: Relative rise of mineral from the centre to the posterior wall.
        deficit: Relative anterior-superior deficit.
        grain: Relative SD of the fine texture.
        patchiness: Relative SD of the coarse texture.
        vein_mm: Radius of the basivertebral vein's canal.
        fine: Texture of about trabecular size.
        broad: Texture of about a centimetre.
        shift: Where in the textures this body lies, mm.
    """

    ha: float
    fat: float
    red: Material
    yellow: Material
    bone: Material
    toward_endplates: float
    toward_back: float
    deficit: float
    grain: float
    patchiness: float
    vein_mm: float
    fine: Texture
    broad: Texture
    shift: float

    def marrow_hu(self, beam: Beam) -> float:
        """HU of this body's marrow."""
        return self.fat * beam.hu(self.yellow) + (1 - self.fat) * beam.hu(self.red)

    def relative(
        self, u: torch.Tensor, y: torch.Tensor, t: torch.Tensor, half_depth: float, half: float
    ) -> torch.Tensor:
        """Mineral over its mean at a place in the body.

        Args:
            u: To the right of the middle, mm.
            y: Forwards, in half depths (-1 back, 1 front).
            t: Upwards, in half heights.
            half_depth: Half the body's depth, mm.
            half: Half the body's height, mm.
        """
        squared = t.clamp(-1.2, 1.2) ** 2
        corner = torch.exp(-((y - 0.55) ** 2 + (t - 0.5) ** 2) / 0.15)
        place = (u + self.shift, y * half_depth + self.shift, t * half)
        field = (
            1
            + self.toward_endplates * (squared - 1 / 3)
            - self.toward_back * y.clamp(-1.2, 1.2)
            - self.deficit * (corner - 0.1)
            + self.grain * self.fine.sample(*place)
            + self.patchiness * self.broad.sample(*place)
        )
        field = field.clamp(min=0.1)
        # The vein runs from the middle of the posterior wall almost to the centre, widening.
        radius = self.vein_mm * (-0.1 - 1.6 * y).clamp(0, 1.5)
        away = torch.hypot(u, t * half)
        return field * ((away - radius) / 1.5 + 0.5).clamp(VEIN_MINERAL, 1)

    def hu(self, relative: torch.Tensor, beam: Beam) -> torch.Tensor:
        """HU of bone and marrow where mineral is `relative` times the mean."""
        marrow = self.marrow_hu(beam)
        share = relative * (self.ha / BONE_TISSUE_HA_MG_CM3)
        return marrow + share * (beam.hu(self.bone) - marrow)


def draw_density(rng: np.random.Generator, sex: str, age: float) -> float:
    """Draw a patient's mean QCT density, mg/cm³ HA as read at the reference beam."""
    mean = density_at(sex, age)
    return float(max(MIN_DENSITY, rng.normal(mean, BETWEEN_PERSON_SD)))


def density_at(sex: str, age: float) -> float:
    """Mean QCT density of one sex at an age, mg/cm³."""
    density, pieces = DENSITY_COURSE[sex]
    start = 25.0
    for end, yearly in pieces:
        density += yearly * max(0.0, min(age, end) - start)
        start = max(start, end)
    return density


def draw_trabecular(
    rng: np.random.Generator,
    sex: str,
    age: float,
    density: float,
    marrow_fat: float | None = None,
) -> dict[str, Trabecular]:
    """Draw the spongy bone of every body.

    Args:
        rng: Random stream.
        sex: "F" or "M".
        age: Years.
        density: The patient's QCT density, mg/cm³ HA.
        marrow_fat: Yellow volume fraction of the marrow at L2; by age, sex and density when
            omitted.
    """
    ages, means = zip(*FAT_COURSE[sex], strict=True)
    surplus = (density - density_at(sex, age)) / BETWEEN_PERSON_SD
    fat = np.interp(age, ages, means) + FAT_SD * FAT_DENSITY_CORRELATION * surplus
    fat += rng.normal(0, FAT_SD * np.sqrt(1 - FAT_DENSITY_CORRELATION**2))
    if marrow_fat is not None:
        fat = marrow_fat
    yellow = MATERIALS["yellow_marrow"].at_density(float(rng.uniform(0.94, 0.98)))
    style = {
        "toward_endplates": float(rng.uniform(0.10, 0.35)),
        "toward_back": float(rng.uniform(0.03, 0.15)),
        "deficit": float(rng.uniform(0.0, 0.15)),
        "grain": float(rng.uniform(0.12, 0.36)),
        "patchiness": float(rng.uniform(0.06, 0.20)),
    }
    fine = Texture.draw(rng, float(rng.uniform(1.2, 1.8)))
    broad = Texture.draw(rng, float(rng.uniform(5, 9)), 16)
    bodies = {}
    for number, (level, size) in enumerate(LEVEL_SIZES.items()):
        target = max(MIN_DENSITY, density * size.density + rng.normal(0, BETWEEN_LEVEL_SD))
        fraction = float(np.clip(fat + FAT_PER_LEVEL * (number - 10), 0.1, 0.85))
        bodies[level] = Trabecular(
            ha=mass_for_reading(float(target), fraction, yellow),
            fat=fraction,
            red=MATERIALS["red_marrow"],
            yellow=yellow,
            bone=MATERIALS["bone_tissue"],
            vein_mm=float(rng.uniform(*VEIN_RADIUS_MM)),
            fine=fine,
            broad=broad,
            shift=61.0 * number,
            **style,
        )
    return bodies


def mass_for_reading(reading: float, fat: float, yellow: Material) -> float:
    """Mineral mass that an ideal QCT reads as `reading`, given the marrow, mg HA/cm³.

    Args:
        reading: QCT density at the reference beam, mg/cm³ HA.
        fat: Volume fraction of the marrow that is yellow.
        yellow: That marrow.
    """
    bone = MATERIALS["bone_tissue"]
    red = REFERENCE_BEAM.hu(MATERIALS["red_marrow"])
    marrow = fat * REFERENCE_BEAM.hu(yellow) + (1 - fat) * red
    # Reading is linear in the bone's share: two points give the line.
    empty = qct_ha(marrow, REFERENCE_BEAM)
    full = qct_ha(REFERENCE_BEAM.hu(bone), REFERENCE_BEAM)
    share = (reading - empty) / (full - empty)
    return float(max(share, 0.005) * BONE_TISSUE_HA_MG_CM3)
