"""`predictions.csv`: one row per case and level, from which every table is computed later.

Confidence intervals, agreement and tables belong to `python -m tools evaluate`; here only means are
logged, so that a run says at once how it went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bmd_bundle.common import FAILED, FAILURE, MEASURED, CaseRows, plain
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.measuring import known_kvp

#: Columns of `predictions.csv`; densities are mg/cm³ of `mineral`.
COLUMNS = (
    "case", "patient_id", "scanner", "level", "status", "reason",
    "bmd_cnn_mg_cm3", "low_95_mg_cm3", "high_95_mg_cm3",
    "bmd_hu_linear_mg_cm3", "hu_linear_low_95_mg_cm3", "hu_linear_high_95_mg_cm3",
    "hu_trabecular", "noise_hu", "kvp", "reference_mg_cm3", "mineral", "reference_kind",
    "standard_error_hu", "calibration",
)  # fmt: skip
#: Between several reasons in one field.
REASON_SEPARATOR = ";"
#: Mineral of all densities, the reference's too: `records` converts it.
MINERAL = "HA"

Row = dict[str, Any]


class PredictionRows(CaseRows):
    """Ignite handler that writes `predictions.csv` when an epoch ends.

    Four rows per case, always: levels that were refused, and cases that failed, stay in the table.
    With several processes the first one writes the rows of all. The means go to
    `engine.state.metrics`; attach this handler before those that log them.

    Args:
        output_dir: Where to write; made if missing.
        records: Records of the cases, as `records.evaluated_cases` gives them.
        filename: Name of the file.
    """

    table: tuple[str, ...] = COLUMNS

    def __init__(
        self,
        output_dir: str | Path,
        records: Sequence[Mapping[str, Any]],
        filename: str = "predictions.csv",
    ) -> None:
        super().__init__(Path(output_dir) / filename, self.table)
        self.records = {str(record["case"]): record for record in records}

    def rows_of_case(self, data: Mapping[str, Any]) -> list[Row]:
        """Rows of one case, with what its record says."""
        return rows_of(self.records[str(data["case"])], data)

    def means(self, rows: Sequence[Row]) -> dict[str, float]:
        """Means of the errors, as `summarize`."""
        return summarize(rows)

    def in_words(self, rows: Sequence[Row]) -> str:
        """The means of all levels in one line."""
        return ", ".join(f"{k} {v:.3f}" for k, v in self.means(rows).items()) or "no reference"


def read_levels(found: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give level and what was read of it, from L1 to L4; of a failed case that it failed.

    Args:
        found: What was left of a case; or "failure", one line.
        key: Where its levels stand.
    """
    for level in LEVEL_IDS:
        if FAILURE in found:
            yield level, {"status": FAILED, "reasons": [found[FAILURE]]}
        else:
            yield level, found[key][level]


def named(record: Mapping[str, Any], level: str, read: Mapping[str, Any]) -> Row:
    """Begin a row: whose it is, and what became of it.

    Args:
        record: The case's record.
        level: Its level.
        read: `status` and `reasons`.
    """
    return {
        "case": record["case"],
        "patient_id": record.get("patient_id"),
        "scanner": record.get("scanner"),
        "level": level,
        "status": read["status"],
        "reason": REASON_SEPARATOR.join(read["reasons"]),
    }


def rows_of(record: Mapping[str, Any], found: Mapping[str, Any]) -> list[Row]:
    """Join what was measured in a case with its reference; one row per level.

    Args:
        record: The case's record.
        found: What `DescribeLevelsd` left under "measured", with "kvp"; or "failure", one line.
    """
    rows = []
    for level, measured in read_levels(found, "measured"):
        reference = record["density"].get(level)
        cnn = measured.get("cnn_interval") or (None, None)
        row = {
            **named(record, level, measured),
            "bmd_cnn_mg_cm3": measured.get("bmd_cnn_mg_cm3"),
            "low_95_mg_cm3": cnn[0],
            "high_95_mg_cm3": cnn[1],
            "bmd_hu_linear_mg_cm3": measured.get("bmd_hu_linear_mg_cm3"),
            "hu_linear_low_95_mg_cm3": measured.get("hu_linear_low_mg_cm3"),
            "hu_linear_high_95_mg_cm3": measured.get("hu_linear_high_mg_cm3"),
            "hu_trabecular": measured.get("hu_trabecular"),
            "noise_hu": measured.get("noise_hu"),
            "kvp": known_kvp(found.get("kvp", record.get("kvp"))),
            "reference_mg_cm3": reference,
            "mineral": MINERAL,
            "reference_kind": record.get("reference", "QCT") if reference is not None else None,
            "standard_error_hu": measured.get("standard_error_hu"),
            "calibration": measured.get("calibration"),
        }
        rows.append(plain(row))
    return rows


def summarize(rows: Sequence[Row]) -> dict[str, float]:
    """Means over the levels with a reference.

    Returns:
        `mae_mg_cm3` and `mae_hu_linear_mg_cm3` over those that were measured, and `measured`, their
        share.
    """
    known = [row for row in rows if row["reference_mg_cm3"] is not None]
    if not known:
        return {}
    means = {"measured": float(np.mean([row["status"] == MEASURED for row in known]))}
    for name, column in (("mae", "bmd_cnn"), ("mae_hu_linear", "bmd_hu_linear")):
        errors = [
            abs(row[f"{column}_mg_cm3"] - row["reference_mg_cm3"])
            for row in known
            if row[f"{column}_mg_cm3"] is not None
        ]
        if errors:
            means[f"{name}_mg_cm3"] = float(np.mean(errors))
    return means
