"""What is wrong with how `screen` took a bad input: nothing, or a list of faults.

verdict.judge(out, given, Truth(mask, ids, way)).faults
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.screen import folder, gate
from tools.screen import scan as scans
from tools.screen.boxes import surroundings
from tools.screen.settings import MEASURING
from tools.stress.mutants import Way

STATUSES = (folder.DONE, folder.REFUSED, folder.FAILED)

UNEXPECTED = "unexpected"
"""How the reason of an error begins that nobody foresaw: one line, but no help."""


@dataclass(frozen=True)
class Truth:
    """Where levels lie in a source.

    Attributes:
        mask: Label map of the source, [X, Y, Z]; None where nothing may be measured.
        ids: Level -> its label.
        way: From the input's voxels to the source's.
    """

    mask: np.ndarray | None = None
    ids: Mapping[str, int] = field(default_factory=dict)
    way: Way = field(default_factory=Way)

    def names(self, index: np.ndarray, level: str) -> bool:
        """Tell whether a voxel of the input lies in the level's mask."""
        if self.mask is None or level not in self.ids:
            return False
        place = np.rint(self.way.back(index)).astype(int)
        inside = bool(np.all((place >= 0) & (place < self.mask.shape)))
        return inside and bool(self.mask[tuple(place)] == self.ids[level])


NOTHING = Truth()
"""An input in which no level may be measured."""


@dataclass(frozen=True)
class Ending:
    """How a run of `screen` ended.

    Attributes:
        entries: Of its `run.json`.
        faults: What is wrong, empty for nothing.
        levels: Levels that were measured.
        misplaced: Those of them that lie in no mask of their own.
    """

    entries: list[dict[str, Any]]
    faults: list[str]
    levels: int = 0
    misplaced: int = 0


def judge(out: Path, given: Path, truth: Truth) -> Ending:
    """Judge one run of `screen`.

    Args:
        out: Folder of its results.
        given: What it was given.
        truth: Where levels lie.
    """
    try:
        entries = json.loads((out / scans.RUN_FILES[0]).read_text(encoding="utf-8"))["cases"]
    except (OSError, ValueError, LookupError):
        return Ending([], ["no run.json"])
    found = [] if entries else ["no entry in run.json"]
    measured, misplaced = 0, []
    cases = {case.name: case for case in scans.find(given, out)}
    for entry in entries:
        status, reason = entry["status"], entry["reason"]
        if status not in STATUSES:
            found.append(f"status {status}")
        if status != folder.DONE and (not reason or len(reason.splitlines()) != 1):
            found.append("no one-line reason")
        if reason and reason.startswith(UNEXPECTED):
            found.append(reason)
        if status == folder.DONE:
            levels = _measured(out / entry["case"])
            measured += len(levels)
            misplaced += _misplaced(out / entry["case"], cases[entry["case"]], levels, truth)
    return Ending(entries, found + misplaced, measured, len(misplaced))


def _measured(place: Path) -> list[str]:
    """Name the levels that a case's report calls measured."""
    report = json.loads((place / folder.REPORT).read_text(encoding="utf-8"))
    return [name for name in MEASURED_LEVELS if report["levels"][name]["status"] == gate.MEASURED]


def _misplaced(place: Path, case: scans.Case, measured: Sequence[str], truth: Truth) -> list[str]:
    """Say which measured levels' patches lie in no mask of their own."""
    if truth.mask is None:
        return [f"{name} measured where nothing is known" for name in measured]
    patches = bundles.module(MEASURING, "bmd_bundle.patches")
    labels = np.asanyarray(nib.Nifti1Image.from_filename(place / folder.SEGMENTATION).dataobj)
    scan = scans.read(case)
    found = []
    for name in measured:
        inside = labels == LABEL_IDS[name]
        box, affine = surroundings(inside, scan.affine)
        centre = patches.extract(scan.hu[box], affine, inside[box]).centre_mm
        index = np.linalg.inv(scan.affine) @ np.append(centre, 1.0)
        if not truth.names(index[:3], name):
            found.append(f"{name} measured outside its mask")
    return found
