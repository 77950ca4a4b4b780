"""The 95 % interval of the network's density, from its errors on patients it never learnt from.

    found = interval.load("models/interval.json", weights_sha256)
    low, high = found.around(98.0, standard_error_hu=1.2, kvp=120.0)

Split conformal prediction: errors of patients kept aside, each divided by a difficulty that is
known beforehand, have a quantile; the next patient's error stays below that quantile times its own
difficulty with the stated probability, whatever the errors' distribution (Lei 2018, JASA 113:1094).
The difficulty is the error model of HU-linear density: scanners and patients' size in proportion to
density, the offset of water, noise, an unknown voltage (`bmd_bundle.calibration.errors`); so the
quantile also says how the network compares with it. Levels of a patient share their errors: each
patient has one vote, divided among its levels (Dunn 2023, JASA 118:2491, pooled distributions).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bmd_bundle.calibration import USUAL_KVP, CalibrationError, errors, reference

logger = logging.getLogger(__name__)

#: Share of new patients' levels that the interval shall hold.
COVERAGE = 0.95
#: Patients below which no 95 % quantile exists: the largest of 19 has a chance of 1 in 20 above it.
LEAST_PATIENTS = 20
METHOD = "split conformal, one vote a patient, scaled by the error model of HU-linear density"


@dataclass(frozen=True)
class Interval:
    """What makes an interval of a density.

    Attributes:
        quantile: Half the interval over `difficulty`.
        n_patients: Patients that it comes from.
        n_levels: Their levels.
        weights_sha256: Checksum of the weights whose errors they are.
        coverage: Share of new levels that the interval shall hold.
        method: How it was made.
    """

    quantile: float
    n_patients: int
    n_levels: int
    weights_sha256: str
    coverage: float = COVERAGE
    method: str = METHOD

    def around(
        self, density: float, standard_error_hu: float | None, kvp: float | None
    ) -> tuple[float, float]:
        """95 % interval of a density against QCT, mg/cm³ HA.

        Args:
            density: What the network reads, mg/cm³ HA.
            standard_error_hu: Of the trabecular mean, from noise; None, not known.
            kvp: Tube voltage, kV; None, not known.
        """
        half = self.quantile * difficulty(density, standard_error_hu, kvp)
        return density - half, density + half


def difficulty(density: float, standard_error_hu: float | None, kvp: float | None) -> float:
    """What a reading's error is measured by, mg/cm³: that of HU-linear density, one SD.

    Args:
        density: What the network reads, mg/cm³ HA.
        standard_error_hu: Of the trabecular mean, from noise; None, not known.
        kvp: Tube voltage, kV; None, not known.
    """
    line = reference(USUAL_KVP if kvp is None else kvp)
    return math.hypot(*errors(density, standard_error_hu, line, kvp is not None).values())


def quantile(scores: Sequence[Sequence[float]], coverage: float = COVERAGE) -> float:
    """Quantile of the scores of patients kept aside that covers a new patient's level.

    Args:
        scores: Per patient the errors over their difficulties, one for each of its levels.
        coverage: Share of new levels that shall lie below.

    Raises:
        ValueError: Too few patients for such a share.

    Examples:
        >>> quantile([[float(n)] for n in range(1, 100)])  # 95 % of 100, the new one among them
        95.0
    """
    patients = [list(one) for one in scores if len(one)]
    if len(patients) < LEAST_PATIENTS:
        raise ValueError(
            f"{len(patients)} patients are too few for an interval; {LEAST_PATIENTS} are needed"
        )
    weighted = sorted((score, 1 / len(one)) for one in patients for score in one)
    # The new patient has a vote as well, and its error may be anything.
    needed = coverage * (len(patients) + 1)
    reached = 0.0
    for score, weight in weighted:
        reached += weight
        if reached >= needed - 1e-9:
            return score
    return weighted[-1][0]


def load(path: str | Path, weights_sha256: str) -> Interval | None:
    """Read the interval of a network.

    Args:
        path: JSON file that `dump` wrote.
        weights_sha256: Checksum of the weights in use.

    Returns:
        The interval; None, with a warning, where there is none for these weights.

    Raises:
        CalibrationError: The file is damaged; one line.
    """
    if not Path(path).is_file():
        logger.warning("%s is missing: densities of the network have no interval", path)
        return None
    try:
        found = Interval(**json.loads(Path(path).read_text(encoding="utf-8")))
        usable = math.isfinite(found.quantile) and found.quantile > 0
    except (OSError, ValueError, TypeError) as error:
        raise CalibrationError(f"{path}: is no interval of a network; restore the file") from error
    if not usable:
        raise CalibrationError(f"{path}: quantile must be above 0; restore the file")
    if found.weights_sha256 != weights_sha256:
        logger.warning("%s was made with other weights: no interval is given", path)
        return None
    return found


def dump(found: Interval) -> str:
    """Write an interval as the JSON that `load` reads."""
    return json.dumps(asdict(found), indent=2) + "\n"
