"""What is said of a case, and `predictions.csv`: one row per case, refused and failed ones too."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from monai.transforms import Compose

from ovf_bundle.common import CaseError, CaseEvaluator
from ovf_bundle.rows import COLUMNS, PredictionRows, row_of, summarize
from ovf_bundle.transforms import DescribeFractured

RECORD = {"case": "A1", "label": 1, "patient_id": "P1", "scanner": "A", "age": 71.0}


def described(*probabilities: float, reason: str = "", threshold: float = 0.5) -> dict[str, Any]:
    data = {"case": "A1", "pred": torch.tensor(probabilities), "facts": {"reason": reason}}
    return DescribeFractured("pred", threshold=threshold)(data)["ovf"]


@pytest.mark.parametrize(
    ("probability", "threshold", "decision"),
    [(0.75, 0.5, "positive"), (0.5, 0.5, "negative"), (0.5, 0.25, "positive")],
)
def test_a_case_above_the_threshold_is_positive(
    probability: float, threshold: float, decision: str
) -> None:
    assert described(probability, 0.25, 0.625, threshold=threshold) == {
        "status": "measured",
        "reasons": [],
        "probability": probability,
        "decision": decision,
        "slices": 2,
        "levels_covered": None,
        "slice_probabilities": [0.25, 0.625],
    }


def test_slices_that_cannot_show_a_fracture_give_no_number() -> None:
    assert described(0.75, 0.25, reason="field_too_small") == {
        "status": "refused",
        "reasons": ["field_too_small"],
        "probability": None,
        "decision": None,
        "slices": 1,
        "levels_covered": None,
        "slice_probabilities": None,
    }


def test_a_network_without_numbers_fails_the_case() -> None:
    with pytest.raises(CaseError, match="A1: the network gives no numbers"):
        described(float("nan"), 0.25)
    with pytest.raises(ValueError, match="give a probability"):
        DescribeFractured("pred", threshold=50)


def test_a_row_holds_the_aggregators_without_weights() -> None:
    row = row_of(RECORD, {"ovf": described(0.75, 0.25, 0.625, 0.5)}, "lstm", 0.125)
    assert row == {
        "case": "A1",
        "patient_id": "P1",
        "scanner": "A",
        "status": "measured",
        "reason": "",
        "label": 1,
        "slices": 3,
        "aggregator": "lstm",
        "probability": 0.75,
        "decision": "positive",
        "probability_max": 0.625,
        "probability_mean": pytest.approx(1.375 / 3),
        "probability_vote": pytest.approx(1 / 3),  # a half is no vote
        "seconds": 0.125,
    }
    assert set(row) == set(COLUMNS)


def test_probabilities_next_to_one_stay_apart() -> None:
    rows = [row_of(RECORD, {"ovf": described(p, p)}, "max", 0.0) for p in (0.999991, 0.999994)]
    assert rows[0]["probability"] < rows[1]["probability"]
    assert rows[0]["probability_max"] < rows[1]["probability_max"]


def test_shares_count_every_case() -> None:
    sound = RECORD | {"label": 0}
    rows = [
        row_of(RECORD, {"ovf": described(0.75, 0.5)}, "lstm", 0.0),
        row_of(RECORD, {"ovf": described(0.25, 0.5)}, "lstm", 0.0),
        row_of(RECORD, {"failure": "is no CT"}, "lstm", 0.0),
        row_of(sound, {"ovf": described(0.25, 0.5)}, "lstm", 0.0),
        row_of(sound, {"ovf": described(0.25, 0.5, reason="field_too_small")}, "lstm", 0.0),
    ]
    assert summarize(rows) == {
        "accuracy": pytest.approx(2 / 5),
        "sensitivity": pytest.approx(1 / 3),
        "specificity": pytest.approx(1 / 2),
        "measured": pytest.approx(3 / 5),
    }
    assert summarize([]) == {}


def test_the_handler_writes_every_case(tmp_path: Path) -> None:
    class LstmPooling: ...

    def finish(item: dict) -> dict:
        if item["case"] == "A2":
            raise ArithmeticError("no slices")
        return {**item, "ovf": described(0.75, 0.5)}

    evaluator = CaseEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[
            {"case": ["A1"], "image": torch.zeros(1, 1, 4, 4)},
            {"case": ["A2"], "image": torch.zeros(1, 1, 4, 4)},
            {"case": ["A3"], "failure": ["is no CT"]},
        ],
        network=torch.nn.Identity(),
        postprocessing=Compose([finish]),
    )
    records = [{**RECORD, "case": name} for name in ("A1", "A2", "A3")]
    network = SimpleNamespace(head=SimpleNamespace(aggregator=LstmPooling()))
    PredictionRows(tmp_path, records, network, SimpleNamespace(seconds=0.5)).attach(evaluator)
    evaluator.run()
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["case"], row["status"], row["seconds"]) for row in rows] == [
        ("A1", "measured", "0.5"),
        ("A2", "failed", ""),
        ("A3", "failed", ""),
    ]
    assert rows[1]["reason"] == "unexpected ArithmeticError: no slices; see the log"
    assert evaluator.state.metrics["sensitivity"] == pytest.approx(1 / 3)
