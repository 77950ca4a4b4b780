import numpy as np
import pytest
from scipy.stats import binom

from tools.statistics import bootstrap_mean, clopper_pearson, proportion, share


@pytest.mark.parametrize(("successes", "trials"), [(0, 40), (3, 40), (39, 40), (40, 40), (1, 1)])
def test_limits_are_where_the_binomial_tails_hold_two_and_a_half_percent(
    successes: int, trials: int
) -> None:
    low, high = clopper_pearson(successes, trials) or [np.nan, np.nan]
    assert low <= successes / trials <= high
    if successes:
        assert binom.sf(successes - 1, trials, low) == pytest.approx(0.025)
    else:
        assert low == 0
    if successes < trials:
        assert binom.cdf(successes, trials, high) == pytest.approx(0.025)
    else:
        assert high == 1


def test_nothing_has_no_interval() -> None:
    assert clopper_pearson(0, 0) is None
    assert bootstrap_mean([[], []]) is None
    assert proportion(0, 0) == {"count": 0, "of": 0, "share": None, "ci95": None}


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="successes in"):
        clopper_pearson(successes, trials)


def test_values_of_one_case_are_resampled_together() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.9, 0.05, 50)
    apart = bootstrap_mean([[value] for value in values]) or [np.nan, np.nan]
    together = bootstrap_mean([[value] * 4 for value in values]) or [np.nan, np.nan]
    assert together == pytest.approx(apart)
    normal = 1.96 * values.std() / np.sqrt(50)
    assert apart == pytest.approx([values.mean() - normal, values.mean() + normal], abs=3e-3)


def test_a_share_of_single_values_is_exact() -> None:
    found = share([True] * 18 + [False] * 21)
    assert [found.low, found.high] == clopper_pearson(18, 39)
    assert share([]).value is None


def test_values_of_one_patient_count_as_one_where_they_agree() -> None:
    hits = np.random.default_rng(1).random(50) < 0.8
    once, four = share(hits), share(np.repeat(hits, 4), np.repeat(np.arange(50), 4))
    assert four.value == pytest.approx(once.value)
    assert four.high - four.low == pytest.approx(once.high - once.low, rel=0.1)


def test_independent_values_count_each() -> None:
    rng = np.random.default_rng(2)
    hits = rng.random(800) < 0.9
    found, single = share(hits, np.arange(800) // 4), share(hits)
    assert found.high - found.low == pytest.approx(single.high - single.low, rel=0.2)


@pytest.mark.parametrize("value", [True, False])
def test_shares_of_all_or_none_are_as_wide_as_the_patients_allow(value: bool) -> None:
    found = share([value] * 40, np.arange(40) // 4)
    assert [found.low, found.high] == clopper_pearson(10 * value, 10)


def test_one_patients_values_have_no_interval() -> None:
    assert share([True, False], ["a", "a"]).low is None
