"""The bundle on the path, and a cohort small enough to train a step on."""

import json
import sys
from pathlib import Path

import nibabel as nib
import pytest

BUNDLE = Path(__file__).resolve().parents[3] / "bundles" / "bmd_regression"
sys.path.insert(1, str(BUNDLE))

from tests.bundles.bmd_regression.spines import spine  # noqa: E402 - needs the path


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Folder of the bundle."""
    return BUNDLE


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with six tiny patients: three to train on, two to validate, one to test."""
    folder = tmp_path_factory.mktemp("cohort")
    records = []
    for number in range(6):
        densities = {"L2": 60.0 + 30 * number, "L3": 70.0 + 25 * number}
        image, labels, affine = spine(densities, seed=number)
        record = {
            "image": f"images/A{number:04d}.nii.gz",
            "mask": f"labels/A{number:04d}.nii.gz",
            "bmd": {"L1": None, **densities},
            "unit": "mg/cm3",
            "mineral": "HA",
            "reference": "QCT",
            "kvp": 120,
            "patient_id": f"P{number}",
            "scanner": "A",
        }
        for key, array in (("image", image), ("mask", labels)):
            path = folder / str(record[key])
            path.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), path)
        records.append(record)
    lists = {"training": records[:3], "validation": records[3:5], "test": records[5:]}
    (folder / "bmd_regression.json").write_text(json.dumps(lists))
    return folder
