"""A site's own correction of readings, made from its pairs of a reading and a QCT density.

    found = site.Correction("site-1", "cnn", 1.05, -3.0, "HA", 120.0, 40, weights_sha256="…")
    density = found.correct(96.0)                 # 97.8 mg/cm³ HA
    low, high = found.interval_95(96.0, noise_mg_cm3=1.5)

A scanner's line turns HU into density before anything is read; a correction changes what was read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy import stats

from bmd_bundle.calibration import FAULKNER, QUANTILE_95, SCANNER_SPREAD, CalibrationError

#: What may be corrected: the network's reading, or the HU-linear one.
READINGS = ("cnn", "hu_linear")
#: Pairs of fewer patients make no correction: the contract's least number.
LEAST_PATIENTS = 10
#: Slopes that a correction may have (design): a reading off by a factor of two is broken.
SLOPE_RANGE = (0.5, 2.0)
#: Largest shift of a correction, mg/cm³ (design): three times the widest category.
MOST_INTERCEPT_MG_CM3 = 120.0
#: Hexadecimal digits of a SHA-256.
SHA256_DIGITS = 64


@dataclass(frozen=True)
class Correction:
    """A line from a reading to the density that the site's QCT reads.

    Attributes:
        id: Its name in reports.
        reading: What it corrects, one of `READINGS`.
        slope: mg/cm³ of `mineral` per mg/cm³ HA read.
        intercept: mg/cm³ of `mineral`.
        mineral: "HA" or "K2HPO4".
        kvp: Tube voltage of the pairs' scans, kV.
        n: Patients in the pairs.
        weights_sha256: Of the weights that gave the readings; None for HU-linear, which has none.
        residual_sd_mg_cm3: Root mean square error of levels whose patient the line never saw,
            mg/cm³; None, not known.
        range_mg_cm3: Lowest and highest reading among the pairs, mg/cm³ HA; None, not known.
        slope_error: Standard error of the slope.
        scanner: Scanner or site it was made on; None, not said.
    """

    id: str
    reading: str
    slope: float
    intercept: float
    mineral: str
    kvp: float
    n: int
    weights_sha256: str | None
    residual_sd_mg_cm3: float | None = None
    range_mg_cm3: tuple[float, float] | None = None
    slope_error: float = SCANNER_SPREAD
    scanner: str | None = None

    def __post_init__(self) -> None:
        """Refuse a line that corrects nothing."""
        for problem in self._problems():
            raise CalibrationError(f"calibration {self.id!r}: {problem}")

    def _problems(self) -> list[str]:
        """What is wrong, in plain words."""
        numbers = [self.slope, self.intercept, self.kvp, self.slope_error]
        numbers += [self.residual_sd_mg_cm3 or 0.0, *(self.range_mg_cm3 or ())]
        if not all(math.isfinite(number) for number in numbers):
            return ["its numbers must be finite"]
        low, high = SLOPE_RANGE
        found = []
        if self.reading not in READINGS:
            found.append(f"reading {self.reading!r} is none of {', '.join(READINGS)}")
        if self.mineral not in ("HA", "K2HPO4"):
            found.append(f"mineral {self.mineral!r} is neither HA nor K2HPO4")
        if not low <= self._over_ha(self.slope) <= high:
            found.append(
                f"slope {self.slope:g} lies outside {low:g} to {high:g}; it is density per reading"
            )
        if abs(self.intercept) > MOST_INTERCEPT_MG_CM3:
            found.append(f"intercept {self.intercept:g} mg/cm³ is above {MOST_INTERCEPT_MG_CM3:g}")
        if self.n < LEAST_PATIENTS:
            found.append(f"n {self.n} is below {LEAST_PATIENTS} patients")
        if min(self.residual_sd_mg_cm3 or 0.0, self.slope_error) < 0:
            found.append("its errors must not be negative")
        if (self.reading == "cnn") is (self.weights_sha256 is None):
            found.append(
                "weights_sha256 names the weights of the network's readings, and is null for "
                "hu_linear"
            )
        elif self.weights_sha256 is not None and not _is_sha256(self.weights_sha256):
            found.append(f"weights_sha256 {self.weights_sha256!r} is no SHA-256")
        return found

    def _over_ha(self, value: float) -> float:
        return value if self.mineral == "HA" else value * FAULKNER[0]

    def as_ha(self) -> Correction:
        """The same correction with its result in HA, through the conversion of `calibration`."""
        if self.mineral == "HA":
            return self
        factor, offset = FAULKNER
        spread = self.residual_sd_mg_cm3
        return replace(
            self,
            mineral="HA",
            slope=factor * self.slope,
            intercept=factor * self.intercept + offset,
            residual_sd_mg_cm3=None if spread is None else factor * spread,
            slope_error=factor * self.slope_error,
        )

    def correct(self, reading: float) -> float:
        """Density at a reading, mg/cm³ of the correction's mineral.

        >>> Correction("s", "hu_linear", 1.25, -4.0, "HA", 120.0, 20, None).correct(100.0)
        121.0
        """
        return self.slope * reading + self.intercept

    def interval_95(
        self,
        reading: float,
        before: tuple[float, float],
        noise_mg_cm3: float = 0.0,
        kvp_mg_cm3: float = 0.0,
    ) -> tuple[float, float]:
        """95 % interval of a corrected reading against the site's QCT, mg/cm³.

        In quadrature: the error of patients that the line never saw, with Student's t for so many
        patients; noise of this scan, which counts a second time what the pairs' own noise did to
        that error, since a noisy scan must not look as sure as they; an unknown voltage; and,
        beyond the pairs' readings, the slope's error times the distance.

        Args:
            reading: Before correction, mg/cm³ HA.
            before: Its own interval, mg/cm³ HA; scaled where the pairs' error is not known.
            noise_mg_cm3: Standard error from noise, mg/cm³ HA.
            kvp_mg_cm3: Spread from an unknown tube voltage, mg/cm³ HA, SD.

        Returns:
            Lower and upper limit, mg/cm³ of the correction's mineral.
        """
        density = self.correct(reading)
        low, high = self.range_mg_cm3 or (reading, reading)
        beyond = max(low - reading, reading - high, 0.0)
        if self.residual_sd_mg_cm3 is None:
            ends = (self.correct(before[0]), self.correct(before[1]))
            return min(ends), max(ends)
        quantile = float(stats.t.ppf(0.975, self.n - 1))
        half = math.hypot(
            quantile * self.residual_sd_mg_cm3,
            QUANTILE_95 * self.slope * noise_mg_cm3,
            QUANTILE_95 * self.slope * kvp_mg_cm3,
            QUANTILE_95 * self.slope_error * beyond,
        )
        return density - half, density + half


def _is_sha256(text: str) -> bool:
    return len(text) == SHA256_DIGITS and set(text) <= set("0123456789abcdef")
