"""Runs a bundle's own training, `python -m monai.bundle run training`, and finds what it left."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CHECKPOINTS, EVENTS, CACHE = "checkpoints", "events", "cache"
"""Folders in OUT."""

MEAN_IMAGE = "mean_image.pt"
"""What a bundle's `mean_image` writes."""

VALIDATION_TAG = "val_"
"""How the validation metric's name begins in TensorBoard's files."""

ERROR_ENDINGS = ("_mae",)
"""How the names of metrics end of which less is better."""

ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""What glibc and OpenMP are told, unless the user has told them otherwise.

The outputs of layers, tens of megabytes each, are else fetched from the kernel page by page and
given back at every step: a quarter of the time on two cores. And threads that wait sleep, which
matters beside other programs.
"""

_EPOCH = re.compile(r"_epoch=(\d+)\.pt$")
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux' prctl


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        bundle: Folder of the bundle.
        configs: Names of its config and overlays, in the order they are read.
        folder: Folder of the results.
        cohort: Folder of the phantoms.
        cache: Folder of what the bundle keeps of them.
        epochs: Epochs.
        seed: Seed of the training.
        device: "cpu" or "cuda".
        ids: Further ids of the config -> values.
        mean_image: Whether the bundle's `mean_image` is run before, and its file taken.
    """

    bundle: Path
    configs: Sequence[str]
    folder: Path
    cohort: Path
    cache: Path
    epochs: int
    seed: int
    device: str
    ids: Mapping[str, Any] = field(default_factory=dict)
    mean_image: bool = False


def config_files(bundle: Path, configs: Sequence[str]) -> list[Path]:
    """Return the files of a bundle's configs."""
    return [bundle / "configs" / f"{name}.yaml" for name in configs]


def configs_sha256(bundle: Path, configs: Sequence[str]) -> str:
    """Return one checksum over configs.

    Raises:
        ValueError: A config is missing.
    """
    digest = hashlib.sha256()
    for path in config_files(bundle, configs):
        try:
            digest.update(path.read_bytes() + b"\0")
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}; the bundle is not complete") from error
    return digest.hexdigest()


def epochs(bundle: Path, configs: Sequence[str]) -> int:
    """Return how many epochs the bundle's own configs ask for."""
    files = [str(path) for path in config_files(bundle, configs)]
    return int(ConfigParser(ConfigParser.load_config_files(files)).get_parsed_content("epochs"))


def command(run_id: str, bundle: Path, configs: Sequence[str], ids: Mapping[str, Any]) -> list[str]:
    """Write a command line of the stock runner.

    Args:
        run_id: "training" or "evaluating".
        bundle: Folder of the bundle.
        configs: Names of its config and overlays.
        ids: Ids of its config -> values.

    Returns:
        The words of the command.
    """
    files = str([str(path) for path in config_files(bundle, configs)])
    words = [sys.executable, "-m", "monai.bundle", "run", run_id]
    words += ["--bundle_root", str(bundle), "--config_file", files]
    for name, value in ids.items():
        words += [f"--{name}", str(value)]
    return words


def newest(folder: Path) -> tuple[int, Path | None]:
    """Find the checkpoint with the highest epoch: its epoch and path; (0, None) without any."""
    found = {
        int(match.group(1)): path
        for path in folder.glob("*.pt")
        if (match := _EPOCH.search(path.name))
    }
    return (max(found), found[max(found)]) if found else (0, None)


def train(job: Job) -> Path:
    """Run a training, or the rest of it, in a process of its own.

    Args:
        job: The training.

    Returns:
        The checkpoint of the last epoch. Not that of the best validation: the learning rate has
        ended there, nothing is chosen on the validation patients, and a run that was interrupted
        ends with the same one.

    Raises:
        OSError: The training failed; its own messages stand above.
    """
    checkpoints = (job.folder / CHECKPOINTS).resolve()
    if newest(checkpoints)[0] < job.epochs:
        ids = {
            "dataset_dir": job.cohort.resolve(),
            "output_dir": (job.folder / EVENTS).resolve(),
            "ckpt_dir": checkpoints,
            "cache_dir": job.cache.resolve(),
            "epochs": job.epochs,
            "seed": job.seed,
            "resume": True,
            "device": f"$torch.device('{job.device}')",
            **job.ids,
        }
        status = 0
        if job.mean_image:
            file = job.folder.resolve() / EVENTS / MEAN_IMAGE
            if not file.exists():
                status = run(command("mean_image", job.bundle.resolve(), job.configs, ids))
            ids["mean_image_file"] = file
        status = status or run(command("training", job.bundle.resolve(), job.configs, ids))
        if status:
            raise OSError(
                f"the training ended with status {status}, see its messages above; the same "
                f"command goes on after epoch {newest(checkpoints)[0]}"
            )
    reached, path = newest(checkpoints)
    if path is None or reached < job.epochs:
        raise OSError(f"the training left no checkpoint of epoch {job.epochs} in {checkpoints}")
    return path


def evaluate(job: Job, configs: Sequence[str], weights: Path, output: Path) -> None:
    """Score weights on the validation patients with the bundle's own `evaluating`.

    Args:
        job: The training that made them.
        configs: Names of the bundle's config and overlays.
        weights: File of the weights.
        output: Folder to write to.

    Raises:
        OSError: The evaluation failed; its own messages stand above.
    """
    ids = {
        "dataset_dir": job.cohort.resolve(),
        "output_dir": output.resolve(),
        "weights_file": weights.resolve(),
        "evaluated_list": "validation",
        "device": f"$torch.device('{job.device}')",
    }
    status = run(command("evaluating", job.bundle.resolve(), configs, ids))
    if status:
        raise OSError(
            f"the evaluation ended with status {status}, see its messages above; the same command "
            "tries again"
        )


def run(words: list[str]) -> int:
    """Run a command that must not outlive this process; return its exit status."""
    tie = _end_with_parent if sys.platform == "linux" else None
    environment = ENVIRONMENT | os.environ
    with subprocess.Popen(words, preexec_fn=tie, env=environment) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def _end_with_parent() -> None:
    """Ask the kernel to end this process when its parent is killed."""
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGTERM)


def validation(out: Path) -> dict[str, Any] | None:
    """Read the last validation of the training from what it left for TensorBoard.

    Args:
        out: Folder of the results.

    Returns:
        {"metric", "value", "epoch", "best"}, or None if nothing was validated.
    """
    events = EventAccumulator(str(out / EVENTS), size_guidance={"scalars": 0})
    events.Reload()
    tag = next((t for t in events.Tags()["scalars"] if t.startswith(VALIDATION_TAG)), None)
    if tag is None:
        return None
    values = {event.step: event.value for event in events.Scalars(tag)}
    last = max(values)
    best = (min if tag.endswith(ERROR_ENDINGS) else max)(values.values())
    return {"metric": tag, "value": values[last], "epoch": last, "best": best}
