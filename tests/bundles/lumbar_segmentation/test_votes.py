"""The votes of the level channels, against an enumeration of every course of drifts."""

from itertools import pairwise, product

import numpy as np
import pytest

from lumbar_bundle.votes import CHANGE, LEAST_VOTE, level_votes, log_likelihood


def certain(positions: list[int]) -> np.ndarray:
    """Votes that are sure: position -1 is the sacrum, 0 L5, …"""
    return np.eye(9)[np.array(positions) + 1]


def enumerated(votes: np.ndarray, position: int, root: int) -> float:
    """The same likelihood, summed over all 5^N courses of drifts."""
    price = {0: 1 - 2 * CHANGE, 1: CHANGE}
    total = 0.0
    for drifts in product(range(-2, 3), repeat=len(votes)):
        value = price.get(abs(drifts[root]), 0.0)
        for one, other in pairwise(drifts):
            value *= price.get(abs(one - other), 0.0)
        for index, drift in enumerate(drifts):
            place = min(max(position + index + drift + 1, 0), 8)
            value *= max(votes[index, place], LEAST_VOTE)
        total += value
    return float(np.log(total))


@pytest.mark.parametrize("root", [0, 1, 3])
@pytest.mark.parametrize("position", [-1, 0, 2])
def test_likelihood_equals_enumeration(root: int, position: int) -> None:
    votes = np.random.default_rng(root).dirichlet(np.ones(9), size=4)
    found = log_likelihood(votes, position, root)
    assert found == pytest.approx(enumerated(votes, position, root), abs=1e-9)


def test_right_names_win() -> None:
    logs = [log_likelihood(certain([0, 1, 2, 3, 4, 5]), position, 0) for position in range(-1, 4)]
    assert np.argmax(logs) == 1
    assert logs[1] > sorted(logs)[-2] + 2


def test_a_drift_far_from_the_anchor_does_not_move_the_count() -> None:
    drifted = certain([0, 1, 2, 4, 5, 6, 7])
    assert log_likelihood(drifted, 0, 0) > log_likelihood(drifted, 1, 0) + 2


def test_names_wrong_from_the_anchor_on_do() -> None:
    wrong = certain([1, 2, 3, 4, 5, 6])
    assert log_likelihood(wrong, 1, 0) > log_likelihood(wrong, 0, 0) + 1.5


def test_votes_leave_the_background_out() -> None:
    probabilities = np.zeros((10, 1, 2, 2))
    probabilities[0], probabilities[5], probabilities[4], probabilities[6] = 0.5, 0.3, 0.1, 0.1
    votes = level_votes(probabilities, np.ones((1, 2, 2), bool))
    np.testing.assert_allclose(votes[:3], [0.2, 0.6, 0.2])
    assert votes.sum() == pytest.approx(1)
