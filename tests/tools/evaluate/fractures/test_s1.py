"""S1's Table 1: its points follow from its counts, its printed intervals from n = 129."""

import pytest
from scipy import stats

from tests.tools.evaluate.conftest import Evaluation
from tests.tools.statistics import studies
from tools.evaluate.fractures import published

RATES = ("accuracy", "precision", "sensitivity", "specificity", "f1")
NAMES = {
    "report": "radiology report", "max": "CNN + max", "mean": "CNN + mean", "vote": "CNN + vote",
    "LSTM": "CNN + LSTM",
}  # fmt: skip

#: S1's Table 1, %, under the right heads (the printed table swaps accuracy and precision).
POINTS = {
    "report": (88.4, 100.0, 81.5, 100.0, 89.8),
    "max": (81.4, 83.5, 87.7, 70.8, 85.5),
    "mean": (87.6, 95.8, 84.0, 93.7, 89.5),
    "vote": (88.4, 97.1, 84.0, 95.8, 90.1),
    "LSTM": (89.2, 97.2, 85.2, 95.8, 90.8),
}

#: Every interval that it prints, %.
PRINTED = {
    ("report", "accuracy"): (81.5, 93.3),
    ("report", "precision"): (97.2, 100.0),
    ("report", "sensitivity"): (73.6, 87.7),
    ("report", "specificity"): (97.2, 100.0),
    ("report", "f1"): (83.4, 94.5),
    ("LSTM", "accuracy"): (82.5, 93.9),
    ("LSTM", "precision"): (92.3, 99.1),
    ("LSTM", "sensitivity"): (78.0, 90.9),
    ("LSTM", "specificity"): (91.2, 98.7),
    ("LSTM", "f1"): (84.3, 95.1),
}

#: What they are with the denominator that the metric has, %.
EXACT = {
    ("report", "accuracy"): (81.5, 93.3),
    ("report", "specificity"): (92.6, 100.0),
    ("LSTM", "precision"): (90.2, 99.7),
    ("LSTM", "sensitivity"): (75.6, 92.1),
    ("LSTM", "specificity"): (85.7, 99.5),
}

SCANS = 129


def test_the_counts_are_s1s() -> None:
    assert dict(published.COUNTS) == {NAMES[who]: n for who, n in studies.S1_COUNTS.items()}
    assert {sum(counts) for counts in published.COUNTS.values()} == {SCANS}


@pytest.mark.parametrize("who", POINTS)
def test_points_follow_from_the_counts(who: str) -> None:
    found = published.rated(NAMES[who])
    for rate, printed in zip(RATES, POINTS[who], strict=True):
        # 45 / 48 = 93.75 is printed as 93.7, and 115 / 129 = 89.15 as 89.2.
        assert 100 * found[rate].value == pytest.approx(printed, abs=0.051), rate


@pytest.mark.parametrize(("who", "rate"), PRINTED)
def test_printed_intervals_follow_from_129_whatever_the_metric(who: str, rate: str) -> None:
    hits = round(published.rated(NAMES[who])[rate].value * SCANS)
    wrong = stats.binomtest(hits, SCANS).proportion_ci(method="exact")
    assert (round(100 * wrong.low, 1), round(100 * wrong.high, 1)) == PRINTED[who, rate]


@pytest.mark.parametrize(("who", "rate"), EXACT)
def test_exact_intervals_have_their_own_denominator(who: str, rate: str) -> None:
    found = published.rated(NAMES[who])[rate]
    assert (round(100 * found.low, 1), round(100 * found.high, 1)) == EXACT[who, rate]
    assert (found.n == SCANS) == (rate == "accuracy")


def test_f1_is_bootstrapped_and_the_system_does_not_differ_from_reports() -> None:
    found = published.rated("CNN + LSTM")
    assert "bootstrap" in found["f1"].method
    other = stats.chi2_contingency([[115, 14], [114, 15]], correction=False)
    assert found["chi2"].p == pytest.approx(other.pvalue)
    assert found["chi2"].p > 0.8


def test_it_stands_among_the_numbers(fractures: Evaluation) -> None:
    found = fractures.number("published", "S1", "CNN + LSTM", "sensitivity")
    assert (round(found["low"], 3), round(found["high"], 3)) == (0.756, 0.921)
    assert fractures.number("published", "literature", "auc")["high"] == 0.97
