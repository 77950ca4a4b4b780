"""A cohort and what was predicted of it, written once for all tests of `evaluate`."""

import csv
import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.tools.evaluate import made_up
from tools.evaluate import figures
from tools.evaluate.command import evaluate


@dataclass(frozen=True)
class Evaluation:
    """What one run of `evaluate` wrote."""

    out: Path
    content: dict[str, Any]
    table: dict[tuple[str, ...], dict[str, str]]
    page: str

    def number(self, *key: str) -> dict[str, Any]:
        """A number of evaluation.json by the parts of its key."""
        found = self.content["tables"]
        for part in key:
            found = found[part]
        return found


def run(said: Path, true: Path, out: Path, pictures: bool = True, **options: Any) -> Evaluation:
    """Run `evaluate` and read what it wrote; drawing pictures takes half of the time."""
    with nullcontext() if pictures else patch.object(figures, "draw", return_value={}):
        evaluate(said, true, out, **options)
    with (out / "tables.csv").open() as file:
        rows = list(csv.DictReader(file))
    keys = ("table", "scanner", "method", "level", "metric")
    return Evaluation(
        out,
        json.loads((out / "evaluation.json").read_text()),
        {tuple(row[key] for key in keys): row for row in rows},
        (out / "index.html").read_text(),
    )


LOST = {"A0001": ("refused", "no_anchor"), "B0002": ("failed", "no NIfTI file")}
"""Cases that were not measured."""

UNSEEN, UNKNOWN = "C0003", "X0001"
"""A reference without a prediction, and a prediction without a reference."""


@pytest.fixture(scope="session")
def cohort() -> dict[str, Any]:
    return made_up.cohort(30)


@pytest.fixture(scope="session")
def rows(cohort: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a predictions.csv with lost, unseen and unknown cases."""
    found = []
    for row in made_up.predicted(cohort):
        if row["case"] == UNSEEN:
            continue
        if row["case"] in LOST:
            found.append(made_up.unmeasured(row, *LOST[row["case"]]))
        elif (row["case"], row["level"]) == ("A0004", "L2"):
            found.append(made_up.unmeasured(row, "refused", "touches_border"))
        else:
            found.append(row)
    return [*found, *(row | {"case": UNKNOWN} for row in found[-4:])]


@pytest.fixture(scope="session")
def folder(
    tmp_path_factory: pytest.TempPathFactory, cohort: dict[str, Any], rows: list[dict[str, Any]]
) -> Path:
    """Truth, datalist and predictions in one folder."""
    place = tmp_path_factory.mktemp("evaluate")
    made_up.write_json(place / "cohort" / "truth.json", cohort)
    made_up.write_json(place / "cohort" / "bmd_regression.json", made_up.datalist(cohort))
    made_up.write_csv(place / "predictions.csv", rows)
    return place


@pytest.fixture(scope="session")
def evaluated(folder: Path) -> Evaluation:
    """The evaluation of all of it."""
    truth = folder / "cohort" / "truth.json"
    return run(folder / "predictions.csv", truth, folder / "evaluation")
