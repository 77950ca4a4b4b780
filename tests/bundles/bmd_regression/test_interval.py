"""The interval holds what it says, on made-up patients whose levels share their errors."""

import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmd_bundle.calibration import SCANNER_SPREAD, WATER_SD_HU, CalibrationError, reference
from bmd_bundle.interval import Interval, difficulty, dump, load, quantile

SHA = "a" * 64


def test_difficulty_is_the_quadrature_of_its_sources() -> None:
    """Hand-computed: offset of water, share of density, noise over the slope."""
    slope = reference().slope_hu_per_mg_cm3
    expected = math.sqrt(
        (WATER_SD_HU / slope) ** 2 + (SCANNER_SPREAD * 100) ** 2 + (2 / slope) ** 2
    )
    assert difficulty(100.0, 2.0, 120.0) == pytest.approx(expected)
    assert difficulty(100.0, None, 120.0) > expected  # noise that is not known is no small one
    assert difficulty(100.0, 2.0, None) > expected  # likewise the voltage


@given(density=st.floats(-50, 300), error=st.floats(0, 20))
def test_harder_levels_have_wider_intervals(density: float, error: float) -> None:
    found = Interval(1.3, 100, 400, SHA)
    low, high = found.around(density, error, 120.0)
    assert low <= density <= high
    assert found.around(density, error + 5, 120.0)[1] > high
    assert found.around(density, error, None)[1] >= high


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([[n] for n in range(1, 100)], 95, id="95th of 100"),
        pytest.param([[n] for n in range(1, 21)], 20, id="largest of 20"),
        pytest.param([[n, n, n] for n in range(1, 100)], 95, id="levels divide a vote"),
        pytest.param([[0.0]] * 91 + [[7.0, 9.0]] * 8, 7.0, id="halves of votes add up"),
    ],
)
def test_the_quantile_by_hand(scores: list, expected: float) -> None:
    assert quantile(scores) == expected


def test_too_few_patients_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="19 patients are too few"):
        quantile([[1.0, 2.0]] * 19 + [[]])


def test_new_patients_are_covered_as_often_as_stated() -> None:
    """Levels of a patient share most of their error; heavy tails; 180 patients as shipped."""
    rng = np.random.default_rng(0)

    def scores(patients: int) -> list[list[float]]:
        shared = rng.standard_t(4, patients)
        return [
            list(np.abs(each + 0.4 * rng.standard_normal(rng.integers(1, 5)))) for each in shared
        ]

    covered = []
    for _ in range(200):
        limit = quantile(scores(180))
        new = scores(50)
        covered += [np.mean([level <= limit for level in one]) for one in new]
    assert np.mean(covered) == pytest.approx(0.955, abs=0.012)


def test_a_file_comes_back_and_its_faults_are_told(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "interval.json"
    made = Interval(1.25, 180, 700, SHA)
    path.write_text(dump(made))
    assert load(path, SHA) == made
    assert {"method", "n_patients", "weights_sha256"} <= set(json.loads(path.read_text()))
    with caplog.at_level(logging.WARNING):
        assert load(path, "b" * 64) is None
        assert load(tmp_path / "gone.json", SHA) is None
    assert "made with other weights" in caplog.text
    assert "is missing" in caplog.text
    for broken in ("{", "{}", '{"quantile": 1, "extra": 2}', dump(Interval(-1.0, 1, 1, SHA))):
        path.write_text(broken)
        with pytest.raises(CalibrationError, match=r"interval\.json"):
            load(path, SHA)
