"""Cohorts that nobody scanned: references, and the tables that a run would have written."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.evaluate.predictions import BUNDLE_NEEDED, BUNDLE_OPTIONAL
from tools.report import rows as screen_rows

LEVELS = ("L1", "L2", "L3", "L4")
COLUMNS = (*BUNDLE_NEEDED, *BUNDLE_OPTIONAL)

#: Scanner -> bias that a reading has there, mg/cm³.
BIAS = {"A": 0.0, "B": -2.0, "C": 10.0}
LIST = {"A": "test", "B": "test_2", "C": "test_3"}


def cohort(patients: int, seed: int = 1, scanners: str = "ABC") -> dict[str, Any]:
    """Content of a truth.json: every scanner has patients of its own, the first osteoporotic."""
    rng = np.random.default_rng(seed)
    cases = {}
    for scanner in scanners:
        for number in range(1, patients + 1):
            middle = 60.0 if number == 1 else rng.normal(115, 40)
            levels = {}
            for name in LEVELS:
                mass = float(max(10.0, middle + rng.normal(0, 8)))
                levels[name] = {
                    "complete": True,
                    "implants": [],
                    "fracture": None,
                    "ha_mass_mg_cm3": mass,
                    "qct_ha_mg_cm3": mass - 5 + float(rng.normal(0, 4)),
                }
            case = f"{scanner}{number:04d}"
            cases[case] = {
                "case": case,
                "patient_id": f"{scanner}-{number:04d}",
                "scanner": scanner,
                "scan": {"kvp": 120.0},
                "levels": levels,
            }
    return {"seed": seed, "cases": cases}


def datalist(truth: Mapping[str, Any], mineral: str | None = "HA") -> dict[str, Any]:
    """The bmd_regression datalist of a cohort: one list per scanner."""
    lists: dict[str, Any] = {"name": "bmd_regression", "modality": {"0": "CT"}}
    for case in truth["cases"].values():
        densities = {name: level["qct_ha_mg_cm3"] for name, level in case["levels"].items()}
        if mineral == "K2HPO4":
            densities = {name: (value + 7.32) / 1.15 for name, value in densities.items()}
        record = {
            "image": f"images/{case['case']}.nii.gz",
            "mask": f"labels/{case['case']}.nii.gz",
            "bmd": densities,
            "unit": "mg/cm3",
            "mineral": mineral,
            "reference": "QCT",
            "patient_id": case["patient_id"],
            "scanner": case["scanner"],
        }
        lists.setdefault(LIST[case["scanner"]], []).append(record)
    return lists


def predicted(truth: Mapping[str, Any], seed: int = 2) -> list[dict[str, Any]]:
    """Rows of a predictions.csv in which every level is measured, by both methods."""
    rng = np.random.default_rng(seed)
    found = []
    for case in truth["cases"].values():
        shift = rng.normal(0, 3)
        for name, level in case["levels"].items():
            true = level["qct_ha_mg_cm3"]
            cnn = true + 0.4 * BIAS[case["scanner"]] + shift + rng.normal(0, 3)
            linear = true + BIAS[case["scanner"]] + 2 * shift + rng.normal(0, 3)
            found.append(
                dict.fromkeys(COLUMNS)
                | {
                    "case": case["case"],
                    "patient_id": case["patient_id"],
                    "scanner": case["scanner"],
                    "level": name,
                    "status": "measured",
                    "bmd_cnn_mg_cm3": cnn,
                    "low_95_mg_cm3": cnn - 10,
                    "high_95_mg_cm3": cnn + 10,
                    "bmd_hu_linear_mg_cm3": linear,
                    "hu_linear_low_95_mg_cm3": linear - 25,
                    "hu_linear_high_95_mg_cm3": linear + 25,
                    "kvp": 120,
                    "reference_mg_cm3": round(true, 3),
                    "mineral": "HA",
                    "reference_kind": "QCT",
                }
            )
    return found


def unmeasured(row: Mapping[str, Any], status: str, reason: str) -> dict[str, Any]:
    """A row whose level was not measured."""
    kept = ("case", "patient_id", "scanner", "level", "reference_mg_cm3", "mineral")
    return dict.fromkeys(COLUMNS) | {key: row[key] for key in kept} | {
        "status": status, "reason": reason,
    }  # fmt: skip


def screened(row: Mapping[str, Any], cnn: bool = False) -> dict[str, Any]:
    """The row of results.csv that says the same as one of predictions.csv."""
    measured = row["status"] == "measured"
    return dict.fromkeys(screen_rows.COLUMNS) | {
        "case": row["case"],
        "input": f"{row['case']}.nii.gz",
        "status": "done" if measured else "refused",
        "level": row["level"],
        "level_status": row["status"],
        "reasons": row["reason"],
        "bmd_hu_linear_mg_cm3": row["bmd_hu_linear_mg_cm3"],
        "bmd_cnn_mg_cm3": row["bmd_cnn_mg_cm3"] if cnn else None,
        "bmd_low_95_mg_cm3": row["low_95_mg_cm3" if cnn else "hu_linear_low_95_mg_cm3"],
        "bmd_high_95_mg_cm3": row["high_95_mg_cm3" if cnn else "hu_linear_high_95_mg_cm3"],
    }


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return path
