"""Corrections from pairs: Deming's line, patients left out, and the choice of line or offset."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut

from tests.tools.calibration.tables import drawn
from tools.calibration import fitting


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_line_is_scikit_learns(ratio, seed):
    """Deming's line is the first principal axis where both errors are made equally large."""
    x, y, _ = drawn(seed=seed)
    scaled = np.stack([x, y / np.sqrt(ratio)], axis=1)
    along = PCA(1).fit(scaled).components_[0]
    slope = along[1] / along[0] * np.sqrt(ratio)
    assert fitting.deming(x, y, ratio) == pytest.approx((slope, y.mean() - slope * x.mean()))


def test_the_line_by_hand():
    """x 0, 2, 4; y 1, 2, 6: variances 8/3 and 14/3, covariance 10/3."""
    slope, intercept = fitting.deming(np.array([0.0, 2.0, 4.0]), np.array([1.0, 2.0, 6.0]))
    assert slope == pytest.approx((2 + np.sqrt(4 + 4 * (10 / 3) ** 2)) / (20 / 3))
    assert intercept == pytest.approx(3.0 - 2.0 * slope)


def test_neither_reading_nor_reference_is_favoured():
    x, y, _ = drawn()
    forth, back = fitting.deming(x, y)[0], fitting.deming(y, x)[0]
    assert forth == pytest.approx(1 / back)


def test_low_densities_are_not_drawn_to_the_mean():
    """Why not least squares: with errors of 12 in both it lifts osteoporotic patients."""
    x, y, _ = drawn(patients=4000, slope=1.0, intercept=0.0, error=12.0)
    fit = LinearRegression().fit(x[:, None], y)
    slope, intercept = fitting.deming(x, y)
    assert float(fit.predict([[60.0]])[0]) - 60 > 6
    assert slope * 60 + intercept == pytest.approx(60.0, abs=1.5)


@given(
    slope=st.floats(0.6, 1.8), intercept=st.floats(-40, 40), patients=st.integers(10, 40),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_a_line_without_errors_is_found_exactly(slope, intercept, patients, seed):
    x, _, patient = drawn(patients, seed=seed)
    y = slope * x + intercept
    found = fitting.choose(x, y, patient)
    np.testing.assert_allclose(found.slope * x + found.intercept, y, atol=1e-6)
    np.testing.assert_allclose(fitting.leave_one_out(x, y, patient), y, atol=1e-6)
    assert found.slope == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("choice", ["auto", "line", "offset"])
def test_leave_one_out_is_the_plain_loop(choice):
    """Against scikit-learn's split, refitting from the pairs themselves each time."""
    x, y, patient = drawn(seed=3)
    expected = np.empty_like(x)
    for train, test in LeaveOneGroupOut().split(x, y, patient):
        others = np.unique(patient[train], return_inverse=True)[1]
        line = fitting.deming(x[train], y[train])
        if choice == "offset" or (
            choice == "auto" and fitting.choose(x[train], y[train], others).rule == "offset"
        ):
            line = 1.0, float(np.mean(y[train] - x[train]))
        expected[test] = line[0] * x[test] + line[1]
    np.testing.assert_allclose(fitting.leave_one_out(x, y, patient, choice), expected, atol=1e-8)


def test_no_patient_is_corrected_by_what_it_taught():
    """Moving one patient's reference moves everyone's correction but its own."""
    x, y, patient = drawn(patients=12)
    moved = y + np.where(patient == 5, 30.0, 0.0)
    before, after = (fitting.leave_one_out(x, one, patient, "line") for one in (y, moved))
    same = np.isclose(before, after, atol=1e-9)
    np.testing.assert_array_equal(same, patient == 5)


@pytest.mark.parametrize(
    ("given", "rule", "why"),
    [
        ({"patients": 40, "slope": 1.2}, "line", "excludes 1"),
        ({"patients": 40, "slope": 1.0, "seed": 1}, "offset", "holds 1"),
        ({"patients": 12, "slope": 1.2, "spread": 3.0}, "offset", "offset"),
        ({"patients": 14, "slope": 1.9, "error": 8.0}, "offset", "wider than ±0.2"),
    ],
    ids=["a slope that shows", "no slope", "a narrow range", "a slope that is not known"],
)
def test_a_slope_is_corrected_only_where_the_pairs_show_it(given, rule, why):
    found = fitting.choose(*drawn(**given))
    assert found.rule == rule
    assert why in found.why
    if rule == "offset":
        x, y, _ = drawn(**given)
        assert (found.slope, found.intercept) == (1.0, pytest.approx(np.mean(y - x)))


def test_the_slopes_interval_is_the_jackknife():
    x, y, patient = drawn(patients=15)
    found = fitting.choose(x, y, patient, "line")
    slopes = np.array([fitting.deming(x[patient != k], y[patient != k])[0] for k in range(15)])
    error = np.sqrt(14 / 15 * np.sum((slopes - slopes.mean()) ** 2))
    half = stats.t(df=14).isf(0.025) * error
    assert found.fitted_error == pytest.approx(error)
    assert found.fitted_ci95 == pytest.approx((found.slope - half, found.slope + half))
    assert found.shift == pytest.approx(y.mean() - x.mean())


def test_the_slopes_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(200):
        low, high = fitting.choose(*drawn(patients=20, slope=1.1, seed=seed), "line").fitted_ci95
        held += low <= 1.1 <= high
    assert 0.88 <= held / 200 <= 0.99


def test_agreement_is_bland_and_altmans():
    """Bland and Altman's limits of patients' means, their standard errors as published in 1999."""
    values = np.array([1.0, -2.0, 3.0, 5.0, 0.0])
    found = fitting.agreement(np.repeat(values, 2) + np.tile([1.0, -1.0], 5),
                              np.repeat(np.arange(5), 2))  # fmt: skip
    sd = np.std(values, ddof=1)
    t = stats.t(df=4).isf(0.025)
    assert (found.n, found.bias.value, found.sd) == (5, pytest.approx(1.4), pytest.approx(sd))
    assert found.bias.ci95 == pytest.approx((1.4 - t * sd / 5**0.5, 1.4 + t * sd / 5**0.5))
    assert found.low.value == pytest.approx(1.4 - 1.959964 * sd)
    half = t * sd * np.sqrt(1 / 5 + 1.959964**2 / 8)
    assert found.high.ci95 == pytest.approx((found.high.value - half, found.high.value + half))
    assert found.rms == pytest.approx(np.sqrt(np.mean(values**2)))
