"""Every number of the table against NumPy, SciPy and scikit-learn, failures counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from tests.tools.phantom.checks.patches.tiers.made_up import SLOPE, cohort_of
from tools.phantom.checks.patches.tiers import scoring
from tools.phantom.checks.patches.tiers.readings import Values

EVERYONE = np.ones(60, dtype=bool)


def values_of(cohort) -> Values:
    density = np.where(cohort.read, cohort.trabecular_hu / SLOPE * 1.1, np.nan)
    return Values(density, density - 10.0, density + 10.0)


@pytest.fixture(scope="module")
def scored():
    cohort = cohort_of("C")
    values = values_of(cohort)
    return cohort, values, scoring.score(cohort, values, EVERYONE, 0)


def test_agreement_of_levels(scored) -> None:
    cohort, values, found = scored
    true, read = cohort.qct_ha[cohort.read], values.density[cohort.read]
    fit = stats.linregress(true, read)
    left = read - fit.slope * true - fit.intercept
    error = read - true
    expected = {
        "bias": error.mean(),
        "sd": error.std(ddof=1),
        "limit_high": error.mean() + 1.959964 * error.std(ddof=1),
        "slope": fit.slope,
        "r": fit.rvalue,
        "mae": np.abs(error).mean(),
        "residual_sd": np.sqrt((left**2).sum() / (len(left) - 2)),
        "reference_sd": true.std(ddof=1),
    }
    for name, value in expected.items():
        assert found["levels"][name].value == pytest.approx(value, rel=1e-5), name
    assert found["levels"]["bias"].n == 60 * 4 - 3


def test_the_interval_of_the_bias_is_that_of_patients(scored) -> None:
    """As wide as SciPy's bootstrap of patients, who bring their levels along."""
    cohort, values, found = scored
    error = np.where(cohort.read, values.density - cohort.qct_ha, 0.0)
    expected = stats.bootstrap(
        (error.sum(axis=1), cohort.read.sum(axis=1)),
        lambda total, count, axis: total.sum(axis=axis) / count.sum(axis=axis),
        paired=True,
        n_resamples=2000,
        rng=1,
    ).confidence_interval
    bias = found["levels"]["bias"]
    assert (bias.low, bias.high) == pytest.approx(tuple(expected), abs=0.25)


def k2hpo4(ha: np.ndarray) -> np.ndarray:
    return np.digitize((ha + 7.32) / 1.15, [80.0, 120.0])


def test_categories_of_the_patients_mean(scored) -> None:
    cohort, values, found = scored
    true = k2hpo4(np.nanmean(np.where(cohort.counted, cohort.qct_ha, np.nan), axis=1))
    said = k2hpo4(np.nanmean(values.density, axis=1))
    category = found["category"]
    expected = cohen_kappa_score(true, said, weights="linear")
    assert category["kappa"].value == pytest.approx(expected)
    hits, of = int(((said == 0) & (true == 0)).sum()), int((true == 0).sum())
    sensitivity = category["osteoporosis_sensitivity_all"]
    exact = stats.binomtest(hits, of).proportion_ci(method="exact")
    assert (sensitivity.value, sensitivity.low, sensitivity.high) == pytest.approx(
        (hits / of, exact.low, exact.high)
    )


def test_a_patient_who_is_not_read_counts_against_sensitivity() -> None:
    cohort = cohort_of("A")
    values = values_of(cohort)
    true = k2hpo4(np.nanmean(np.where(cohort.counted, cohort.qct_ha, np.nan), axis=1))
    lost = int(np.flatnonzero(true == 0)[0])
    for part in values:
        part[lost] = np.nan
    found = scoring.score(cohort, values, EVERYONE, 0)["category"]
    assert found["osteoporosis_sensitivity_all"].n == (true == 0).sum()
    assert found["osteoporosis_sensitivity_measured"].n == (true == 0).sum() - 1
    count = scoring.counts(cohort, values, EVERYONE)
    assert (count["patients"], count["patients_read"]) == (60, 59)


def test_intervals_cover_what_they_cover(scored) -> None:
    cohort, values, found = scored
    held = np.abs(values.density - cohort.qct_ha)[cohort.read] <= 10.0
    assert found["interval"]["coverage"].value == pytest.approx(held.mean())
    near = (cohort.qct_ha[cohort.read] >= 60) & (cohort.qct_ha[cohort.read] <= 100)
    assert found["interval"]["coverage_60_100"].value == pytest.approx(held[near].mean())
    assert found["interval"]["median_width"].value == pytest.approx(20.0)


def test_no_interval_is_no_coverage() -> None:
    cohort = cohort_of("A")
    density = values_of(cohort).density
    none = np.full_like(density, np.nan)
    found = scoring.score(cohort, Values(density, none, none), EVERYONE, 0)["interval"]
    assert found["coverage"].value is None


def test_the_fat_error_has_its_slope(scored) -> None:
    """What was put in: mass lacks 0.43 mg/cm3 of the reading per point of fat above 40 %."""
    cohort, _, found = scored
    ideal = scoring.fat(cohort, cohort.qct_ha, EVERYONE, 0)
    assert ideal["slope"].value == pytest.approx(-0.43, abs=1e-4)
    assert found["fat"]["slope"].value == pytest.approx(-0.43, abs=0.05)


def test_levels_that_do_not_count_are_named(scored) -> None:
    cohort, values, _ = scored
    assert scoring.counts(cohort, values, EVERYONE) == {
        "patients": 60,
        "patients_read": 60,
        "levels": 238,
        "levels_read": 237,
        "unread": {"patch_outside_body": 1},
        "left_out": {"fracture": 1, "no reference": 1},
    }
