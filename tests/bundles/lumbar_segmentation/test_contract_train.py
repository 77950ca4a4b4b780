"""The paper's network trains a step at its full width and size."""

from pathlib import Path

import pytest

from tests.bundles.workflows import read, train


@pytest.mark.slow
def test_the_paper_s_network_takes_a_step_at_its_full_width(
    bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    workflow = train(bundle, cohort, tmp_path, "paper", val_interval=2)
    values = {name: workflow.parser[name] for name in ("hu_window", "network_def")}
    assert values["hu_window"] == [-150.0, 850.0]
    assert values["network_def"]["width"] == 64
    assert values["network_def"]["steps"] == 2


@pytest.mark.slow
def test_the_paper_s_network_takes_a_step_at_its_full_size(
    bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    parser = read(bundle, "train", "paper")
    size = {name: parser[name] for name in ("crop", "validation_size")}
    assert size["crop"] == [512, 512]
    data = {"train::dataset::data": "$@_one", "val_interval": 2}
    one = "$monai.data.load_decathlon_datalist(@datalist, data_list_key='training')[:1]"
    overrides = {**size, **data, "_one": one, "slabs_per_batch": 1}
    train(bundle, cohort, tmp_path, "paper", **overrides)
