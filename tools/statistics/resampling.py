"""The bootstrap over patients: what intervals rest on where no formula holds.

A resample draws as many patients as there are, with replacement; a patient's values come and go
together. It is written as a weight per value (how often its patient was drawn), so that a statistic
of weights is computed for many resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from tools.statistics.estimate import FEWEST, TAIL, Estimate, numbers, owners

RESAMPLES = 2000
"""Resamples of every bootstrap."""

MOST_UNDEFINED = 0.05
"""Share of resamples on which a statistic may not exist (one class only, no spread)."""

CHUNK = 2_000_000
"""Weights held at once."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""From weights [R, n] to a value per resample [R], NaN where it does not exist."""


def bootstrap(
    statistic: Statistic, patients: Sequence[Any] | np.ndarray, seed: int = 0, bca: bool = True
) -> Estimate:
    """Estimate a statistic with its bootstrap interval over patients.

    Bias-corrected and accelerated (Efron, J Am Stat Assoc 82, 1987), the acceleration from leaving
    out one patient at a time; or percentile.

    Args:
        statistic: From weights [R, n] to values [R].
        patients: Whose each of the n values is.
        seed: Seed of the resampling.
        bca: Whether to correct; else the plain percentile interval.

    Returns:
        The value with its interval; no interval with fewer than three patients, where the
        resamples do not differ, or where too many of them leave the statistic undefined.

    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    >>> found = bootstrap(lambda w: w @ x / w.sum(1), range(5))
    >>> found.value, found.low < 4 < found.high
    (4.0, True)
    """
    codes = owners(list(patients), len(patients))
    n, count = len(codes), int(codes.max(initial=-1)) + 1
    if n == 0:
        return Estimate(None, reason="no values")
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(np.ones((1, n)))[0])
        if not np.isfinite(value):
            return Estimate(None, n=n, reason="does not exist for these values")
        if count < FEWEST:
            return Estimate(value, n=n, reason="fewer than three patients")
        found = _in_chunks(statistic, _draw(count, seed), codes)
    known = found[np.isfinite(found)]
    if len(known) < (1 - MOST_UNDEFINED) * RESAMPLES:
        return Estimate(value, n=n, reason="does not exist for too many resamples")
    if np.ptp(known) <= 1e-12 * max(1.0, abs(value)):
        return Estimate(value, n=n, reason="the values do not differ between patients")
    ends = np.array([TAIL, 1 - TAIL])
    method = f"percentile bootstrap over patients, {RESAMPLES} resamples"
    if bca:
        corrected = _corrected(ends, known, value, _left_out(statistic, codes, count))
        if corrected is not None:
            ends, method = corrected, f"BCa bootstrap over patients, {RESAMPLES} resamples"
    low, high = np.quantile(known, ends)
    return Estimate(value, float(low), float(high), n, method)


@lru_cache(maxsize=8)
def _draw(count: int, seed: int) -> np.ndarray:
    """How often each patient is drawn, float [R, patients]; many statistics share one draw."""
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    cells = (drawn + count * np.arange(RESAMPLES)[:, None]).ravel()
    times = np.bincount(cells, minlength=RESAMPLES * count).reshape(RESAMPLES, count)
    return times.astype(np.float32)


def _in_chunks(statistic: Statistic, drawn: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Values of resamples [R] given how often each patient was drawn [R, patients]."""
    rows = max(1, CHUNK // len(codes))
    parts = [
        statistic(np.asarray(drawn[start : start + rows][:, codes], dtype=float))
        for start in range(0, len(drawn), rows)
    ]
    return np.concatenate(parts)


def _left_out(statistic: Statistic, codes: np.ndarray, count: int) -> np.ndarray:
    """Values [patients] without one patient each."""
    rows = max(1, CHUNK // len(codes))
    values = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for start in range(0, count, rows):
            out = np.arange(start, min(start + rows, count))
            values.append(statistic((out[:, None] != codes[None]).astype(float)))
    return np.concatenate(values)


def _corrected(
    ends: np.ndarray, found: np.ndarray, value: float, left_out: np.ndarray
) -> np.ndarray | None:
    """BCa's shares in place of the percentiles; None where they do not exist."""
    below = ((found < value).mean() + (found <= value).mean()) / 2
    if not 0 < below < 1 or not np.isfinite(left_out).all():
        return None
    apart = left_out.mean() - left_out
    spread = float((apart**2).sum())
    if spread == 0:
        return None
    bias, speed = ndtri(below), float((apart**3).sum()) / (6 * spread**1.5)
    shifted = bias + ndtri(ends)
    room = 1 - speed * shifted
    return None if (room <= 0).any() else ndtr(bias + shifted / room)


def mean(
    values: Sequence[float] | np.ndarray,
    patients: Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> Estimate:
    """Mean of values, its interval over patients.

    >>> mean([1.0, 2.0, 6.0]).value
    3.0
    """
    x = numbers(values, "values")
    return bootstrap(lambda w: w @ x / w.sum(1), owners(patients, len(x)), seed)


def median(
    values: Sequence[float] | np.ndarray,
    patients: Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> Estimate:
    """Median of values, its percentile interval over patients (BCa needs a smooth statistic).

    >>> median([1.0, 2.0, 6.0, 8.0]).value
    4.0
    """
    x = numbers(values, "values")
    order = np.argsort(x, kind="stable")

    def statistic(weights: np.ndarray) -> np.ndarray:
        upto = np.cumsum(weights[:, order], axis=1)
        half = upto[:, -1:] / 2
        lower, upper = (upto >= half).argmax(1), (upto > half).argmax(1)
        return (x[order][lower] + x[order][upper]) / 2

    return bootstrap(statistic, owners(patients, len(x)), seed, bca=False)
