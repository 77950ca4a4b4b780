"""A real vertebra mask, dressed as a CT, keeps its levels and its fracture. Slow."""

import numpy as np
import pytest

from tools.levels import LABEL_IDS
from tools.phantom import case, recipe

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

LEVELS = ["T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]


def test_a_real_mask_becomes_a_patient(shared_data):
    path = shared_data / "verse004_mask" / "sub-verse004_seg-vert_msk.nii.gz"
    if not path.is_file():
        pytest.skip("no real vertebra mask")
    settings = recipe.load("quick")
    settings["given_map"] = {"path": str(path), "ids": "verse", "fractured": ["L1"]}
    scan = case.simulate(settings, seed=0, index=0)
    assert scan.truth["given_map"]["levels"] == LEVELS
    assert scan.truth["levels"]["L1"]["height_loss"]["middle"] > 0.4
    heights = [scan.truth["levels"][name]["height_mm"]["middle"] for name in ("T12", "L2")]
    assert 20 < min(heights) <= max(heights) < 30
    middles = {
        name: np.argwhere(scan.labels == LABEL_IDS[name]).mean(0) @ scan.affine[:3, :3].T
        for name in ("T12", "L1", "L2", "L3", "L4", "L5", "sacrum")
    }
    assert np.all(np.diff([middle[2] for middle in middles.values()]) < 0)
