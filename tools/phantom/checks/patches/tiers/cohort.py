"""A scanner's patients of the bench: what is read, what is true, and which levels count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.phantom.checks.patches import store
from tools.phantom.checks.patches.tiers import slabs

FRACTURE, NO_REFERENCE = "fracture", "no reference"
"""Why a level is left out: its bone is broken, or it has no QCT density (lytic, with cement, not in
the scan)."""

NOT_SHOWN = "no_axial_data"
"""The bundle's own reason of a level whose slices the CT does not show."""


@dataclass(frozen=True)
class Cohort:
    """Patients of one scanner; arrays [N, 4, ...], rows L1 to L4.

    Attributes:
        scanner: Its name.
        kvp: Tube voltage of all scans, kV.
        patient: Numbers of the patients, [N].
        slices: HU of the network's slices, float32 [N, 4, 3, P, P]; NaN where a level is unread.
        trabecular_hu: What HU-linear density is read from, HU.
        error_hu: Its standard error from noise, HU; NaN, not known.
        tissues: HU of air, fat, muscle and blood, [N, 4 tissues]; NaN where one was not found.
        qct_ha: What an ideal QCT reads, mg/cm³ HA.
        ha_mass: The mineral put in, mg/cm³ HA.
        marrow_fat: Share of yellow marrow, 0 to 1.
        unread: Why a level cannot be read; "" where it can.
        left_out: Why a level does not count; "" where it does.
    """

    scanner: str
    kvp: float
    patient: np.ndarray
    slices: np.ndarray
    trabecular_hu: np.ndarray
    error_hu: np.ndarray
    tissues: np.ndarray
    qct_ha: np.ndarray
    ha_mass: np.ndarray
    marrow_fat: np.ndarray
    unread: np.ndarray
    left_out: np.ndarray

    @property
    def counted(self) -> np.ndarray:
        """Levels that count, read or not: the denominator, bool [N, 4]."""
        found: np.ndarray = self.left_out == ""
        return found

    @property
    def read(self) -> np.ndarray:
        """Levels that count and can be read, bool [N, 4]."""
        found: np.ndarray = self.counted & (self.unread == "")
        return found


def load(bench: Path, scanner: str, weighted: np.ndarray) -> Cohort:
    """Read a scanner's patients.

    Args:
        bench: Folder of the bench.
        scanner: Name of the scanner.
        weighted: Weights of planes in slices, from `slabs.weights`.

    Raises:
        ValueError: There are none, or they were scanned at several voltages; one line.
    """
    found = store.load(bench, scanner)
    voltages = sorted(set(found["kvp"].tolist()))
    if len(voltages) != 1:
        said = " and ".join(f"{one:g}" for one in voltages)
        raise ValueError(
            f"{bench}: scanner {scanner!r} was used at {said} kV; a calibration holds for one "
            "tube voltage, so draw the bench at one"
        )
    slices = slabs.slices(found["cube"], weighted)
    shown = np.isfinite(slices).all(axis=(2, 3, 4)) & np.isfinite(found["trabecular_hu"])
    unread = np.where((found["reason"] == "") & ~shown, NOT_SHOWN, found["reason"])
    left_out = np.where(found["fracture"] > 0, FRACTURE, "")
    left_out = np.where((left_out == "") & ~np.isfinite(found["qct_ha"]), NO_REFERENCE, left_out)
    return Cohort(
        scanner=scanner,
        kvp=float(voltages[0]),
        patient=found["patient"],
        slices=slices,
        trabecular_hu=found["trabecular_hu"].astype(float),
        error_hu=found["trabecular_error_hu"].astype(float),
        tissues=found["tissues"].astype(float),
        qct_ha=found["qct_ha"].astype(float),
        ha_mass=found["ha_mass"].astype(float),
        marrow_fat=found["marrow_fat"].astype(float),
        unread=unread,
        left_out=left_out,
    )
