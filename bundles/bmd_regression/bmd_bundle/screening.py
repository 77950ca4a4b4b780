"""Normal or reduced density, study S3's question: the label, and what is said of a scan.

Reduced is what the project calls osteopenia or osteoporosis: a K2HPO4-equivalent of at most 120
mg/cm³ (`bmd_bundle.calibration.category`). What the network says is a probability, never a density.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from bmd_bundle import calibration_file, in_use
from bmd_bundle.calibration import LIMITS_MG_CM3, to_ha
from bmd_bundle.common import MEASURED, REFUSED, UNNAMED, CaseError
from bmd_bundle.describing import DescribeLevelsd
from bmd_bundle.levels import LEVEL_IDS

#: Densities up to this are reduced, mg/cm³ K2HPO4 and HA.
LIMIT_K2HPO4 = LIMITS_MG_CM3[1]
LIMIT_HA = to_ha(LIMIT_K2HPO4)
#: A probability above it is called reduced.
THRESHOLD = 0.5
#: Levels that a call of a patient takes: as many as a category of density.
LEAST_LEVELS = 2
#: Least distance of a probability from 0 and 1 when log-odds are averaged: what float32 tells.
LEAST_ODDS = 1e-7
#: Key of a level's probability.
PROBABILITY = "probability_reduced"
#: What the patient is called.
CALLED_REDUCED, NOT_CALLED = "reduced", "not reduced"
#: What the number is, in the JSON itself.
WHAT = (
    "probability that the density is reduced, a K2HPO4-equivalent of at most "
    f"{LIMIT_K2HPO4:g} mg/cm3; no density, and no diagnosis"
)


class ToReducedd(MapTransform):
    """Turn densities into labels: 1 for a reduced one, 0 for another.

    Args:
        keys: Keys of densities, mg/cm³ HA.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with labels."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = (torch.as_tensor(changed[key]) <= LIMIT_HA).float()
        return changed


class DescribeReducedd(DescribeLevelsd):
    """Say of each level and of the patient how probable a reduced density is.

    The levels' block has no density of the network and no interval; HU-linear density stays.

    Args:
        keys: Key of the probabilities [L, 1], of the levels that have a patch.
        calibration: What `MeasureLevelsd` was given.
        screening_key: Where the block goes that says what the network says.
        case_key: Key of the case's name.

    Raises:
        CaseError: The network gave no numbers.
    """

    task = "reduced"

    def __init__(
        self,
        keys: KeysCollection = "pred",
        calibration: str | calibration_file.Given | None = None,
        screening_key: str = "screening",
        case_key: str = "case",
    ) -> None:
        super().__init__(keys, calibration, interval=None)
        self.screening_key, self.case_key = screening_key, case_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with levels, rows and the block of the screening."""
        found = torch.as_tensor(data[self.keys[0]]).detach().cpu().double().flatten()
        if not bool(torch.isfinite(found).all()):
            problem = "the network gives no numbers"
            raise CaseError(data.get(self.case_key, UNNAMED), problem, "check its weights")
        changed = super().__call__(data)
        probabilities = found.tolist()
        rows = changed[self.rows_key]
        for level in LEVEL_IDS:
            measured = rows[level]["status"] == MEASURED
            rows[level][PROBABILITY] = probabilities.pop(0) if measured else None
        changed[self.screening_key] = block(rows)
        return changed

    def _read(
        self,
        density: float,
        error: float | None,
        kvp: float | None,
        used: in_use.InUse | None,
    ) -> tuple[None, None]:
        """The network reads no density."""
        return None, None


def block(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Say what the network says of a scan.

    Args:
        rows: Level -> its `status`, `reasons` and `probability_reduced`.
    """
    keys = ("status", "reasons", PROBABILITY)
    levels = {level: {key: rows[level][key] for key in keys} for level in LEVEL_IDS}
    known = {
        level: row[PROBABILITY] for level, row in levels.items() if row[PROBABILITY] is not None
    }
    probability = patient_probability(list(known.values()))
    return {
        "what": WHAT,
        "limit_k2hpo4_mg_cm3": LIMIT_K2HPO4,
        "limit_ha_mg_cm3": LIMIT_HA,
        "threshold": THRESHOLD,
        "levels": levels,
        "patient": {
            "status": REFUSED if probability is None else MEASURED,
            PROBABILITY: probability,
            "call": called(probability, len(known)),
            "levels_used": list(known),
        },
    }


def patient_probability(levels: Sequence[float]) -> float | None:
    """Join the probabilities of a patient's levels by the mean of their log-odds.

    Where log-odds go down with density in a straight line, the mean over levels is that of their
    mean density, which is what a patient's category stands on. Levels of a scan err alike, so they
    are no independent votes whose odds would multiply.

    Args:
        levels: Of each level.

    Returns:
        None without levels.

    Examples:
        >>> round(patient_probability([0.9, 0.1, 0.5]), 6), patient_probability([])
        (0.5, None)
    """
    if not levels:
        return None
    kept = [min(max(level, LEAST_ODDS), 1 - LEAST_ODDS) for level in levels]
    odds = math.fsum(math.log(p / (1 - p)) for p in kept) / len(kept)
    return 1 / (1 + math.exp(-odds))


def called(probability: float | None, levels: int) -> str | None:
    """Call a patient; None with fewer than two levels.

    Examples:
        >>> called(0.7, 3), called(0.5, 2), called(0.9, 1), called(None, 0)
        ('reduced', 'not reduced', None, None)
    """
    if probability is None or levels < LEAST_LEVELS:
        return None
    return CALLED_REDUCED if probability > THRESHOLD else NOT_CALLED
