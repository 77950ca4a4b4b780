"""`inference.yaml`, `evaluate.yaml` and their overlays: equal to training, and they run."""

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from ovf_bundle.common import SettingError
from ovf_bundle.rows import COLUMNS
from tests.bundles.workflows import config_files, prepared, read, save_weights


def test_evaluation_goes_through_the_chain_of_inference(bundle: Path) -> None:
    evaluate, inference = read(bundle, "train", "evaluate"), read(bundle, "inference")
    assert evaluate["validate::preprocessing"] == inference["preprocessing"]
    steps = inference["postprocessing::transforms"]
    assert evaluate["validate::postprocessing::transforms"] == steps[:-1]
    assert steps[-1] == "@save_results"
    for step in steps[:-1]:
        assert evaluate[step[1:]] == inference[step[1:]], step
    assert evaluate["validate::inferer"] == inference["inferer"]
    assert evaluate["threshold"] == inference["threshold"]


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random half precision weights of the shipped network."""
    return save_weights(bundle, tmp_path_factory.mktemp("w") / "model.pt")


def infer(bundle: Path, output: Path, *overlays: str, **more: Any) -> Any:
    """Run `inferring`; returns the workflow."""
    workflow = prepared(
        config_files(bundle, "inference", *overlays),
        "infer",
        bundle_root=str(bundle),
        output_dir=str(output),
        device=torch.device("cpu"),
        **more,
    )
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()
    return workflow


def test_inferring_writes_a_file_for_every_case(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "A0004.nii.gz").symlink_to(cohort / "images" / "A0004.nii.gz")
    # 40 mm from head to foot; and a file that is none.
    crop = np.random.default_rng(0).normal(0, 100, (60, 40, 10)).astype(np.int16)
    nib.save(nib.Nifti1Image(crop, np.diag([4.0, 4.0, 4.0, 1.0])), scans / "low.nii.gz")
    (scans / "torso.nii.gz").write_bytes(b"torso")
    infer(bundle, tmp_path / "out", image=str(scans), weights_file=weights)
    found = {
        path.name: json.loads(path.read_text()) for path in sorted((tmp_path / "out").iterdir())
    }
    assert list(found) == ["A0004_ovf.json", "low_ovf.json", "torso_ovf.json"]
    done, low, torso = found.values()
    assert (done["schema"], done["case"], done["status"], done["reason"]) == (
        1,
        "A0004",
        "done",
        None,
    )
    assert done["input"] == {
        "kind": "nifti",
        "shape": [30, 20, 50],
        "spacing_mm": [4.0, 4.0, 4.0],
        "sagittal_reformat": False,
        "parts": 1,
        "slice_mm": 3.0,
    }
    ovf = done["ovf"]
    assert (ovf["status"], ovf["reasons"], ovf["slices"]) == ("measured", [], 3)
    assert ovf["decision"] == ("positive" if ovf["probability"] > 0.5 else "negative")
    assert len(ovf["slice_probabilities"]) == 3
    assert (low["status"], low["ovf"]["reasons"]) == ("refused", ["field_too_small"])
    assert low["ovf"]["probability"] is None
    assert (torso["status"], torso["ovf"]) == ("failed", None)
    assert "is no NIfTI file" in torso["reason"]


@pytest.mark.parametrize(
    ("overlay", "runs"), [("aggregator_max", True), ("aggregator_attention", False)]
)
def test_an_aggregator_with_weights_of_its_own_needs_them(
    overlay: str, runs: bool, weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    image = str(cohort / "images" / "A0004.nii.gz")
    if not runs:
        with pytest.raises(RuntimeError) as caught:
            infer(bundle, tmp_path, overlay, image=image, weights_file=weights)
        assert isinstance(caught.value.__cause__, SettingError)
        assert "give those trained with its overlay" in str(caught.value.__cause__)
        return
    infer(bundle, tmp_path, overlay, "centre_canal", image=image, weights_file=weights)
    ovf = json.loads((tmp_path / "A0004_ovf.json").read_text())["ovf"]
    assert ovf["probability"] == max(ovf["slice_probabilities"])


def test_evaluating_writes_a_row_per_case(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    workflow = prepared(
        config_files(bundle, "train", "evaluate"),
        "train",
        bundle_root=str(bundle),
        dataset_dir=str(cohort),
        output_dir=str(tmp_path),
        weights_file=weights,
        device=torch.device("cpu"),
    )
    workflow.run()
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["case"], r["label"], r["status"], r["slices"], r["aggregator"]) for r in rows] == [
        ("A0006", "0", "measured", "3", "lstm"),
        ("A0007", "1", "measured", "3", "lstm"),
    ]
    assert (rows[0]["patient_id"], rows[0]["scanner"]) == ("P6", "A")
    assert float(rows[0]["probability_max"]) >= float(rows[0]["probability_mean"])
    assert float(rows[0]["seconds"]) > 0
