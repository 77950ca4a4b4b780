"""`train.yaml` and its overlays: each is complete, known, and trains a step."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser

from tests.bundles.bmd_regression.workflows import NETWORK_OVERLAYS, SMALL_NETWORK, small_training
from tests.bundles.workflows import config_files, prepared

EXPECTED_OVERLAYS = {
    "finetune",
    "internal_calibration",
    "multi_gpu_train",
    "network_densenet_small",
    "network_regressor",
    "paper",
    "pretrain",
    "pretrain_internal_calibration",
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
    workflow = train(bundle, cohort, tmp_path, *overlays, **SMALL_NETWORK, val_interval=1)
    assert workflow.run_id in workflow.parser
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    assert 0.0 <= evaluator.state.metrics["val_mae"] <= 500.0  # mg/cm³
    assert list((tmp_path / "checkpoints").glob("*.pt"))


def test_the_metric_is_the_error_in_mg_cm3(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    """A network that always says the mean errs by how far the densities lie from it."""
    workflow = prepared(
        config_files(bundle, "train"),
        "train",
        **small_training(bundle, cohort, tmp_path),
        network_def={"_target_": "Flatten", "_disabled_": True},
        network={"_target_": "tests.bundles.bmd_regression.test_contract_train.MeanOnly"},
    )
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    evaluator.run()
    densities = [60 + 30 * n for n in (3, 4)] + [70 + 25 * n for n in (3, 4)]
    expected = sum(abs(density - 120) for density in densities) / 4
    assert evaluator.state.metrics["val_mae"] == pytest.approx(expected, abs=1e-3)


class MeanOnly(torch.nn.Module):
    """Says the mean density whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.nothing.expand(len(image), 1)


@pytest.mark.parametrize("name", NETWORK_OVERLAYS)
def test_each_network_trains_a_step(name: str, bundle: Path, cohort: Path, tmp_path: Path) -> None:
    workflow = train(bundle, cohort, tmp_path, name)
    network = workflow.parser.get_parsed_content("network_def").eval()
    with torch.no_grad():
        for patches in (1, 5):
            assert network(torch.rand(patches, 3, 32, 32)).shape == (patches, 1)


def test_the_paper_s_network_takes_a_step(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    workflow = train(bundle, cohort, tmp_path, "paper", val_interval=2, checkpoint_interval=1)
    parser = workflow.parser
    assert type(parser.get_parsed_content("network_def")).__name__ == "DenseNet121"
    assert type(parser.get_parsed_content("optimizer")) is torch.optim.Adam
    assert type(parser.get_parsed_content("loss")) is torch.nn.MSELoss
    settings = parser.get_parsed_content("training_patches").settings
    assert (settings["slice_step_mm"], settings["slice_thickness_mm"]) == (1.0, None)
    assert settings["tilt"] is False
    base = ConfigParser()
    base.read_config(config_files(bundle, "train", "paper"))
    assert base["checkpoint_interval"] == 20


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
    tuned = workflow.parser.get_parsed_content("network_def")
    moved = {
        name: (value.detach() - start[name].float()).abs().max().item()
        for name, value in tuned.named_parameters()
    }
    encoder = [step for name, step in moved.items() if name.startswith("features")]
    last = [step for name, step in moved.items() if not name.startswith("features")]
    # One step of AdamW moves a weight by about the learning rate, 1e-4; other random weights
    # would lie about 0.1 away.
    assert 0 < max(last) < 1e-3
    assert max(encoder) == 0 if freeze else 0 < max(encoder) < 1e-3
    statistics = tuned.state_dict()["features.norm0.running_mean"]
    torch.testing.assert_close(statistics, start["features.norm0.running_mean"].float())


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
    assert found - EXPECTED_OVERLAYS == {"evaluate"}  # tested in a file of its own


def test_no_overlay_id_is_unknown(bundle: Path) -> None:
    """An id that an overlay adds is misspelt, unless something refers to it."""
    base = ConfigParser()
    base.read_config(config_files(bundle, "train"))
    text = {file.stem: file.read_text() for file in (bundle / "configs").glob("*.yaml")}
    unknown = []
    for name, content in overlays(bundle).items():
        for key in content:
            referred = re.search(rf"[@%]{re.escape(key)}\b", text["train"] + text[name])
            if key in base or referred or key in ("finalize", "evaluating"):
                continue
            parent = key.removeprefix("+").rpartition("::")[0]
            argument = parent in base and "_target_" in base[parent]
            merges = key.startswith("+") and key[1:] in base
            if not argument and not merges:
                unknown.append((name, key))
    assert unknown == []


@pytest.mark.parametrize(
    "path",
    sorted(Path(__file__).parents[3].glob("bundles/bmd_regression/configs/*.yaml")),
    ids=lambda p: p.stem,
)
def test_each_config_opens_with_what_it_is_and_its_command(path: Path) -> None:
    head = path.read_text().partition("\n\n")[0].splitlines()
    assert re.match(r"# [A-Z]", head[0])
    command = next(line for line in head if "-m monai.bundle run " in line)
    files = re.findall(r"bundles/bmd_regression/configs/(\w+)\.yaml", command)
    assert files[-1] == path.stem
    assert "--bundle_root bundles/bmd_regression" in command
