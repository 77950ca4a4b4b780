"""What was said of fractures: a row per case of the predictions.csv of ovf_classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.evaluate.csvfile import Row

MARK = "aggregator"
"""Column that tells this table from those of the other bundles."""

POOLED = ("max", "mean", "vote")
"""S1's aggregators without weights, which the slices' own probabilities give."""

NEEDED = ("case", "status", "reason", MARK, "probability", "decision")
OPTIONAL = (
    "patient_id", "scanner", "label", "slices", *(f"probability_{name}" for name in POOLED),
)  # fmt: skip
"""Columns of the table."""

POSITIVE, NEGATIVE = "positive", "negative"

THRESHOLD = 0.5
"""S1: a pooled probability above this is positive; a vote needs more than half of the slices."""

MEASURED, REFUSED, FAILED = "measured", "refused", "failed"


@dataclass(frozen=True)
class Answer:
    """What one method said of a case.

    Attributes:
        positive: Whether it calls the case fractured.
        score: What it decides by, larger for a likelier fracture; None of a reader.
    """

    positive: bool
    score: float | None = None


@dataclass(frozen=True)
class Said:
    """What the table says of a case.

    Attributes:
        status: "measured", "refused" or "failed".
        reason: Why it is not measured.
        answers: Method -> what it said; empty unless measured.
        scanner: As the table names it; None if it does not.
        patient: Whose scan it is, if the table says so.
        label: The reference that the table itself gives; None if none.
    """

    status: str
    reason: str | None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    scanner: str | None = None
    patient: str | None = None
    label: bool | None = None


def pooled_name(name: str, aggregator: str) -> str:
    """Name a pooling of the slices of a network that has an aggregator of its own.

    >>> pooled_name("max", "lstm")
    'max of slices (lstm)'
    """
    return f"{name} of slices ({aggregator})"


def of_rows(case: str, rows: Sequence[Row]) -> Said:
    """Read a case's row.

    Args:
        case: Its name.
        rows: Its rows, of which there must be one.

    Raises:
        ValueError: The case stands there twice, or a cell is unusable; one line.
    """
    row, *others = rows
    if others:
        raise ValueError(f"{others[0].place}: case {case} stands there twice")
    status = row.choice("status", (MEASURED, REFUSED, FAILED))
    answers = {}
    if status == MEASURED:
        own = row.needed(MARK)
        positive = row.choice("decision", (POSITIVE, NEGATIVE)) == POSITIVE
        answers[own] = Answer(positive, _probability(row, "probability"))
        for name in POOLED:
            column = f"probability_{name}"
            if row.text(column) is not None:
                said = _probability(row, column)
                answers[pooled_name(name, own)] = Answer(said > THRESHOLD, said)
    return Said(
        status, row.text("reason"), answers, row.text("scanner"), row.text("patient_id"),
        row.truth("label"),
    )  # fmt: skip


def _probability(row: Row, column: str) -> float:
    value = row.number(column)
    if value is None:
        raise ValueError(f"{row.place}: measured, but {column} is empty")
    if not 0 <= value <= 1:
        raise ValueError(f"{row.place}: {column} is {value:g}, not from 0 to 1")
    return value
