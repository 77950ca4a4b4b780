"""Soft tissues of one patient: materials whose density is drawn to give published HU.

HU targets hold at the reference beam; at any other beam the material's own attenuation decides, so
that fat, muscle and blood move with kVp as they do on a scanner.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from tools.phantom.physics.beam import density_for_hu
from tools.phantom.physics.materials import MATERIALS, Material, iodine_solution, mixture

#: Tissue -> (material, mean HU, SD HU) at 120 kV, unenhanced, after routine CT reports.
TISSUE_HU = MappingProxyType(
    {
        "subcutaneous_fat": ("fat", -107.0, 6.0),
        "visceral_fat": ("fat", -100.0, 8.0),
        "muscle": ("muscle", 52.0, 7.0),
        "blood": ("blood", 42.0, 6.0),
        "liver": ("liver", 55.0, 8.0),
        "kidney": ("kidney", 32.0, 5.0),
        "spleen": ("spleen", 48.0, 6.0),
        "pancreas": ("soft_tissue", 38.0, 6.0),
        "disc": ("disc", 80.0, 15.0),
        "sac": ("csf", 17.0, 8.0),
        "skin": ("skin", 30.0, 15.0),
        "bowel_wall": ("bowel", 38.0, 6.0),
        "bowel_fluid": ("bowel", 14.0, 8.0),
        "cartilage": ("disc", 95.0, 15.0),
        "ligament": ("soft_tissue", 55.0, 12.0),
    }
)

#: No tissue lies further from its mean than this many SD.
MOST_SD = 2.5

#: Iodine of oral contrast medium, mg/ml: 150-600 HU at 120 kV.
ORAL_IODINE_MG_ML = (6.0, 22.0)

#: Lung: a volume mixture of air and soft tissue.
LUNG_AIR_SHARE = (0.80, 0.90)

#: Calcified plaque: share of bone tissue in soft tissue, 200-1000 HU.
PLAQUE_BONE_SHARE = (0.15, 0.6)


def draw_tissues(rng: np.random.Generator) -> dict[str, Material]:
    """Draw every soft tissue of one patient.

    Args:
        rng: Random stream.

    Returns:
        Material by tissue name; `air`, `gas` and `lung` too. `artery`, `vein` and `heart` hold
        blood, which contrast medium tells apart.
    """
    tissues = {}
    for name, (material, mean, sd) in TISSUE_HU.items():
        reach = MOST_SD * sd
        target = float(np.clip(rng.normal(mean, sd), mean - reach, mean + reach))
        tissues[name] = density_for_hu(MATERIALS[material], target)
    air = MATERIALS["air"]
    share = float(rng.uniform(*LUNG_AIR_SHARE))
    tissues["air"] = tissues["gas"] = air
    tissues["lung"] = mixture("lung", {air: share, tissues["blood"]: 1 - share})
    tissues["artery"] = tissues["vein"] = tissues["heart"] = tissues["blood"]
    tissues["oral_contrast"] = iodine_solution(float(rng.uniform(*ORAL_IODINE_MG_ML)))
    share = float(rng.uniform(*PLAQUE_BONE_SHARE))
    tissues["plaque"] = mixture(
        "plaque", {MATERIALS["bone_tissue"]: share, tissues["blood"]: 1 - share}
    )
    return tissues
