"""`reference_dxa.yaml` alone makes training, inference and evaluation those of S4."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bmd_bundle.areal_rows import COLUMNS
from bmd_bundle.common import SettingError
from bmd_bundle.records import read as read_records
from bmd_bundle.t_score import Reference
from tests.bundles.bmd_regression import trunks
from tests.bundles.bmd_regression.abdomen import Abdomen
from tests.bundles.cohorts import save_case
from tests.bundles.workflows import infer, prepared_training, read, save_weights, train

OVERLAY = "reference_dxa"
#: What was prepared must be readable: unread, it is made anew in every epoch.
pytestmark = pytest.mark.filterwarnings("error:Corrupt cache file")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of four patients with areal densities, and an enhanced one outside the lists."""
    folder = tmp_path_factory.mktemp("dxa")
    trunks.draw(folder)
    image, affine, labels = trunks.trunk(Abdomen(blood=170.0))
    save_case(folder, 9, {"image": image, "mask": labels}, affine)
    return folder


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights of its network."""
    return save_weights(bundle, tmp_path_factory.mktemp("weights") / "own.pt", OVERLAY)


def test_it_learns_and_validates_in_g_cm2(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    recipe = ("reference_dxa", "pretrain_reference_dxa")
    workflow = train(bundle, cohort, tmp_path, *recipe, val_interval=1)
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    assert 0.0 <= evaluator.state.metrics["val_mae"] < 3.0
    dataset = workflow.parser.get_parsed_content("train::dataset")
    assert dataset.levels == 2 * 2 * 3  # patients, levels, slices
    items = dataset[0]
    assert {tuple(item["image"].shape) for item in items} == {(1, 128, 128)}
    # L2 and L3 of the first patient have 0.6 g/cm².
    assert [item["label"].item() for item in items] == pytest.approx([(0.6 - 0.95) / 0.2] * 6)


def test_every_slice_is_drawn_anew_each_time(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    """S4's sixty variants: no two epochs, and no two slices of a scan, change alike."""
    workflow = prepared_training(bundle, cohort, tmp_path, OVERLAY)
    assert read(bundle, "train", OVERLAY)["epochs"] == 60
    dataset = workflow.parser.get_parsed_content("train::dataset")
    still = workflow.parser.get_parsed_content("validate::preprocessing")(dataset.data[0])
    first, second = (torch.stack([item["image"] for item in dataset[0]]) for _ in range(2))
    plain = torch.stack([item["image"] for item in still])
    assert ((first - second).abs().amax(dim=(1, 2, 3)) > 0.1).all()
    shown = [np.argwhere(one[0].numpy() > 0.2).mean(axis=0) for one in first]
    moved = [np.argwhere(one[0].numpy() > 0.2).mean(axis=0) for one in plain]
    shifts = np.array(shown) - np.array(moved)
    assert len(np.unique(shifts.round(3), axis=0)) == 6
    assert 0.2 < np.abs(shifts).max() < 8  # pixels: 4 of the shift, and those of the turn


def test_the_t_score_s_reference_is_the_one_that_tools_evaluate_by(bundle: Path) -> None:
    assert read(bundle, "train", OVERLAY).get_parsed_content("t_score_reference") == Reference()


def test_training_and_reading_take_the_same_slices(bundle: Path) -> None:
    config = read(bundle, "train", OVERLAY)
    own = {"_target_", "calibration"}
    wanted = {k: v for k, v in config["measure_levels"].items() if k not in own}
    assert {k: v for k, v in config["training_patches"].items() if k not in own} == wanted
    assert config["fixed_patches"] == "%training_patches"


def test_inferring_writes_areal_densities_in_places_of_their_own(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    inputs = {"image": str(cohort / "images" / "A000[39].nii.gz"), "mask": str(cohort / "masks")}
    infer(bundle, cohort, tmp_path, OVERLAY, weights_file=weights, kvp=120.0, **inputs)
    text = (tmp_path / "A0003_bmd.json").read_text()
    assert "mg_cm3" not in text
    found = json.loads(text)
    status = {level: one["status"] for level, one in found["levels"].items()}
    assert status == {"L1": "refused", "L2": "measured", "L3": "measured", "L4": "refused"}
    read_levels = [found["levels"][level]["areal_bmd_g_cm2"] for level in ("L2", "L3")]
    assert found["areal"]["areal_bmd_g_cm2"] == pytest.approx(np.mean(read_levels), abs=1e-4)
    assert found["areal"]["t_score"] is not None
    assert "NHANES" in found["areal"]["t_score_reference"]
    enhanced = json.loads((tmp_path / "A0009_bmd.json").read_text())
    assert (enhanced["status"], enhanced["areal"]["reasons"]) == (
        "refused",
        ["level_not_found", "contrast"],
    )
    assert enhanced["levels"]["L3"]["reasons"] == ["contrast"]


def test_evaluating_writes_a_row_per_case_and_level(
    weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    overlays = ("evaluate", OVERLAY)
    workflow = prepared_training(bundle, cohort, tmp_path, *overlays, weights_file=weights)
    workflow.run()
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["case"], row["level"], row["status"]) for row in rows] == [
        *(("A0003", "L1", "refused"), ("A0003", "L2", "measured")),
        *(("A0003", "L3", "measured"), ("A0003", "L4", "refused")),
    ]
    assert (rows[1]["reference_g_cm2"], rows[1]["reference_kind"]) == ("0.7", "DXA")
    assert rows[0]["reference_g_cm2"] == ""
    metrics = workflow.parser.get_parsed_content("validate::evaluator").state.metrics
    errors = [abs(float(row["areal_bmd_g_cm2"]) - 0.7) for row in rows[1:3]]
    assert metrics["mae_g_cm2"] == pytest.approx(np.mean(errors), abs=1e-3)


GOOD = {"image": "a.nii.gz", "mask": "b.nii.gz", **trunks.record({"L3": 0.9, "L1": None, "L2": 1})}


@pytest.mark.parametrize(
    ("change", "reference", "problem"),
    [
        ({"reference": "QCT"}, "DXA", "bmd must be DXA's in g/cm2, not QCT's g/cm2"),
        ({"unit": "mg/cm3"}, "DXA", "bmd must be DXA's in g/cm2, not DXA's mg/cm3"),
        ({"bmd": {"L1": 98.2}}, "DXA", "bmd of L1 is 98.2, no density in g/cm2"),
        ({}, "QCT", "bmd must be QCT's in mg/cm3, not DXA's g/cm2"),
        ({}, "QUS", "reference: 'QUS' is unknown; say QCT or DXA"),
    ],
    ids=["QCT", "mg", "volumetric", "areal for QCT", "ultrasound"],
)
def test_quantities_are_not_mixed(
    change: dict, reference: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"training": [GOOD | change]}))
    with pytest.raises(SettingError, match=problem):
        read_records(str(path), "training", files=False, reference=reference)


def test_a_record_by_dxa_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"training": [GOOD]}))
    (found,) = read_records(str(path), "training", files=False, reference="DXA")
    assert found["density"] == {"L2": 1.0, "L3": 0.9}
