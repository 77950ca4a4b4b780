"""The interval of a network's density, from its errors on the validation patients.

The bundle's own `evaluating` writes predictions.csv; its package knows how errors become an
interval (`bmd_bundle.interval`).
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tools import bundles
from tools.files import write_json

PREDICTIONS = "predictions.csv"
MODULE = "bmd_bundle.interval"


def write(bundle: str, predictions: Path, weights_sha256: str, path: Path) -> dict[str, Any]:
    """Make an interval from predictions and write it.

    Args:
        bundle: Name of the bundle.
        predictions: `predictions.csv` of patients that the network never saw.
        weights_sha256: Checksum of the weights that made them.
        path: File to write.

    Returns:
        Its content; empty, and nothing is written, where the patients are too few.

    Raises:
        OSError: A file cannot be read or written.
    """
    module = bundles.module(bundle, MODULE)
    scores = _scores(predictions, module.difficulty)
    if len(scores) < module.LEAST_PATIENTS:
        print(
            f"no interval: {len(scores)} validation patients were measured, "
            f"{module.LEAST_PATIENTS} are needed"
        )
        return {}
    found = module.Interval(
        quantile=round(module.quantile(list(scores.values())), 4),
        n_patients=len(scores),
        n_levels=sum(map(len, scores.values())),
        weights_sha256=weights_sha256,
    )
    content: dict[str, Any] = json.loads(module.dump(found))
    write_json(path, content)
    return content


def is_written(path: Path, weights_sha256: str) -> bool:
    """Tell whether the interval of these weights is there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return bool(content["weights_sha256"] == weights_sha256)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _scores(predictions: Path, difficulty: Any) -> dict[str, list[float]]:
    """Patient -> error over difficulty of each measured level with a reference."""
    scores: dict[str, list[float]] = defaultdict(list)
    with predictions.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            density, reference = (
                _number(row[f"{name}_mg_cm3"]) for name in ("bmd_cnn", "reference")
            )
            if density is None or reference is None:
                continue
            scale = difficulty(density, _number(row["standard_error_hu"]), _number(row["kvp"]))
            patient = row["patient_id"] or row["case"]
            scores[patient].append(abs(density - reference) / scale)
    return scores


def _number(text: str) -> float | None:
    return float(text) if text else None
