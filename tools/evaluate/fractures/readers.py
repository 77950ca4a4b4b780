"""Readers beside the methods: a CSV of a case column and a column of 0 or 1 for each reader."""

from __future__ import annotations

from pathlib import Path

from tools.evaluate import csvfile
from tools.evaluate.fractures.answers import Answer
from tools.evaluate.predictions import DONE, FRACTURES, REFUSED, Predicted, Predictions

CASE = "case"

UNREAD = "not read"
"""Why a case of the table says nothing: all its cells are empty."""


def read(path: Path) -> Predictions:
    """Read readers' answers; an empty cell is a case that this reader did not judge.

    Args:
        path: CSV file: `case`, then one column per reader, 1 for a fracture and 0 for none.

    Raises:
        ValueError: It is no such table; one line that names file and mend.
    """
    head, rows = csvfile.read(path)
    csvfile.check_columns(path, head, (CASE,), ())
    names = [name for name in head if name != CASE]
    if not names or not all(names):
        raise ValueError(
            f"{path}: after the case, one column with a name for each reader is wanted"
        )
    cases: dict[str, Predicted] = {}
    for row in rows:
        case = row.needed(CASE)
        if case in cases:
            raise ValueError(f"{row.place}: case {case} stands there twice")
        said = {name: row.truth(name) for name in names}
        answers = {name: Answer(one) for name, one in said.items() if one is not None}
        status, reason = (DONE, None) if answers else (REFUSED, UNREAD)
        cases[case] = Predicted(case, status, reason, {}, answers=answers)
    return Predictions(path, FRACTURES, "readers", cases)
