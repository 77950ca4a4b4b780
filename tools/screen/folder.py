"""The folder of one case: what is in it, and whether it may be trusted.

`case.json` is written last. It holds the outcome, the fingerprint of everything that the results
depend on, and the checksum of each file: a case counts as finished only while all of them match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.files import write_content, write_json
from tools.levels import MEASURED_LEVELS

RECORD, REPORT, PAGE, SEGMENTATION = (
    "case.json", "report.json", "report.html", "segmentation.nii.gz"
)  # fmt: skip
DICOM_SEGMENTATION, DICOM_REPORT = "segmentation.dcm", "report.dcm"
"""What cases of DICOM input have besides."""

PICTURES = frozenset(
    f"{stem}.png"
    for stem in (
        "sagittal",
        "sagittal_levels",
        "fracture",
        *(f"axial_{name}" for name in MEASURED_LEVELS),
    )
)
"""Every picture of a report; any other is the user's."""

DONE, REFUSED, FAILED = "done", "refused", "failed"
"""What a case comes to: a level was measured; none could be; the input could not be used."""

HARMED = "its report was changed or removed since; screen its input again"


@dataclass(frozen=True)
class Outcome:
    """What a case came to.

    Attributes:
        case: Its name.
        source: The input as given: its file, or the first file of a series.
        status: "done", "refused" or "failed".
        reason: Why it is not done, in one line.
        timing_s: Seconds by stage.
    """

    case: str
    source: str
    status: str
    reason: str | None = None
    timing_s: Mapping[str, float | None] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """Its entry in run.json."""
        return {"case": self.case, "input": self.source, "status": self.status,
                "reason": self.reason}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """Content of case.json.

    Attributes:
        outcome: What the case came to.
        fingerprint: Of everything the results depend on.
        origin: Of where the input lies.
        files: Name -> SHA-256 of each file of the folder.
    """

    outcome: Outcome
    fingerprint: str
    origin: str
    files: Mapping[str, str]

    def content(self) -> dict[str, Any]:
        """The record as JSON holds it."""
        return {**self.outcome.entry(), "timing_s": dict(self.outcome.timing_s),
                "fingerprint": self.fingerprint, "origin": self.origin,
                "files": dict(self.files)}  # fmt: skip


def check(folder: Path) -> None:
    """Refuse a folder that holds anything no run of ours writes: it would be lost.

    Raises:
        ValueError: If it does.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose another OUT")
    for path in sorted(folder.glob("*")):
        if path.is_dir() or not _is_own(path.name):
            raise ValueError(f"{folder} holds other files ({path.name}); choose another OUT")


def prepare(folder: Path) -> None:
    """Make a case's folder, or empty it of an earlier run's results.

    Raises:
        OSError: If it cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)  # first: what follows is no longer trusted
    for path in folder.iterdir():
        if _is_own(path.name):
            path.unlink()


def _is_own(name: str) -> bool:
    known = {RECORD, REPORT, PAGE, SEGMENTATION, DICOM_SEGMENTATION, DICOM_REPORT, *PICTURES}
    return name in known or name.startswith(".part-")


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files of a case, each whole or not at all.

    Raises:
        OSError: If one cannot be written.
    """
    for name, content in files.items():
        write_content(folder / name, content)


def finish(folder: Path, outcome: Outcome, fingerprint: str, origin: str) -> None:
    """Write the record that makes the folder trusted.

    Args:
        folder: The case's.
        outcome: What it came to.
        fingerprint: Of everything the results depend on.
        origin: Of where the input lies, see `places.origin`.

    Raises:
        OSError: If it cannot be written.
    """
    own = sorted(path for path in folder.iterdir() if _is_own(path.name))
    record = Record(outcome, fingerprint, origin, {path.name: _sha256(path) for path in own})
    write_json(folder / RECORD, record.content())


def record(folder: Path) -> Record | None:
    """Return what a case's folder says about itself, None where it holds no record of ours."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        said = [content[key] for key in ("case", "input", "status", "fingerprint", "origin")]
        reason, timing_s, files = content["reason"], content["timing_s"], content["files"]
        if not all(isinstance(text, str) for text in said) or said[0] != folder.name:
            return None
        outcome = Outcome(said[0], said[1], said[2], reason, dict(timing_s))
        return Record(outcome, said[3], said[4], dict(files))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def records(out: Path) -> dict[str, Record]:
    """Return the records of all cases among the results, by name, in order."""
    found = {path.parent.name: record(path.parent) for path in out.glob(f"*/{RECORD}")}
    return {name: one for name, one in sorted(found.items()) if one is not None}


def read(folder: Path, fingerprint: str) -> Outcome | None:
    """Return the outcome of a case that was finished with this very fingerprint, else None.

    A failed case is never finished: what failed it (memory, permission) may have passed.
    """
    found = record(folder)
    if found is None or found.fingerprint != fingerprint or found.outcome.status == FAILED:
        return None
    return found.outcome if _is_as_written(folder, found.files) else None


def earlier(out: Path) -> dict[str, Outcome]:
    """Return what all cases among the results came to, by name.

    Only their reports are read again, as a folder may hold thousands.
    """
    outcomes = {}
    for name, one in records(out).items():
        report = {key: value for key, value in one.files.items() if key == REPORT}
        harmed = not _is_as_written(out / name, report)
        outcomes[name] = (
            replace(one.outcome, status=FAILED, reason=HARMED) if harmed else one.outcome
        )
    return outcomes


def _is_as_written(folder: Path, files: Mapping[str, str]) -> bool:
    try:
        return all(_sha256(folder / name) == checksum for name, checksum in files.items())
    except OSError:
        return False


def read_report(folder: Path) -> dict[str, Any] | None:
    """Return a case's report.json, None where there is none."""
    try:
        content: dict[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
