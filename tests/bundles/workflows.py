"""Drives the configs of any bundle in process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from tests.bundles.cohorts import case_file
from tests.bundles.entry import entry_of
from tools import bundles

#: Bundle -> folder of its package.
PACKAGES = {
    path.parent.parent.name: path.parent for path in sorted(bundles.FOLDER.glob("*/*/__init__.py"))
}


def config_files(bundle: Path, *names: str) -> list[str]:
    """Paths of some configs by name."""
    return [str(bundle / "configs" / f"{name}.yaml") for name in names]


def read(bundle: Path, *names: str) -> ConfigParser:
    """Parse configs by name."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, *names))
    return parser


def prepared(
    files: Sequence[str], workflow_type: str | None, run_id: str = "run", **overrides: Any
) -> ConfigWorkflow:
    """Make a workflow and initialise it; logging stays as pytest has it."""
    workflow = ConfigWorkflow(
        config_file=list(files),
        workflow_type=workflow_type,
        run_id=run_id,
        logging_file=False,
        **overrides,
    )
    workflow.initialize()
    return workflow


def save_weights(bundle: Path, path: Path, *overlays: str, **changes: Any) -> str:
    """Write random half precision weights of the network of inference; returns the path."""
    torch.manual_seed(0)
    parser = read(bundle, "inference", *overlays)
    parser.update(changes)
    state = parser.get_parsed_content("network_def").state_dict()
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, path)
    return str(path)


def small_training(bundle: Path, cohort: Path, output: Path) -> dict[str, Any]:
    """Overrides that make `train.yaml` take one small step per epoch; also a command's options."""
    return {
        "dataset_dir": str(cohort),
        "output_dir": str(output),
        "ckpt_dir": str(output / "checkpoints"),
        "cache_dir": str(cohort / "cache"),  # one for all tests: preparing is what takes time
        "epochs": 1,
        "num_workers": 0,
        **entry_of(bundle.name).small_training,
    }


def prepared_training(
    bundle: Path, cohort: Path, output: Path, *overlays: str, **more: Any
) -> ConfigWorkflow:
    """Make a workflow of `train.yaml` plus overlays that takes one small step per epoch."""
    place = {"bundle_root": str(bundle), "device": torch.device("cpu")}
    overrides = {**place, **small_training(bundle, cohort, output), **more}
    return prepared(config_files(bundle, "train", *overlays), "train", **overrides)


def train(bundle: Path, cohort: Path, output: Path, *overlays: str, **more: Any) -> ConfigWorkflow:
    """Train `train.yaml` plus overlays; returns the workflow after its run."""
    workflow = prepared_training(bundle, cohort, output, *overlays, **more)
    workflow.run()
    workflow.finalize()
    trainer = workflow.parser.get_parsed_content("train::trainer")
    assert trainer.state.iteration == workflow.parser["epochs"] == more.get("epochs", 1)
    assert torch.isfinite(torch.tensor(trainer.state.output[0]["loss"]))
    return workflow


def inputs(bundle: Path, cohort: Path, case: str = "A0004") -> dict[str, str]:
    """Options that let `inferring` read a case of the tiny cohort."""
    return {key: str(case_file(cohort, key, case)) for key in entry_of(bundle.name).inputs}


def infer(bundle: Path, cohort: Path, output: Path, *overlays: str, **more: Any) -> ConfigWorkflow:
    """Run `inferring` on a case of the tiny cohort; returns the workflow."""
    given = {**inputs(bundle, cohort), "output_dir": str(output), "device": torch.device("cpu")}
    workflow = prepared(
        config_files(bundle, "inference", *overlays),
        "infer",
        bundle_root=str(bundle),
        **{**given, **more},
    )
    workflow.run()
    workflow.finalize()
    return workflow
