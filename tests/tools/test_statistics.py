import numpy as np
import pytest
from scipy.stats import binom

from tools.statistics import bootstrap_mean, clopper_pearson, proportion


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
