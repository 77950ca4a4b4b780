"""A cohort with fractures and all that judged it, evaluated once."""

from pathlib import Path
from typing import Any

import pytest

from tests.tools.evaluate import made_up as densities
from tests.tools.evaluate.conftest import Evaluation, run
from tests.tools.evaluate.fractures import made_up

LOST = {"A0003": ("refused", "few_slices"), "B0002": ("failed", "no NIfTI file")}
"""Cases that the first network did not judge."""


@pytest.fixture(scope="session")
def truth() -> dict[str, Any]:
    return made_up.cohort(40)


@pytest.fixture(scope="session")
def lstm(truth: dict[str, Any]) -> list[dict[str, Any]]:
    rows = made_up.predicted(truth)
    return [made_up.unmeasured(r, *LOST[r["case"]]) if r["case"] in LOST else r for r in rows]


@pytest.fixture(scope="session")
def place(
    tmp_path_factory: pytest.TempPathFactory, truth: dict[str, Any], lstm: list[dict[str, Any]]
) -> Path:
    """Truth, datalist, two aggregators, a screen folder and two readers."""
    folder = tmp_path_factory.mktemp("fractures")
    densities.write_json(folder / "cohort" / "truth.json", truth)
    densities.write_json(folder / "cohort" / "ovf_classification.json", made_up.datalist(truth))
    densities.write_csv(folder / "lstm" / "predictions.csv", lstm)
    densities.write_csv(folder / "max" / "predictions.csv", made_up.predicted(truth, "max", 7, 1.6))
    densities.write_csv(folder / "results" / "results.csv", made_up.screened(made_up.losses(truth)))
    one, two = made_up.read_by(truth, 1), made_up.read_by(truth, 2, 0.25)
    rows = [{"case": name, "Reader 1": one[name], "Reader 2": two[name]} for name in one]
    rows[3]["Reader 2"] = None  # type: ignore[assignment]
    densities.write_csv(folder / "readers.csv", rows)
    return folder


@pytest.fixture(scope="session")
def fractures(place: Path) -> Evaluation:
    """The evaluation of all of it."""
    return run(
        place / "lstm" / "predictions.csv", place / "cohort" / "truth.json", place / "out",
        beside=(place / "max" / "predictions.csv",), heights=place / "results",
        readers=place / "readers.csv",
    )  # fmt: skip
