"""`inference.yaml`, `evaluate.yaml` and the slab of S2: they run, and go through one chain."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lumbar_bundle.transforms import MidSagittalSlicesd
from tests.bundles.entry import Entry
from tests.bundles.workflows import infer, prepared_training, read


def test_evaluation_goes_through_the_chain_of_inference(bundle: Path) -> None:
    evaluate, inference = read(bundle, "train", "evaluate"), read(bundle, "inference")
    steps = [*inference["preprocessing::transforms"], *inference["postprocessing::transforms"]]
    assert "@name_levels" in steps
    for step in steps:
        if step != "@save_results":
            assert evaluate[step[1:]] == inference[step[1:]], step
            where = "preprocessing" if step in inference["preprocessing::transforms"] else "post"
            part = {"preprocessing": "preprocessing", "post": "postprocessing"}[where]
            assert step in evaluate[f"validate::{part}::transforms"]
    assert evaluate["validate::inferer"] == inference["inferer"]


@pytest.mark.parametrize("overlay", ["", "slab_s2"])
def test_inferring_writes_both_files_on_the_input_s_grid(
    overlay: str, weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    overlays = [overlay] if overlay else []
    given = {**entry.small_network, "weights_file": weights}
    workflow = infer(bundle, cohort, tmp_path, *overlays, **given)
    image = cohort / "images" / "A0004.nii.gz"
    labels = nib.load(tmp_path / "A0004_seg.nii.gz")
    assert labels.shape == nib.load(image).shape
    np.testing.assert_allclose(labels.affine, nib.load(image).affine)
    assert labels.get_data_dtype() == np.uint8
    found = json.loads((tmp_path / "A0004_levels.json").read_text())
    assert set(found["levels"]) == {"L1", "L2", "L3", "L4"}
    cut = workflow.parser.get_parsed_content("select_slices")
    assert isinstance(cut, MidSagittalSlicesd) == bool(overlay)


@pytest.mark.parametrize("overlay", ["", "slab_s2"])
def test_evaluating_writes_a_row_per_case_and_level(
    overlay: str, weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    overlays = [overlay] if overlay else []
    given = {**entry.small_network, "weights_file": weights}
    workflow = prepared_training(bundle, cohort, tmp_path, "evaluate", *overlays, **given)
    workflow.run()
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["level"]) for row in rows] == [
        ("A0004", level) for level in ("L1", "L2", "L3", "L4")
    ]
    assert not (tmp_path / "checkpoints").exists()  # it does not train
