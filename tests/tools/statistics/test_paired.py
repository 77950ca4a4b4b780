"""Two methods on the same cases: McNemar and Tango against their own equations."""

import numpy as np
import pytest
from scipy import optimize, stats

from tools import statistics


def answers(both: int, first: int, second: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Hits of two methods on cases of four counts."""
    one = [True] * (both + first) + [False] * (second + neither)
    return one, [True] * both + [False] * first + [True] * second + [False] * neither


TABLES = {
    "first better": (36, 12, 2, 0),
    "nearly alike": (43, 0, 1, 0),
    "far apart": (1, 30, 4, 5),
    "second better": (10, 3, 21, 66),
}


@pytest.mark.parametrize("name", TABLES)
def test_limits_are_where_the_score_test_rejects(name: str) -> None:
    _, b, c, _ = TABLES[name]
    n = sum(TABLES[name])
    found = statistics.share_difference(*answers(*TABLES[name]))
    assert found.value == pytest.approx((b - c) / n)
    assert "Tango" in found.method
    for limit in (found.low, found.high):
        # The largest likelihood at this difference, found by search instead of by formula.
        def loss(q: float, d: float = limit) -> float:
            rest = max(1 - 2 * q - d, 1e-300)
            likely = b * np.log(max(q + d, 1e-300)) + c * np.log(max(q, 1e-300))
            return float(-likely - (n - b - c) * np.log(rest))

        ends = (max(0.0, -limit), (1 - limit) / 2)
        q = optimize.minimize_scalar(loss, bounds=ends, options={"xatol": 1e-12}).x
        spread = np.sqrt((2 * q + limit - limit**2) / n)
        assert abs(found.value - limit) == pytest.approx(1.959964 * spread, rel=2e-3)


def test_a_difference_of_zero_is_mcnemars_test_without_correction() -> None:
    """Where z of McNemar is 1.96 the interval ends at 0."""
    for b, c in ((16, 6), (17, 6)):
        found = statistics.share_difference(*answers(50, b, c, 30))
        assert (found.low > 0) == ((b - c) / np.sqrt(b + c) > 1.959964)


def test_methods_that_never_differ_still_leave_doubt() -> None:
    few, many = (statistics.share_difference([True] * n, [True] * n) for n in (10, 1000))
    assert few.value == many.value == 0
    assert few.high == pytest.approx(-few.low)
    assert 0 < many.high < few.high < 0.5


@pytest.mark.parametrize("sign", [1, -1])
def test_methods_that_always_differ_reach_the_end(sign: int) -> None:
    found = statistics.share_difference([sign > 0] * 10, [sign < 0] * 10)
    ends = (found.low, found.high)
    assert found.value == ends[sign > 0] == sign
    assert 0 < abs(ends[sign < 0]) < 0.7


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(1), []
    for both, b, c, neither in rng.multinomial(60, (0.6, 0.2, 0.1, 0.1), size=400):
        found = statistics.share_difference(*answers(both, b, c, neither))
        held.append(found.low <= 0.1 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_mcnemar_looks_at_what_differs() -> None:
    found = statistics.paired_test(*answers(40, 12, 3, 9))
    assert found.p == pytest.approx(stats.binomtest(3, 15).pvalue)
    assert (found.n, found.method) == (15, "McNemar, exact")
    assert statistics.paired_test([True], [True]).p is None


def test_a_patient_counts_once_however_often_scanned() -> None:
    one, other = answers(20, 9, 2, 4)
    patients = [*range(35)]
    thrice = [*patients] * 3
    once = statistics.paired_test(one, other, patients)
    assert statistics.paired_test(one * 3, other * 3, thrice) == once
    single = statistics.share_difference(one, other)
    found = statistics.share_difference(one * 3, other * 3, thrice)
    assert found.value == pytest.approx(single.value)
    assert found.high - found.low == pytest.approx(single.high - single.low, rel=0.2)
    assert "bootstrap over patients" in found.method


def test_nothing_to_compare_says_so() -> None:
    assert statistics.share_difference([], []).reason == "no case that both judged"
    with pytest.raises(ValueError, match="1 and 2 answers make no pairs"):
        statistics.paired_test([True], [True, False])
