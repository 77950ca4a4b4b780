"""Area under the ROC curve with its interval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri
from scipy.stats import rankdata

from tools.statistics.estimate import TAIL, Estimate, nothing, numbers, owners, repeated
from tools.statistics.resampling import bootstrap


def auc(
    scores: Sequence[float] | np.ndarray,
    positive: Sequence[bool] | np.ndarray,
    patients: Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate the area under the ROC curve: how often a positive case scores above a negative one.

    The interval is DeLong's (Biometrics 44, 1988) on the logit scale, which keeps it within 0 and
    1; where the classes are wholly apart, so that DeLong's variance is 0, it is Newcombe's method 5
    (Stat Med 25, 2006); where a patient counts several times, by bootstrap.

    Args:
        scores: The higher, the more likely positive.
        positive: Whether each case is.
        patients: Whose each case is; None if each is another patient's.
        seed: Seed of the resampling.

    Raises:
        ValueError: Lengths differ, or a score is not finite.

    >>> auc([1, 2, 3, 4], [False, True, False, True]).value
    0.75
    """
    x = numbers(scores, "scores")
    is_positive = np.asarray(positive, dtype=bool)
    if len(is_positive) != len(x):
        raise ValueError(f"{len(x)} scores for {len(is_positive)} cases")
    high, low = x[is_positive], x[~is_positive]
    if not len(high) or not len(low):
        return nothing("only one class among the cases", len(x))
    codes = owners(patients, len(x))
    if repeated(codes):
        wins = _wins(high, low)

        def statistic(weights: np.ndarray) -> np.ndarray:
            return _area(weights[:, is_positive], weights[:, ~is_positive], wins)

        return bootstrap(statistic, codes, seed, bca=False)
    value, variance = _delong(high, low)
    found = Estimate(value, n=len(x))
    if value in (0.0, 1.0):
        ends = _newcombe(value, len(high), len(low))
        return Estimate(value, *ends, len(x), "Newcombe's method 5 (2006)")
    if variance <= 0 or min(len(high), len(low)) < 2:
        return found.without_interval("fewer than two cases of a class")
    reach = float(ndtri(1 - TAIL)) * variance**0.5 / (value * (1 - value))
    below, above = (float(expit(logit(value) + sign * reach)) for sign in (-1, 1))
    return Estimate(value, below, above, len(x), "DeLong, logit scale")


def mean_auc(
    scores: Sequence[float] | np.ndarray,
    positive: Sequence[bool] | np.ndarray,
    groups: Sequence[Hashable],
    patients: Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate the mean of the areas of groups, such as the folds of a cross-validation.

    Scores of different models are not compared with each other. A group of one class has no area
    and is left out, in resamples too; the interval is a percentile bootstrap over patients.

    Args:
        scores: The higher, the more likely positive.
        positive: Whether each case is.
        groups: What each case belongs to; of a single one this is `auc`.
        patients: Whose each case is; None if each is another patient's.
        seed: Seed of the resampling.

    Raises:
        ValueError: Lengths differ, or a score is not finite.

    >>> mean_auc([1, 2, 3, 4, 3, 2], [0, 1, 0, 1, 0, 1], [1, 1, 1, 1, 2, 2]).value
    0.375
    """
    x = numbers(scores, "scores")
    is_positive = np.asarray(positive, dtype=bool)
    if not len(x) == len(is_positive) == len(groups):
        raise ValueError(f"{len(x)} scores, {len(is_positive)} cases and {len(groups)} groups")
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    if len(places) < 2:
        return auc(scores, positive, patients, seed)
    parts = []
    for own in map(np.array, places.values()):
        high, low = own[is_positive[own]], own[~is_positive[own]]
        if len(high) and len(low):
            parts.append((high, low, _wins(x[high], x[low])))
    if not parts:
        return nothing("only one class among the cases of each group", len(x))

    def statistic(weights: np.ndarray) -> np.ndarray:
        areas = np.array(
            [_area(weights[:, up], weights[:, down], wins) for up, down, wins in parts]
        )
        known = np.isfinite(areas)
        found: np.ndarray = np.where(known, areas, 0).sum(0) / known.sum(0)
        return found

    return bootstrap(statistic, owners(patients, len(x)), seed, bca=False)


def _wins(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Whether each positive case scores above each negative one; ties count by half."""
    found: np.ndarray = (high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])
    return found


def _area(up: np.ndarray, down: np.ndarray, wins: np.ndarray) -> np.ndarray:
    """Area under weights of the positive and of the negative cases, [R]."""
    area: np.ndarray = ((up @ wins) * down).sum(1) / (up.sum(1) * down.sum(1))
    return area


def _delong(high: np.ndarray, low: np.ndarray) -> tuple[float, float]:
    """Area and its variance from ranks within and across the classes."""
    m, n = len(high), len(low)
    ranks = rankdata(np.concatenate([high, low]))
    of_high = (ranks[:m] - rankdata(high)) / n
    of_low = 1 - (ranks[m:] - rankdata(low)) / m
    variance = sum(
        float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.0 for part in (of_high, of_low)
    )
    return float(of_high.mean()), variance


def _newcombe(value: float, m: int, n: int) -> tuple[float, float]:
    """Limits of an area of 0 or 1, where the pseudo-score variance gives that area at 1.96."""
    size = (m + n) / 2 - 1
    z = float(ndtri(1 - TAIL))

    def apart(theta: float) -> float:
        shape = 1 + size * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (value - theta) ** 2 - z**2 * theta * (1 - theta) * shape / (m * n)

    near = 1e-12
    if value == 1.0:
        return float(brentq(apart, near, 1 - near)), 1.0
    return 0.0, float(brentq(apart, near, 1 - near))
