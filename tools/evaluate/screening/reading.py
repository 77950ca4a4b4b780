"""The table of a screening classifier or of a cross-validation, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.evaluate import csvfile, predictions
from tools.evaluate.csvfile import Row
from tools.evaluate.predictions import (
    BUNDLE_NEEDED,
    BUNDLE_OPTIONAL,
    MEASURED,
    SCREENING,
    Predicted,
    Predictions,
)

PROBABILITY = "probability_reduced"
"""Column of what a screening classifier says of a level."""

FOLD, PART = "fold", "part"
"""Columns of the table that `cross_validating` of bmd_regression writes."""

TRAIN, TEST, INDEPENDENT = PARTS = ("train", "test", "independent")
"""What a case is to a fold: learnt from, left out, of a scanner that no fold knows."""


@dataclass(frozen=True)
class Fold:
    """What the network of one fold says.

    Attributes:
        number: Its number; None of a table without folds.
        parts: Case -> what it is to the fold; empty where the table does not say.
        predictions: What was said.
    """

    number: int | None
    parts: Mapping[str, str]
    predictions: Predictions


def holds(place: Path) -> bool:
    """Tell whether predictions are those of a screening or of a cross-validation."""
    head, _ = csvfile.read(predictions.table_of(place))
    return FOLD in head or PROBABILITY in head


def read(place: Path) -> list[Fold]:
    """Read a table.

    Args:
        place: predictions.csv of `cross_validating`, or of `evaluating` with the classifier; or the
            folder that holds it.

    Returns:
        Its folds, in order.

    Raises:
        ValueError: It is unusable; one line.
    """
    path = predictions.table_of(place)
    head, rows = csvfile.read(path)
    folded = FOLD in head
    needed = (*((FOLD, PART) if folded else ()), *BUNDLE_NEEDED)
    csvfile.check_columns(path, head, needed, (*BUNDLE_OPTIONAL, PROBABILITY))
    groups: dict[int | None, dict[str, list[Row]]] = {}
    parts: dict[int | None, dict[str, str]] = {}
    for row in rows:
        number, case = (_number(row) if folded else None), row.needed("case")
        groups.setdefault(number, {}).setdefault(case, []).append(row)
        own = parts.setdefault(number, {})
        if folded and own.setdefault(case, row.choice(PART, PARTS)) != row.text(PART):
            raise ValueError(f"{row.place}: case {case} is in two parts of fold {number}")
    return [
        Fold(
            number,
            parts[number],
            Predictions(
                path, SCREENING, "bmd_regression",
                {case: _predicted(case, own) for case, own in cases.items()},
            ),
        )
        for number, cases in sorted(groups.items(), key=lambda item: item[0] or 0)
    ]  # fmt: skip


def _predicted(case: str, rows: Sequence[Row]) -> Predicted:
    """What a fold says of a case, the classifier's probabilities among the levels' scores."""
    found = predictions.of_bundle(case, rows)
    if PROBABILITY not in rows[0].cells:
        return found
    said = {row.text("level"): _probability(row) for row in rows}
    levels = {
        name: replace(level, scores={PROBABILITY: said.get(name)})
        for name, level in found.levels.items()
    }
    return replace(found, levels=levels)


def _probability(row: Row) -> float | None:
    value = row.number(PROBABILITY)
    if row.text("status") != MEASURED:
        return None
    if value is None or not 0 <= value <= 1:
        said = "empty" if value is None else f"{value:g}, not from 0 to 1"
        raise ValueError(f"{row.place}: measured, but {PROBABILITY} is {said}")
    return value


def _number(row: Row) -> int:
    value = row.number(FOLD)
    if value is None or value < 1 or value != int(value):
        raise ValueError(f"{row.place}: {FOLD} is {row.text(FOLD)!r}; a number from 1 on is wanted")
    return int(value)
