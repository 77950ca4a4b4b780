"""Small NIfTI files on a grid of swapped axes."""

from pathlib import Path

import nibabel as nib
import numpy as np

from tests.bundles.lumbar_segmentation.dicom_files import body

AFFINE = np.array([[0.0, 0, -3, 40], [2, 0, 0, -10], [0, 1.5, 0, 7], [0, 0, 0, 1]])


def write_nifti(path: Path, array: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = body().astype(np.int16) if array is None else array
    nib.save(nib.Nifti1Image(array, affine), path)
    return path
