"""What `screen` says of fractures: the height-loss rule, and the fracture network where it ran.

The rule stands for what a segmentation alone knows: a case is positive if any level of L1 to L4 has
lost 20 % or more of its height somewhere (Genant 1993). A level whose density is refused counts too
if its heights were measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from tools.evaluate import csvfile
from tools.evaluate.csvfile import Row, table_of
from tools.evaluate.fractures.answers import NEGATIVE, POSITIVE, Answer
from tools.evaluate.predictions import (
    CASE_WORDS,
    DONE,
    FRACTURES,
    REFUSED,
    Predicted,
    Predictions,
)
from tools.report.rows import ALWAYS, AREAL, LOSSES
from tools.screen.facts import DEFAULT

RULE, NETWORK = "height loss", "fracture network"
"""Names of the two methods."""

LIMIT = DEFAULT.fracture_loss
"""Share of height lost from which the rule is positive; what `screen` suspects a fracture by."""

SILENT = "no heights and no fracture network"
"""Why a case that `screen` read says nothing of fractures."""


def read(place: Path) -> Predictions:
    """Read a `screen` folder, or its results.csv.

    Raises:
        ValueError: It is no such folder, or a cell or a report is unusable; one line.
    """
    path = table_of(place)
    head, rows = csvfile.read(path)
    csvfile.check_columns(path, head, ALWAYS, AREAL)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.needed("case"), []).append(row)
    cases = {case: _case(case, own, path.parent) for case, own in groups.items()}
    return Predictions(path, FRACTURES, "screen", cases)


def _case(case: str, rows: Sequence[Row], folder: Path) -> Predicted:
    status, reason = rows[0].choice("status", CASE_WORDS), csvfile.same(rows, "reason")
    answers = {}
    network = _network(folder / case / "report.json")
    if network is not None:
        answers[NETWORK] = network
    found = [
        value for row in rows for column in LOSSES if (value := row.number(column)) is not None
    ]
    if found:
        answers[RULE] = Answer(max(found) >= LIMIT, max(found))
    if answers:
        return Predicted(case, DONE, None, {}, answers=answers)
    return Predicted(case, REFUSED if status == DONE else status, reason or SILENT, {})


def _network(path: Path) -> Answer | None:
    """What the fracture network said; None if it did not run or refused."""
    if not path.is_file():
        return None
    try:
        block: Any = json.loads(path.read_text(encoding="utf-8"))["ovf"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{path}: no report of `screen` ({type(error).__name__}); screen the case again"
        ) from error
    if block is None:
        return None
    found: Mapping[str, Any] = block if isinstance(block, Mapping) else {}
    if found.get("status") == REFUSED:
        return None
    said, probability = found.get("decision"), found.get("probability")
    if said not in (POSITIVE, NEGATIVE) or not _is_share(probability):
        raise ValueError(
            f"{path}: ovf has the decision {said!r} and the probability {probability!r}; screen "
            "the case again"
        )
    return Answer(said == POSITIVE, float(probability))


def _is_share(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
