"""Reports that nobody measured, but that could have been."""

from __future__ import annotations

import copy
from typing import Any

_LEVEL: dict[str, Any] = {
    "status": "measured",
    "reasons": [],
    "warnings": [],
    "confidence": 0.97,
    "centroid_ras_mm": [1.0, -20.0, 60.0],
    "volume_mm3": 31000.0,
    "height_loss": {"anterior": 0.02, "middle": 0.05, "posterior": -0.01},
    "fracture_grade": 0,
    "hu_trabecular": 112.0,
    "hu_median": 110.0,
    "hu_sd": 21.0,
    "noise_hu": 14.0,
    "bmd_cnn_mg_cm3": None,
    "bmd_hu_linear_mg_cm3": 98.0,
    "bmd_interval_95_mg_cm3": [88.0, 108.0],
}

_NOTHING: dict[str, Any] = dict.fromkeys(_LEVEL) | {"status": "refused", "warnings": []}


def level(**changes: Any) -> dict[str, Any]:
    """A measured level of 98 mg/cm³ HA, changed."""
    return copy.deepcopy(_LEVEL) | changes


def missing(reason: str) -> dict[str, Any]:
    """A level of which only the reason is known why it was refused."""
    return copy.deepcopy(_NOTHING) | {"reasons": [reason]}


def fractured() -> dict[str, Any]:
    """A level that lost 31 % of its anterior height: measured, but not in the mean."""
    return level(
        warnings=["fracture_suspected"],
        height_loss={"anterior": 0.31, "middle": 0.22, "posterior": 0.03},
        fracture_grade=2,
        bmd_hu_linear_mg_cm3=118.0,
        bmd_interval_95_mg_cm3=[106.0, 130.0],
    )


def report(levels: dict[str, dict[str, Any]] | None = None, **patient: Any) -> dict[str, Any]:
    """A report whose four levels read 98 mg/cm³ HA; `levels` and the patient's block change it."""
    found = {name: level() for name in ("L1", "L2", "L3", "L4")} | (levels or {})
    used = [
        name
        for name, one in found.items()
        if one["status"] == "measured" and "fracture_suspected" not in one["warnings"]
    ]
    return {
        "schema": 1,
        "case": "made-up",
        "software": {"version": "0.0.0", "weights": {"lumbar_segmentation": "0" * 64}},
        "input": {
            "kind": "nifti",
            "shape": [122, 101, 112],
            "spacing_mm": [3.0, 3.0, 3.0],
            "kvp": None,
            "kernel": None,
            "contrast": "unknown",
            "sagittal_reformat": False,
        },
        "calibration": {"id": "reference-120", "mineral": "HA", "kvp": 120, "scanner": None},
        "levels": found,
        "patient": {
            "status": "measured",
            "reasons": [],
            "mean_bmd_mg_cm3": 98.0,
            "mean_interval_95_mg_cm3": [89.0, 107.0],
            "mean_bmd_k2hpo4_mg_cm3": 91.6,
            "levels_used": used,
            "category": "osteopenia",
            "category_basis": "K2HPO4",
            "thresholds_mg_cm3": [80, 120],
            "borderline": False,
        }
        | patient,
        "ovf": None,
        "qc": {"aorta_hu": 43.0, "warnings": ["kvp_unknown"]},
        "timing_s": {"load": 0.4, "segmentation": 2.1, "bmd": 0.2, "ovf": None, "write": 0.6},
    }


def refused(*reasons: str, levels: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A report without a patient's mean."""
    return report(
        levels,
        status="refused",
        reasons=list(reasons),
        mean_bmd_mg_cm3=None,
        mean_interval_95_mg_cm3=None,
        mean_bmd_k2hpo4_mg_cm3=None,
        levels_used=[],
        category=None,
        borderline=None,
    )
