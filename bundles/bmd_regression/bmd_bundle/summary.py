"""What a cross-validation came to: every fold, and the mean and spread over the folds.

Intervals belong to `python -m tools evaluate`; here stand the means alone, of patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.metrics import compute_roc_auc

from bmd_bundle.screening import LIMIT_HA, PROBABILITY, patient_probability

#: Reading -> column of its density, mg/cm³ HA.
DENSITIES = {"cnn": "bmd_cnn_mg_cm3", "hu_linear": "bmd_hu_linear_mg_cm3"}

Row = Mapping[str, str]


def of(rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up a table.

    Args:
        rows: Of its `predictions.csv`, with `fold` and `part`; "" is unknown.

    Returns:
        Part -> `folds`, a list of `measures`; `mean` and `sd` over the folds that have a measure.
    """
    groups: dict[str, dict[Any, list[Row]]] = {}
    for row in rows:
        groups.setdefault(row["part"], {}).setdefault(row["fold"], []).append(row)
    return {part: _part(folds) for part, folds in sorted(groups.items())}


def _part(folds: Mapping[Any, Sequence[Row]]) -> dict[str, Any]:
    each = [{"fold": fold, **measures(rows)} for fold, rows in folds.items()]
    names = dict.fromkeys(name for one in each for name in one if name != "fold")
    values = {name: [one[name] for one in each if one.get(name) is not None] for name in names}
    known = {name: found for name, found in values.items() if found}
    return {
        "folds": each,
        "mean": {name: float(np.mean(found)) for name, found in known.items()},
        "sd": {name: float(np.std(found, ddof=1)) for name, found in known.items() if found[1:]},
    }


def measures(rows: Sequence[Row]) -> dict[str, Any]:
    """Measure a part of a fold by its scans' means over levels.

    Args:
        rows: Of its cases and levels.

    Returns:
        `scans`, `measured`, and per reading `mae_…` and `rmse_…` in mg/cm³ HA and `auc_…` for
        reduced density; None without scans of both classes.
    """
    cases: dict[str, list[Row]] = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    done = [any(row["status"] == "measured" for row in own) for own in cases.values()]
    found: dict[str, Any] = {"scans": len(cases), "measured": sum(done)}
    for name, column in DENSITIES.items():
        pairs = [pair for own in cases.values() if (pair := _mean(own, column)) is not None]
        if pairs:
            true, read = np.array(pairs).T
            found[f"mae_{name}"] = float(np.abs(read - true).mean())
            found[f"rmse_{name}"] = float(np.sqrt(((read - true) ** 2).mean()))
            found[f"auc_{name}"] = _area(true, -read)
    said = [pair for own in cases.values() if (pair := _probability(own)) is not None]
    if said:
        found["auc_classifier"] = _area(*np.array(said).T)
    return found


def _mean(rows: Sequence[Row], column: str) -> tuple[float, float] | None:
    """Means of reference and reading over the levels that have both."""
    both = [row for row in rows if row["reference_mg_cm3"] and row[column]]
    if not both:
        return None
    true = float(np.mean([float(row["reference_mg_cm3"]) for row in both]))
    return true, float(np.mean([float(row[column]) for row in both]))


def _probability(rows: Sequence[Row]) -> tuple[float, float] | None:
    """Mean of the reference, and the scan's probability."""
    known = _mean(rows, PROBABILITY) if PROBABILITY in rows[0] else None
    if known is None:
        return None
    said = [float(row[PROBABILITY]) for row in rows if row["reference_mg_cm3"] and row[PROBABILITY]]
    return known[0], patient_probability(said) or 0.0


def _area(true: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the ROC curve for reduced density."""
    reduced = true <= LIMIT_HA
    if reduced.all() or not reduced.any():
        return None
    area: Any = compute_roc_auc(torch.from_numpy(scores), torch.from_numpy(reduced).double())
    return float(area)
