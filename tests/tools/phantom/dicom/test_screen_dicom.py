"""The whole way: a phantom's series through `screen`, against its truth."""

import copy
import json

import numpy as np
import pytest

from tools.demo import patient_recipe
from tools.phantom import cohort
from tools.screen.command import screen

FARTHEST_MM = 4.0
"""From a body's centre as found to the true one."""

LEVELS = ("L1", "L2", "L3", "L4")


@pytest.mark.slow
@pytest.mark.parametrize("reformat", ["axial", "sagittal"])
def test_screen_measures_a_phantom_series(tmp_path, monkeypatch, reformat):
    recipe = copy.deepcopy(patient_recipe("small"))
    recipe["scan"] |= {"reformat": reformat, "orientation": ["LPI"], "tilt_deg": 4.0}
    recipe["scan"]["dicom"] = {"transfer_syntax": ["jpeg_2000"], "padded": 1.0}
    monkeypatch.setattr(cohort.recipes, "load", lambda _: recipe)
    cohort.phantom(tmp_path / "cohort", cases=1, seed=1, format="dicom")
    screen(str(tmp_path / "cohort" / "images" / "A0001"), tmp_path / "out")
    (report,) = (tmp_path / "out").glob("series-*/report.json")
    found = json.loads(report.read_text(encoding="utf-8"))
    (truth,) = (tmp_path / "cohort" / "truth").glob("*.json")
    levels = json.loads(truth.read_text(encoding="utf-8"))["levels"]
    assert found["input"]["kind"] == "dicom"
    assert found["input"]["sagittal_reformat"] is (reformat == "sagittal")
    assert (found["input"]["kvp"], found["input"]["kernel"]) == (120.0, "Br36")
    for name in LEVELS:
        level = found["levels"][name]
        aside = np.subtract(level["centroid_ras_mm"], levels[name]["centroid_ras_mm"])
        assert np.linalg.norm(aside) < FARTHEST_MM
        if reformat == "axial":
            low, high = level["bmd_interval_95_mg_cm3"]
            assert level["status"] == "measured"
            assert low < levels[name]["qct_ha_mg_cm3"] < high
