"""S3's classifier: what it learns, and that what it says is never taken for a density."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bmd_bundle.calibration import category, to_k2hpo4
from bmd_bundle.common import CaseError
from bmd_bundle.describing import DescribeLevelsd
from bmd_bundle.preflight import check_task
from bmd_bundle.rows import COLUMNS
from bmd_bundle.screening import DescribeReducedd, ToReducedd, called, patient_probability
from bmd_bundle.screening_rows import summarize
from tests.bundles.bmd_regression.entry import ENTRY
from tests.bundles.workflows import infer, prepared_training, save_weights, train

TASK = "task_classification"


@pytest.fixture(scope="module")
def own(bundle: Path, tmp_path_factory: pytest.TempPathFactory, entry_small: dict) -> str:
    """Random weights of a small classifier."""
    path = tmp_path_factory.mktemp("own") / "model.pt"
    return save_weights(bundle, path, TASK, **entry_small)


@pytest.fixture(scope="module")
def entry_small() -> dict[str, Any]:
    """Overrides that make the network small."""
    return dict(ENTRY.small_network)


@pytest.fixture(scope="module")
def cohort(cohorts: Callable[[str], Path]) -> Path:
    """Folder of the tiny cohort."""
    return cohorts("bmd_regression")


def test_reduced_is_what_the_project_calls_osteopenia_or_osteoporosis() -> None:
    densities = [-20.0, 50.0, 84.68, 130.0, 130.679, 130.69, 131.0, 250.0]
    found = ToReducedd("label")({"label": torch.tensor(densities)})["label"]
    assert found.dtype == torch.float32
    assert found.tolist() == [category(to_k2hpo4(d)) != "normal" for d in densities]


def test_the_label_follows_added_mineral(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    """Labels are made of the density behind the random changes, not before."""
    workflow = prepared_training(bundle, cohort, tmp_path, TASK)
    steps = workflow.parser.get_parsed_content("train::preprocessing").transforms
    names = [type(step).__name__ for step in steps]
    assert names.index("RandMinerald") < names.index("ToReducedd") < names.index("SplitLevelsd")
    labels = torch.cat([item["label"] for item in workflow.parser.get_parsed_content(
        "validate::dataset")[0]])  # fmt: skip
    assert set(labels.tolist()) <= {0.0, 1.0}


def test_it_trains_a_step_and_validates_by_auc(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    """Both classes are there to validate on."""
    lists = json.loads((cohort / "bmd_regression.json").read_text())
    place = tmp_path / "cohort"
    place.mkdir()
    records = [
        record | {key: str(cohort / record[key]) for key in ("image", "mask")}
        for key in ("training", "validation")
        for record in lists[key]
    ]
    (place / "bmd_regression.json").write_text(
        json.dumps({"training": records, "validation": [records[0], records[-1]]})
    )
    workflow = train(
        bundle, place, tmp_path, TASK, val_interval=1, cache_dir=str(cohort / "cache"),
        **ENTRY.small_network,
    )  # fmt: skip
    metrics = workflow.parser.get_parsed_content("validate::evaluator").state.metrics
    assert list(metrics) == ["val_auc"]
    assert 0.0 <= metrics["val_auc"] <= 1.0
    assert (tmp_path / "checkpoints" / "best.pt").is_file()


def test_a_patient_s_odds_are_the_mean_of_its_levels() -> None:
    """Where log-odds fall with density in a line, they are those of the mean density."""
    densities = [100.0, 120.0, 150.0, 140.0]

    def odds(density: float) -> float:
        return (130.68 - density) / 7.0

    levels = [1 / (1 + math.exp(-odds(d))) for d in densities]
    expected = 1 / (1 + math.exp(-odds(sum(densities) / 4)))
    assert patient_probability(levels) == pytest.approx(expected)
    assert 0 < patient_probability([0.0]) < patient_probability([1.0]) < 1


@pytest.mark.parametrize(
    ("probability", "levels", "call"),
    [(0.51, 2, "reduced"), (0.5, 4, "not reduced"), (0.99, 1, None), (None, 0, None)],
)
def test_a_call_takes_two_levels(probability: float | None, levels: int, call: str | None) -> None:
    assert called(probability, levels) == call


def test_inference_says_what_the_number_is(
    own: str, bundle: Path, entry_small: dict, cohort: Path, tmp_path: Path
) -> None:
    infer(bundle, cohort, tmp_path, TASK, weights_file=own, kvp=120.0, **entry_small)
    found = json.loads((tmp_path / "A0004_bmd.json").read_text())
    for level in found["levels"].values():
        assert level["bmd_cnn_mg_cm3"] is None
        assert level["bmd_interval_95_mg_cm3"] is None
    assert found["levels"]["L2"]["bmd_hu_linear_mg_cm3"] == pytest.approx(180.0, abs=1.0)
    said = found["screening"]
    assert "no density" in said["what"]
    assert said["limit_ha_mg_cm3"] == pytest.approx(1.15 * 120 - 7.32)
    levels = {k: v["probability_reduced"] for k, v in said["levels"].items()}
    assert levels["L1"] is levels["L4"] is None
    assert said["levels"]["L1"]["reasons"] == ["level_not_found"]
    patient = said["patient"]
    assert patient["levels_used"] == ["L2", "L3"]
    assert patient["probability_reduced"] == pytest.approx(
        patient_probability([levels["L2"], levels["L3"]]), abs=1e-3
    )
    assert patient["call"] == called(patient["probability_reduced"], 2)


def test_evaluating_writes_the_probability_beside_hu_linear(
    own: str, bundle: Path, entry_small: dict, cohort: Path, tmp_path: Path
) -> None:
    given = {**entry_small, "weights_file": own}
    prepared_training(bundle, cohort, tmp_path, "evaluate", TASK, **given).run()
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (*COLUMNS, "probability_reduced")
    assert {row["bmd_cnn_mg_cm3"] for row in rows} == {""}
    assert [bool(row["probability_reduced"]) for row in rows] == [False, True, True, False]
    assert all(0 < float(row["probability_reduced"]) < 1 for row in rows[1:3])


def test_weights_of_the_one_are_refused_by_the_other(
    own: str, weights: str, bundle: Path, entry_small: dict, cohort: Path, tmp_path: Path
) -> None:
    for overlays, file, words in (
        ([], own, "limit_k2hpo4_mg_cm3 is unknown"),
        ([TASK], weights, "limit_k2hpo4_mg_cm3 is missing"),
    ):
        with pytest.raises(RuntimeError) as caught:
            infer(bundle, cohort, tmp_path, *overlays, weights_file=file, **entry_small)
        assert words in str(caught.value.__cause__)


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory, entry_small: dict) -> str:
    """Random weights of a small network that reads density."""
    return save_weights(bundle, tmp_path_factory.mktemp("w") / "model.pt", **entry_small)


def test_evaluation_behind_the_task_is_refused(
    own: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    """It would scale the log-odds to mg/cm³."""
    with pytest.raises(RuntimeError) as caught:
        prepared_training(bundle, cohort, tmp_path, TASK, "evaluate", weights_file=own)
    assert "name evaluate.yaml before the overlay" in str(caught.value.__cause__)
    argv = ["monai", "run", "evaluating", "--config_file", "x.yaml"]
    with pytest.raises(SystemExit, match=r"^error: config_file: the network says 'reduced'"):
        check_task(argv, "reduced", DescribeLevelsd())
    check_task(argv, "reduced", DescribeReducedd())


def test_a_network_without_numbers_fails_the_case() -> None:
    data = {"pred": torch.tensor([[float("nan")]]), "case": "A1"}
    with pytest.raises(CaseError, match="the network gives no numbers"):
        DescribeReducedd()(data)


def test_shares_count_what_has_no_answer_as_wrong() -> None:
    rows = [
        {"reference_mg_cm3": reference, "probability_reduced": said}
        for reference, said in ((90.0, 0.9), (90.0, 0.1), (180.0, 0.2), (180.0, None), (None, 0.9))
    ]
    assert summarize(rows) == {"accuracy": 0.5, "measured": 0.75}
    assert summarize([]) == {}
