"""What is known of a scan without looking at it, and how well that tells fractures.

The number of levels in the field and the alignment are no such knowledge: they are read off the
image, and a broken body changes both. They are scored apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
FROM_IMAGE = (
    "levels",
    "pelvic_incidence_deg",
    "sacral_slope_deg",
    "lordosis_t12_s1_deg",
    "cobb_deg",
)
"""Features that somebody has read off the image."""

FROM_SCAN = ("kvp", "pixel_mm", "thickness_mm", "interval_mm", "noise_hu", "water_cm")


def features(truth: Mapping[str, Any], extent_mm: Sequence[float]) -> dict[str, float]:
    """Take from a case what a worklist or a header says, and `FROM_IMAGE`.

    Args:
        truth: Content of `truth/<case>.json`.
        extent_mm: Size of the field from right to left, back to front, foot to head, mm.

    Returns:
        Name -> number; NaN where all levels are fractured. Density is that of the others, mg/cm³.
    """
    scan = truth["scan"]
    intact = [level for level in truth["levels"].values() if not level.get("fracture")]
    numbers = {
        "woman": truth["sex"] == "F",
        "age": truth["age"],
        "bmi": truth["bmi_kg_m2"],
        "density": _mean([level["qct_ha_mg_cm3"] for level in intact]),
        "marrow_fat": _mean([level["marrow_fat"] for level in intact]),
        "levels": len(truth["levels"]),
        "slices": extent_mm[2] / scan["interval_mm"],
        "sharp": scan["kernel"] == "sharp",
        "scanner": sum(ord(letter) for letter in truth["scanner"]),
        **dict(zip(("width_mm", "depth_mm", "height_mm"), extent_mm, strict=True)),
        **{name: scan[name] for name in FROM_SCAN},
        **truth["alignment"],
    }
    return {name: float(value) for name, value in numbers.items()}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def scores(rows: Sequence[Mapping[str, float]], labels: np.ndarray, seed: int) -> dict[str, Any]:
    """Score every case by classifiers that were trained on the others.

    Args:
        rows: Features of each case.
        labels: 1 for a fracture [N].
        seed: Of folds and classifiers.

    Returns:
        Name of the classifier -> score of each case [N].
    """
    table = np.array([list(row.values()) for row in rows])
    models = {
        "logistic regression": make_pipeline(
            SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)
        ),
        "boosted trees": make_pipeline(
            SimpleImputer(),
            GradientBoostingClassifier(subsample=0.7, max_depth=2, random_state=seed),
        ),
    }
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return {
        name: cross_val_predict(model, table, labels, cv=folds, method="predict_proba")[:, 1]
        for name, model in models.items()
    }


def answers(
    rows: Sequence[Mapping[str, float]], labels: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Score every case by what is known before the image, and by what was read off it, apart.

    Args:
        rows: Features of each case.
        labels: 1 for a fracture [N].
        seed: Of folds and classifiers.

    Returns:
        "<group>, <classifier>" -> score of each case [N].
    """
    found: dict[str, np.ndarray] = {}
    for group, read in (("metadata", False), ("levels and alignment", True)):
        table = [{k: v for k, v in row.items() if (k in FROM_IMAGE) == read} for row in rows]
        found |= {f"{group}, {name}": each for name, each in scores(table, labels, seed).items()}
    return found
