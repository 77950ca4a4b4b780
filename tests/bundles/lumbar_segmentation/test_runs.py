"""The documented commands, through the stock runner: every run id, resumed, distributed, alone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from tests.bundles.workflows import config_files

pytestmark = pytest.mark.slow

LIMIT_S = 900
SMALL = ("--network_def::width", "2")
CONFIGS = {"training": ["train"], "inferring": ["inference"], "evaluating": ["train", "evaluate"]}


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random half precision weights of the small network."""
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "inference"))
    parser["network_def::width"] = 2
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    state = parser.get_parsed_content("network_def").state_dict()
    torch.save({name: value.half() for name, value in state.items()}, path)
    return str(path)


def small_training(cohort: Path, output: Path, epochs: int) -> list[str]:
    """Options that make training take seconds."""
    return [
        *("--dataset_dir", str(cohort), "--output_dir", str(output)),
        *("--ckpt_dir", str(output / "checkpoints"), "--cache_dir", str(output / "cache")),
        *("--epochs", str(epochs), "--slabs_per_batch", "1", "--slices_per_slab", "1"),
        *("--crop", "[32,32]", "--validation_size", "[32,32]", *SMALL),
    ]


def options(run_id: str, cohort: Path, output: Path, weights: str) -> list[str]:
    """Options of a small run of each kind."""
    if run_id == "training":
        return small_training(cohort, output, epochs=1)
    given = ["--output_dir", str(output), "--weights_file", weights, *SMALL]
    if run_id == "inferring":
        return [*given, "--image", str(cohort / "images" / "A0004.nii.gz")]
    return [*given, "--dataset_dir", str(cohort)]


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
    cohort: Path,
    tmp_path: Path,
) -> None:
    prefix = "" if place == "bundle" else "bundles/lumbar_segmentation/"
    files = [f"{prefix}configs/{name}.yaml" for name in CONFIGS[run_id]]
    command = [sys.executable, "-m", "monai.bundle", "run", run_id]
    command += ["--config_file", files[0] if len(files) == 1 else str(files)]
    if place == "repository":
        command += ["--bundle_root", "bundles/lumbar_segmentation"]
    folder = bundle if place == "bundle" else repository
    finish([*command, *options(run_id, cohort, tmp_path, weights)], folder)
    expected = {
        "training": "checkpoints/best.pt",
        "inferring": "A0004_seg.nii.gz",
        "evaluating": "predictions.csv",
    }
    assert (tmp_path / expected[run_id]).is_file()


def training(bundle: Path, *words: str) -> list[str]:
    """Command that trains, from any folder."""
    config = str(bundle / "configs" / "train.yaml")
    words = ("run", "training", "--bundle_root", str(bundle), "--config_file", config, *words)
    return [sys.executable, "-m", "monai.bundle", *words]


def epochs_run(log: str) -> list[int]:
    """Epochs of training that a log tells of."""
    return sorted({int(number) for number in re.findall(r"Epoch: (\d+)/\d+, Iter:", log)})


def test_a_killed_and_resumed_run_ends_as_an_uninterrupted_one(
    bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    epochs = 6
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(training(bundle, *small_training(cohort, whole, epochs)), tmp_path)

    command = training(bundle, *small_training(cohort, broken, epochs))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        started = time.monotonic()
        while not list((broken / "checkpoints").glob("*epoch=*.pt")):
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() - started < LIMIT_S
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    log = finish([*command, "--resume", "true"], tmp_path)
    assert epochs_run(log)[0] > 1  # it went on, and did not begin again
    assert epochs_run(log)[-1] == epochs

    ends = [
        torch.load(folder / "checkpoints" / f"checkpoint_epoch={epochs}.pt", weights_only=True)
        for folder in (whole, broken)
    ]
    for name, value in ends[0]["model"].items():
        torch.testing.assert_close(ends[1]["model"][name], value, rtol=0, atol=1e-6)


def test_two_processes_train_together(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    files = config_files(bundle, "train", "multi_gpu_train")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node=2", *training(bundle, *small_training(cohort, tmp_path, 2))[1:]]
    command[command.index("--config_file") + 1] = str(files)
    log = finish(command, tmp_path, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    assert len(re.findall(r"Epoch: 1/2, Iter: 1/1 ", log)) == 1  # two patients, one step, one voice
    state = torch.load(
        tmp_path / "checkpoints" / "checkpoint_epoch=2.pt", map_location="cpu", weights_only=True
    )
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "train"))
    parser["network_def::width"] = 2
    parser.get_parsed_content("network_def").load_state_dict(state["model"])  # no "module." prefix
    assert (tmp_path / "checkpoints" / "best.pt").is_file()


def test_the_bundle_works_alone(weights: str, bundle: Path, cohort: Path, tmp_path: Path) -> None:
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
    command = [python, "-m", "monai.bundle", "run", "inferring"]
    command += ["--config_file", "configs/inference.yaml"]
    shipped = (alone / "models" / "model.pt").is_file()
    given = () if shipped else ("--weights_file", weights, *SMALL)
    image = str(cohort / "images" / "A0004.nii.gz")
    words = ["--image", image, "--output_dir", str(tmp_path / "out"), *given]
    finish([*command, *words], alone, PYTHONPATH="", PYTHONNOUSERSITE="1")
    assert (tmp_path / "out" / "A0004_seg.nii.gz").is_file()
    levels = json.loads((tmp_path / "out" / "A0004_levels.json").read_text())["levels"]
    assert set(levels) == {"L1", "L2", "L3", "L4"}
