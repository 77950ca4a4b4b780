"""What is on disk of a phantom cohort, and which of it may be trusted.

A case's volumes are written first, then ``truth/<case>.json`` with the fingerprint of everything
the case depends on and the size and SHA-256 of each volume. Only a case whose files still match
that record is finished; a killed process or a full disk can leave none that looks so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tools import __version__, files, sources
from tools.phantom.case import Case
from tools.phantom.datalists import series_path, volume_path
from tools.phantom.dicom.encoding import draw_encoding
from tools.phantom.dicom.identity import Identity, cohort_digest
from tools.phantom.dicom.series import write_series
from tools.volumes import save_nifti

VOLUME_FOLDERS = ("images", "labels", "trabecular", "posterior")
TRUTH_FOLDER = "truth"

_ATTRIBUTES = MappingProxyType({"images": "image"})
"""Folders that are not called as the attribute of a case they hold."""

_RECORD = "completion"
"""The key of ``truth/<case>.json`` that says what the case was made from and of which files."""

_SOURCES = MappingProxyType({
    "nifti": ("tools/phantom/case.py",),
    "dicom": ("tools/phantom/case.py", "tools/phantom/dicom/series.py"),
})  # fmt: skip
"""The files that a case's bytes come from, by format; what they import counts too."""

_PACKAGES = MappingProxyType({
    "nifti": ("torch", "numpy", "scipy", "nibabel", "xraydb"),
    "dicom": ("torch", "numpy", "scipy", "nibabel", "xraydb", "pydicom", "itk"),
})  # fmt: skip

_SCANNER_FOLDER = Path(__file__).resolve().parent / "imaging" / "scanners"


@dataclass(frozen=True)
class Job:
    """One scan of one patient, and everything its content depends on.

    Attributes:
        case: name of its files, such as A0001.
        patient_id: the patient; in a paired cohort the same on every scanner.
        scanner: name of the scanner.
        index: number of the patient, from 0.
        seed: seed of the cohort.
        paired: whether every scanner sees the same patients.
        recipe: the checked and completed recipe.
        device: what draws it.
        format: file format of the image, nifti or dicom.
    """

    case: str
    patient_id: str
    scanner: str
    index: int
    seed: int
    paired: bool
    recipe: dict[str, Any]
    device: str = "cpu"
    format: str = "nifti"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the job and of the software that does it, in hexadecimal digits."""
        parts = asdict(self)
        if self.device == "cpu":  # unsaid, so that cases drawn before there was a choice stay
            del parts["device"]
        if self.format == "nifti":
            del parts["format"]
        content = json.dumps([parts, software(self.format)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def volumes(self) -> dict[str, str]:
        """The paths of the case's four volumes in the cohort's folder, by their own folder."""
        paths = {folder: volume_path(folder, self.case) for folder in VOLUME_FOLDERS}
        return paths | ({"images": series_path(self.case)} if self.format == "dicom" else {})


@cache
def software(format: str = "nifti") -> Mapping[str, str]:  # noqa: A002 - the command's own word
    """Return the versions that a case depends on, and a checksum of what draws and writes it."""
    digest = hashlib.sha256()
    scanners = (path.relative_to(sources.REPOSITORY) for path in _SCANNER_FOLDER.iterdir())
    for source in sorted({*sources.reached(_SOURCES[format]), *scanners}):
        digest.update(source.as_posix().encode() + b"\0")
        digest.update((sources.REPOSITORY / source).read_bytes() + b"\0")
    packages = {name: version(name) for name in _PACKAGES[format]}
    return {"version": __version__, "phantom_sources_sha256": digest.hexdigest(), **packages}


def write_case(out: Path, job: Job, case: Case) -> None:
    """Write a case's four volumes, and then the record that makes it trusted.

    Args:
        out: folder of the cohort, with its sub-folders.
        job: what was asked for.
        case: what was simulated.

    Raises:
        OSError: a file cannot be written; the case does not count as finished then.
    """
    written = {}
    dicom = {}
    for folder, name in job.volumes.items():
        if name == series_path(job.case):
            dicom = {"dicom": _write_series(out / name, job, case)}
        else:
            save_nifti(out / name, getattr(case, _ATTRIBUTES.get(folder, folder)), case.affine)
        written[name] = _measure(out / name)
    truth = {
        "case": job.case,
        "patient_id": job.patient_id,
        "index": job.index,
        "seed": job.seed,
        "recipe": job.recipe["name"],
        **case.truth,
        **dicom,
        _RECORD: {"fingerprint": job.fingerprint, "files": written},
    }
    files.write_json(_truth_path(out, job), truth)


def _write_series(folder: Path, job: Job, case: Case) -> dict[str, Any]:
    """Write a case's image as a DICOM series; return what its truth says of that."""
    cohort = cohort_digest(job.recipe, job.seed)
    identity = Identity(job.case, job.patient_id, job.index + 1, cohort, job.fingerprint)
    encoding = draw_encoding(job.recipe["scan"]["dicom"], job.seed, job.index, job.scanner)
    return write_series(folder, case.image, case.affine, case.truth, identity, encoding)


def is_finished(out: Path, job: Job) -> bool:
    """Tell whether a case is there, made from this very job, and every file as it was written."""
    try:
        record = json.loads(_truth_path(out, job).read_text(encoding="utf-8"))[_RECORD]
        return record["fingerprint"] == job.fingerprint and record["files"] == {
            name: _measure(out / name) for name in job.volumes.values()
        }
    except (OSError, ValueError, LookupError, TypeError):
        return False


def read_truth(out: Path, job: Job) -> dict[str, Any]:
    """Return a finished case's truth, without the record of its files."""
    truth = json.loads(_truth_path(out, job).read_text(encoding="utf-8"))
    del truth[_RECORD]
    return dict(truth)


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Keep a second run out of a cohort's folder, and clear the temporary files of a killed one.

    The lock is the process's own, so that a kill frees it.

    Raises:
        OSError: another run is at work in the folder, or it cannot be written to.
    """
    with files.exclusive(out, ("", *VOLUME_FOLDERS, TRUTH_FOLDER)):
        yield


def is_empty(out: Path) -> bool:
    """Tell whether a folder holds nothing but what a run leaves that was killed at its start."""
    return all(
        path.name == files.LOCK_FILE or path.match(files.TEMPORARY_FILES) for path in out.iterdir()
    )


def make_folders(out: Path) -> None:
    """Make the sub-folders of a cohort."""
    for folder in (*VOLUME_FOLDERS, TRUTH_FOLDER):
        (out / folder).mkdir(exist_ok=True)


def _truth_path(out: Path, job: Job) -> Path:
    return out / TRUTH_FOLDER / f"{job.case}.json"


def _measure(path: Path) -> dict[str, Any]:
    """Return the size and the SHA-256 of a file, or of all files of a folder and their names."""
    if path.is_dir():
        parts = {file.name: _measure(file) for file in sorted(path.iterdir())}
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        total = sum(part["bytes"] for part in parts.values())
        return {"files": len(parts), "bytes": total, "sha256": digest}
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}
