"""`inference.yaml`, `evaluate.yaml` and their overlays: equal to training, and they run."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bmd_bundle.rows import COLUMNS
from tests.bundles.bmd_regression.workflows import (
    NETWORK_OVERLAYS,
    SMALL_NETWORK,
    save_weights,
    small_training,
)
from tests.bundles.workflows import config_files, prepared, read

#: Ids that mean the same in both files.
SHARED = [
    *("hu_window", "patch_size", "patch_mm", "margin_mm", "slice_step_mm", "slice_thickness_mm"),
    *("tilt", "density_mean", "density_sd", "network_def", "network", "device", "seed", "amp"),
    *("load_image", "check_image", "load_mask", "match_mask", "load_scan", "to_window"),
    *("before_patches", "behind_patches"),
]
#: Ids whose values are a matter of each file, although both have them.
OWN = {"initialize", "imports", "run", "output_dir", "dataset_dir", "num_workers"}
#: Likewise, tested below: the training has a label and no option for the voltage.
OWN_STEPS = {"read_kvp", "to_density"}


def test_training_and_inference_share_what_they_share(bundle: Path) -> None:
    train, inference = read(bundle, "train"), read(bundle, "inference")
    for name in SHARED:
        assert train[name] == inference[name], name
    both = set(train.config) & set(inference.config)
    differing = {name for name in both if train[name] != inference[name]}
    assert differing <= OWN | OWN_STEPS
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


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random half precision weights of the small network."""
    return save_weights(bundle, tmp_path_factory.mktemp("w") / "model.pt", **SMALL_NETWORK)


def test_all_properties_of_inference_are_there(weights: str, bundle: Path, cohort: Path) -> None:
    workflow = prepared(
        config_files(bundle, "inference"),
        "infer",
        bundle_root=str(bundle),
        image=str(cohort / "images"),
        mask=str(cohort / "labels"),
        weights_file=weights,
        device=torch.device("cpu"),
        **SMALL_NETWORK,
    )
    assert workflow.check_properties() == []


def infer(bundle: Path, cohort: Path, output: Path, *overlays: str, **more: Any) -> Any:
    """Run `inferring` on a scan; returns the workflow."""
    given = {
        "image": str(cohort / "images" / "A0004.nii.gz"),
        "mask": str(cohort / "labels" / "A0004.nii.gz"),
        "output_dir": str(output),
        "device": torch.device("cpu"),
    }
    workflow = prepared(
        config_files(bundle, "inference", *overlays),
        "infer",
        bundle_root=str(bundle),
        **{**given, **more},
    )
    workflow.run()
    workflow.finalize()
    return workflow


LEVEL_KEYS = {
    *("status", "reasons", "warnings", "hu_trabecular", "hu_sd", "noise_hu"),
    *("bmd_cnn_mg_cm3", "bmd_hu_linear_mg_cm3", "bmd_interval_95_mg_cm3"),
}


def test_inferring_writes_the_levels_of_every_case(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    folders = {"image": str(cohort / "images"), "mask": str(cohort / "labels")}
    infer(bundle, cohort, tmp_path, weights_file=weights, **folders, **SMALL_NETWORK)
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
    kvp: float | None, warnings: list, weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    infer(bundle, cohort, tmp_path, weights_file=weights, kvp=kvp, **SMALL_NETWORK)
    found = json.loads((tmp_path / "A0004_bmd.json").read_text())
    assert found["input"]["kvp"] == kvp
    assert found["levels"]["L2"]["warnings"] == warnings
    slope = {100.0: 1.53615}.get(kvp or 120.0, 1.33251)
    hu = found["levels"]["L2"]["hu_trabecular"]
    assert found["levels"]["L2"]["bmd_hu_linear_mg_cm3"] == pytest.approx(hu / slope, abs=1e-3)


def test_a_voltage_without_calibration_refuses_every_level(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    infer(bundle, cohort, tmp_path, weights_file=weights, kvp=70.0, **SMALL_NETWORK)
    found = json.loads((tmp_path / "A0004_bmd.json").read_text())
    assert found["status"] == "refused"
    assert found["levels"]["L2"]["reasons"] == ["kvp_out_of_range"]
    assert found["levels"]["L2"]["bmd_cnn_mg_cm3"] is None


@pytest.mark.parametrize("name", NETWORK_OVERLAYS)
def test_each_network_runs_with_weights_of_its_own(
    name: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    own = save_weights(bundle, tmp_path / "own.pt", name)
    infer(bundle, cohort, tmp_path / "out", name, weights_file=own)
    assert (tmp_path / "out" / "A0004_bmd.json").is_file()


def test_evaluating_writes_a_row_per_case_and_level(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    overrides = small_training(bundle, cohort, tmp_path) | SMALL_NETWORK
    files = config_files(bundle, "train", "evaluate")
    workflow = prepared(files, "train", weights_file=weights, **overrides)
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
