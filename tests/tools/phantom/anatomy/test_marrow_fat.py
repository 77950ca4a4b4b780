"""Marrow fat that does not follow density."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.phantom import case, recipe
from tools.phantom.anatomy.trabecular import draw_trabecular
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.qct import qct_ha

PATIENTS = 40


def independent(low: float, high: float) -> dict:
    given = scene.quick()
    population = given["population"] | {"marrow_fat": {"mode": "independent", "range": [low, high]}}
    return given | {"population": population}


@pytest.mark.slow
def test_fat_fills_its_range_whatever_the_density():
    given = independent(0.2, 0.7)
    patients = [case._patient(given, 3, number, "A") for number in range(PATIENTS)]
    fat = np.array([patient.bones["L2"].fat for patient in patients])
    density = [patient.density for patient in patients]
    assert 0.2 <= fat.min() < 0.27
    assert 0.63 < fat.max() <= 0.7
    # Three standard errors; by age the correlation is about -0.7.
    assert abs(np.corrcoef(fat, density)[0, 1]) < 3 / np.sqrt(PATIENTS)
    plain = scene.quick()
    usual = [case._patient(plain, 3, number, "A") for number in range(PATIENTS)]
    assert np.corrcoef([p.bones["L2"].fat for p in usual], density)[0, 1] < -0.4


def test_only_fat_and_mass_change_and_the_reading_stays():
    lean, fatty = (case._patient(independent(share, share), 3, 5, "A") for share in (0.25, 0.65))
    assert lean.density == fatty.density
    for level in ("L1", "L4"):
        one, other = lean.bones[level], fatty.bones[level]
        assert (one.grain, one.vein_mm, one.shift) == (other.grain, other.vein_mm, other.shift)
        assert other.fat - one.fat == pytest.approx(0.4)
        # Where there is more fat it takes more mineral to read the same: about 17 mg/cm³ for 40 %.
        assert 10 < other.ha - one.ha < 45
        readings = [
            qct_ha(
                b.marrow_hu(REFERENCE_BEAM)
                + b.ha / 1083 * (REFERENCE_BEAM.hu(b.bone) - b.marrow_hu(REFERENCE_BEAM))
            )
            for b in (one, other)
        ]
        assert abs(readings[0] - readings[1]) < 3.0


def test_a_given_fat_is_taken_as_it_is():
    rng = np.random.default_rng(0)
    bones = draw_trabecular(rng, "F", 60.0, 100.0, 0.5)
    assert bones["L2"].fat == 0.5
    assert bones["L4"].fat - bones["L3"].fat > 0.0099
    again = draw_trabecular(np.random.default_rng(0), "F", 60.0, 100.0)
    assert again["L2"].fat != 0.5
    assert again["L2"].grain == bones["L2"].grain


def test_a_paired_cohort_of_other_patients_is_refused():
    with pytest.raises(ValueError, match="cannot be paired"):
        case.simulate(recipe.load("s2_cohorts"), 0, 0, "B", paired=True)
