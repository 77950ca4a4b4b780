"""Kappa, rates and tests against scikit-learn, SciPy and what S1 and S2 print."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from tests.tools.statistics import studies
from tools import statistics

NAMES = (0, 1, 2)


@pytest.mark.parametrize("number", studies.S2_MATRICES)
def test_s2s_kappas_are_those_of_its_matrices_with_linear_weights(number: int) -> None:
    matrix = studies.S2_MATRICES[number]
    true, said = studies.cases(matrix)
    assert (statistics.confusion(true, said, NAMES) == matrix).all()
    found = statistics.kappa(matrix)
    assert round(found.value, 3) == studies.S2_KAPPA[number]
    assert found.value == pytest.approx(metrics.cohen_kappa_score(true, said, weights="linear"))
    drawn = np.random.default_rng(0).multinomial(
        matrix.sum(), (matrix / matrix.sum()).ravel(), size=8000
    )
    spread = statistics.kappa_value(drawn.reshape(-1, 3, 3)).std()
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.05)
    assert "Fleiss" in found.method


@pytest.mark.parametrize("number", studies.S2_MATRICES)
def test_s2s_sensitivities_of_measured_and_of_all_scans(number: int) -> None:
    matrix = studies.S2_MATRICES[number]
    true, said = studies.cases(matrix)
    measured = statistics.rates([c == 0 for c in true], [c == 0 for c in said])["sensitivity"]
    assert round(measured.value, 2) == studies.S2_MEASURED[number]
    lost = studies.S2_OSTEOPOROSIS[number] - matrix[0].sum()
    everyone = statistics.rates(
        [c == 0 for c in true] + [True] * lost, [c == 0 for c in said] + [False] * lost
    )["sensitivity"]
    assert everyone.n == studies.S2_OSTEOPOROSIS[number]
    assert round(everyone.value, 2) == studies.S2_ALL[number]
    if number == 3:
        assert (round(everyone.low, 2), round(everyone.high, 2)) == (0.30, 0.63)


S1_EXACT = {
    ("LSTM", "sensitivity"): (75.6, 92.1),
    ("LSTM", "specificity"): (85.7, 99.5),
    ("LSTM", "precision"): (90.2, 99.7),
    ("report", "specificity"): (92.6, 100.0),
}


@pytest.mark.parametrize(("who", "rate"), S1_EXACT)
def test_s1s_intervals_with_the_right_denominators(who: str, rate: str) -> None:
    found = statistics.rates(*studies.answers(*studies.S1_COUNTS[who]))[rate]
    assert (round(100 * found.low, 1), round(100 * found.high, 1)) == S1_EXACT[who, rate]


@pytest.mark.parametrize("who", studies.S1_COUNTS)
def test_rates_are_those_of_scikit_learn(who: str) -> None:
    true, said = studies.answers(*studies.S1_COUNTS[who])
    found = statistics.rates(true, said)
    assert found["sensitivity"].value == pytest.approx(metrics.recall_score(true, said))
    assert found["precision"].value == pytest.approx(metrics.precision_score(true, said))
    assert found["f1"].value == pytest.approx(metrics.f1_score(true, said))
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(true, said))
    assert found["specificity"].value == pytest.approx(
        metrics.recall_score(true, said, pos_label=False)
    )
    assert found["f1"].low < found["f1"].value < found["f1"].high


def test_chi_squared_is_scipys_and_leaves_empty_categories_out() -> None:
    found = statistics.association(studies.S2_MATRICES[1])
    other = stats.chi2_contingency(studies.S2_MATRICES[1], correction=False)
    assert (found.statistic, found.p) == pytest.approx((other.statistic, other.pvalue))
    padded = statistics.association(np.array([[10, 20, 0], [20, 10, 0], [0, 0, 0]]))
    assert padded.statistic == pytest.approx(20 / 3)
    assert statistics.association(np.array([[4, 0], [0, 0]])).p is None
    assert "below 5" in statistics.association(np.array([[2, 1], [1, 2]])).reason


def test_mcnemar_is_the_binomial_on_what_differs() -> None:
    assert statistics.mcnemar(3, 12).p == pytest.approx(2 * stats.binom.cdf(3, 15, 0.5))
    assert statistics.mcnemar(0, 0).p is None
    with pytest.raises(ValueError, match="no counts"):
        statistics.mcnemar(-1, 2)


@pytest.mark.parametrize(
    ("counts", "value", "reason"),
    [
        pytest.param([[0, 0], [0, 0]], None, "no cases", id="empty"),
        pytest.param([[7, 0], [0, 0]], None, "one category", id="one category"),
        pytest.param([[7, 0], [0, 4]], 1.0, "no spread", id="perfect"),
    ],
)
def test_kappa_says_what_it_cannot_know(
    counts: list[list[int]], value: float | None, reason: str
) -> None:
    found = statistics.kappa(np.array(counts))
    assert (found.value, found.low) == (value, None)
    assert reason in found.reason


@pytest.mark.parametrize(
    "counts",
    [[[1, 2]], [[1.5, 0], [0, 1]], [[-1, 0], [0, 1]], [[np.nan, 0], [0, 1]], [[3]]],
    ids=["not square", "no count", "negative", "nan", "one cell"],
)
def test_what_is_no_table_is_refused(counts: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="table"):
        statistics.kappa(np.array(counts))


def test_an_unknown_category_is_refused() -> None:
    with pytest.raises(ValueError, match="'x' is none of the categories a, b"):
        statistics.confusion("ax", "ab", "ab")


def test_a_patient_counts_as_often_as_scanned_but_is_resampled_once() -> None:
    true, said = studies.cases(studies.S2_MATRICES[3])
    once = statistics.clustered_kappa(true, said, NAMES, None)
    thrice = statistics.clustered_kappa(true * 3, said * 3, NAMES, [*range(131)] * 3)
    assert thrice.value == pytest.approx(once.value)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.2)


def test_rates_of_nobody_have_reasons() -> None:
    found = statistics.rates([False] * 4, [False] * 4)
    assert found["sensitivity"].value is None
    assert found["precision"].value is None
    assert found["f1"].value is None
    assert found["specificity"].value == 1
