"""Tube current and dose that fit a scan's noise (design values)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.phantom.imaging.scanner import SCANNERS, Kernel

USUAL_MAS = 200.0
"""Tube current x time at a scanner's usual noise, mAs (D)."""

LEAST_MAS, MOST_MAS = 10.0, 2000.0
"""What a tube can give, mAs (D); a scan without noise says the most."""

ROTATION_MS = 500
"""Time of a rotation, ms (D)."""

DOSE_PER_MAS = 0.068
"""CTDIvol of the 32 cm phantom per mAs at 120 kV, mGy (R)."""

DOSE_POWER = 2.5
"""CTDIvol grows with the tube voltage to this power (R)."""


@dataclass(frozen=True)
class Exposure:
    """What the tube gave.

    Attributes:
        mas: Tube current x time of a rotation, mAs.
        milliamperes: Tube current, mA.
        dose_mgy: CTDIvol, mGy.
    """

    mas: int
    milliamperes: int
    dose_mgy: float


def exposure(scan: Mapping[str, Any]) -> Exposure:
    """Work out the exposure from the noise: its SD falls with the root of the mAs.

    Args:
        scan: `scan` of the truth: `scanner`, `kvp`, `thickness_mm`, `noise_hu`, kernel.
    """
    kernel = Kernel(scan["kernel"], **scan["kernel_numbers"])
    usual = SCANNERS[scan["scanner"]].noise_at(scan["thickness_mm"], kernel)
    noise = scan["noise_hu"]
    wanted = USUAL_MAS * (usual / noise) ** 2 if noise > 0 else MOST_MAS
    mas = round(min(max(wanted, LEAST_MAS), MOST_MAS))
    dose = DOSE_PER_MAS * mas * (scan["kvp"] / 120) ** DOSE_POWER
    return Exposure(mas, round(mas * 1000 / ROTATION_MS), round(dose, 2))
