"""`inference.yaml` and `evaluate.yaml`: they measure, warn and refuse, and go through one chain."""

import csv
import json
from pathlib import Path

import pytest

from bmd_bundle.rows import COLUMNS
from tests.bundles.entry import Entry
from tests.bundles.workflows import infer, prepared_training, read


def test_training_has_a_label_and_no_option_for_the_voltage(bundle: Path) -> None:
    train, inference = read(bundle, "train"), read(bundle, "inference")
    assert train["to_density"] == {**inference["to_density"], "keys": ["pred", "label"]}
    assert inference["read_kvp"] == {**train["read_kvp"], "kvp": "@kvp"}


def test_training_and_inference_take_the_same_patches(bundle: Path) -> None:
    train, inference = read(bundle, "train"), read(bundle, "inference")
    # Foci are left out where density is read; what the network learns from keeps them.
    own = {"_target_", "keys", "calibration", "border", "leave_out_foci"}
    wanted = {k: v for k, v in inference["measure_levels"].items() if k not in own}
    for name in ("training_patches", "fixed_patches"):
        assert {k: v for k, v in train[name].items() if k not in own} == wanted


def test_evaluation_goes_through_the_chain_of_inference(bundle: Path) -> None:
    evaluate, inference = read(bundle, "train", "evaluate"), read(bundle, "inference")
    assert evaluate["validate::preprocessing"] == inference["preprocessing"]
    for step in ("read_kvp", "load_scan", "measure_levels", "to_window"):
        assert evaluate[step] == inference[step], step
    steps = inference["postprocessing::transforms"]
    assert evaluate["validate::postprocessing::transforms"] == steps[:-1]
    assert steps[-1] == "@save_results"
    for step in steps[:-1]:
        assert evaluate[step[1:]] == inference[step[1:]], step
    assert evaluate["validate::inferer"] == inference["inferer"]


LEVEL_KEYS = {
    *("status", "reasons", "warnings", "hu_trabecular", "hu_sd", "noise_hu"),
    *("bmd_cnn_mg_cm3", "bmd_hu_linear_mg_cm3", "bmd_interval_95_mg_cm3"),
}


def test_inferring_writes_the_levels_of_every_case(
    weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    folders = {"image": str(cohort / "images"), "mask": str(cohort / "masks")}
    infer(bundle, cohort, tmp_path, weights_file=weights, **folders, **entry.small_network)
    assert len(list(tmp_path.iterdir())) == 6
    content = json.loads((tmp_path / "A0004_bmd.json").read_text())
    assert (content["schema"], content["case"], content["status"]) == (1, "A0004", "done")
    assert list(content["levels"]) == ["L1", "L2", "L3", "L4"]
    assert all(set(level) == LEVEL_KEYS for level in content["levels"].values())
    for level, density in (("L2", 60 + 30 * 4), ("L3", 70 + 25 * 4)):
        found = content["levels"][level]
        assert found["status"] == "measured"
        assert found["warnings"] == ["kvp_unknown"]
        assert found["bmd_hu_linear_mg_cm3"] == pytest.approx(density, abs=1.0)
        assert found["bmd_cnn_mg_cm3"] is not None
    assert content["levels"]["L1"]["reasons"] == ["level_not_found"]
    assert content["levels"]["L1"]["bmd_cnn_mg_cm3"] is None


@pytest.mark.parametrize(
    ("kvp", "warnings"), [(120.0, []), (100.0, ["kvp_not_120"]), (None, ["kvp_unknown"])]
)
def test_the_voltage_is_heeded(
    kvp: float | None,
    warnings: list,
    weights: str,
    bundle: Path,
    entry: Entry,
    cohort: Path,
    tmp_path: Path,
) -> None:
    infer(bundle, cohort, tmp_path, weights_file=weights, kvp=kvp, **entry.small_network)
    found = json.loads((tmp_path / "A0004_bmd.json").read_text())
    assert found["input"]["kvp"] == kvp
    assert found["levels"]["L2"]["warnings"] == warnings
    slope = {100.0: 1.53615}.get(kvp or 120.0, 1.33251)
    hu = found["levels"]["L2"]["hu_trabecular"]
    assert found["levels"]["L2"]["bmd_hu_linear_mg_cm3"] == pytest.approx(hu / slope, abs=1e-3)


def test_a_voltage_without_calibration_refuses_every_level(
    weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    infer(bundle, cohort, tmp_path, weights_file=weights, kvp=70.0, **entry.small_network)
    found = json.loads((tmp_path / "A0004_bmd.json").read_text())
    assert found["status"] == "refused"
    assert found["levels"]["L2"]["reasons"] == ["kvp_out_of_range"]
    assert found["levels"]["L2"]["bmd_cnn_mg_cm3"] is None


def test_evaluating_writes_a_row_per_case_and_level(
    weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    given = {**entry.small_network, "weights_file": weights}
    workflow = prepared_training(bundle, cohort, tmp_path, "evaluate", **given)
    workflow.run()
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["case"], row["level"], row["status"]) for row in rows] == [
        ("A0005", "L1", "refused"),
        ("A0005", "L2", "measured"),
        ("A0005", "L3", "measured"),
        ("A0005", "L4", "refused"),
    ]
    assert float(rows[1]["reference_mg_cm3"]) == 210.0
    assert float(rows[1]["bmd_hu_linear_mg_cm3"]) == pytest.approx(210.0, abs=1.5)
    assert (rows[1]["kvp"], rows[1]["reference_kind"]) == ("120.0", "QCT")
    assert (rows[1]["patient_id"], rows[1]["scanner"]) == ("P5", "A")
    assert rows[0]["reference_mg_cm3"] == ""
    assert not (tmp_path / "checkpoints").exists()  # it does not train
