"""The calibration of one scan: which line turns its HU into density, and what corrects a reading.

    used = in_use.for_scan(calibration_file.load("calibration.json"), kvp=120.0)
    seen = used.line.to_reference(image)                    # HU for the network
    density, interval = used.hu_linear(133.0, standard_error_hu=1.2)
    density, interval = used.cnn(98.0, (88.0, 108.0))       # what the network read, corrected

Without a file the line is the reference beam's at the scan's tube voltage. A calibration made at
another voltage is never applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bmd_bundle.calibration import (
    USUAL_KVP,
    Calibration,
    CalibrationError,
    errors,
    interval_95,
    reference,
)
from bmd_bundle.calibration_file import Given
from bmd_bundle.site import Correction

#: Voltages that differ by less are the same, kV: scanners state whole ones.
SAME_KV = 0.5

Interval = tuple[float, float]


class WrongVoltageError(CalibrationError):
    """A calibration that was made at another tube voltage than the scan."""


class WrongWeightsError(CalibrationError):
    """A correction of readings that other weights gave."""


@dataclass(frozen=True)
class InUse:
    """What turns one scan's HU into density.

    Attributes:
        line: From HU to density, mineral HA.
        site: Correction of a reading, mineral HA; None for none.
        given: Whether the line or the correction came from a file.
        kvp_known: Whether the scan says its tube voltage.
    """

    line: Calibration
    site: Correction | None
    given: bool
    kvp_known: bool

    def hu_linear(self, hu: float, standard_error_hu: float | None) -> tuple[float, Interval]:
        """HU-linear density with its 95 % interval, mg/cm³ HA; corrected if the file says so.

        Args:
            hu: Mean HU of trabecular bone, as the scan shows it.
            standard_error_hu: Of that mean, from noise; None, not known.
        """
        density = self.line.density(hu)
        interval = interval_95(density, standard_error_hu, self.line, self.kvp_known)
        return self._corrected("hu_linear", density, interval, standard_error_hu)

    def cnn(
        self, density: float, interval: Interval, standard_error_hu: float | None = None
    ) -> tuple[float, Interval]:
        """The network's density with its 95 % interval, corrected if the site's file says so.

        Args:
            density: What the network read in HU that went through `line.to_reference`, mg/cm³ HA.
            interval: The network's own, mg/cm³ HA.
            standard_error_hu: Of the trabecular mean, from noise; None, not known.
        """
        return self._corrected("cnn", density, interval, standard_error_hu)

    def _corrected(
        self, reading: str, density: float, interval: Interval, standard_error_hu: float | None
    ) -> tuple[float, Interval]:
        """A reading and its interval after the site's correction, if it is one of this reading."""
        if self.site is None or self.site.reading != reading:
            return density, interval
        sources = errors(density, standard_error_hu, self.line, self.kvp_known)
        found = self.site.interval_95(density, interval, sources["noise"], sources["kvp"])
        return self.site.correct(density), found

    def block(self) -> dict[str, Any]:
        """The block `calibration` of report.json."""
        if self.site is None:
            line = self.line
            return {
                "id": line.id,
                "mineral": line.mineral,
                "kvp": line.kvp,
                "scanner": line.scanner,
                "kind": "scanner" if self.given else "reference",
                "correction": None,
            }
        site = self.site
        return {
            "id": site.id,
            "mineral": site.mineral,
            "kvp": site.kvp,
            "scanner": site.scanner,
            "kind": "site",
            "correction": {
                "reading": site.reading,
                "slope": site.slope,
                "intercept_mg_cm3": site.intercept,
                "n": site.n,
            },
        }


def for_scan(given: Given | None, kvp: float | None) -> InUse:
    """Return the calibration of a scan.

    Args:
        given: From `calibration_file.load`; None for the reference beam.
        kvp: Tube voltage of the scan, kV; None, not known, as `USUAL_KVP`.

    Raises:
        WrongVoltageError: If the calibration was made at another voltage than the scan, or than the
            usual one where the scan does not say its own.
        CalibrationError: If there is no reference at that voltage.
    """
    voltage = USUAL_KVP if kvp is None else kvp
    known = kvp is not None
    if given is None:
        return InUse(reference(voltage), None, False, known)
    if abs(given.kvp - voltage) > SAME_KV:
        said = f"{voltage:g} kV" if known else f"not known and taken as {voltage:g} kV"
        raise WrongVoltageError(
            f"calibration {given.id!r} was made at {given.kvp:g} kV, the scan's voltage is {said}; "
            "give a calibration of that voltage"
        )
    if isinstance(given, Calibration):
        return InUse(given.as_ha(), None, True, known)
    return InUse(reference(voltage), given.as_ha(), True, known)


def check_weights(given: Given | None, weights_sha256: str) -> None:
    """Refuse a correction of a network's readings that other weights gave.

    Args:
        given: From `calibration_file.load`; None for none.
        weights_sha256: Of the network in use.

    Raises:
        WrongWeightsError: If they differ; one line with the mend.
    """
    if not isinstance(given, Correction) or given.reading != "cnn":
        return
    if given.weights_sha256 != weights_sha256:
        raise WrongWeightsError(
            f"calibration {given.id!r} was made with weights {str(given.weights_sha256)[:12]}, in "
            f"use are {weights_sha256[:12]}; screen the pairs' scans again and run `tools "
            "recalibrate`, or use the earlier weights"
        )
