"""`train.yaml` and its overlays: in every bundle each is complete, known, and trains a step."""

import re
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from tests.bundles.entry import Entry, entry_of
from tests.bundles.workflows import PACKAGES, prepared_training, read, train
from tools import bundles

#: What was prepared must be readable: unread, it is made anew in every epoch.
pytestmark = pytest.mark.filterwarnings("error:Corrupt cache file")

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
CONFIGS = [path for name in PACKAGES for path in bundles.FOLDER.glob(f"{name}/configs/*.yaml")]
NETWORKS = [(bundle, name) for bundle in PACKAGES for name in entry_of(bundle).network_overlays]


def test_the_zoo_s_ids_are_there(bundle: Path) -> None:
    parser = read(bundle, "train")
    assert [name for name in ZOO_IDS if name not in parser] == []


def test_all_properties_are_there(bundle: Path, entry: Entry, cohort: Path, tmp_path: Path) -> None:
    workflow = prepared_training(bundle, cohort, tmp_path, **entry.small_network)
    assert workflow.check_properties() == []


@pytest.mark.parametrize("name", ["", "quick", "pretrain"])
def test_a_step_is_trained_validated_and_saved(
    name: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    overlays = [name] if name else []
    workflow = train(bundle, cohort, tmp_path, *overlays, **entry.small_network, val_interval=1)
    assert workflow.run_id in workflow.parser
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    assert 0.0 <= evaluator.state.metrics[entry.key_metric] <= entry.worst_metric
    assert list((tmp_path / "checkpoints").glob("*.pt"))


@pytest.mark.parametrize(("bundle", "name"), NETWORKS, indirect=["bundle"])
def test_each_network_trains_a_step_and_takes_what_it_should(
    name: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    workflow = train(bundle, cohort, tmp_path, name)
    network = workflow.parser.get_parsed_content("network_def").eval()
    with torch.no_grad():
        entry.check_network(network)


@pytest.mark.parametrize("freeze", [False, True])
def test_finetuning_starts_from_the_given_weights(
    freeze: bool, weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    workflow = train(
        bundle,
        cohort,
        tmp_path,
        "finetune",
        **entry.small_network,
        pretrained_file=weights,
        freeze_encoder=freeze,
        epochs=1,
    )
    start = torch.load(weights, weights_only=True)
    tuned = workflow.parser.get_parsed_content("network_def")

    def moved(names: list[str]) -> float:
        state = tuned.state_dict()
        return max((state[name] - start[name].float()).abs().max().item() for name in names)

    names = [name for name, _ in tuned.named_parameters()]
    encoder = moved([name for name in names if name.startswith(entry.encoder)])
    # One step of AdamW moves a weight by about the learning rate, 1e-4; other random weights
    # would lie about 0.1 away.
    assert 0 < moved([name for name in names if name.startswith(entry.decoder)]) < 1e-3
    assert moved([name for name in names if not name.startswith(entry.encoder)]) < 1e-3
    assert encoder == 0 if freeze else 0 < encoder < 1e-3
    norms = [name for name, _ in tuned.named_buffers() if name.endswith("running_mean")]
    assert (moved(norms) > 1e-6) == entry.finetuning_moves_norms


def overlays(bundle: Path) -> dict[str, dict]:
    """Name -> content of every config that overlays `train.yaml`."""
    files = sorted((bundle / "configs").glob("*.yaml"))
    return {
        file.stem: ConfigParser.load_config_file(file)
        for file in files
        if "configs/train.yaml'," in file.read_text().partition("\n\n")[0]
    }


def test_the_overlays_are_all_tested(bundle: Path, entry: Entry) -> None:
    assert set(overlays(bundle)) == entry.overlays | {"evaluate"}  # tested in a file of its own


def test_no_overlay_id_is_unknown(bundle: Path) -> None:
    """An id that an overlay adds is misspelt, unless something refers to it."""
    # One overlay may swap the chains of training, inference and evaluation.
    base = read(bundle, "train", "evaluate", "inference")
    text = {file.stem: file.read_text() for file in (bundle / "configs").glob("*.yaml")}
    unknown = []
    for name, content in overlays(bundle).items():
        for key in content:
            referred = re.search(rf"[@%]{re.escape(key)}\b", text["train"] + text[name])
            if key in base or referred or key in ("finalize", "evaluating"):
                continue
            parent = key.rpartition("::")[0]
            argument = parent and parent in base and "_target_" in base[parent]
            merges = key.startswith("+") and key[1:] in base
            if not argument and not merges:
                unknown.append((name, key))
    assert unknown == []


@pytest.mark.parametrize("path", sorted(CONFIGS), ids=lambda p: f"{p.parents[1].name}-{p.stem}")
def test_each_config_opens_with_what_it_is_and_its_command(path: Path) -> None:
    head = path.read_text().partition("\n\n")[0].splitlines()
    assert re.match(r"# [A-Z]", head[0])
    command = next(line for line in head if "-m monai.bundle run " in line)
    root = f"bundles/{path.parents[1].name}"
    files = re.findall(rf"{root}/configs/(\w+)\.yaml", command)
    assert files[-1] == path.stem
    assert f"--bundle_root {root}" in command
