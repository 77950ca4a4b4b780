"""Cohorts with given shares of density classes: S2's table 1, drawn without rendering."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.phantom import recipe
from tools.phantom.anatomy.density_mix import CLASSES, spread
from tools.phantom.anatomy.patient import _draw_age
from tools.phantom.anatomy.sizes import LEVEL_SIZES
from tools.phantom.anatomy.trabecular import BETWEEN_LEVEL_SD, draw_density

PATIENTS = 2000
#: S2, table 1: age mean and SD, men and women, osteoporosis / osteopenia / normal.
TABLE = {
    "train": ("s2_cohorts", "A", 51.7, 14.3, 231, 355, (85, 348, 153)),
    "set 1": ("s2_set1", "A", 56.5, 15.1, 197, 266, (89, 124, 250)),
    "set 2": ("s2_cohorts", "B", 55.5, 13.2, 120, 80, (31, 77, 92)),
    "set 3": ("s2_cohorts", "C", 52.3, 15.3, 96, 104, (39, 56, 105)),
}


def people(population, count, seed=0):
    """Sex, age, and the mean over three levels as QCT measures it, mg/cm³ K2HPO4."""
    rng = np.random.default_rng(seed)
    sexes, ages, densities = [], [], []
    for _ in range(count):
        sex = "F" if rng.random() < population["women"] else "M"
        age = _draw_age(rng, **population["age_years"])
        density = spread(draw_density(rng, sex, age), population)
        levels = [density * LEVEL_SIZES[level].density for level in ("L1", "L2", "L3")]
        measured = float(np.mean(levels + rng.normal(0, BETWEEN_LEVEL_SD, 3)))
        sexes.append(sex)
        ages.append(age)
        densities.append((measured + 7.32) / 1.15)
    return np.array(sexes), np.array(ages), np.array(densities)


@pytest.mark.parametrize("name", TABLE)
def test_a_cohort_has_the_ages_sexes_and_classes_of_the_table(name):
    packaged, scanner, mean, sd, men, women, classes = TABLE[name]
    population = recipe.for_scanner(recipe.load(packaged), scanner)["population"]
    sexes, ages, densities = people(population, PATIENTS)
    assert np.mean(sexes == "F") == pytest.approx(women / (men + women), abs=0.035)
    assert ages.mean() == pytest.approx(mean, abs=1.5)
    assert ages.std() == pytest.approx(sd, abs=1.5)
    found = np.histogram(densities, [-np.inf, 80, 120, np.inf])[0] / PATIENTS
    wanted = np.array(classes) / sum(classes)
    # Three standard errors of 2,000 patients, and one per cent for what is only nearly so.
    np.testing.assert_allclose(found, wanted, atol=0.035)
    # The old are still sparser.
    assert np.corrcoef(ages, densities)[0, 1] < -0.35


@cache
def standard():
    return recipe.load("standard")["population"]


def test_mode_age_moves_nothing():
    assert spread(123.4, standard()) == 123.4


@given(
    st.lists(st.integers(0, 100), min_size=3, max_size=3).filter(sum),
    st.floats(-100, 400),
    st.floats(0.01, 100),
)
def test_who_is_denser_stays_denser(shares, density, more):
    given_shares = dict(zip(CLASSES, shares, strict=True))
    population = standard() | {"density": {"mode": "shares", "shares": given_shares}}
    assert spread(density, population) <= spread(density + more, population)
