"""What the tiers know of a scanner: the line of a test object, the correction of a site's pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tools.calibration import calibrate, recalibrate, spine_phantom
from tools.calibration.pairs import LEAST_PATIENTS as LEAST_PAIRED
from tools.calibration.pairs import Pairs, Row
from tools.levels import MEASURED_LEVELS
from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.checks.patches.tiers.readings import HU_LINEAR
from tools.phantom.objects.esp import BODY_SIZES_MM
from tools.phantom.objects.scans import scan_esp
from tools.threads import single_thread

RING_MM = BODY_SIZES_MM[-1]
"""Body of the test object with its large ring, 33 cm of water: with less of it, scanners whose
error of water depends on size read patients wrong."""

PAIRS = 30
"""Patients whose QCT a site gives."""

LEAST_PATIENTS = 40
"""Patients of a scanner below which too few are left to score a correction on."""


class Line(NamedTuple):
    """A scanner's line, and what it comes from.

    Attributes:
        calibration: `bmd_bundle.calibration.Calibration`.
        measured: What the scan of the object showed, as `spine_phantom.json` has it.
    """

    calibration: Any
    measured: Mapping[str, Any]


class Site(NamedTuple):
    """A site's correction, and what it comes from.

    Attributes:
        correction: `bmd_bundle.site.Correction`.
        content: What the fit found, as `recalibration.json` has it.
    """

    correction: Any
    content: Mapping[str, Any]


@single_thread()
def of_object(scanner: str, kvp: float, seed: int) -> Line:
    """Scan the test object once and fit the scanner's line, as `tools calibrate` does.

    Args:
        scanner: Name of the scanner.
        kvp: Tube voltage, kV.
        seed: Of protocol and noise of that scan.

    Raises:
        ValueError: The scanner is unknown, or the scan makes no calibration; one line.
    """
    made = scan_esp(scanner, seed, kvp, RING_MM)
    try:
        found = spine_phantom.measure(made.image, made.affine, calibrate.CERTIFICATE_MG_CM3)
    except ValueError as error:
        raise ValueError(f"test object on scanner {scanner!r}: {error}") from None
    return Line(calibrate.make(found, kvp, scanner), calibrate.described(found, kvp, 0.0))


def draw(cohort: Cohort, seed: int) -> np.ndarray:
    """Draw the patients whose QCT is known.

    Args:
        cohort: The scanner's patients.
        seed: Of the draw.

    Returns:
        Whether each patient is one of them, bool [N].

    Raises:
        ValueError: The scanner has fewer than `LEAST_PATIENTS` with a QCT; one line.
    """
    possible = np.flatnonzero(cohort.counted.any(axis=1))
    if len(possible) < LEAST_PATIENTS:
        raise ValueError(
            f"scanner {cohort.scanner!r}: {len(possible)} patients with a reference; tier T2 takes "
            f"{LEAST_PATIENTS}, {PAIRS} to fit and the others to score: draw more"
        )
    chosen = np.random.default_rng(seed).choice(possible, PAIRS, replace=False)
    found = np.zeros(len(cohort.patient), dtype=bool)
    found[chosen] = True
    return found


def of_pairs(
    cohort: Cohort, density: np.ndarray, chosen: np.ndarray, reading: str, sha256: str | None
) -> Site:
    """Fit the correction of a reading, as `tools recalibrate` does.

    Args:
        cohort: The scanner's patients.
        density: What was read with the reference line, mg/cm³ HA, [N, 4].
        chosen: Patients whose QCT is known, bool [N].
        reading: Name of the reading (`readings.NAMES`).
        sha256: Of the network's weights; None for HU-linear.

    Raises:
        ValueError: Reading and reference do not agree; one line.
    """
    rows = [
        Row(
            case=str(cohort.patient[number]),
            level=MEASURED_LEVELS[level],
            patient=str(cohort.patient[number]),
            reading=float(density[number, level]),
            reference=float(cohort.qct_ha[number, level]),
        )
        for number, level in np.argwhere(cohort.read & chosen[:, None])
    ]
    name = HU_LINEAR if reading == HU_LINEAR else "cnn"
    left_out = {"not measured": int((cohort.counted & ~cohort.read)[chosen].sum())}
    pairs = Pairs(rows, name, cohort.kvp, sha256, "HA", left_out)
    if len({row.patient for row in rows}) < LEAST_PAIRED:
        raise ValueError(f"fewer than {LEAST_PAIRED} of {PAIRS} patients could be read")
    selected, content = recalibrate.examine(pairs)
    return Site(recalibrate.make(pairs, selected, content, cohort.scanner, None), content)
