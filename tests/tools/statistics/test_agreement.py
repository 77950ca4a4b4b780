"""Correlation, line, bias and errors against SciPy, scikit-learn and simulation."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from tools import statistics
from tools.statistics import Estimate, agree

NAMES = ("r2", "r", "slope", "intercept", "bias", "sd", "limit_low", "limit_high", "mae", "rmse")


def made_up(n: int = 60, seed: int = 1, bias: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.normal(120, 40, n)
    return true, 0.95 * true + bias + rng.normal(0, 8, n)


def test_values_and_intervals_are_those_of_scipy_and_scikit_learn() -> None:
    x, y = made_up()
    found = agree(x, y)
    assert tuple(found) == NAMES
    r = stats.pearsonr(x, y)
    limits = r.confidence_interval()
    assert found["r"].value == pytest.approx(r.statistic)
    assert (found["r"].low, found["r"].high) == pytest.approx((limits.low, limits.high))
    assert found["r2"].value == pytest.approx(r.statistic**2)
    assert (found["r2"].low, found["r2"].high) == pytest.approx((limits.low**2, limits.high**2))
    fit = stats.linregress(x, y)
    half = stats.t.ppf(0.975, 58) * fit.stderr
    assert found["slope"].value == pytest.approx(fit.slope)
    assert found["slope"].high == pytest.approx(fit.slope + half)
    assert found["intercept"].value == pytest.approx(fit.intercept)
    bias = stats.ttest_1samp(y - x, 0).confidence_interval()
    assert (found["bias"].low, found["bias"].high) == pytest.approx((bias.low, bias.high))
    sd = (y - x).std(ddof=1)
    assert found["limit_high"].value == pytest.approx((y - x).mean() + 1.959964 * sd)
    assert found["limit_low"].value == pytest.approx((y - x).mean() - 1.959964 * sd)
    assert found["mae"].value == pytest.approx(metrics.mean_absolute_error(x, y))
    assert found["rmse"].value == pytest.approx(metrics.root_mean_squared_error(x, y))
    assert all(one.n == 60 and one.low < one.value < one.high for one in found.values())


def test_the_bootstrap_is_that_of_scipy() -> None:
    x, y = made_up(80)
    apart = np.abs(y - x)
    own = statistics.errors(x, y)["mae"]
    other = stats.bootstrap((apart,), np.mean, n_resamples=20000, rng=np.random.default_rng(1))
    width = own.high - own.low
    assert own.low == pytest.approx(other.confidence_interval.low, abs=0.05 * width)
    assert own.high == pytest.approx(other.confidence_interval.high, abs=0.05 * width)
    skewed = np.random.default_rng(5).lognormal(0, 1, 40)
    own = statistics.bootstrap(lambda w: np.sqrt(w @ skewed**2 / w.sum(1)), range(40))
    other = stats.bootstrap(
        (skewed,), lambda v, axis: np.sqrt((v**2).mean(axis)), n_resamples=20000, rng=2
    )
    width = own.high - own.low
    assert own.low == pytest.approx(other.confidence_interval.low, abs=0.06 * width)
    assert own.high == pytest.approx(other.confidence_interval.high, abs=0.12 * width)


def test_limits_of_agreement_cover_the_true_ones_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    runs, held = 400, 0
    for _ in range(runs):
        x = rng.normal(120, 40, 25)
        limit = statistics.bland_altman(x, x + rng.normal(2, 10, 25))["limit_high"]
        held += limit.low <= 2 + 1.959964 * 10 <= limit.high
    assert 0.92 <= held / runs <= 0.98


def test_levels_of_one_patient_are_not_patients() -> None:
    """Four levels that share their error leave as much doubt as one level."""
    x, y = made_up(40)
    once = agree(x, y)
    owners = np.repeat(np.arange(40), 4)
    four = agree(np.repeat(x, 4), np.repeat(y, 4), owners)
    for name in NAMES:
        # The SD of 160 values divides by 159, that of 40 by 39.
        tolerance = 0.02 if name in {"sd", "limit_low", "limit_high"} else 1e-9
        assert four[name].value == pytest.approx(once[name].value, rel=tolerance), name
        assert "bootstrap over patients" in four[name].method
    for name in ("bias", "mae", "slope"):
        width = once[name].high - once[name].low
        assert four[name].high - four[name].low == pytest.approx(width, rel=0.25), name
    assert statistics.wilcoxon(np.repeat(x, 4), np.repeat(y, 4), owners).p == pytest.approx(
        statistics.wilcoxon(x, y).p
    )


def test_wilcoxon_is_scipys() -> None:
    x, y = made_up(30)
    found = statistics.wilcoxon(x, y)
    assert found.p == pytest.approx(stats.wilcoxon(y, x).pvalue)
    assert found.n == 30


@pytest.mark.parametrize(
    ("x", "y", "gone", "reason"),
    [
        pytest.param([], [], NAMES, "no values|fewer", id="empty"),
        pytest.param([100], [101], NAMES[:-2], "fewer than three", id="one"),
        pytest.param([100, 90], [101, 95], NAMES[:-2], "fewer than three", id="two"),
        pytest.param([9] * 5, [1, 2, 3, 4, 5], NAMES[:4], "reference does not", id="constant true"),
        pytest.param([1, 2, 3, 4, 5], [9] * 5, NAMES[:2], "measured values do", id="constant said"),
    ],
)
def test_what_cannot_be_known_is_none_with_a_reason(
    x: list[float], y: list[float], gone: tuple[str, ...], reason: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agree(x, y)
    for name in gone:
        assert found[name].value is None, name
        assert found[name].low is None
        assert any(part in found[name].reason for part in reason.split("|"))
    for name in set(NAMES) - set(gone):
        assert found[name].value is not None or not x, name


def test_no_spread_gives_no_interval_of_width_zero() -> None:
    x = [80.0, 100.0, 120.0, 150.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agree(x, [value + 5 for value in x])
        test = statistics.wilcoxon(x, x)
    assert found["bias"].value == 5
    assert found["r"].value == pytest.approx(1)
    for name in ("r", "r2", "bias", "sd", "limit_low", "mae", "rmse"):
        assert (found[name].low, found[name].high) == (None, None), name
        assert found[name].reason
    assert (test.p, test.reason) == (None, "no difference anywhere")


@pytest.mark.parametrize(
    ("x", "y", "patients", "words"),
    [
        ([1, 2, np.nan], [1, 2, 3], None, "reference: value 3 is not finite"),
        ([1, 2, 3], [1, np.inf, 3], None, "measured: value 2 is not finite"),
        ([1, 2, 3], [1, 2], None, "3 references and 2 measured"),
        ([[1, 2]], [[1, 2]], None, "shape"),
        ([1, 2, 3], [1, 2, 3], ["a"], "1 patients for 3 values"),
    ],
    ids=["nan", "infinite", "lengths", "shape", "patients"],
)
def test_unusable_values_are_refused(
    x: list[float], y: list[float], patients: list[str] | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        agree(x, y, patients)


def test_an_estimate_is_never_nan() -> None:
    with pytest.raises(ValueError, match="no estimate"):
        Estimate(float("nan"))


@given(
    st.lists(st.tuples(st.floats(20, 250), st.floats(20, 250)), min_size=4, max_size=12),
    st.floats(-30, 30),
)
def test_a_shift_moves_the_bias_and_leaves_the_correlation(
    points: list[tuple[float, float]], shift: float
) -> None:
    x, y = np.array(points).T
    before, after = (statistics.bland_altman(x, y), statistics.bland_altman(x, y + shift))
    assert after["bias"].value == pytest.approx(before["bias"].value + shift, abs=1e-6)
    assert after["sd"].value == pytest.approx(before["sd"].value, abs=1e-6)
    one, two = statistics.pearson(x, y), statistics.pearson(x, y + shift)
    assert (one.value is None) == (two.value is None)
    if one.value is not None:
        assert two.value == pytest.approx(one.value, abs=1e-6)


def test_median_is_that_of_numpy_and_its_interval_holds_it() -> None:
    values = np.random.default_rng(2).normal(10, 2, 31)
    found = statistics.median(values)
    assert found.value == pytest.approx(np.median(values))
    assert found.low < found.value < found.high
    assert statistics.median(values[:30]).value == pytest.approx(np.median(values[:30]))
