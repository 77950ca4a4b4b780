"""Inputs that are no scans at all, made where they are wanted.

OTHERS["empty folder"](folder)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np


def _text(folder: Path) -> Path:
    path = folder / "text.nii.gz"
    path.write_text("No CT, but some words.\n" * 40, encoding="utf-8")
    return path


def _empty_file(folder: Path) -> Path:
    (folder / "empty.dcm").touch()
    return folder / "empty.dcm"


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _missing(folder: Path) -> Path:
    return folder / "nothing.nii.gz"


def _resonance(folder: Path) -> Path:
    """A T1 spine of numbers that no header calls magnetic resonance: NIfTI says nothing."""
    rng = np.random.default_rng(0)
    numbers = rng.gamma(2.0, 150.0, (96, 96, 24)).astype(np.int16)
    nib.save(nib.Nifti1Image(numbers, np.diag([2.0, 2.0, 4.0, 1.0])), folder / "mr.nii.gz")
    return folder / "mr.nii.gz"


OTHERS: dict[str, Callable[[Path], Path]] = {
    "text.nii.gz": _text,
    "empty file": _empty_file,
    "empty folder": _empty_folder,
    "nothing there": _missing,
    "magnetic resonance": _resonance,
}
"""Inputs that are made here; magnetic resonance as DICOM is among pydicom's."""
