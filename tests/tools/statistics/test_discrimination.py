"""The area under the ROC curve against scikit-learn and simulation."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tools.statistics import auc, mean_auc


def drawn(n: int, seed: int, apart: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = np.arange(n) % 3 == 0
    return rng.normal(apart * positive, 1).round(1), positive


def test_the_area_is_that_of_scikit_learn_ties_and_all() -> None:
    scores, positive = drawn(90, 1)
    found = auc(scores, positive)
    assert found.value == pytest.approx(roc_auc_score(positive, scores))
    assert 0 < found.low < found.value < found.high < 1
    assert "DeLong" in found.method


def test_the_interval_holds_the_true_area_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    positive, true = np.arange(90) % 3 == 0, norm.cdf(1.5 / np.sqrt(2))
    runs = [auc(rng.normal(1.5 * positive, 1), positive) for _ in range(400)]
    held = np.mean([one.low <= true <= one.high for one in runs])
    assert 0.92 <= held <= 0.98


def test_delong_is_the_variance_of_placements_by_hand() -> None:
    scores, positive = [1.0, 2.0, 3.0, 2.5, 4.0], [False, False, False, True, True]
    # Placements of positives: 2/3, 1; of negatives: 1, 1, 1/2.
    variance = np.var([2 / 3, 1], ddof=1) / 2 + np.var([1, 1, 1 / 2], ddof=1) / 3
    found = auc(scores, positive)
    area = 5 / 6
    half = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    limits = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-half, half]))))
    assert (found.low, found.high) == pytest.approx(tuple(limits), abs=1e-6)


@pytest.mark.parametrize("sign", [1, -1], ids=["all right", "all wrong"])
def test_classes_wholly_apart_still_leave_doubt(sign: int) -> None:
    few, many = (auc(sign * np.arange(n), np.arange(n) >= n / 2) for n in (10, 100))
    assert few.value == many.value == (sign > 0)
    assert few.high - few.low > many.high - many.low > 0
    # Newcombe's method 5 by its own equation: at the inner limit the distance is 1.96 deviations.
    theta, m = (few.low if sign > 0 else few.high), 5
    shape = 1 + (m - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
    deviation = np.sqrt(theta * (1 - theta) * shape / m**2)
    assert abs(few.value - theta) == pytest.approx(1.959964 * deviation, abs=1e-6)


def test_one_class_has_no_area() -> None:
    found = auc([1.0, 2.0, 3.0], [True] * 3)
    assert (found.value, found.reason) == (None, "only one class among the cases")


def test_few_cases_have_no_interval() -> None:
    assert auc([1.0, 3.0, 2.0], [True, False, False]).low is not None  # wholly apart: Newcombe
    found = auc([1.5, 1.0, 2.0, 0.0], [True, False, False, False])
    assert found.value == pytest.approx(2 / 3)
    assert found.low is None


def test_repeated_patients_are_resampled_together() -> None:
    scores, positive = drawn(60, 2)
    once, twice = auc(scores, positive), auc([*scores] * 2, [*positive] * 2, [*range(60)] * 2)
    assert twice.value == pytest.approx(once.value)
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.3)
    assert "bootstrap" in twice.method


@pytest.mark.parametrize(
    ("scores", "words"),
    [([1.0, np.nan], "scores: value 2"), ([1.0], "1 scores for 2 cases")],
    ids=["nan", "lengths"],
)
def test_unusable_scores_are_refused(scores: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        auc(scores, [True, False])


def test_the_mean_area_of_groups_is_scikit_learn_s_and_compares_no_two_groups() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat([1, 2, 3], 40)
    positive = rng.random(120) < 0.4
    scores = positive + rng.normal(0, 1, 120)
    found = mean_auc(scores, positive, groups, seed=1)
    areas = [roc_auc_score(positive[groups == g], scores[groups == g]) for g in (1, 2, 3)]
    assert found.value == pytest.approx(np.mean(areas))
    shifted = mean_auc(scores + 100.0 * groups, positive, groups, seed=1)
    assert (shifted.value, shifted.low, shifted.high) == (found.value, found.low, found.high)
    # Three independent areas: about the standard error of one over the root of three.
    alone = auc(scores[groups == 1], positive[groups == 1])
    narrower = (found.high - found.low) / (alone.high - alone.low)
    assert 0.35 < narrower < 0.85


def test_a_group_of_one_class_has_no_area_and_is_left_out() -> None:
    scores, positive = [1, 2, 3, 4, 5, 6], [False, True, False, True, True, True]
    assert (
        mean_auc(scores, positive, [1, 1, 1, 1, 2, 2]).value == auc(scores[:4], positive[:4]).value
    )
    none = mean_auc(scores[4:], positive[4:], [1, 2])
    assert (none.value, none.reason) == (None, "only one class among the cases of each group")
    with pytest.raises(ValueError, match="2 scores, 2 cases and 1 groups"):
        mean_auc([1, 2], [True, False], [1])
