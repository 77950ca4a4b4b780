"""The documented commands, through the stock runner: every run id, resumed, distributed, alone."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bundles.entry import Entry, entry_of
from tests.bundles.workflows import config_files, inputs, read, save_weights, small_training

pytestmark = pytest.mark.slow

LIMIT_S = 900
CONFIGS = {"training": ["train"], "inferring": ["inference"], "evaluating": ["train", "evaluate"]}


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random half precision weights of the network that commands have."""
    path, entry = tmp_path_factory.mktemp("weights") / "model.pt", entry_of(bundle.name)
    return save_weights(bundle, path, *entry.small_overlays, **entry.small_options)


def words(options: Mapping[str, Any]) -> list[str]:
    """Options as a command line has them."""
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def one_or_list(files: Sequence[str]) -> str:
    """Configs as a command line has them."""
    return files[0] if len(files) == 1 else str(files)


def options_of_training(bundle: Path, cohort: Path, output: Path, epochs: int) -> dict[str, Any]:
    """Options that make training take seconds, one patient a step."""
    entry = entry_of(bundle.name)
    small = {**small_training(bundle, cohort, output), **entry.small_options}
    return {**small, entry.batch_id: 1, "epochs": epochs}


def options(run_id: str, bundle: Path, cohort: Path, output: Path, weights: str) -> dict[str, Any]:
    """Options of a small run of each kind."""
    if run_id == "training":
        return options_of_training(bundle, cohort, output, epochs=1)
    given = {"output_dir": output, "weights_file": weights, **entry_of(bundle.name).small_options}
    if run_id == "inferring":
        return {**given, **inputs(bundle, cohort)}
    return {**given, "dataset_dir": cohort}


def finish(command: Sequence[str], folder: Path, **environment: str) -> str:
    """Run a command to its end; returns what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.parametrize("place", ["repository", "bundle"])
@pytest.mark.parametrize("run_id", list(CONFIGS))
def test_each_run_id_works_from_both_places(
    run_id: str,
    place: str,
    weights: str,
    repository: Path,
    bundle: Path,
    entry: Entry,
    cohort: Path,
    tmp_path: Path,
) -> None:
    root = f"bundles/{bundle.name}"
    prefix = "" if place == "bundle" else f"{root}/"
    names = [*CONFIGS[run_id], *entry.small_overlays]
    files = [f"{prefix}configs/{name}.yaml" for name in names]
    command = [sys.executable, "-m", "monai.bundle", "run", run_id]
    command += ["--config_file", one_or_list(files)]
    if place == "repository":
        command += ["--bundle_root", root]
    folder = bundle if place == "bundle" else repository
    finish([*command, *words(options(run_id, bundle, cohort, tmp_path, weights))], folder)
    if run_id == "inferring":
        entry.check_inferred(tmp_path)
    else:
        written = {"training": "checkpoints/best.pt", "evaluating": "predictions.csv"}
        assert (tmp_path / written[run_id]).is_file()


def training(bundle: Path, options: Mapping[str, Any], *overlays: str) -> list[str]:
    """Words that train, from any folder, behind `python`."""
    files = config_files(bundle, "train", *entry_of(bundle.name).small_overlays, *overlays)
    given = {"bundle_root": bundle, "config_file": one_or_list(files), **options}
    return ["-m", "monai.bundle", "run", "training", *words(given)]


def epochs_run(log: str) -> list[int]:
    """Epochs of training that a log tells of, in its order."""
    return [int(number) for number in re.findall(r"Epoch\[(\d+)\] Metrics -- train_", log)]


def test_a_killed_and_resumed_run_ends_as_an_uninterrupted_one(
    bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    epochs = 6
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    commands = [
        [sys.executable, *training(bundle, options_of_training(bundle, cohort, folder, epochs))]
        for folder in (whole, broken)
    ]
    assert epochs_run(finish(commands[0], tmp_path)) == list(range(1, epochs + 1))

    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(commands[1], cwd=tmp_path, stdout=log, stderr=log)
        started = time.monotonic()
        while not list((broken / "checkpoints").glob("*epoch=*.pt")):
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() - started < LIMIT_S
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    found = epochs_run(finish([*commands[1], "--resume", "true"], tmp_path))
    assert found[0] > 1  # it went on, and did not begin again
    assert found[-1] == epochs

    ends = [
        torch.load(folder / "checkpoints" / f"checkpoint_epoch={epochs}.pt", weights_only=True)
        for folder in (whole, broken)
    ]
    for name, value in ends[0]["model"].items():
        torch.testing.assert_close(ends[1]["model"][name], value, rtol=0, atol=1e-6)


def test_two_processes_train_together(
    bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    given = options_of_training(bundle, cohort, tmp_path, epochs=2)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += training(bundle, given, "multi_gpu_train")
    log = finish(command, tmp_path, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    assert epochs_run(log) == [1, 2]  # one voice
    state = torch.load(
        tmp_path / "checkpoints" / "checkpoint_epoch=2.pt", map_location="cpu", weights_only=True
    )
    patients = len(json.loads((cohort / f"{bundle.name}.json").read_text())["training"])
    assert state["trainer"]["epoch_length"] == math.ceil(patients / 2)  # each trains on its share
    parser = read(bundle, "train", *entry.small_overlays)
    parser.update(dict(entry.small_options))
    parser.get_parsed_content("network_def").load_state_dict(state["model"])  # no "module." prefix
    assert (tmp_path / "checkpoints" / "best.pt").is_file()


def test_the_bundle_works_alone(
    weights: str, bundle: Path, entry: Entry, cohort: Path, tmp_path: Path
) -> None:
    """Copied to an empty folder, with nothing installed but what its metadata ask for."""
    alone = tmp_path / "bundle"
    shutil.copytree(bundle, alone, ignore=shutil.ignore_patterns("__pycache__", "eval", "data"))
    metadata = json.loads((alone / "configs" / "metadata.json").read_text())
    pins = {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
        **metadata["required_packages_version"],
    }
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet"]
    finish([*install, *(f"{name}=={version}" for name, version in pins.items())], tmp_path)
    output = tmp_path / "out"
    given = {"output_dir": output, **inputs(bundle, cohort)}
    names = ["inference"]
    if not (alone / "models" / "model.pt").is_file():
        given = options("inferring", bundle, cohort, output, weights)
        names += entry.small_overlays
    files = one_or_list([f"configs/{name}.yaml" for name in names])
    command = [python, "-m", "monai.bundle", "run", "inferring", "--config_file", files]
    finish([*command, *words(given)], alone, PYTHONPATH="", PYTHONNOUSERSITE="1")
    entry.check_inferred(output)
