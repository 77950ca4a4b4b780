"""The ``pretrain`` command: phantoms, then the bundle's own training, then weights to ship.

    python -m tools pretrain lumbar_segmentation OUT --workers 2
    python -m tools pretrain bmd_regression OUT --workers 2

Each stage keeps what an earlier run of the same command finished: drawn patients, epochs, weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from tools import bundles
from tools.files import write_json
from tools.options import nearest
from tools.phantom import completion
from tools.phantom import recipe as recipes
from tools.phantom.cohort import LARGEST_SEED, SETTINGS_FILE, TRUTH_FILE, phantom
from tools.pretraining import export, training


@dataclass(frozen=True)
class Patients:
    """The phantoms that a bundle is trained on, unless the user says otherwise.

    Attributes:
        recipe: Packaged recipe.
        cases: How many.
        scanner: Who scans them: A, or R, every scan of which comes from another machine.
    """

    recipe: str
    cases: int
    scanner: str = "A"


PATIENTS: Mapping[str, Patients] = {
    "lumbar_segmentation": Patients("lumbar_pretraining", 480),
    "bmd_regression": Patients("bmd_pretraining", 1200, scanner="R"),
}
"""Bundle -> its patients."""

SETTINGS = "pretrain.json"
TIMES = "seconds.json"
COHORT = "cohort"


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
        epochs: Epochs of the training.
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
            "configs_sha256": training.configs_sha256(self.bundle),
        }


def pretrain(
    bundle: str,
    out: Path,
    cases: int | None = None,
    seed: int = 0,
    epochs: int | None = None,
    recipe: str | None = None,
    workers: int = 1,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> None:
    """Train a bundle on digital patients alone and write weights to ship.

    Draws a phantom cohort, runs the bundle's own training on it, and writes model.pt (a plain
    state dict in half precision) with manifest.json, which says how it was made. Give the same
    command again to go on after an interruption. To use the weights, copy model.pt to
    bundles/BUNDLE/models/.

    Args:
        bundle: Name of the bundle: lumbar_segmentation or bmd_regression.
        out: Folder to write, new or left by the same command.
        cases: Phantom patients, of whom 70 % train; by default 480 for lumbar_segmentation and 1200
            for bmd_regression.
        seed: Number from which the patients and the training follow.
        epochs: Passes over the training patients; the bundle's pretrain.yaml by default.
        recipe: Recipe of the patients, a packaged name or a YAML file; the bundle's own by default.
        workers: Processes that draw patients at once on the CPU.
        device: Where patients are drawn and the network is trained; auto takes the graphics card
            if there is one.

    Raises:
        ValueError: An argument, or a folder that holds something else, is unusable; raised before
            any work starts.
        OSError: The folder cannot be written, the disk is full, or the training failed; what is
            finished stays.
    """
    request = _check(bundle, Path(out), cases, seed, epochs, recipe, workers, device)
    settings = request.settings()
    _refuse_other_content(request.out, settings)
    request.out.mkdir(parents=True, exist_ok=True)
    with completion.exclusive(request.out):
        write_json(request.out / SETTINGS, settings)
        if export.is_finished(request.out, settings):
            print(f"finished before: {request.out / export.MODEL}")
            return
        with _clock(request.out, "cohort"):
            _draw(request)
        with _clock(request.out, "training"):
            checkpoint = training.train(
                request.bundle, request.out, request.out / COHORT, request.epochs, request.seed,
                request.device,
            )  # fmt: skip
        cohort_sha256 = export.sha256(request.out / COHORT / TRUTH_FILE)
        made_from = settings | {
            "cohort_sha256": cohort_sha256,
            "validation": training.validation(request.out),
            "seconds": _seconds(request.out),
        }
        manifest = export.write(request.out, checkpoint, settings, made_from)
    score = manifest["validation"]
    shown = f", {score['metric']} {score['value']:.3f}" if score else ""
    print(f"{request.out / export.MODEL}: {manifest['bytes'] / 1e6:.1f} MB{shown}")


def _check(
    bundle: str,
    out: Path,
    cases: int | None,
    seed: int,
    epochs: int | None,
    recipe: str | None,
    workers: int,
    device: str,
) -> Request:
    """Complete the arguments of the command, or raise for the first that cannot be met."""
    if bundle not in PATIENTS:
        known = ", ".join(PATIENTS)
        hint = nearest(bundle, PATIENTS)
        raise ValueError(f"no bundle {bundle!r} to train{hint}; known: {known}")
    root, usual = bundles.FOLDER / bundle, PATIENTS[bundle]
    cases = usual.cases if cases is None else cases
    wanted = {"cases": (cases, 3), "workers": (workers, 1), "epochs": (epochs or 1, 1)}
    for name, (value, low) in wanted.items():
        if value < low or (name == "epochs" and epochs == 0):
            raise ValueError(f"{name} is a whole number of at least {low}, not {value}")
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed is a whole number from 0 to {LARGEST_SEED}, not {seed}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda is not available here; use cpu")
    return Request(
        bundle=root,
        out=out,
        cases=cases,
        seed=seed,
        recipe=recipe or usual.recipe,
        scanner=usual.scanner,
        epochs=epochs or training.epochs(root),
        workers=workers,
        device=_device(out) if device == "auto" else device,
    )


def _device(out: Path) -> str:
    """Choose the device: that of a run to go on with, else the graphics card if there is one."""
    for path in (out / SETTINGS, out / COHORT / SETTINGS_FILE):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return str(found.get("device", "cpu"))
    return "cuda" if torch.cuda.is_available() else "cpu"


def _refuse_other_content(out: Path, settings: Mapping[str, Any]) -> None:
    """Raise if the place holds anything but the start of this very run, or its cohort alone."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder")
    path = out / SETTINGS
    if not path.exists():
        others = [entry.name for entry in out.iterdir() if entry.name != COHORT]
        if others and not set(others) <= {".lock"}:
            raise ValueError(f"{out} holds other files ({others[0]}); choose another folder")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged; choose another folder") from error
    for key in sorted(settings.keys() | found.keys()):
        if found.get(key) != settings.get(key):
            what = _short(found.get(key)), _short(settings.get(key))
            raise ValueError(
                f"{out} holds a run with {key} {what[0]}, not {what[1]}; choose another folder"
            )


def _short(value: Any) -> str:
    """Name a setting in a message; a recipe by its name."""
    return str(value.get("name")) if isinstance(value, dict) else str(value)


def _draw(request: Request) -> None:
    """Draw the patients that are missing."""
    on_card = request.device == "cuda"
    phantom(
        request.out / COHORT,
        cases=request.cases,
        seed=request.seed,
        recipe=request.recipe,
        scanner=request.scanner,
        workers=1 if on_card else request.workers,
        device=request.device,
    )


@contextmanager
def _clock(out: Path, stage: str) -> Iterator[None]:
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
