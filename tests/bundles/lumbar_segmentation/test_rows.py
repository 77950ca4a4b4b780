"""One row per case and level, whole or not at all, whatever happened to the case."""

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine, State
from monai.data import MetaTensor

from lumbar_bundle import common
from lumbar_bundle.cases import FAILURE
from lumbar_bundle.common import write_table
from lumbar_bundle.metrics import Score
from lumbar_bundle.rows import COLUMNS, PredictionRows, rows_of, summarize
from tests.bundles.lumbar_segmentation.label_maps import SPACING, four_bodies

AFFINE = np.diag([*SPACING, 1.0])
LEVELS = ("L1", "L2", "L3", "L4")


def tensor(labels: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.from_numpy(labels[None].copy()), affine=torch.from_numpy(AFFINE))


def said(status: str = "measured", reasons: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    return {
        level: {"status": status, "reasons": list(reasons), "confidence": 0.9} for level in LEVELS
    }


def finished(handler: PredictionRows, *outputs: dict[str, Any]) -> dict[str, float]:
    """Let a handler see an epoch of cases; returns the metrics."""
    engine = Engine(lambda engine, batch: None)
    engine.state = State(batch=None, output=None, metrics={})
    handler.start(engine)
    for output in outputs:
        batch = {"case": output.get("case"), "label": output.pop("label", None)}
        engine.state.batch = {"case": ["x"]} if FAILURE in output else [batch]
        if FAILURE in output:
            output["label"] = batch["label"]
        engine.state.output = [output]
        handler.collect(engine)
    handler.finish(engine)
    return engine.state.metrics


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def good(case: str = "a") -> dict[str, Any]:
    return {
        "case": case,
        "pred": tensor(four_bodies(2)),
        "label": tensor(four_bodies()),
        "levels": said(),
    }


def test_a_good_case_gives_four_rows(tmp_path: Path) -> None:
    metrics = finished(PredictionRows(tmp_path / "new"), good())
    table = read(tmp_path / "new" / "predictions.csv")
    assert tuple(table[0]) == COLUMNS
    assert [row["level"] for row in table] == list(LEVELS)
    for row in table:
        assert (row["case"], row["status"], row["present"]) == ("a", "measured", "1")
        assert float(row["dsc"]) == pytest.approx(0.8)
        assert (row["named_right"], row["scan_valid"], row["confidence"]) == ("1", "1", "0.9")
    assert metrics["dsc"] == pytest.approx(0.8)
    assert metrics["valid_scans"] == metrics["named_right"] == metrics["measured"] == 1.0


def test_refused_levels_stay_with_dsc_0(tmp_path: Path) -> None:
    output = good() | {
        "pred": tensor(np.zeros_like(four_bodies())),
        "levels": said("refused", ("no_anchor", "touches_border")),
    }
    metrics = finished(PredictionRows(tmp_path), output)
    for row in read(tmp_path / "predictions.csv"):
        assert (row["dsc"], row["ppv"], row["msd_mm"], row["named_right"]) == ("0.0", "", "", "")
        assert (row["reasons"], row["scan_valid"]) == ("no_anchor;touches_border", "0")
    assert metrics["dsc"] == metrics["measured"] == 0.0
    assert "named_right" not in metrics


@pytest.mark.parametrize("kind", ["file", "tensor"])
def test_a_failed_case_stays_with_dsc_0(tmp_path: Path, kind: str) -> None:
    label = four_bodies()
    label[label == 4] = 0  # what the reference lacks is not counted
    path = tmp_path / "label.nii.gz"
    nib.save(nib.Nifti1Image(label, AFFINE), path)
    failed = {"case": "b", FAILURE: "cut off", "label": str(path)}
    if kind == "tensor":
        failed["label"] = tensor(label)
    metrics = finished(PredictionRows(tmp_path), good(), failed)
    table = [row for row in read(tmp_path / "predictions.csv") if row["case"] == "b"]
    assert [row["dsc"] for row in table] == ["0.0", "0.0", "0.0", ""]
    assert {row["status"] for row in table} == {"failed"}
    assert {row["reasons"] for row in table} == {"cut off"}
    assert metrics["dsc"] == pytest.approx(0.8 * 4 / 7)


@pytest.mark.parametrize("label", [None, "missing.nii.gz"])
def test_a_failed_case_without_a_reference_is_not_counted(
    tmp_path: Path, label: str | None
) -> None:
    metrics = finished(PredictionRows(tmp_path), {"case": "b", FAILURE: "cut off", "label": label})
    assert {row["present"] for row in read(tmp_path / "predictions.csv")} == {""}
    assert metrics == {}


def test_rows_of_all_ranks_are_written_once_by_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_rank_too(texts: list[str]) -> list[str]:
        # The other process saw a case of its own and, by the sampler's padding, one of ours.
        other = [json.dumps({**json.loads(text), "case": "z"}) for text in texts]
        return texts + other + texts

    monkeypatch.setattr(common, "string_list_all_gather", other_rank_too)
    metrics = finished(PredictionRows(tmp_path), good())
    assert [row["case"] for row in read(tmp_path / "predictions.csv")] == ["a"] * 4 + ["z"] * 4
    assert metrics["dsc"] == pytest.approx(0.8)
    monkeypatch.setattr(common.idist, "get_rank", lambda: 1)
    finished(PredictionRows(tmp_path / "second"), good())
    assert not (tmp_path / "second").exists()


def test_a_second_epoch_begins_a_new_table(tmp_path: Path) -> None:
    handler = PredictionRows(tmp_path)
    finished(handler, good("a"))
    finished(handler, good("b"))
    assert {row["case"] for row in read(tmp_path / "predictions.csv")} == {"b"}


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("old")
    row = rows_of("a", said(), {level: Score(True, 1.0) for level in LEVELS})[0]
    with pytest.raises(ValueError, match="not in fieldnames"):
        write_table(path, COLUMNS, [row, {"unknown": 1}])
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.csv"]


def test_means_count_absent_levels_nowhere_and_wrong_names_everywhere() -> None:
    scores = {
        "L1": Score(True, 0.9, 0.9, 0.9, 0.5, True),
        "L2": Score(True, 0.0, sensitivity=0.0),
        "L3": Score(False, named_right=False),
        "L4": Score(False),
    }
    means = summarize(rows_of("a", said(), scores))
    assert means["dsc"] == pytest.approx(0.45)
    assert means["ppv"] == pytest.approx(0.9)
    assert means["msd_mm"] == pytest.approx(0.5)
    assert means["named_right"] == pytest.approx(0.5)
    assert "dsc_L3" not in means
    assert "valid_scans" not in means
