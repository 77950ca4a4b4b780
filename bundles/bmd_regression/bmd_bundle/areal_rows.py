"""`predictions.csv` of areal density, g/cm²: one row per case and level, as `bmd_bundle.rows`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bmd_bundle.areal_describing import AREAL
from bmd_bundle.common import MEASURED, plain
from bmd_bundle.measuring import known_kvp
from bmd_bundle.rows import PredictionRows, Row, named, read_levels

#: Columns of `predictions.csv`; densities are areal, g/cm².
COLUMNS = (
    "case", "patient_id", "scanner", "level", "status", "reason",
    AREAL, "slices", "slices_sd_g_cm2", "kvp", "reference_g_cm2", "reference_kind",
)  # fmt: skip


class ArealRows(PredictionRows):
    """Ignite handler that writes `predictions.csv` of areal densities when an epoch ends.

    Args: as `bmd_bundle.rows.PredictionRows`.
    """

    table = COLUMNS

    def rows_of_case(self, data: Mapping[str, Any]) -> list[Row]:
        """Rows of one case, with what its record says."""
        return rows_of(self.records[str(data["case"])], data)

    def means(self, rows: Sequence[Row]) -> dict[str, float]:
        """Means of the errors, as `summarize`."""
        return summarize(rows)


def rows_of(record: Mapping[str, Any], found: Mapping[str, Any]) -> list[Row]:
    """Join what was read in a case with its reference; one row per level.

    Args:
        record: The case's record.
        found: What `DescribeArealLevelsd` left under "levels", with "kvp"; or "failure", one line.
    """
    rows = []
    for level, read in read_levels(found, "levels"):
        reference = record["density"].get(level)
        row = {
            **named(record, level, read),
            **{name: read.get(name) for name in (AREAL, "slices", "slices_sd_g_cm2")},
            "kvp": known_kvp(found.get("kvp", record.get("kvp"))),
            "reference_g_cm2": reference,
            "reference_kind": record.get("reference", "DXA") if reference is not None else None,
        }
        rows.append(plain(row))
    return rows


def summarize(rows: Sequence[Row]) -> dict[str, float]:
    """Means over the levels with a reference.

    Returns:
        `mae_g_cm2` over those that were read, and `measured`, their share.
    """
    known = [row for row in rows if row["reference_g_cm2"] is not None]
    if not known:
        return {}
    means = {"measured": float(np.mean([row["status"] == MEASURED for row in known]))}
    errors = [abs(row[AREAL] - row["reference_g_cm2"]) for row in known if row[AREAL] is not None]
    return means | ({"mae_g_cm2": float(np.mean(errors))} if errors else {})
