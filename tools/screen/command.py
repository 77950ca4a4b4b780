"""The `screen` command: bone density of every CT given, one folder with a report for each.

    python -m tools screen CT.nii.gz OUT

A case that cannot be used never stops the others. The same command given again does what is
missing.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm import tqdm

from tools import crew
from tools.files import exclusive
from tools.screen import choosing, places, shards, summary
from tools.screen import folder as folders
from tools.screen import scan as scans
from tools.screen.case import screen_case
from tools.screen.settings import Settings, fingerprint, read_calibration, read_variant
from tools.screen.shards import Part

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
    workers: int | None = None,
    num_parts: int | None = None,
    part_id: int | None = None,
    submit: Literal["slurm"] | None = None,
    bmd_variant: Literal["dxa"] | None = None,
    bmd_weights: Path | None = None,
) -> None:
    """Measure bone density in CTs and write a report for each.

    Finds and names L1 to L4, measures the trabecular bone of each, and writes to OUT/CASE:
    report.html to read, report.json for programs, segmentation.nii.gz on the CT's own grid, and
    pictures; of a DICOM series also segmentation.dcm (SEG) and report.dcm (SR) for an archive.
    OUT/results.csv has a row for every level, OUT/run.json an entry for every input, earlier runs
    into OUT included. What cannot be measured is refused with a reason. Of the DICOM series of a
    study that show the same part of the body one is measured: calibrated beam before others, then
    without contrast medium, axial, 120 kV, soft kernel, thin slices, long; the others are left out,
    with the reason, and measured only where that one fails. Research use only.

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
        workers: Processes that measure at once and share the processor's cores; each takes about
            1 GB of memory. One that is killed costs the others nothing. Without it this process
            measures.
        num_parts: Parts that the run is split into, to work side by side on one machine or many
            into the same OUT. The last one to end writes results.csv and run.json.
        part_id: Which part this is, from 0.
        submit: slurm starts all parts as jobs of a Slurm array; without Slurm they run here, one
            after the other.

        bmd_variant: dxa reads also areal density as DXA would (S4), from whole axial slices of
            unenhanced CT; it stands in places of its own, beside the volumetric density.
        bmd_weights: File of the variant's weights; none are shipped for dxa.

    Raises:
        ValueError: An argument is unusable, or OUT holds other files; nothing was started.
        OSError: OUT cannot be written; what is finished stays.
    """
    if kvp is not None and not LEAST_KVP <= kvp <= MOST_KVP:
        raise ValueError(f"--kvp is a tube voltage in kV, such as 120, not {kvp:g}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no graphics card here; leave --device out")
    if workers is not None and workers < 1:
        raise ValueError(f"--workers is a number of processes, at least 1, not {workers}")
    part = shards.from_options(num_parts, part_id) if submit is None else None
    if submit is not None and (part_id is not None or (num_parts is not None and num_parts < 1)):
        raise ValueError("--submit starts every part: give --num-parts alone, at least 1")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT names a file, not a folder: {out}")
    cases = choosing.choose(places.assign(scans.find(input, out), out))
    for case in cases:
        folders.check(out / case.name)
    settings = Settings(
        device=device,
        kvp=kvp,
        allow_contrast=allow_contrast,
        calibration=None if calibration is None else read_calibration(calibration),
        keep_identity=keep_identity,
        **read_variant(bmd_variant, bmd_weights),
    )
    # Missing or damaged weights are no case's fault, and empty no finished folder.
    settings.segmentation()
    settings.density()
    settings.areal()
    asked = {"input": str(input), "out": str(out), **asdict(settings), "overwrite": overwrite}
    del asked["bmd_weights_sha256"]  # no option
    asked["calibration"] = None if calibration is None else str(calibration)
    asked |= {"workers": workers, "num_parts": num_parts, "part_id": part_id}
    out.mkdir(parents=True, exist_ok=True)
    if submit is not None:
        _submit(asked, out)
        return
    run = _Run(cases, out, settings, overwrite, workers, asked)
    outcomes = run.whole() if part is None else run.part(part)
    _tell(outcomes, out)


@dataclass(frozen=True)
class _Run:
    """One run of the command.

    Attributes:
        cases: All inputs, those of other parts too.
        out: Folder of the results.
        settings: Options that change results.
        overwrite: Whether what is finished is measured again.
        workers: Processes that measure, None for this one.
        asked: Arguments as run.json tells them.
    """

    cases: Sequence[scans.Case]
    out: Path
    settings: Settings
    overwrite: bool
    workers: int | None
    asked: dict[str, Any]

    def whole(self) -> list[folders.Outcome]:
        """Do every case, and tell of all among the results.

        Raises:
            OSError: The results cannot be written.
        """
        with exclusive(self.out):
            summary.drop_parts(self.out)
            return self._do(self.cases, partial(summary.write_whole, self.out, self.cases))

    def part(self, part: Part) -> list[folders.Outcome]:
        """Do the cases of one part, and tell of the whole if no other is at work.

        Raises:
            OSError: The results cannot be written.
        """
        own = part.pick(self.cases)
        with shards.part_at_work(self.out, part) as seat:

            def write(outcomes: Sequence[folders.Outcome], told: dict[str, Any]) -> None:
                summary.write_part(self.out, part, own, outcomes, told)
                if seat.is_last():
                    summary.join_parts(self.out, self.cases, told, part.of)

            return self._do(own, write)

    def _do(self, cases: Sequence[scans.Case], write: Any) -> list[folders.Outcome]:
        """Do cases, and write what is told of them, also when an error stops the run."""
        outcomes: list[folders.Outcome] = []
        begin = time.perf_counter()

        def tell() -> None:
            seconds = round(time.perf_counter() - begin, 2)
            write(outcomes, {"arguments": self.asked, "seconds": seconds})

        try:
            for outcome in self._each(cases):
                outcomes.append(outcome)  # noqa: PERF402 - what came before an error is kept
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                tell()
            raise
        tell()
        return outcomes

    def _each(self, cases: Sequence[scans.Case]) -> Iterator[folders.Outcome]:
        """Do what is missing; yield every case's outcome as it comes."""
        work = partial(_outcome, self.out, self.settings, self.overwrite)
        workers = min(self.workers or 1, len(cases)) or 1  # also where one is measured afterwards
        results = partial(self._results, work, workers)
        counts: Counter[str] = Counter()
        with tqdm(total=len(cases), unit="case", desc="screen", file=sys.stderr) as bar:
            for case, outcome in choosing.in_turn(cases, results, work):
                counts[outcome.status] += 1
                bar.set_postfix(counts)
                bar.update()
                yield replace(outcome, source=case.source)  # an earlier run may have spelt it so

    def _results(
        self, work: Any, workers: int, cases: Sequence[scans.Case]
    ) -> Iterator[tuple[scans.Case, Any]]:
        """Yield cases with their outcomes, from this process or from workers.

        A case whose worker was killed is tried once more after all others, alone, as memory may
        have run out; then it has failed.
        """
        if self.workers is None:
            yield from ((case, work(case)) for case in cases)
            return
        again = []
        threads = crew.share(workers)  # the same for all, as sums depend on it in the last digits
        for case, result in crew.each(work, cases, workers, threads):
            if isinstance(result, crew.Lost):
                again.append(case)
            else:
                yield case, result
        for case, result in crew.each(work, again, 1, threads):
            yield case, self._lost(case, result) if isinstance(result, crew.Lost) else result

    def _lost(self, case: scans.Case, lost: crew.Lost) -> folders.Outcome:
        reason = (
            f"the process that measured it was killed twice ({lost.how}); if memory ran out, give "
            "a machine with more, or a coarser scan"
        )
        outcome = folders.Outcome(case.name, case.source, folders.FAILED, reason)
        folders.prepare(self.out / case.name)
        mark = fingerprint(case, self.settings)
        folders.finish(self.out / case.name, outcome, mark, places.origin(case))
        return outcome


def _outcome(out: Path, settings: Settings, overwrite: bool, case: scans.Case) -> folders.Outcome:
    """Return what a case came to, measured now unless it is finished."""
    mark = fingerprint(case, settings)
    place = out / case.name
    found = None if overwrite else folders.read(place, mark)
    return screen_case(case, place, settings, mark) if found is None else found


def _submit(asked: dict[str, Any], out: Path) -> None:
    """Start all parts of a run as jobs, which may run elsewhere."""
    from tools.screen import submission  # its library takes time to import, and few need it

    places_of_files = {"input", "out", "calibration", "bmd_weights"}
    words = []
    for name, value in asked.items():
        if name not in {"num_parts", "part_id"} and value is not None:
            text = str(Path(value).absolute()) if name in places_of_files else str(value)
            words.append(f"--{name.replace('_', '-')}={text}")
    submission.submit(
        words, out.absolute(), asked["num_parts"] or 1, asked["workers"] or 1, asked["device"]
    )


def _tell(outcomes: Sequence[folders.Outcome], out: Path) -> None:
    """Print what this run came to, and where to read it."""
    words = ", ".join(f"{count} {status}" for status, count in summary.count(outcomes).items())
    print(f"{len(outcomes)} case{'' if len(outcomes) == 1 else 's'}: {words}")
    if len(outcomes) == 1 and outcomes[0].reason:
        print(f"{outcomes[0].status}: {outcomes[0].reason}")
    reports = [out / outcome.case / folders.PAGE for outcome in outcomes]
    shown = [page for page in reports if page.is_file()]
    print(f"report: {shown[0]}" if len(shown) == 1 else f"results: {out / summary.TABLE_FILE}")
    _tell_left_out(outcomes)


def _tell_left_out(outcomes: Sequence[folders.Outcome]) -> None:
    """Print why series of a study were not measured; of many only the first."""
    told = [one for one in outcomes if (one.reason or "").startswith(choosing.LEFT_OUT)]
    for outcome in told[:MOST_TOLD]:
        print(f"{outcome.case} {outcome.reason}")
    if len(told) > MOST_TOLD:
        print(f"{len(told) - MOST_TOLD} more series are left out; run.json says why")
