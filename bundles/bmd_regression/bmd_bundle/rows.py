"""`predictions.csv`: one row per case and level, from which every table is computed later.

Confidence intervals, agreement and tables belong to `python -m tools evaluate`; here only means are
logged, so that a run says at once how it went.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events
from monai.utils import string_list_all_gather

from bmd_bundle.common import FAILED, FAILURE, MEASURED, plain, write_table
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.measuring import known_kvp

logger = logging.getLogger(__name__)

#: Columns of `predictions.csv`; densities are mg/cm³ of `mineral`.
COLUMNS = (
    "case", "patient_id", "scanner", "level", "status", "reason",
    "bmd_cnn_mg_cm3", "low_95_mg_cm3", "high_95_mg_cm3",
    "bmd_hu_linear_mg_cm3", "hu_linear_low_95_mg_cm3", "hu_linear_high_95_mg_cm3",
    "hu_trabecular", "noise_hu", "kvp", "reference_mg_cm3", "mineral", "reference_kind",
    "standard_error_hu",
)  # fmt: skip
#: Between several reasons in one field.
REASON_SEPARATOR = ";"
#: Mineral of all densities, the reference's too: `records` converts it.
MINERAL = "HA"

Row = dict[str, Any]


class PredictionRows:
    """Ignite handler that writes `predictions.csv` when an epoch ends.

    Four rows per case, always: levels that were refused, and cases that failed, stay in the table.
    With several processes the first one writes the rows of all. The means go to
    `engine.state.metrics`; attach this handler before those that log them.

    Args:
        output_dir: Where to write; made if missing.
        records: Records of the cases, as `records.evaluated_cases` gives them.
        filename: Name of the file.
    """

    def __init__(
        self,
        output_dir: str | Path,
        records: Sequence[Mapping[str, Any]],
        filename: str = "predictions.csv",
    ) -> None:
        self.path = Path(output_dir) / filename
        self.records = {str(record["case"]): record for record in records}
        self.rows: list[Row] = []

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Begin a new table."""
        self.rows = []

    def collect(self, engine: Engine) -> None:
        """Take the rows of the cases of one batch."""
        batch: Any = engine.state.batch
        outputs: Any = engine.state.output
        # A batch is split into its cases on the way to the output; that of a failed case is not.
        items = batch if isinstance(batch, list) else [{}] * len(outputs)
        for item, output in zip(items, outputs, strict=True):
            known = {key: value for key, value in output.items() if value is not None}
            found = {**item, **known}
            self.rows += rows_of(self.records[str(found["case"])], found)

    def finish(self, engine: Engine) -> None:
        """Gather the rows of all processes, write them once and log the means."""
        texts = string_list_all_gather([json.dumps(row) for row in self.rows])
        rows = {(row["case"], row["level"]): row for row in map(json.loads, filter(None, texts))}
        everything = [rows[key] for key in sorted(rows)]
        engine.state.metrics.update(summarize(everything))
        if idist.get_rank() == 0:
            write_table(self.path, COLUMNS, everything)
            means = ", ".join(f"{k} {v:.3f}" for k, v in summarize(everything).items())
            logger.info("%d rows in %s; %s", len(rows), self.path, means or "no reference")


def rows_of(record: Mapping[str, Any], found: Mapping[str, Any]) -> list[Row]:
    """Join what was measured in a case with its reference; one row per level.

    Args:
        record: The case's record.
        found: What `DescribeLevelsd` left under "measured", with "kvp"; or "failure", one line.
    """
    rows = []
    for level in LEVEL_IDS:
        if FAILURE in found:
            measured: Mapping[str, Any] = {"status": FAILED, "reasons": [found[FAILURE]]}
        else:
            measured = found["measured"][level]
        reference = record["density"].get(level)
        cnn = measured.get("cnn_interval") or (None, None)
        row = {
            "case": record["case"],
            "patient_id": record.get("patient_id"),
            "scanner": record.get("scanner"),
            "level": level,
            "status": measured["status"],
            "reason": REASON_SEPARATOR.join(measured["reasons"]),
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
