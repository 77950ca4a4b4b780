"""`inference.yaml`, `evaluate.yaml` and their overlays: equal to training, and they run."""

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from lumbar_bundle.transforms import MidSagittalSlicesd
from tests.bundles.lumbar_segmentation.workflows import (
    NETWORK_OVERLAYS,
    SMALL_NETWORK,
    small_training,
)
from tests.bundles.workflows import config_files, prepared

#: Ids that mean the same in both files.
SHARED = [
    *("hu_window", "spacing_mm", "slice_step_mm", "half_width_mm"),
    *("network_def", "network", "device", "seed", "amp", "to_window"),
]
#: Ids whose values are a matter of each file, although both have them.
OWN = {"initialize", "imports", "run", "output_dir", "dataset_dir", "num_workers"}


def read(bundle: Path, *names: str) -> ConfigParser:
    """Parse configs by name."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, *names))
    return parser


def test_training_and_inference_share_what_they_share(bundle: Path) -> None:
    train, inference = read(bundle, "train"), read(bundle, "inference")
    for name in SHARED:
        assert train[name] == inference[name], name
    both = set(train.config) & set(inference.config)
    differing = {name for name in both if train[name] != inference[name]}
    assert differing <= OWN


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


def test_all_properties_of_inference_are_there(weights: str, bundle: Path, cohort: Path) -> None:
    workflow = prepared(
        config_files(bundle, "inference"),
        "infer",
        bundle_root=str(bundle),
        image=str(cohort / "images"),
        weights_file=weights,
        device=torch.device("cpu"),
        **SMALL_NETWORK,
    )
    assert workflow.check_properties() == []


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random half precision weights of the small network."""
    torch.manual_seed(0)
    parser = read(bundle, "inference")
    parser.update(SMALL_NETWORK)
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    network = parser.get_parsed_content("network_def")
    torch.save({name: value.half() for name, value in network.state_dict().items()}, path)
    return str(path)


def infer(bundle: Path, image: Path, output: Path, *overlays: str, **more: Any) -> Any:
    """Run `inferring` on a scan; returns the workflow."""
    workflow = prepared(
        config_files(bundle, "inference", *overlays),
        "infer",
        bundle_root=str(bundle),
        image=str(image),
        output_dir=str(output),
        device=torch.device("cpu"),
        **more,
    )
    workflow.run()
    workflow.finalize()
    return workflow


@pytest.mark.parametrize("overlay", ["", "slab_s2"])
def test_inferring_writes_both_files_on_the_input_s_grid(
    overlay: str, weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    image = cohort / "images" / "A0004.nii.gz"
    overlays = [overlay] if overlay else []
    workflow = infer(bundle, image, tmp_path, *overlays, weights_file=weights, **SMALL_NETWORK)
    labels = nib.load(tmp_path / "A0004_seg.nii.gz")
    assert labels.shape == nib.load(image).shape
    np.testing.assert_allclose(labels.affine, nib.load(image).affine)
    assert labels.get_data_dtype() == np.uint8
    found = json.loads((tmp_path / "A0004_levels.json").read_text())
    assert set(found["levels"]) == {"L1", "L2", "L3", "L4"}
    cut = workflow.parser.get_parsed_content("select_slices")
    assert isinstance(cut, MidSagittalSlicesd) == bool(overlay)


@pytest.mark.parametrize("name", NETWORK_OVERLAYS)
def test_each_network_runs_with_weights_of_its_own(
    name: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    network = read(bundle, "inference", name).get_parsed_content("network_def")
    torch.save(network.state_dict(), tmp_path / "own.pt")
    image = cohort / "images" / "A0004.nii.gz"
    infer(bundle, image, tmp_path, name, weights_file=str(tmp_path / "own.pt"))
    assert (tmp_path / "A0004_levels.json").is_file()


@pytest.mark.parametrize("overlay", ["", "slab_s2"])
def test_evaluating_writes_a_row_per_case_and_level(
    overlay: str, weights: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    overlays = [overlay] if overlay else []
    overrides = small_training(bundle, cohort, tmp_path) | SMALL_NETWORK
    files = config_files(bundle, "train", "evaluate", *overlays)
    workflow = prepared(files, "train", weights_file=weights, **overrides)
    workflow.run()
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["level"]) for row in rows] == [
        ("A0004", level) for level in ("L1", "L2", "L3", "L4")
    ]
    assert not (tmp_path / "checkpoints").exists()  # it does not train
