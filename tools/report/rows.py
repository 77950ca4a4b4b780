"""The rows of results.csv: one per case and level.

rows.table([*rows.of_report(report, source="scan.nii.gz", status="done"), *rows.of_failure(...)])
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from tools.levels import MEASURED_LEVELS

_CASE = ("case", "input", "status", "reason")

_SAME_NAME = (
    "confidence",
    "hu_trabecular",
    "hu_median",
    "hu_sd",
    "noise_hu",
    "bmd_hu_linear_mg_cm3",
    "bmd_cnn_mg_cm3",
)
"""What a level's block and the columns call the same."""

_PATIENT = ("mean_bmd_mg_cm3", "mean_bmd_k2hpo4_mg_cm3", "category", "borderline")

_MEAN_ENDS = ("mean_low_95_mg_cm3", "mean_high_95_mg_cm3")

_PLACES = ("anterior", "middle", "posterior")

LOSSES = tuple(f"height_loss_{place}" for place in _PLACES)
"""Columns of the share of its height that a level has lost."""

AREAL = ("areal_bmd_g_cm2", "mean_areal_bmd_g_cm2", "t_score")
"""Columns of areal density, g/cm²: the level's, the patient's, and its T-score; empty unless the
variant against DXA was asked for."""

COLUMNS = (
    *_CASE,
    *("level", "level_status", "reasons", "warnings"),
    *_SAME_NAME,
    *("bmd_low_95_mg_cm3", "bmd_high_95_mg_cm3"),
    *LOSSES,
    "fracture_grade",
    *_PATIENT,
    *_MEAN_ENDS,
    *("kvp", "calibration", "scan_warnings"),
    *AREAL,
)
"""Columns of results.csv. Densities are HA-equivalent unless named K2HPO4; from the mean on they
are the patient's and the scan's and stand in each of its rows."""

ALWAYS = tuple(name for name in COLUMNS if name not in AREAL)
"""Columns that every results.csv has had."""

SEPARATOR = ";"
"""Between several reasons in one cell."""


def of_report(
    report: Mapping[str, Any], source: str, status: str, reason: str | None = None
) -> list[dict[str, Any]]:
    """Make the rows of a case that has a report.

    Args:
        report: Content of report.json.
        source: The case's input, as run.json names it.
        status: "done" or "refused".
        reason: Why it is refused; None if it is not.

    Returns:
        A row for each of L1-L4, keys as `COLUMNS`; what does not exist is None.
    """
    patient = report["patient"]
    shared = {"case": report["case"], "input": source, "status": status, "reason": reason}
    shared |= {key: patient[key] for key in _PATIENT}
    shared |= dict(zip(_MEAN_ENDS, patient["mean_interval_95_mg_cm3"] or (None, None), strict=True))
    shared |= {
        "kvp": report["input"]["kvp"],
        "calibration": (report["calibration"] or {}).get("id"),
        "scan_warnings": SEPARATOR.join(report["qc"]["warnings"]) or None,
    }
    areal = report.get("areal")
    if areal is None:
        return [_row(shared, name, report["levels"][name]) for name in MEASURED_LEVELS]
    shared |= dict(zip(AREAL[1:], (areal["areal_bmd_g_cm2"], areal["t_score"]), strict=True))
    return [
        _row(shared, name, report["levels"][name])
        | {AREAL[0]: areal["levels"][name]["areal_bmd_g_cm2"]}
        for name in MEASURED_LEVELS
    ]


def of_failure(case: str, source: str, status: str, reason: str) -> list[dict[str, Any]]:
    """Make the one row of a case without a report: it names no level."""
    said = {"case": case, "input": source, "status": status, "reason": reason}
    return [dict.fromkeys(COLUMNS) | said]


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows as CSV with a head; None becomes an empty cell.

    >>> table(of_failure("a", "a.nii.gz", "failed", "no NIfTI")).splitlines()[1]
    'a,a.nii.gz,failed,no NIfTI,,,,,,,,,,,,,,,,,,,,,,,,,,,,,'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(shared: Mapping[str, Any], name: str, level: Mapping[str, Any]) -> dict[str, Any]:
    low, high = level["bmd_interval_95_mg_cm3"] or (None, None)
    losses = level["height_loss"] or {}
    own = {
        "level": name,
        "level_status": level["status"],
        "reasons": SEPARATOR.join(level["reasons"]) or None,
        "warnings": SEPARATOR.join(level["warnings"]) or None,
        "bmd_low_95_mg_cm3": low,
        "bmd_high_95_mg_cm3": high,
        "fracture_grade": level.get("fracture_grade"),
    }
    own |= {key: level.get(key) for key in _SAME_NAME}
    own |= {f"height_loss_{at}": losses.get(at) for at in _PLACES}
    return dict.fromkeys(COLUMNS) | dict(shared) | own
