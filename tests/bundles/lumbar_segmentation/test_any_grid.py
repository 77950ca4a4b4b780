"""The shipped weights on one phantom stored in many ways: the same levels in the same places."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tools import bundles
from tools.phantom.case import Case, simulate
from tools.phantom.recipe import load
from tools.phantom.resample import covering_grid, resample
from tools.volumes import Grid, reorient, save_nifti

ORIENTATIONS = ("RAS", "LPS", "PIR", "ASL", "SRA", "ILP")
SPACINGS_MM = {"fine": (1.0, 1.0, 1.0), "thick": (0.9, 0.9, 3.0), "coarse": (2.5, 2.5, 2.5)}
LEVELS = ("L1", "L2", "L3", "L4")
MOST_MM = 1.0


@pytest.fixture(scope="module")
def patient() -> Case:
    recipe = load("standard")
    recipe["scan"] |= {
        "field": "lumbar",
        "pixel_mm": [0.9, 0.9],
        "thickness_mm": [1.0],
        "interval_ratio": [1.0, 1.0],
        "kernel": ["soft"],
        "noise_scale": [1.0, 1.0],
    }
    return simulate(recipe, seed=5, index=0)


@pytest.fixture(scope="module")
def true_mm(patient: Case) -> dict[str, np.ndarray]:
    grid = Grid(patient.labels.shape, patient.affine)
    return {
        level: grid.to_world(np.argwhere(patient.labels == number).mean(axis=0))
        for number, level in enumerate(LEVELS, start=1)
    }


@pytest.mark.slow
@pytest.mark.parametrize("spacing", SPACINGS_MM)
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_levels_stay_where_they_are(
    codes: str, spacing: str, patient: Case, true_mm: dict[str, np.ndarray], tmp_path: Path
) -> None:
    source = Grid(patient.image.shape, patient.affine)
    grid = covering_grid(source, SPACINGS_MM[spacing])
    volume = torch.from_numpy(np.ascontiguousarray(patient.image, dtype=np.float32))[None]
    image = resample(volume, patient.affine, grid, -1024.0)[0].round().short().numpy()
    save_nifti(tmp_path / "ct.nii.gz", *reorient(image, grid.affine, codes))
    segmentation = bundles.load("lumbar_segmentation", overrides={"output_dir": str(tmp_path)})
    levels = segmentation.run(tmp_path / "ct.nii.gz")["levels"]
    assert {name: levels[name]["status"] for name in LEVELS} == dict.fromkeys(LEVELS, "measured")
    off = {
        name: float(np.linalg.norm(np.array(levels[name]["centroid_ras_mm"]) - true_mm[name]))
        for name in LEVELS
    }
    assert max(off.values()) < MOST_MM, off
