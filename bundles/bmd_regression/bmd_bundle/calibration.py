"""HU-linear density: from the mean HU of trabecular bone to mg/cm³, with its error.

    found = calibration.reference(kvp=120)
    density = found.density(133.0)                          # 99.8 mg/cm³ HA
    low, high = interval_95(density, standard_error_hu=2.0, calibration=found)
    category(to_k2hpo4(density))

The mineral always has a name: hydroxyapatite (HA), or K2HPO4, which Mindways' QCT PRO reads and on
which the limits of 80 and 120 mg/cm³ stand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

#: Tube voltages for which the reference holds, kV.
KVP_RANGE = (80.0, 140.0)
#: The voltage of S2's scans, assumed where none is known, kV.
USUAL_KVP = 120.0
#: HU per mg/cm³ of HA in water by kV: a Kramers spectrum behind 9 mm of aluminium and 25 cm of
#: water, attenuation from xraydb. A test compares them with the phantom's physics.
SLOPES = (
    (80.0, 1.88946),
    (90.0, 1.68661),
    (100.0, 1.53615),
    (110.0, 1.42163),
    (120.0, 1.33251),
    (130.0, 1.26174),
    (140.0, 1.20450),
)
#: HA per K2HPO4 and offset, mg/cm³, of Faulkner 1993; such conversions hold for one phantom each.
FAULKNER = (1.15, -7.32)
#: Name and version of the conversion above.
CONVERSION = "Faulkner 1993"
#: Density categories of ACR and ISCD on K2HPO4-equivalents, mg/cm³.
LIMITS_MG_CM3 = (80.0, 120.0)

#: Spread of scanners' HU of bone about a common calibration, relative SD: eight scanners,
#: -5.6 ± 9.2 % (Skornitzke 2022). Patients' size, -8 % from 20 to 30 cm of water, lies within.
SCANNER_SPREAD = 0.092
#: Spread of the HU of water between scanners and in the middle of a patient, HU, SD (design: the
#: phantom's scanners have it too).
WATER_SD_HU = 4.0
#: Voltages that an unknown one may be instead of the usual, kV.
POSSIBLE_KVP = (100.0, 140.0)
#: Standard error of a mean HU whose noise could not be measured, HU (design): the limit from which
#: `tools screen` calls a level noisy. None would make the worst-known levels look the surest.
UNKNOWN_NOISE_HU = 5.0
#: Normal quantile of a two-sided 95 % interval.
QUANTILE_95 = 1.96

#: Reading per percentage point of yellow marrow, mg/cm³ HA: true HA of 100 mg/cm³ reads 105, 97 and
#: 88 at 30, 50 and 70 % (the phantom's physics).
FAT_EFFECT = -0.43
#: Spread of marrow fat between persons of one age, percentage points (Baum 2018, Griffith 2012).
FAT_SD_POINTS = 10.0

#: HU of a voxel or of an image.
HU = TypeVar("HU", float, np.ndarray)


class CalibrationError(ValueError):
    """A calibration that does not exist or does not hold; one line."""


@dataclass(frozen=True)
class Calibration:
    """A line from density to HU.

    Attributes:
        id: Its name in reports.
        mineral: "HA" or "K2HPO4".
        kvp: Tube voltage it holds for, kV.
        scanner: Scanner it was made on; None for the physics of a common beam.
        slope_hu_per_mg_cm3: HU per mg/cm³.
        intercept_hu: HU at no mineral.
        spread: Relative SD of the slope over the scans it is used on.
        water_sd_hu: SD of the HU of water over them, HU.
    """

    id: str
    mineral: str
    kvp: float
    scanner: str | None
    slope_hu_per_mg_cm3: float
    intercept_hu: float
    spread: float = SCANNER_SPREAD
    water_sd_hu: float = WATER_SD_HU

    def __post_init__(self) -> None:
        """Refuse a line that gives no density."""
        errors = (self.spread, self.water_sd_hu)
        numbers = (self.kvp, self.slope_hu_per_mg_cm3, self.intercept_hu, *errors)
        if not all(math.isfinite(number) for number in numbers) or min(errors) < 0:
            raise CalibrationError(
                f"calibration {self.id!r}: its numbers must be finite, its spreads not negative"
            )
        if self.slope_hu_per_mg_cm3 <= 0:
            raise CalibrationError(f"calibration {self.id!r}: slope must be above 0 HU per mg/cm³")
        if self.mineral not in ("HA", "K2HPO4"):
            raise CalibrationError(
                f"calibration {self.id!r}: mineral {self.mineral!r} is neither HA nor K2HPO4"
            )

    def density(self, hu: float) -> float:
        """Density of `hu`, mg/cm³ of the calibration's mineral.

        >>> round(reference(120).density(133.251), 1)
        100.0
        """
        return (hu - self.intercept_hu) / self.slope_hu_per_mg_cm3

    def to_reference(self, hu: HU) -> HU:
        """HU as the reference beam at `USUAL_KVP` shows the same density: what a network reads.

        Args:
            hu: HU of the scan that the line holds for; a number or an array.

        >>> line = Calibration("ct-1", "HA", 120.0, "CT 1", 1.40, 6.0)
        >>> round(line.to_reference(146.0), 2)  # 100 mg/cm³
        133.25
        """
        line = self.as_ha()
        slope = _slope(USUAL_KVP) / line.slope_hu_per_mg_cm3
        return (hu - line.intercept_hu) * slope

    def as_ha(self) -> Calibration:
        """The same line over HA: a line over K2HPO4 goes through `CONVERSION`.

        >>> line = Calibration("ct-1", "K2HPO4", 120.0, "CT 1", 1.5, 2.0)
        >>> round(line.as_ha().density(122.0) - to_ha(line.density(122.0)), 9)
        0.0
        """
        if self.mineral == "HA":
            return self
        factor, offset = FAULKNER
        slope = self.slope_hu_per_mg_cm3 / factor
        return replace(
            self,
            mineral="HA",
            slope_hu_per_mg_cm3=slope,
            intercept_hu=self.intercept_hu - slope * offset,
        )


def reference(kvp: float = USUAL_KVP) -> Calibration:
    """Return the calibration of the reference beam at a tube voltage.

    Between the tabulated voltages the slope is interpolated as a power of the voltage.

    Args:
        kvp: Tube voltage, kV.

    Raises:
        CalibrationError: If the voltage lies outside `KVP_RANGE`.

    >>> reference(100).slope_hu_per_mg_cm3
    1.53615
    """
    low, high = KVP_RANGE
    if not low <= kvp <= high:
        raise CalibrationError(
            f"no reference calibration at {kvp:g} kV: it holds from {low:g} to {high:g} kV; "
            "give a calibration of your scanner"
        )
    return Calibration(f"reference-{kvp:g}kv-1", "HA", float(kvp), None, _slope(kvp), 0.0)


def _slope(kvp: float) -> float:
    """HU per mg/cm³ of HA at a voltage within the table."""
    for (below, left), (above, right) in pairwise(SLOPES):
        if kvp == below:
            return left
        if kvp <= above:
            power = math.log(kvp / below) / math.log(above / below)
            return right if kvp == above else left * (right / left) ** power
    raise CalibrationError(f"no reference calibration at {kvp:g} kV")


def to_k2hpo4(ha_mg_cm3: float) -> float:
    """Convert an HA density to its K2HPO4-equivalent, mg/cm³ (Faulkner 1993).

    >>> round(to_k2hpo4(84.68), 1), round(to_k2hpo4(130.68), 1)
    (80.0, 120.0)
    """
    slope, offset = FAULKNER
    return (ha_mg_cm3 - offset) / slope


def to_ha(k2hpo4_mg_cm3: float) -> float:
    """Convert a K2HPO4-equivalent density to HA, mg/cm³; inverse of `to_k2hpo4`."""
    slope, offset = FAULKNER
    return slope * k2hpo4_mg_cm3 + offset


def category(k2hpo4_mg_cm3: float) -> str:
    """Name the density range: below 80 osteoporosis, 80 to 120 osteopenia, above normal.

    Args:
        k2hpo4_mg_cm3: Density as K2HPO4, mg/cm³.

    Raises:
        ValueError: If the density is not a number.

    >>> [category(value) for value in (79.9, 80, 120, 120.1)]
    ['osteoporosis', 'osteopenia', 'osteopenia', 'normal']
    """
    if not math.isfinite(k2hpo4_mg_cm3):
        raise ValueError(f"density {k2hpo4_mg_cm3} mg/cm³ is not a number")
    low, high = LIMITS_MG_CM3
    if k2hpo4_mg_cm3 < low:
        return "osteoporosis"
    return "osteopenia" if k2hpo4_mg_cm3 <= high else "normal"


def errors(
    density: float,
    standard_error_hu: float | None,
    calibration: Calibration,
    kvp_known: bool = True,
) -> dict[str, float]:
    """Name the sources of a density's error against QCT, each as a standard deviation in mg/cm³.

    Marrow fat is none of them, since QCT reads it the same way; see `fat_error`.

    Args:
        density: Density, mg/cm³ of the calibration's mineral.
        standard_error_hu: Of the mean HU, from noise; None, not known, as `UNKNOWN_NOISE_HU`.
        calibration: The line in use.
        kvp_known: Whether the tube voltage is known; else it may be any of `POSSIBLE_KVP`.

    Returns:
        `scanner` (slope over scanners and patients), `water` (offset), `noise`, `kvp`.
    """
    slope = calibration.slope_hu_per_mg_cm3
    noise = UNKNOWN_NOISE_HU if standard_error_hu is None else standard_error_hu
    lowest, highest = (_slope(kvp) for kvp in POSSIBLE_KVP)
    # A uniform spread between the slopes that the possible voltages give.
    spread_kvp = abs(lowest - highest) / math.sqrt(12) / _slope(USUAL_KVP)
    return {
        "scanner": abs(density) * calibration.spread,
        "water": calibration.water_sd_hu / slope,
        "noise": noise / slope,
        "kvp": 0.0 if kvp_known else abs(density) * spread_kvp,
    }


def interval_95(
    density: float,
    standard_error_hu: float | None,
    calibration: Calibration,
    kvp_known: bool = True,
) -> tuple[float, float]:
    """95 % interval of a density against QCT, mg/cm³: the sources of `errors` in quadrature.

    Levels of one scan share most of it: the interval of their mean is no narrower.

    Args:
        density: Density, mg/cm³ of the calibration's mineral.
        standard_error_hu: Of the mean HU, from noise; None, not known, as `UNKNOWN_NOISE_HU`.
        calibration: The line in use.
        kvp_known: Whether the tube voltage is known.

    Returns:
        Lower and upper limit.
    """
    sources = errors(density, standard_error_hu, calibration, kvp_known)
    half = QUANTILE_95 * math.hypot(*sources.values())
    return density - half, density + half


def fat_error() -> float:
    """Spread that marrow fat gives a reading against the mineral's mass, mg/cm³ HA, SD.

    Single-energy CT cannot tell it, QCT no more than this: reports state it apart.
    """
    return abs(FAT_EFFECT) * FAT_SD_POINTS
