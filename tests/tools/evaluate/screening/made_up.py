"""Cross-validations that nobody ran: scanner A in five folds, B and C apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.tools.evaluate import made_up
from tools.report.minerals import to_ha

FOLDS = 5
LIMIT = to_ha(120.0)


def fold_of(case: str) -> int:
    """Fold that leaves a case of scanner A out."""
    return 1 + int(case[1:]) % FOLDS


def part_of(case: str, fold: int) -> str:
    if case[0] != "A":
        return "independent"
    return "test" if fold_of(case) == fold else "train"


def crossed(truth: Mapping[str, Any], classifier: bool, seed: int = 3) -> list[dict[str, Any]]:
    """Rows of every fold: a classifier's probabilities, or a regressor's densities."""
    rng = np.random.default_rng(seed)
    plain = made_up.predicted(truth)
    rows = []
    for fold in range(1, FOLDS + 1):
        shift = {case: rng.normal(0, 12) for case in truth["cases"]}
        for row in plain:
            case, part = row["case"], part_of(row["case"], fold)
            error = shift[case] * (0.2 if part == "train" else 1.0) + rng.normal(0, 3)
            found = {"fold": fold, "part": part, **row}
            read = row["reference_mg_cm3"] + error
            if classifier:
                empty = ("bmd_cnn_mg_cm3", "low_95_mg_cm3", "high_95_mg_cm3")
                found |= dict.fromkeys(empty)
                found["probability_reduced"] = 1 / (1 + math.exp((read - LIMIT) / 6))
            else:
                found |= {
                    "bmd_cnn_mg_cm3": read, "low_95_mg_cm3": read - 9, "high_95_mg_cm3": read + 9,
                }  # fmt: skip
            rows.append(found)
    return rows


def lose(rows: list[dict[str, Any]], case: str, status: str, reason: str) -> list[dict[str, Any]]:
    """Let every fold say nothing of a case but why."""
    kept = ("fold", "part")
    return [
        dict.fromkeys(row)
        | {key: row[key] for key in kept}
        | made_up.unmeasured(row, status, reason)
        if row["case"] == case
        else row
        for row in rows
    ]
