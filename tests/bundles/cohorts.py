"""Writes the tiny cohorts that the bundles' tests train and evaluate on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np


def case_file(folder: Path, key: str, case: str) -> Path:
    """Where a case's file lies."""
    return folder / f"{key}s" / f"{case}.nii.gz"


def save_case(
    folder: Path, number: int, arrays: Mapping[str, np.ndarray], affine: np.ndarray, **more: Any
) -> dict[str, Any]:
    """Write what there is of one patient, `images/A0000.nii.gz` and so on.

    Args:
        folder: Of the cohort.
        number: Of the patient.
        arrays: Key of the record -> volume [X, Y, Z].
        affine: Of all of them.
        more: Other items of the record.

    Returns:
        The record.
    """
    record = {**more, "patient_id": f"P{number}", "scanner": "A"}
    for key, array in arrays.items():
        path = case_file(folder, key, f"A{number:04d}")
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(array, affine), path)
        record[key] = str(path.relative_to(folder))
    return record


def save_lists(folder: Path, bundle: str, **lists: list[dict[str, Any]]) -> None:
    """Write the datalist of a bundle."""
    (folder / f"{bundle}.json").write_text(json.dumps(lists))
