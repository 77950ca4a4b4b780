"""The folder of one case: what is in it, and whether it may be trusted.

`case.json` is written last. It holds the outcome, the fingerprint of everything that the results
depend on, and the checksum of each file: a case counts as finished only while all of them match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.files import write_content, write_json
from tools.levels import MEASURED_LEVELS

RECORD, REPORT, PAGE, SEGMENTATION = (
    "case.json", "report.json", "report.html", "segmentation.nii.gz"
)  # fmt: skip
PICTURES = frozenset(
    f"{stem}.png"
    for stem in ("sagittal", "sagittal_levels", *(f"axial_{name}" for name in MEASURED_LEVELS))
)
"""Every picture of a report; any other is the user's."""

DONE, REFUSED, FAILED = "done", "refused", "failed"
"""What a case comes to: a level was measured; none could be; the input could not be used."""


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
    known = {RECORD, REPORT, PAGE, SEGMENTATION, *PICTURES}
    return name in known or name.startswith(".part-")


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files of a case, each whole or not at all.

    Raises:
        OSError: If one cannot be written.
    """
    for name, content in files.items():
        write_content(folder / name, content)


def finish(folder: Path, outcome: Outcome, fingerprint: str) -> None:
    """Write the record that makes the folder trusted.

    Raises:
        OSError: If it cannot be written.
    """
    written = {path.name: _sha256(path) for path in sorted(folder.iterdir())
               if _is_own(path.name)}  # fmt: skip
    content = {**outcome.entry(), "timing_s": dict(outcome.timing_s), "fingerprint": fingerprint}
    write_json(folder / RECORD, {**content, "files": written})


def read(folder: Path, fingerprint: str) -> Outcome | None:
    """Return the outcome of a case that was finished with this very fingerprint, else None.

    A failed case is never finished: what failed it (memory, permission) may have passed.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = record["files"]
        if record["fingerprint"] != fingerprint or record["status"] == FAILED:
            return None
        if any(_sha256(folder / name) != checksum for name, checksum in files.items()):
            return None
        return Outcome(record["case"], record["input"], record["status"], record["reason"],
                       record["timing_s"])  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


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
