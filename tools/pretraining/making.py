"""The stages of `pretrain`: a training, its weights, and the interval of what they read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.files import write_json
from tools.phantom import recipe as recipes
from tools.phantom.cohort import TRUTH_FILE
from tools.pretraining import export, intervals, training
from tools.pretraining.stages import STAGES, Stage

TIMES = "seconds.json"
COHORT, VALIDATION = "cohort", "validation"


@dataclass(frozen=True)
class Request:
    """What was asked for, checked.

    Attributes:
        bundle: Folder of the bundle.
        out: Folder of the results.
        cases: Phantom patients.
        seed: Seed of patients and of the training.
        recipe: Recipe of the patients: a packaged name or a path.
        scanner: Scanner of the patients.
        epochs: Epochs of the first stage.
        workers: Processes that draw.
        device: "cpu" or "cuda".
    """

    bundle: Path
    out: Path
    cases: int
    seed: int
    recipe: str
    scanner: str
    epochs: int
    workers: int
    device: str

    def settings(self) -> dict[str, Any]:
        """Everything the weights depend on, JSON-ready; `workers` changes nothing."""
        return {
            "bundle": self.bundle.name,
            "cases": self.cases,
            "seed": self.seed,
            "recipe": recipes.load(self.recipe),
            "scanner": self.scanner,
            "epochs": self.epochs,
            "device": self.device,
            "configs_sha256": training.configs_sha256(self.bundle, self.stages[0].configs),
        }

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The trainings to run, in order."""
        return STAGES[self.bundle.name]


def is_finished(request: Request, stage: Stage, settings: Mapping[str, Any]) -> bool:
    """Tell whether the files of a stage are there that this very request made, unharmed.

    Args:
        request: What was asked for.
        stage: The stage.
        settings: Of the request.
    """
    return _has_weights(request, stage, settings) and _has_interval(request, stage)


def make(request: Request, stage: Stage, settings: Mapping[str, Any]) -> None:
    """Make the files of a stage that are missing.

    Args:
        request: What was asked for.
        stage: The stage; those before it are made.
        settings: Of the request.

    Raises:
        OSError: A file cannot be written, or a training or an evaluation failed.
    """
    job = _job(request, stage)
    if not _has_weights(request, stage, settings):
        _make_weights(request, stage, job, settings)
    if stage.interval is not None and not _has_interval(request, stage):
        _make_interval(request, stage, job)


def _has_weights(request: Request, stage: Stage, settings: Mapping[str, Any]) -> bool:
    if stage.start_id is not None and not _start(request, stage).is_file():
        return False
    wanted = _of(request, stage, settings)
    return export.is_finished(request.out / stage.model, request.out / stage.manifest, wanted)


def _has_interval(request: Request, stage: Stage) -> bool:
    if stage.interval is None:
        return True
    model = request.out / stage.model
    return intervals.is_written(request.out / stage.interval, export.sha256(model))


def _of(request: Request, stage: Stage, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the weights of a stage depend on."""
    if stage.start_id is None:
        return dict(settings)
    own = training.configs_sha256(request.bundle, stage.configs)
    start = export.sha256(_start(request, stage))
    return {**settings, "stage": stage.name, "configs_sha256": own, "start_sha256": start}


def _job(request: Request, stage: Stage) -> training.Job:
    """The training of a stage."""
    folder = request.out / stage.folder
    own: dict[str, Any] = {}
    epochs = request.epochs
    if stage.start_id is not None:
        own = {stage.start_id: _start(request, stage).resolve()}
        epochs = training.epochs(request.bundle, stage.configs)
    return training.Job(
        bundle=request.bundle,
        configs=stage.configs,
        folder=folder,
        cohort=request.out / COHORT,
        cache=request.out / training.CACHE,
        epochs=epochs,
        seed=request.seed,
        device=request.device,
        ids=own,
        mean_image=stage.mean_image,
    )


def _start(request: Request, stage: Stage) -> Path:
    """Weights of the stage before."""
    return request.out / request.stages[request.stages.index(stage) - 1].model


def _make_weights(
    request: Request, stage: Stage, job: training.Job, settings: Mapping[str, Any]
) -> None:
    """Train, and write the weights with their manifest."""
    job.folder.mkdir(exist_ok=True)
    with clock(request.out, stage.name):
        checkpoint = training.train(job)
    depends = _of(request, stage, settings)
    made_from = depends | {
        "cohort_sha256": export.sha256(job.cohort / TRUTH_FILE),
        "validation": training.validation(job.folder),
        "seconds": _seconds(request.out),
    }
    model = request.out / stage.model
    manifest = export.write(model, request.out / stage.manifest, checkpoint, depends, made_from)
    score = manifest["validation"]
    shown = f", {score['metric']} {score['value']:.3f}" if score else ""
    print(f"{model}: {manifest['bytes'] / 1e6:.1f} MB{shown}")


def _make_interval(request: Request, stage: Stage, job: training.Job) -> None:
    """Score the validation patients, and write the interval of what the network reads."""
    if stage.interval is None:
        return
    model, output = request.out / stage.model, job.folder / VALIDATION
    with clock(request.out, f"{stage.name}_interval"):
        training.evaluate(job, stage.evaluation, model, output)
    path = request.out / stage.interval
    found = intervals.write(
        request.bundle.name, output / intervals.PREDICTIONS, export.sha256(model), path
    )
    if found:
        print(f"{path}: from {found['n_levels']} levels of {found['n_patients']} patients")


@contextmanager
def clock(out: Path, stage: str) -> Iterator[None]:
    """Add the wall time of a stage to what earlier runs spent on it."""
    begin = time.monotonic()
    try:
        yield
    finally:
        seconds = _seconds(out)
        seconds[stage] = round(seconds.get(stage, 0.0) + time.monotonic() - begin, 1)
        write_json(out / TIMES, seconds)


def _seconds(out: Path) -> dict[str, float]:
    """Wall time by stage so far, s."""
    try:
        return dict(json.loads((out / TIMES).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
