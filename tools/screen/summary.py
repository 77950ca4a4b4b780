"""What is told of a whole run: run.json, results.csv, and run-<part>.json of one that was split.

All of it is rebuilt from the folders of the cases, so that nothing depends on who measured them.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import versions
from tools.files import write_content, write_json
from tools.report import rows
from tools.screen import folder as folders
from tools.screen import scan as scans
from tools.screen.shards import Part

RUN_FILE, TABLE_FILE = scans.RUN_FILES

NOT_REACHED = "not measured, as the run stopped before; give the same command again"


def write_whole(
    out: Path,
    cases: Sequence[scans.Case],
    outcomes: Sequence[folders.Outcome],
    told: Mapping[str, Any],
) -> None:
    """Write what is told of all cases among the results, also of those of earlier runs.

    Args:
        out: Folder of the results.
        cases: Inputs of this run; one that it did not come to counts as failed.
        outcomes: Of those that it did come to.
        told: Arguments and time of the run, as run.json holds them.

    Raises:
        OSError: If a file cannot be written; the other is written if it can be.
    """
    known = {case.name: _not_reached(case) for case in cases} | folders.earlier(out)
    known |= {outcome.case: outcome for outcome in outcomes}
    every = [known[name] for name in sorted(known)]
    try:
        write_content(out / TABLE_FILE, rows.table(_rows(every, out)))
    finally:
        write_json(out / RUN_FILE, _content(every, told))


def write_part(
    out: Path,
    part: Part,
    cases: Sequence[scans.Case],
    outcomes: Sequence[folders.Outcome],
    told: Mapping[str, Any],
) -> None:
    """Write the file of one part: its own cases alone.

    Raises:
        OSError: If it cannot be written.
    """
    known = {case.name: _not_reached(case) for case in cases}
    known |= {outcome.case: outcome for outcome in outcomes}
    write_json(out / part.file, _content([known[name] for name in sorted(known)], told))


def join_parts(out: Path, cases: Sequence[scans.Case], told: Mapping[str, Any], of: int) -> None:
    """Write what is told of the whole once no part measures.

    Args:
        out: Folder of the results.
        cases: Inputs of all parts.
        told: Arguments of the part that joins.
        of: Parts that the run has.

    Raises:
        OSError: If a file cannot be written.
    """
    drop_parts(out, of)
    seconds = {str(number): _seconds(out / Part(number, of).file) for number in range(of)}
    asked = {**told["arguments"], "part_id": None}
    total = round(sum(value or 0.0 for value in seconds.values()), 2)
    write_whole(out, cases, (), {"arguments": asked, "seconds": total, "parts": seconds})


def drop_parts(out: Path, of: int = 0) -> None:
    """Remove the files of parts that the run no longer has."""
    for path in out.iterdir():
        match = scans.PART_FILE.fullmatch(path.name)
        if match and int(match[1]) >= of and path.is_file():
            path.unlink(missing_ok=True)


def count(outcomes: Sequence[folders.Outcome]) -> dict[str, int]:
    """Cases by status."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {status: counts[status] for status in (folders.DONE, folders.REFUSED, folders.FAILED)}


def _content(outcomes: Sequence[folders.Outcome], told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "software": versions.describe(),
        **told,
        "stages_median_s": _stages(outcomes),
        "counts": count(outcomes),
        "cases": [outcome.entry() for outcome in outcomes],
    }


def _not_reached(case: scans.Case) -> folders.Outcome:
    return folders.Outcome(case.name, case.source, folders.FAILED, NOT_REACHED)


def _seconds(path: Path) -> float | None:
    """How long a part took; None while it has not ended."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


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
