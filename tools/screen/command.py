"""The `screen` command: bone density of every CT given, one folder with a report for each.

    python -m tools screen CT.nii.gz OUT

A case that cannot be used never stops the others. The same command given again does what is
missing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm import tqdm

from tools import versions
from tools.files import exclusive, write_content, write_json
from tools.report import rows
from tools.screen import choosing, places
from tools.screen import folder as folders
from tools.screen import scan as scans
from tools.screen.case import screen_case
from tools.screen.settings import Settings, fingerprint, read_calibration

RUN_FILE, TABLE_FILE = scans.RUN_FILES

NOT_REACHED = "not measured, as the run stopped before; give the same command again"

MOST_TOLD = 20
"""Series left out whose reason is printed."""

LEAST_KVP, MOST_KVP = 40.0, 200.0
"""Tube voltages outside this are mistyped, kV."""


def screen(
    input: str,  # noqa: A002 - the word the command line uses
    out: Path,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    kvp: float | None = None,
    allow_contrast: bool = False,
    calibration: Path | None = None,
    keep_identity: bool = False,
    overwrite: bool = False,
) -> None:
    """Measure bone density in CTs and write a report for each.

    Finds and names L1 to L4, measures the trabecular bone of each, and writes to OUT/CASE:
    report.html to read, report.json for programs, segmentation.nii.gz on the CT's own grid, and
    pictures; of a DICOM series also segmentation.dcm (SEG) and report.dcm (SR) for an archive.
    OUT/results.csv has a row for every level, OUT/run.json an entry for every input, earlier runs
    into OUT included. What cannot be measured is refused with a reason. Of the DICOM series of a
    study that show the same part of the body one is measured: calibrated beam before others, then
    without contrast medium, axial, 120 kV, soft kernel, thin slices, long; the others are left out,
    with the reason. Research use only.

    Args:
        input: NIfTI file, DICOM folder or file, pattern, or a text file with one path per line
            (relative ones start from its own folder).
        out: Folder to write; the same command given again does what is missing.
        device: Where the networks run; auto takes the graphics card if there is one.
        kvp: Tube voltage, kV, of scans that do not say it, such as NIfTI files; without it 120 kV
            is assumed and said.
        allow_contrast: Give density and category of contrast-enhanced scans too; they read high.
        calibration: File of a scanner's or a site's calibration, as `calibrate` and `recalibrate`
            write it; without it the physical reference is used. Scans of another tube voltage than
            its own are refused.
        keep_identity: Copy into the two DICOM objects also what a source says of its patient
            beyond what the standard demands there, such as age and issuer of the patient's
            number. No other file ever names a patient.
        overwrite: Measure again what is finished.

    Raises:
        ValueError: An argument is unusable, or OUT holds other files; nothing was started.
        OSError: OUT cannot be written; what is finished stays.
    """
    if kvp is not None and not LEAST_KVP <= kvp <= MOST_KVP:
        raise ValueError(f"--kvp is a tube voltage in kV, such as 120, not {kvp:g}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no graphics card here; leave --device out")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT names a file, not a folder: {out}")
    cases = places.assign(scans.find(input, out), out)
    for case in cases:
        folders.check(out / case.name)
    settings = Settings(
        device=device,
        kvp=kvp,
        allow_contrast=allow_contrast,
        calibration=None if calibration is None else read_calibration(calibration),
        keep_identity=keep_identity,
    )
    # Missing or damaged weights are no case's fault, and empty no finished folder.
    settings.segmentation()
    settings.density()
    out.mkdir(parents=True, exist_ok=True)
    asked = {"input": str(input), "out": str(out), **asdict(settings), "overwrite": overwrite}
    asked["calibration"] = None if calibration is None else str(calibration)
    outcomes: list[folders.Outcome] = []
    begin = time.perf_counter()
    with exclusive(out):
        try:
            for outcome in _screen_each(cases, out, settings, overwrite):
                outcomes.append(outcome)  # noqa: PERF402 - what came before an error is kept
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                _write_run(out, cases, outcomes, asked, time.perf_counter() - begin)
            raise
        _write_run(out, cases, outcomes, asked, time.perf_counter() - begin)
    _tell(outcomes, out)


def _screen_each(
    cases: Sequence[scans.Case], out: Path, settings: Settings, overwrite: bool
) -> Iterator[folders.Outcome]:
    """Do what is missing; yield every case's outcome in the order given."""
    counts: Counter[str] = Counter()
    with tqdm(cases, unit="case", desc="screen", file=sys.stderr) as bar:
        for case in bar:
            mark = fingerprint(case, settings)
            place = out / case.name
            outcome = None if overwrite else folders.read(place, mark)
            if outcome is None:
                outcome = screen_case(case, place, settings, mark)
            counts[outcome.status] += 1
            bar.set_postfix(counts)
            yield replace(outcome, source=case.source)  # an earlier run may have spelt it otherwise


def _write_run(
    out: Path,
    cases: Sequence[scans.Case],
    outcomes: Sequence[folders.Outcome],
    asked: Mapping[str, Any],
    seconds: float,
) -> None:
    """Write what is told of all cases among the results, also of those of earlier runs.

    Args:
        out: Folder of the results.
        cases: Inputs of this run; one that it did not come to counts as failed.
        outcomes: Of those that it did come to.
        asked: Arguments of this run.
        seconds: That it took.

    Raises:
        OSError: If a file cannot be written; the other is written if it can be.
    """
    known = {case.name: _not_reached(case) for case in cases} | folders.earlier(out)
    known |= {outcome.case: outcome for outcome in outcomes}
    every = [known[name] for name in sorted(known)]
    try:
        write_content(out / TABLE_FILE, rows.table(_rows(every, out)))
    finally:
        write_json(
            out / RUN_FILE,
            {
                "software": versions.describe(),
                "arguments": dict(asked),
                "seconds": round(seconds, 2),
                "stages_median_s": _stages(every),
                "counts": _summarize(every),
                "cases": [outcome.entry() for outcome in every],
            },
        )


def _not_reached(case: scans.Case) -> folders.Outcome:
    return folders.Outcome(case.name, case.source, folders.FAILED, NOT_REACHED)


def _tell(outcomes: Sequence[folders.Outcome], out: Path) -> None:
    """Print what this run came to, and where to read it."""
    words = ", ".join(f"{count} {status}" for status, count in _summarize(outcomes).items())
    print(f"{len(outcomes)} case{'' if len(outcomes) == 1 else 's'}: {words}")
    if len(outcomes) == 1 and outcomes[0].reason:
        print(f"{outcomes[0].status}: {outcomes[0].reason}")
    reports = [out / outcome.case / folders.PAGE for outcome in outcomes]
    shown = [page for page in reports if page.is_file()]
    print(f"report: {shown[0]}" if len(shown) == 1 else f"results: {out / TABLE_FILE}")
    _tell_left_out(outcomes)


def _tell_left_out(outcomes: Sequence[folders.Outcome]) -> None:
    """Print why series of a study were not measured; of many only the first."""
    told = [one for one in outcomes if (one.reason or "").startswith(choosing.LEFT_OUT)]
    for outcome in told[:MOST_TOLD]:
        print(f"{outcome.case} {outcome.reason}")
    if len(told) > MOST_TOLD:
        print(f"{len(told) - MOST_TOLD} more series are left out; run.json says why")


def _summarize(outcomes: Sequence[folders.Outcome]) -> dict[str, int]:
    counts = Counter(outcome.status for outcome in outcomes)
    return {status: counts[status] for status in (folders.DONE, folders.REFUSED, folders.FAILED)}


def _rows(outcomes: Sequence[folders.Outcome], out: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of results.csv: four for a case with a report, one for a failed one."""
    for outcome in outcomes:
        failed = outcome.status == folders.FAILED
        report = None if failed else folders.read_report(out / outcome.case)
        said = (outcome.source, outcome.status)
        if report is None:
            yield from rows.of_failure(outcome.case, *said, outcome.reason or "")
        else:
            yield from rows.of_report(report, *said, outcome.reason)


def _stages(outcomes: Sequence[folders.Outcome]) -> dict[str, float]:
    """Median seconds of each stage over the cases that went through it."""
    seconds: dict[str, list[float]] = {}
    for outcome in outcomes:
        for stage, value in outcome.timing_s.items():
            if value is not None:
                seconds.setdefault(stage, []).append(value)
    return {stage: round(statistics.median(values), 3) for stage, values in seconds.items()}
