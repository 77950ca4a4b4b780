"""Two methods on the same cases: how much more often one is right, and whether by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from tools.statistics.categories import mcnemar
from tools.statistics.estimate import TAIL, Estimate, Test, nothing, owners, repeated
from tools.statistics.resampling import mean

Answers = Sequence[bool] | np.ndarray


def share_difference(
    first: Answers,
    second: Answers,
    patients: Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate how much larger the share of hits is with the first method than with the second.

    The interval is Tango's score interval for paired proportions (Stat Med 17, 1998), which exists
    also where the methods never differ; where a patient gives several cases, by bootstrap.

    Args:
        first: Whether the first method hits, per case.
        second: The same of the second method.
        patients: Whose each case is; None if each is another patient's.
        seed: Seed of the resampling.

    Returns:
        Share of the first minus share of the second, -1 to 1.

    Raises:
        ValueError: Lengths differ.

    >>> found = share_difference([1] * 9 + [0], [1] * 4 + [0] * 6)
    >>> found.value, found.low < 0.5 < found.high
    (0.5, True)
    """
    one, other, codes = _pairs(first, second, patients)
    if not len(one):
        return nothing("no case that both judged")
    apart = one.astype(float) - other
    if repeated(codes):
        return mean(apart, codes, seed)
    ends = _tango(int((one & ~other).sum()), int((~one & other).sum()), len(one))
    return Estimate(float(apart.mean()), *ends, len(one), "score, paired (Tango 1998)")


def paired_test(
    first: Answers, second: Answers, patients: Sequence[Any] | np.ndarray | None = None
) -> Test:
    """Test whether one method hits more often than another on the same cases (McNemar, exact).

    Where a patient gives several cases, the patient counts once, for the method that hits more of
    them: a sign test of patients, which is McNemar's where each gives one case.

    Args:
        first: Whether the first method hits, per case.
        second: The same of the second method.
        patients: Whose each case is; None if each is another patient's.

    Raises:
        ValueError: Lengths differ.

    >>> round(paired_test([1] * 9 + [0], [0] * 9 + [1]).p, 4)
    0.0215
    """
    one, other, codes = _pairs(first, second, patients)
    ahead = np.bincount(codes, one.astype(float) - other)
    return mcnemar(int((ahead > 0).sum()), int((ahead < 0).sum()))


def _pairs(
    first: Answers, second: Answers, patients: Sequence[Any] | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} answers make no pairs")
    return one, other, owners(patients, len(one))


def _tango(b: int, c: int, n: int) -> tuple[float, float]:
    """Differences that Tango's score test does not reject at 5 %.

    Args:
        b: Cases that the first method alone hits.
        c: Cases that the second alone hits.
        n: All cases.
    """
    z = float(ndtri(1 - TAIL))

    def score(delta: float) -> float:
        # Largest likelihood of "the second alone" where the shares differ by delta.
        linear = (2 * n - b + c) * delta - b - c
        root = linear**2 + 8 * n * c * delta * (1 - delta)
        only_second = (max(root, 0.0) ** 0.5 - linear) / (4 * n)
        variance = n * (2 * only_second + delta * (1 - delta))
        return float((b - c - n * delta) / max(variance, 1e-300) ** 0.5)

    value, near = (b - c) / n, 1e-9
    low = -1.0 if score(near - 1) <= z else brentq(lambda d: score(d) - z, near - 1, value)
    high = 1.0 if score(1 - near) >= -z else brentq(lambda d: score(d) + z, value, 1 - near)
    return float(low), float(high)
