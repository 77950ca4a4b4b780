"""`predictions.csv` of the screening classifier: that of density with a probability per level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bmd_bundle.common import FAILURE
from bmd_bundle.rows import PredictionRows, Row
from bmd_bundle.screening import LIMIT_HA, PROBABILITY, THRESHOLD


class ScreeningRows(PredictionRows):
    """Ignite handler that writes `predictions.csv`; see `rows.PredictionRows`.

    Args:
        output_dir: Where to write; made if missing.
        records: Records of the cases, as `records.evaluated_cases` gives them.
    """

    def __init__(self, output_dir: str | Path, records: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(output_dir, records)
        self.columns = (*self.columns, PROBABILITY)

    def rows_of_case(self, data: Mapping[str, Any]) -> list[Row]:
        """Rows of one case, with the probability of each level."""
        found = {} if FAILURE in data else data["measured"]
        # As it is: rounded ones near 0 and 1 would tie, and a ROC curve counts ties by half.
        return [
            row | {PROBABILITY: found.get(row["level"], {}).get(PROBABILITY)}
            for row in super().rows_of_case(data)
        ]

    def means(self, rows: Sequence[Row]) -> dict[str, float]:
        """Shares of right answers, as `summarize`."""
        return summarize(rows)

    def in_words(self, rows: Sequence[Row]) -> str:
        """The shares in one line."""
        return ", ".join(f"{k} {v:.3f}" for k, v in summarize(rows).items()) or "no reference"


def summarize(rows: Sequence[Row]) -> dict[str, float]:
    """Shares over the levels with a reference, of which one without an answer is no right one.

    Returns:
        `accuracy`, and `measured`, the share of levels with an answer.
    """
    known = [row for row in rows if row["reference_mg_cm3"] is not None]
    if not known:
        return {}
    right = [
        row[PROBABILITY] is not None
        and (row[PROBABILITY] > THRESHOLD) == (row["reference_mg_cm3"] <= LIMIT_HA)
        for row in known
    ]
    measured = [row[PROBABILITY] is not None for row in known]
    return {"accuracy": float(np.mean(right)), "measured": float(np.mean(measured))}
