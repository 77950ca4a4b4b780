"""The bundle on the path, and a cohort small enough to train a step on."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

BUNDLE = Path(__file__).resolve().parents[3] / "bundles" / "lumbar_segmentation"
sys.path.insert(1, str(BUNDLE))

SPACING_MM = 4.0
LABELS = (6, 5, 4, 3, 2, 1, 7, 8)  # sacrum, L5 … L1, T12, T11: bottom to top


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Folder of the bundle."""
    return BUNDLE


def block_spine(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a trunk of water with a column of blocks before a canal.

    Args:
        seed: Of the noise.

    Returns:
        CT in HU, float32, and label ids, uint8; both [20, 24, 80], 4 mm, RAS.
    """
    noise = np.random.default_rng(seed)
    image = np.full((20, 24, 80), -1000.0, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    image[1:-1, 1:-1, :] = 40.0
    image[6:14, 4:18, :] = 60.0
    for place, name in enumerate(LABELS):
        low = 2 + 10 * place
        label[6:14, 9:17, low : low + 8] = name
        image[6:14, 4:9, low : low + 8] = 300.0  # posterior elements
        image[8:12, 6:8, :] = 30.0  # canal
    image[label > 0] = 250.0
    return image + noise.normal(0.0, 10.0, image.shape).astype(np.float32), label


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with five tiny patients: two to train on, two to validate, one to test."""
    folder = tmp_path_factory.mktemp("cohort")
    records = []
    for seed in range(5):
        affine = np.diag([SPACING_MM] * 3 + [1.0])
        record = {"patient_id": f"P{seed}", "scanner": "A"}
        for key, array in zip(("image", "label"), block_spine(seed), strict=True):
            record[key] = f"{key}s/A{seed:04d}.nii.gz"
            path = folder / record[key]
            path.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), path)
        records.append(record)
    lists = {"training": records[:2], "validation": records[2:4], "test": records[4:]}
    (folder / "lumbar_segmentation.json").write_text(json.dumps(lists))
    return folder
