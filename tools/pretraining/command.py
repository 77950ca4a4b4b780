"""The ``pretrain`` command: phantoms, then the bundle's own training, then weights to ship.

    python -m tools pretrain lumbar_segmentation OUT --workers 2
    python -m tools pretrain bmd_regression OUT --workers 2

Each stage keeps what an earlier run of the same command finished: drawn patients, epochs, weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from tools import bundles
from tools.files import write_json
from tools.options import nearest
from tools.phantom import completion
from tools.phantom.cohort import LARGEST_SEED, SETTINGS_FILE, phantom
from tools.pretraining import making, training
from tools.pretraining.making import COHORT, Request
from tools.pretraining.stages import PATIENTS, STAGES

SETTINGS = "pretrain.json"


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
    state dict in half precision) with manifest.json, which says how it was made. For
    bmd_regression it also writes interval.json, the network's 95 % interval from the validation
    patients, and the three files of its internal calibration; ovf_classification is trained in
    three stages, each of which leaves its weights. Give the same command again to go on after an
    interruption. To use the weights, copy them with their intervals to bundles/BUNDLE/models/.

    Args:
        bundle: Name of the bundle: lumbar_segmentation, bmd_regression or ovf_classification.
        out: Folder to write, new or left by the same command.
        cases: Phantom patients, of whom 70 % train; by default 480 for lumbar_segmentation and 1200
            for the others.
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
        if all(making.is_finished(request, stage, settings) for stage in request.stages):
            print(f"finished before: {request.out / 'model.pt'}")
            return
        with making.clock(request.out, "cohort"):
            _draw(request)
        for stage in request.stages:
            making.make(request, stage, settings)


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
        epochs=epochs or training.epochs(root, STAGES[bundle][0].configs),
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
