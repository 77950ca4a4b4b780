"""`train.yaml` and its overlays: each is complete, known, and trains a step."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser

from tests.bundles.lumbar_segmentation.workflows import (
    NETWORK_OVERLAYS,
    SMALL_NETWORK,
    small_training,
)
from tests.bundles.workflows import config_files, prepared

EXPECTED_OVERLAYS = {
    "finetune",
    "multi_gpu_train",
    "network_attention_unet",
    "network_dynunet",
    "network_resunet",
    "network_unet",
    "paper",
    "pretrain",
    "quick",
}
ZOO_IDS = [
    *("bundle_root", "device", "dataset_dir", "val_interval"),
    *(
        f"{part}::{name}"
        for part in ("train", "validate")
        for name in (
            *("dataset", "dataset::data", "handlers", "preprocessing", "postprocessing"),
            *("inferer", "key_metric"),
        )
    ),
    *("train::trainer", "train::trainer::max_epochs", "validate::evaluator"),
]


def test_the_zoo_s_ids_are_there(bundle: Path) -> None:
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "train"))
    assert [name for name in ZOO_IDS if name not in parser] == []


def test_all_properties_are_there(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    overrides = small_training(bundle, cohort, tmp_path) | SMALL_NETWORK
    assert prepared(config_files(bundle, "train"), "train", **overrides).check_properties() == []


def train(bundle: Path, cohort: Path, output: Path, *overlays: str, **more: Any) -> Any:
    """Train `train.yaml` plus overlays; returns the workflow after its run."""
    overrides = {**small_training(bundle, cohort, output), **more}
    workflow = prepared(config_files(bundle, "train", *overlays), "train", **overrides)
    workflow.run()
    workflow.finalize()
    trainer = workflow.parser.get_parsed_content("train::trainer")
    assert trainer.state.iteration == overrides["epochs"]
    assert torch.isfinite(torch.tensor(trainer.state.output[0]["loss"]))
    return workflow


@pytest.mark.parametrize("name", ["", "quick", "pretrain"])
def test_a_step_is_trained_validated_and_saved(
    name: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    overlays = [name] if name else []
    workflow = train(
        bundle, cohort, tmp_path, *overlays, **SMALL_NETWORK, num_workers=0, val_interval=1
    )
    assert workflow.run_id in workflow.parser
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    assert 0.0 <= evaluator.state.metrics["val_dice"] <= 1.0
    assert list((tmp_path / "checkpoints").glob("*.pt"))


@pytest.mark.parametrize("name", NETWORK_OVERLAYS)
def test_each_network_trains_a_step_and_takes_any_size(
    name: str, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    workflow = train(bundle, cohort, tmp_path, name)
    network = workflow.parser.get_parsed_content("network_def").eval()
    with torch.no_grad():
        for height, width in ((16, 16), (16, 48), (112, 80)):
            logits = network(torch.rand(2, 1, height, width))
            assert logits.shape == (2, 10, height, width)
            assert (logits < 0).any()  # logits: no activation at the end


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
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "train", "paper"))
    size = {name: parser[name] for name in ("crop", "validation_size")}
    assert size["crop"] == [512, 512]
    data = {"train::dataset::data": "$@_one", "val_interval": 2}
    one = "$monai.data.load_decathlon_datalist(@datalist, data_list_key='training')[:1]"
    overrides = {**size, **data, "_one": one, "slabs_per_batch": 1}
    train(bundle, cohort, tmp_path, "paper", **overrides)


@pytest.mark.parametrize("freeze", [False, True])
def test_finetuning_starts_from_the_given_weights(
    freeze: bool, bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    overrides = small_training(bundle, cohort, tmp_path) | SMALL_NETWORK
    network = prepared(config_files(bundle, "train"), "train", **overrides).network_def
    start = {name: value.half() for name, value in network.state_dict().items()}
    torch.save(start, tmp_path / "model.pt")
    workflow = train(
        bundle,
        cohort,
        tmp_path,
        "finetune",
        **SMALL_NETWORK,
        pretrained_file=str(tmp_path / "model.pt"),
        freeze_encoder=freeze,
        epochs=1,
    )
    moved = {
        name: (value.detach() - start[name].float()).abs().max().item()
        for name, value in workflow.parser.get_parsed_content("network_def").named_parameters()
    }
    encoder = [step for name, step in moved.items() if name.startswith("encoder")]
    decoder = [step for name, step in moved.items() if name.startswith("decoder")]
    # One step of AdamW moves a weight by about the learning rate, 1e-4; other random weights
    # would lie about 0.1 away.
    assert 0 < max(decoder) < 1e-3
    assert max(encoder) == 0 if freeze else 0 < max(encoder) < 1e-3


def overlays(bundle: Path) -> dict[str, dict]:
    """Name -> content of every config that overlays `train.yaml`."""
    files = sorted((bundle / "configs").glob("*.yaml"))
    return {
        file.stem: ConfigParser.load_config_file(file)
        for file in files
        if "configs/train.yaml'," in file.read_text().partition("\n\n")[0]
    }


def test_the_overlays_are_all_tested(bundle: Path) -> None:
    found = set(overlays(bundle))
    assert found >= EXPECTED_OVERLAYS
    assert found - EXPECTED_OVERLAYS <= {"evaluate", "slab_s2"}  # tested in files of their own


def test_no_overlay_id_is_unknown(bundle: Path) -> None:
    """An id that an overlay adds is misspelt, unless something refers to it."""
    base = ConfigParser()
    base.read_config(config_files(bundle, "train"))
    text = {file.stem: file.read_text() for file in (bundle / "configs").glob("*.yaml")}
    unknown = []
    for name, content in overlays(bundle).items():
        for key in content:
            top, _, rest = key.removeprefix("+").partition("::")
            referred = re.search(rf"[@%]{re.escape(key)}\b", text["train"] + text[name])
            if key not in base and not referred and key not in ("finalize", "evaluating"):
                parent, _, leaf = key.rpartition("::")
                argument = rest and parent in base and "_target_" in base[parent]
                merges = key.startswith("+") and key[1:] in base
                if not argument and not merges:
                    unknown.append((name, key))
                logging.getLogger(__name__).debug("%s %s %s", name, top, leaf)
    assert unknown == []


@pytest.mark.parametrize(
    "path",
    sorted(Path(__file__).parents[3].glob("bundles/lumbar_segmentation/configs/*.yaml")),
    ids=lambda p: p.stem,
)
def test_each_config_opens_with_what_it_is_and_its_command(path: Path) -> None:
    head = path.read_text().partition("\n\n")[0].splitlines()
    assert re.match(r"# [A-Z]", head[0])
    command = next(line for line in head if "-m monai.bundle run " in line)
    files = re.findall(r"bundles/lumbar_segmentation/configs/(\w+)\.yaml", command)
    assert files[-1] == path.stem
    assert "--bundle_root bundles/lumbar_segmentation" in command
