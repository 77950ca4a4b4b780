"""`predictions.csv`: one row per case, from which every table is computed later.

Confidence intervals, curves and tables belong to `python -m tools evaluate`; here only plain shares
are logged, so that a run says at once how it went. Beside the network's own probability stand those
of S1's three aggregators without weights, from what the slices of the same network say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ovf_bundle.common import FAILED, FAILURE, MEASURED, CaseRows, plain
from ovf_bundle.records import NEGATIVE, POSITIVE

#: Columns of `predictions.csv`; `seconds` are the network's alone.
COLUMNS = (
    "case", "patient_id", "scanner", "status", "reason", "label", "slices", "aggregator",
    "probability", "decision", "probability_max", "probability_mean", "probability_vote", "seconds",
)  # fmt: skip
#: Between several reasons in one field.
REASON_SEPARATOR = ";"
#: A slice above it votes for a fracture (S1).
SLICE_THRESHOLD = 0.5

Row = dict[str, Any]


class PredictionRows(CaseRows):
    """Ignite handler that writes `predictions.csv` when an epoch ends.

    One row per case, always: scans that were refused, and cases that failed, stay in the table.
    With several processes the first one writes the rows of all. The shares go to
    `engine.state.metrics`; attach this handler before those that log them.

    Args:
        output_dir: Where to write; made if missing.
        records: Records of the cases, as `records.evaluated_cases` gives them.
        network: The network; its aggregator's name goes to the table.
        inferer: What runs it and says how long that took (`SliceInferer`).
        filename: Name of the file.
    """

    def __init__(
        self,
        output_dir: str | Path,
        records: Sequence[Mapping[str, Any]],
        network: Any,
        inferer: Any,
        filename: str = "predictions.csv",
    ) -> None:
        super().__init__(Path(output_dir) / filename, COLUMNS, names=["case"])
        self.records = {str(record["case"]): record for record in records}
        self.aggregator = aggregator_name(network)
        self.inferer = inferer

    def rows_of_case(self, data: Mapping[str, Any]) -> list[Row]:
        """Row of one case, with what its record says."""
        record = self.records[str(data["case"])]
        return [row_of(record, data, self.aggregator, self.inferer.seconds)]

    def means(self, rows: Sequence[Row]) -> dict[str, float]:
        """Shares of right answers, as `summarize`."""
        return summarize(rows)

    def in_words(self, rows: Sequence[Row]) -> str:
        """The shares in one line."""
        return ", ".join(f"{name} {share:.3f}" for name, share in summarize(rows).items())


def aggregator_name(network: Any) -> str:
    """Name a network's aggregator as its overlay is named.

    Examples:
        >>> from types import SimpleNamespace
        >>> class LstmPooling: ...
        >>> aggregator_name(SimpleNamespace(head=SimpleNamespace(aggregator=LstmPooling())))
        'lstm'
    """
    name = type(network.head.aggregator).__name__
    return re.sub("Pooling|Majority", "", name).lower()


def row_of(
    record: Mapping[str, Any], found: Mapping[str, Any], aggregator: str, seconds: float
) -> Row:
    """Join what was found in a case with its reference.

    Args:
        record: The case's record.
        found: What `DescribeFractured` left under "ovf"; or "failure", one line.
        aggregator: Name of the network's aggregator.
        seconds: What the network took.
    """
    failed = {"status": FAILED, "reasons": [found[FAILURE]]} if FAILURE in found else None
    ovf: Mapping[str, Any] = failed or found["ovf"]
    slices = ovf.get("slice_probabilities")
    votes = np.array(slices) > SLICE_THRESHOLD if slices else None
    row = plain(
        {
            "case": record["case"],
            "patient_id": record.get("patient_id"),
            "scanner": record.get("scanner"),
            "status": ovf["status"],
            "reason": REASON_SEPARATOR.join(ovf["reasons"]),
            "label": record["label"],
            "slices": ovf.get("slices"),
            "aggregator": aggregator,
            "decision": ovf.get("decision"),
            "seconds": None if failed else seconds,
        }
    )
    # As they are: rounded ones near 0 and 1 would tie, and a ROC curve counts ties by half.
    return row | {
        "probability": ovf.get("probability"),
        "probability_max": max(slices) if slices else None,
        "probability_mean": float(np.mean(slices)) if slices else None,
        "probability_vote": float(votes.mean()) if votes is not None else None,
    }


def summarize(rows: Sequence[Row]) -> dict[str, float]:
    """Shares over all cases, of which one without an answer is no right one.

    Returns:
        `accuracy`, `sensitivity` and `specificity` of the network's decisions, and `measured`, the
        share of cases with one; what has no case is left out.
    """
    right = [row["decision"] == ("positive" if row["label"] else "negative") for row in rows]
    labels = [row["label"] for row in rows]
    values = {
        "accuracy": right,
        "sensitivity": [r for r, label in zip(right, labels, strict=True) if label == POSITIVE],
        "specificity": [r for r, label in zip(right, labels, strict=True) if label == NEGATIVE],
        "measured": [row["status"] == MEASURED for row in rows],
    }
    return {name: float(np.mean(column)) for name, column in values.items() if column}
