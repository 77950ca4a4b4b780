"""predictions.csv: four rows per case, whatever became of it."""

import csv
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from monai.transforms import Compose

from bmd_bundle.common import CaseEvaluator
from bmd_bundle.rows import COLUMNS, PredictionRows, rows_of, summarize

RECORD = {
    "case": "A1",
    "density": {"L2": 100.0},
    "patient_id": "P1",
    "scanner": "R",
    "reference": "QCT",
    "kvp": 100.0,
}
MEASURED = {
    "status": "measured",
    "reasons": [],
    "hu_trabecular": 130.0,
    "noise_hu": None,
    "standard_error_hu": 1.5,
    "bmd_hu_linear_mg_cm3": 97.0,
    "hu_linear_low_mg_cm3": 80.0,
    "hu_linear_high_mg_cm3": 114.0,
    "bmd_cnn_mg_cm3": 98.0,
    "cnn_interval": [90.0, 106.0],
    "calibration": "site-1",
}
REFUSED = {"status": "refused", "reasons": ["level_not_found"], "cnn_interval": None}


def test_a_case_gives_four_rows() -> None:
    found = {
        "measured": dict.fromkeys(("L1", "L3", "L4"), REFUSED) | {"L2": MEASURED},
        "kvp": 100.0,
    }
    rows = rows_of(RECORD, found)
    assert [row["level"] for row in rows] == ["L1", "L2", "L3", "L4"]
    assert rows[1] == {
        "case": "A1",
        "patient_id": "P1",
        "scanner": "R",
        "level": "L2",
        "status": "measured",
        "reason": "",
        "bmd_cnn_mg_cm3": 98.0,
        "low_95_mg_cm3": 90.0,
        "high_95_mg_cm3": 106.0,
        "bmd_hu_linear_mg_cm3": 97.0,
        "hu_linear_low_95_mg_cm3": 80.0,
        "hu_linear_high_95_mg_cm3": 114.0,
        "hu_trabecular": 130.0,
        "noise_hu": None,
        "kvp": 100.0,
        "reference_mg_cm3": 100.0,
        "mineral": "HA",
        "reference_kind": "QCT",
        "standard_error_hu": 1.5,
        "calibration": "site-1",  # so that `recalibrate` refuses readings that one has moved
    }
    assert (rows[0]["status"], rows[0]["reason"]) == ("refused", "level_not_found")
    assert (rows[0]["reference_mg_cm3"], rows[0]["reference_kind"]) == (None, None)
    assert set(rows[0]) == set(COLUMNS)


def test_a_failed_case_keeps_its_references() -> None:
    rows = rows_of(RECORD, {"failure": "is no CT; copy it again"})
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["reason"] for row in rows} == {"is no CT; copy it again"}
    assert [row["reference_mg_cm3"] for row in rows] == [None, 100.0, None, None]
    assert rows[0]["kvp"] == 100.0


def test_means_count_what_has_a_reference() -> None:
    found = {"measured": dict.fromkeys(("L1", "L3", "L4"), MEASURED) | {"L2": MEASURED}}
    rows = rows_of(RECORD, found) + rows_of(RECORD, {"failure": "x"})
    assert summarize(rows) == {
        "measured": 0.5,
        "mae_mg_cm3": pytest.approx(2.0),
        "mae_hu_linear_mg_cm3": pytest.approx(3.0),
    }
    assert summarize([]) == {}


def test_the_handler_writes_every_case(tmp_path: Path) -> None:
    def finish(item: dict) -> dict:
        if item["case"] == "A2":
            raise ArithmeticError("no density")
        return {**item, "measured": dict.fromkeys(("L1", "L2", "L3", "L4"), MEASURED)}

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
    handler = PredictionRows(tmp_path, records)
    handler.attach(evaluator)
    evaluator.run()
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["level"]) for row in rows] == [
        (case, level) for case in ("A1", "A2", "A3") for level in ("L1", "L2", "L3", "L4")
    ]
    assert [rows[at]["status"] for at in (0, 4, 8)] == ["measured", "failed", "failed"]
    assert rows[4]["reason"] == "unexpected ArithmeticError: no density; see the log"
    assert evaluator.state.metrics["measured"] == pytest.approx(1 / 3)
    assert Events.EPOCH_COMPLETED.name  # written when the epoch ends
