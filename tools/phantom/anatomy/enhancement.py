"""Intravenous contrast medium: iodine in vessels, organs, muscle and red marrow, by phase.

Iodine is added to the patient's own materials at the concentration that gives the published
enhancement at the reference beam, so at 100 kV it enhances more, as on a scanner. The truth is
measured on the patient without it: a level's density does not change because iodine is there.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.materials import Material, iodine_solution

if TYPE_CHECKING:
    from tools.phantom.anatomy.patient import Patient


class Rise(NamedTuple):
    """Enhancement at 120 kV, HU: mean, SD and range of patients."""

    mean: float
    sd: float
    low: float
    high: float


#: Phase -> tissue -> enhancement. The aorta reads 250-350 HU arterial and 130-180 portal (R);
#: organs after routine reports (R); muscle and, through it, wall (R).
ENHANCEMENT = MappingProxyType(
    {
        "arterial": {
            "artery": Rise(258.0, 24.0, 213.0, 303.0),
            "vein": Rise(28.0, 14.0, 4.0, 60.0),
            "heart": Rise(230.0, 25.0, 180.0, 290.0),
            "kidney": Rise(105.0, 18.0, 65.0, 150.0),
            "liver": Rise(14.0, 6.0, 3.0, 28.0),
            "spleen": Rise(80.0, 15.0, 45.0, 115.0),
            "pancreas": Rise(60.0, 12.0, 30.0, 90.0),
            "bowel_wall": Rise(45.0, 10.0, 20.0, 70.0),
            "muscle": Rise(5.0, 2.0, 1.0, 9.0),
        },
        "portal": {
            "artery": Rise(113.0, 11.0, 92.0, 134.0),
            "vein": Rise(105.0, 12.0, 78.0, 130.0),
            "heart": Rise(108.0, 11.0, 85.0, 130.0),
            "kidney": Rise(150.0, 18.0, 110.0, 195.0),
            "liver": Rise(55.0, 9.0, 35.0, 80.0),
            "spleen": Rise(72.0, 10.0, 50.0, 95.0),
            "pancreas": Rise(52.0, 9.0, 32.0, 75.0),
            "bowel_wall": Rise(48.0, 9.0, 28.0, 70.0),
            "muscle": Rise(12.0, 3.0, 5.0, 19.0),
        },
    }
)
#: Spongy bone of L1 at the fat fraction below, HU: +14 arterial, +18 portal (Pompe 2015, V), range
#: of patients +8 to +24 (D).
MARROW = MappingProxyType(
    {"arterial": Rise(14.0, 2.5, 8.0, 20.0), "portal": Rise(18.0, 2.5, 12.0, 24.0)}
)
#: Where `MARROW` holds (D): marrow fat of men and women at 60, and the marrow's share of spongy
#: bone at 100 mg/cm³.
MARROW_FAT, MARROW_SHARE = 0.47, 0.9
PHASES = ("none", *ENHANCEMENT)


def enhance(patient: Patient, phase: str, rng: np.random.Generator) -> tuple[Patient, dict]:
    """Give a patient contrast medium.

    Args:
        patient: Whom; stays as it is.
        phase: `none`, `arterial` or `portal`.
        rng: Stream of the enhancement.

    Returns:
        The enhanced patient, and what the truth says: `phase` and `rise_hu` by tissue, HU at the
        reference beam (`marrow` in spongy bone at the fat fraction `MARROW_FAT`).

    Raises:
        ValueError: If the phase is unknown.
    """
    if phase not in PHASES:
        raise ValueError(f"unknown phase {phase!r}; known: {', '.join(PHASES)}")
    if phase == "none":
        return patient, {"phase": phase, "rise_hu": {}}
    rises = {name: _draw(rng, rise) for name, rise in ENHANCEMENT[phase].items()}
    tissues = dict(patient.tissues)
    for name, rise in rises.items():
        tissues[name] = with_iodine(tissues.get(name, tissues["blood"]), rise)
    rises["marrow"] = _draw(rng, MARROW[phase])
    # Fat cells take up nothing: the red marrow carries the rise of both.
    red_rise = rises["marrow"] / (1 - MARROW_FAT) / MARROW_SHARE
    red = with_iodine(next(iter(patient.bones.values())).red, red_rise)
    bones = {level: replace(bone, red=red) for level, bone in patient.bones.items()}
    shown = replace(patient, tissues=tissues, bones=bones)
    return shown, {"phase": phase, "rise_hu": rises}


def with_iodine(material: Material, rise_hu: float) -> Material:
    """Return a material with as much iodine as raises it by so many HU at the reference beam."""
    # HU per mg/ml hardly depends on the solvent: one step from water's slope, one to correct it.
    amount = rise_hu / REFERENCE_BEAM.iodine_slope
    given = REFERENCE_BEAM.hu(iodine_solution(amount, material)) - REFERENCE_BEAM.hu(material)
    return iodine_solution(amount * rise_hu / given, material)


def _draw(rng: np.random.Generator, rise: Rise) -> float:
    return float(np.clip(rng.normal(rise.mean, rise.sd), rise.low, rise.high))
