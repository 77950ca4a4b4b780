"""The `inputs` stress test: bad inputs through `screen`, each of which must end well.

    python -m tools.stress inputs scratch/inputs --mutations 200 --workers 2

Ending well is an entry in run.json that says done, refused or failed, one line of reason, no
traceback, and no level measured where it does not lie.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from tqdm import tqdm

from tools import processes
from tools.files import write_json
from tools.levels import TOTALSEGMENTATOR_BODY_IDS, VERSE_IDS
from tools.phantom import real
from tools.screen.command import screen
from tools.screen.settings import software
from tools.statistics import proportion
from tools.stress import mutants, verdict
from tools.stress.mutants import Mutant
from tools.stress.others import OTHERS
from tools.threads import single_thread

GROUPS = ("mutants", "pydicom", "others")
"""Seeded changes of real scans; the DICOM files that pydicom ships; a few others."""

ROWS, WORK, SUMMARY = "rows", "work", "summary.json"

MASKS = {
    "lumbar_ct_3mm": ("vertebral_bodies.nii.gz", TOTALSEGMENTATOR_BODY_IDS),
    "l3_crop": ("vertebrae.nii.gz", VERSE_IDS),
}
"""Scans whose levels are known: their masks, and what the labels mean."""

LIST = "list.txt"
"""Inputs are given in a list, whose every line gets an entry in run.json."""

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Job:
    """One bad input.

    Attributes:
        group: One of `GROUPS`.
        name: Unique in its group.
        mutant: What to make; None for other groups.
        source: File that is given as it is, or key of `OTHERS`.
    """

    group: str
    name: str
    mutant: Mutant | None = None
    source: str = ""

    @property
    def label(self) -> str:
        """Of its files."""
        return f"{self.group}-{self.name}"


def inputs(
    out: Path,
    mutations: int = 200,
    seed: int = 0,
    groups: str = "all",
    workers: int = 1,
    data: Path = real.DATA,
) -> None:
    """Give `screen` bad inputs and count those that do not end well.

    Seeded changes of the five real samples (cropped, flipped, cut off, renamed, zero-filled, bytes
    changed), every DICOM file that pydicom ships, and text, magnetic resonance and an empty folder.
    Each must be done, refused or failed with a reason in one line, no traceback, and an entry in
    run.json. Where masks are known a measured patch must lie in that of its level; elsewhere no
    level may be measured. Writes summary.json and rows/. The same command goes on where it stopped.

    Args:
        out: Folder to write.
        mutations: Changes of the real samples.
        seed: Number of the first change.
        groups: What to give: all, or some of mutants, pydicom, others, separated by commas.
        workers: Processes that work at once.
        data: Folder of the real samples.

    Raises:
        ValueError: An argument is unusable; nothing was started.
        OSError: A file cannot be written, or a worker was killed; what was judged stays.
    """
    wanted = GROUPS if groups == "all" else tuple(part.strip() for part in groups.split(","))
    if unknown := set(wanted) - set(GROUPS):
        raise ValueError(f"unknown group {min(unknown)!r}; known: {', '.join(GROUPS)}")
    for name, value, least in (("mutations", mutations, 0), ("workers", workers, 1)):
        if value < least:
            raise ValueError(f"{name} is a whole number of at least {least}, not {value}")
    if "mutants" in wanted and mutations and not data.is_dir():
        raise ValueError(f"{data}: no real samples there; give --data, or --groups pydicom,others")
    (out / ROWS).mkdir(parents=True, exist_ok=True)
    jobs = [job for group in wanted for job in plan(group, mutations, seed)]
    judge_one = partial(judge, out.resolve(), data.resolve())
    missing = [job for job in jobs if read(out, job) is None]
    with tqdm(
        total=len(jobs), initial=len(jobs) - len(missing), desc="stress", unit="input"
    ) as bar:
        if min(workers, len(missing)) > 1:
            processes.run_all(judge_one, missing, workers, bar.update)
        else:
            with single_thread():
                for job in missing:
                    judge_one(job)
                    bar.update()
    rows = [row for job in jobs if (row := read(out, job)) is not None]
    content = {"sources": software(), "seed": seed, **summarize(rows)}
    write_json(out / SUMMARY, content)
    for group, found in content["groups"].items():
        print(in_words(group, found))
    for row in rows:
        for fault in row["faults"]:
            print(f"{row['group']} {row['name']}: {fault}")
    print(f"rows and summary: {out}")


def plan(group: str, mutations: int, seed: int) -> list[Job]:
    """List the inputs of a group."""
    if group == "mutants":
        return [Job(group, one.name, mutant=one) for one in mutants.draw(mutations, seed)]
    if group == "others":
        return [Job(group, name, source=name) for name in OTHERS]
    root = Path(pydicom.__file__).parent
    files = sorted(path for path in (root / "data").rglob("*") if path.is_file())
    shipped = [path for path in files if path.suffix == ".dcm" or pydicom.misc.is_dicom(path)]
    names = (str(path.relative_to(root / "data")).replace("/", "~") for path in shipped)
    return [Job(group, name, source=str(path)) for name, path in zip(names, shipped, strict=True)]


def record(out: Path, job: Job) -> Path:
    """File of a job's row."""
    return out / ROWS / f"{hashlib.sha256(job.label.encode()).hexdigest()[:16]}.json"


def read(out: Path, job: Job) -> dict[str, Any] | None:
    """Row of a job that was judged with the code in use, else None."""
    try:
        row: dict[str, Any] = json.loads(record(out, job).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return row if row.get("sources") == software()["sources_sha256"] else None


def judge(out: Path, data: Path, job: Job) -> None:
    """Give one input to `screen` and write down how it ended.

    Raises:
        OSError: A file cannot be written.
    """
    folder = out / WORK / record(out, job).stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    truth = verdict.NOTHING
    if job.mutant is not None:
        given, way = mutants.make(job.mutant, data, folder / "input")
        truth = _truth(data, job.mutant.sample, way)
    else:
        given = OTHERS[job.source](folder) if job.source in OTHERS else Path(job.source)
    # A folder is what users give; single files go by a list, whose lines all get an entry.
    asked = given
    if not (given.is_dir() and any(given.iterdir())):
        asked = folder / LIST
        asked.write_text(f"{given}\n", encoding="utf-8")
    begin, said = time.perf_counter(), io.StringIO()
    crash = None
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            screen(str(asked), folder / "out")
        except Exception as error:  # nothing may come through, whatever it is
            crash = f"{type(error).__name__}: {error}".splitlines()[0]
    ending = verdict.judge(folder / "out", asked, truth)
    found = [*ending.faults, *([f"stopped the run, {crash}"] if crash else [])]
    found += ["traceback"] if TRACEBACK in said.getvalue() else []
    row = {
        "group": job.group,
        "name": job.name,
        "kind": job.mutant.kind if job.mutant else "",
        "statuses": [entry["status"] for entry in ending.entries],
        "reasons": [entry["reason"] for entry in ending.entries],
        "levels": ending.levels,
        "misplaced": ending.misplaced,
        "faults": found,
        "seconds": round(time.perf_counter() - begin, 2),
        "sources": software()["sources_sha256"],
    }
    write_json(record(out, job), row)
    if not found:
        shutil.rmtree(folder)


@cache
def _mask(path: Path) -> np.ndarray:
    return np.asarray(nib.Nifti1Image.from_filename(path).dataobj).astype(np.int16)


def _truth(data: Path, sample: str, way: mutants.Way) -> verdict.Truth:
    if sample not in MASKS:
        return verdict.NOTHING
    name, ids = MASKS[sample]
    return verdict.Truth(_mask(data / sample / name), ids, way)


def summarize(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count, by group and by what was changed, how inputs ended.

    Returns:
        `groups` and, of the mutants, `kinds`: counts of statuses, and the inputs that did not end
        well, and the measured levels that lie in no mask of their own, with exact 95 % intervals;
        `rows` as given.
    """
    of_group = {group: [row for row in rows if row["group"] == group] for group in GROUPS}
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in mutants.KINDS}
    return {
        "all": _counts(rows),
        "groups": {group: _counts(own) for group, own in of_group.items() if own},
        "kinds": {kind: _counts(own) for kind, own in kinds.items() if own},
        "rows": list(rows),
    }


def _counts(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    known = list(rows)
    statuses = Counter(status for row in known for status in row["statuses"])
    return {
        "inputs": len(known),
        "statuses": {status: statuses[status] for status in verdict.STATUSES},
        "misplaced_levels": proportion(
            sum(row["misplaced"] for row in known), sum(row["levels"] for row in known)
        ),
        "faulty": proportion(sum(bool(row["faults"]) for row in known), len(known)),
    }


def in_words(group: str, found: dict[str, Any]) -> str:
    """Say a group's result in one line.

    Examples:
        >>> row = {"statuses": ["failed"], "faults": [], "levels": 0, "misplaced": 0}
        >>> in_words("others", _counts([row] * 4))
        'others: 4 inputs: 0 done, 0 refused, 4 failed; 0 of 4 did not end well (0.0 % to 60.2 %)'
    """
    levels = found["misplaced_levels"]
    placed = f"; {levels['count']} of {levels['of']} levels misplaced" if levels["of"] else ""
    counts = ", ".join(f"{number} {status}" for status, number in found["statuses"].items())
    faulty = found["faulty"]
    low, high = (100 * end for end in faulty["ci95"])
    return (
        f"{group}: {found['inputs']} inputs: {counts}; {faulty['count']} of {faulty['of']} did not "
        f"end well ({low:.1f} % to {high:.1f} %){placed}"
    )
