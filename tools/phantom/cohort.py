"""The ``phantom`` command: a folder of digital patients with full truth.

    python -m tools phantom OUT --cases 20 --seed 0 --recipe standard --workers 2

Every patient is a pure function of recipe, seed and number, so neither the number of workers nor an
interruption changes a byte: the same command given again makes only what is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from tools import processes
from tools.files import write_json
from tools.options import nearest
from tools.phantom import completion, datalists
from tools.phantom import recipe as recipes
from tools.phantom.case import simulate
from tools.phantom.completion import Job
from tools.phantom.given.settings import from_recipe
from tools.phantom.imaging.scanner import SCANNERS
from tools.threads import single_thread

SETTINGS_FILE = "cohort.json"
TRUTH_FILE = "truth.json"

FORMATS = ("nifti", "dicom")

LARGEST_SEED = 2**32 - 1


def phantom(
    out: Path,
    cases: int = 10,
    seed: int = 0,
    scanner: str = "A",
    recipe: str = "standard",
    format: str = "nifti",  # noqa: A002
    workers: int = 1,
    paired: bool = False,
    device: str = "cpu",
) -> None:
    """Make digital patients: CT, label maps, full truth and datalists for training.

    Writes images/, labels/, trabecular/, posterior/ and truth/, all of it joined in truth.json, and
    one datalist per bundle. Give the same command again to go on after an interruption.

    Args:
        out: Folder to write, new or left by the same command.
        cases: Patients per scanner.
        seed: Number from which everything random follows; another seed, other patients.
        scanner: Scanners to use, separated by commas. A, and R, whose every scan comes from
            another machine, are split into training, validation and test; B and C only test.
        recipe: Who is scanned and how: the name of a packaged recipe or the path of a YAML file.
        format: File format of the images: nifti, or dicom for a folder of slices; label maps are
            NIfTI in any case.
        workers: Processes that work at once; each takes up to 7 GB of memory for a whole abdomen
            at the finest spacing.
        paired: Scan the same patients on every scanner.
        device: What draws: cpu, or cuda for a graphics card, which one process then uses alone.
            Noise differs between the two, so a cohort is drawn on one of them.

    Raises:
        ValueError: An argument, the recipe, or a folder that holds something else is unusable;
            raised before any work starts.
        OSError: The folder cannot be written, the disk is full, or a worker was killed; finished
            cases stay.
    """
    out = Path(out)
    _refuse_bad_numbers(cases, seed, workers)
    _refuse_bad_format(format)
    if not isinstance(paired, bool):
        raise ValueError(f"paired is True or False, not {paired!r}")
    _refuse_bad_device(device, workers)
    settings: dict[str, Any] = {
        "cases": cases,
        "seed": seed,
        "scanners": _scanner_names(scanner),
        "paired": paired,
        "recipe": _usable(recipes.load(recipe)),
        "software": dict(completion.software(format)),
    }
    if paired:
        recipes.refuse_paired(settings["recipe"])
    if format != "nifti":
        settings["format"] = format
    if device != "cpu":  # what is not said was drawn on the CPU
        settings["device"] = device
    _refuse_other_content(out, settings)
    jobs = [_job(name, i, settings) for name in settings["scanners"] for i in range(cases)]
    out.mkdir(parents=True, exist_ok=True)
    with completion.exclusive(out):
        write_json(out / SETTINGS_FILE, settings)
        _simulate_missing(out, jobs, workers)
        counts = _write_lists(out, jobs, settings)
    print(f"{len(jobs)} scans in {out}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))


def _usable(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe; raises if the label map that it gives is no spine."""
    from_recipe(recipe)
    return recipe


def _refuse_bad_numbers(cases: int, seed: int, workers: int) -> None:
    """Raise for a number that makes no sense."""
    wanted = {
        "cases": (cases, 1, None),
        "seed": (seed, 0, LARGEST_SEED),
        "workers": (workers, 1, None),
    }
    for name, (value, low, high) in wanted.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < low or (high is not None and value > high):
            limit = f"from {low} to {high}" if high is not None else f"of at least {low}"
            raise ValueError(f"{name} is a whole number {limit}, not {value!r}")


def _refuse_bad_format(wanted: str) -> None:
    """Raise for a file format that is unknown."""
    if wanted not in FORMATS:
        hint = nearest(str(wanted), FORMATS)
        raise ValueError(f"unknown format {wanted!r}{hint}; known: {', '.join(FORMATS)}")


def _refuse_bad_device(device: str, workers: int) -> None:
    """Raise for a device that draws nothing here, or that several processes would share."""
    if device == "cpu":
        return
    if device != "cuda":
        raise ValueError(f"unknown device {device!r}; known: cpu, cuda")
    if not torch.cuda.is_available():
        raise ValueError("device cuda is not available here; use cpu")
    if workers > 1:
        raise ValueError("device cuda works in one process: leave workers at 1")


def _scanner_names(wanted: str | Sequence[str]) -> list[str]:
    """Return the scanners that a comma-separated text or a list names, sorted."""
    parts = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    names = [str(part).strip() for part in parts]
    for name in names:
        if name not in SCANNERS:
            raise ValueError(f"unknown scanner {name!r}; known: {', '.join(SCANNERS)}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"scanner wants each scanner once, not {wanted!r}")
    return sorted(names)


def _job(scanner: str, index: int, settings: Mapping[str, Any]) -> Job:
    """Return the job that makes one patient's scan on one scanner."""
    paired = settings["paired"]
    return Job(
        case=f"{scanner}{index + 1:04d}",
        patient_id=f"{'P' if paired else scanner}-{index + 1:04d}",
        scanner=scanner,
        index=index,
        seed=settings["seed"],
        paired=paired,
        recipe=settings["recipe"],
        device=settings.get("device", "cpu"),
        format=settings.get("format", "nifti"),
    )


def _refuse_other_content(out: Path, settings: Mapping[str, Any]) -> None:
    """Raise if the place holds anything but the start of this very cohort."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder")
    if (out / SETTINGS_FILE).exists():
        _refuse_other_settings(out, settings)
    elif not completion.is_empty(out):
        raise ValueError(f"{out} is not empty and holds no phantom cohort; choose another folder")


UNSAID = {"format": "nifti"}
"""Settings that are written down only where they differ from the usual -> the usual."""


def _refuse_other_settings(out: Path, settings: Mapping[str, Any]) -> None:
    """Raise if the folder holds a cohort made with other settings, naming those that differ."""
    try:
        found = _flat(json.loads((out / SETTINGS_FILE).read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{out / SETTINGS_FILE} is damaged; choose another folder") from error
    wanted = _flat(settings)
    # What was asked for comes before the software: it says more, and the software follows from it.
    for key in sorted(wanted | found, key=lambda key: key.startswith("software.")):
        if found.get(key) != wanted.get(key):
            if key.startswith("software."):
                raise ValueError(
                    f"{out} holds a cohort made by another version ({key.removeprefix('software.')}"
                    " differs); choose another folder"
                )
            was, asked = (each.get(key, UNSAID.get(key)) for each in (found, wanted))
            raise ValueError(
                f"{out} holds a cohort made with {key} {was}, not {asked}; choose another folder"
            )


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted keys."""
    if not isinstance(content, Mapping):
        return {prefix: content}
    return {
        dotted: leaf
        for key, value in content.items()
        for dotted, leaf in _flat(value, f"{prefix}.{key}".lstrip(".")).items()
    }


def _simulate_missing(out: Path, jobs: Sequence[Job], workers: int) -> None:
    """Make every case that is not finished, with a progress bar.

    Raises:
        OSError: a case cannot be written, or a worker was killed.
    """
    completion.make_folders(out)
    missing = [job for job in jobs if not completion.is_finished(out, job)]
    if missing:  # the joined files speak of whole cohorts only
        for name in (TRUTH_FILE, *(f"{bundle}.json" for bundle in datalists.BUNDLES)):
            (out / name).unlink(missing_ok=True)
    used = min(workers, len(missing))
    finished = len(jobs) - len(missing)
    with tqdm(total=len(jobs), initial=finished, desc="phantom", unit="scan") as bar:
        try:
            if used > 1:
                processes.run_all(partial(_make, out), missing, used, bar.update)
            else:
                _run_here(out, missing, bar.update)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise OSError(
                f"{where}{error.strerror or error}; {bar.n} of {len(jobs)} scans are finished, "
                "the same command goes on from there"
            ) from error


def _run_here(out: Path, jobs: Sequence[Job], done: Callable[[], Any]) -> None:
    """Make cases in this process, on one thread as workers do."""
    with single_thread():
        for job in jobs:
            _make(out, job)
            done()


def _make(out: Path, job: Job) -> None:
    """Simulate and write one case."""
    case = simulate(job.recipe, job.seed, job.index, job.scanner, job.paired, job.device)
    completion.write_case(out, job, case)


def _write_lists(out: Path, jobs: Sequence[Job], settings: Mapping[str, Any]) -> dict[str, int]:
    """Write the joined truth and the datalists; return the number of scans per list."""
    truths = [completion.read_truth(out, job) for job in jobs]
    for bundle, content in datalists.build(truths, settings["seed"]).items():
        write_json(out / f"{bundle}.json", content)
    joined = {**settings, "cases": {truth["case"]: truth for truth in truths}}
    write_json(out / TRUTH_FILE, joined)
    return Counter(datalists.list_names(truths, settings["seed"]))
