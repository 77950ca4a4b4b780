"""`inference.yaml` of every bundle: equal to training, complete, and every network runs."""

from pathlib import Path

import pytest
import torch

from tests.bundles.entry import Entry, entry_of
from tests.bundles.workflows import (
    PACKAGES,
    config_files,
    infer,
    inputs,
    prepared,
    read,
    save_weights,
)

NETWORKS = [(bundle, name) for bundle in PACKAGES for name in entry_of(bundle).network_overlays]


def test_training_and_inference_share_what_they_share(bundle: Path, entry: Entry) -> None:
    train, inference = read(bundle, "train"), read(bundle, "inference")
    for name in entry.shared:
        assert train[name] == inference[name], name
    both = set(train.config) & set(inference.config)
    differing = {name for name in both if train[name] != inference[name]}
    assert differing <= entry.own


def test_all_properties_of_inference_are_there(
    weights: str, bundle: Path, entry: Entry, cohort: Path
) -> None:
    folders = {key: str(Path(file).parent) for key, file in inputs(bundle, cohort).items()}
    workflow = prepared(
        config_files(bundle, "inference"),
        "infer",
        bundle_root=str(bundle),
        weights_file=weights,
        device=torch.device("cpu"),
        **folders,
        **entry.small_network,
    )
    assert workflow.check_properties() == []


@pytest.mark.parametrize(("bundle", "name"), NETWORKS, indirect=["bundle"])
def test_each_network_runs_with_weights_of_its_own(
    name: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    own = save_weights(bundle, tmp_path / "own.pt", name)
    infer(bundle, cohort, tmp_path / "out", name, weights_file=own)
    entry.check_inferred(tmp_path / "out")
