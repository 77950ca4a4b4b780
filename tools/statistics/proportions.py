"""Exact intervals of proportions, and the mean of groups of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import beta, t

from tools.statistics.estimate import LEVEL, TAIL, Estimate, owners, repeated
from tools.statistics.resampling import RESAMPLES


def clopper_pearson(successes: int, trials: int) -> list[float] | None:
    """Exact 95 % interval of a proportion (Clopper and Pearson, Biometrika 26, 1934).

    Args:
        successes: Number of successes.
        trials: Number of trials.

    Returns:
        [low, high]; None without trials.

    Raises:
        ValueError: If there are more successes than trials, or fewer than none.

    >>> [round(limit, 4) for limit in clopper_pearson(0, 100)]
    [0.0, 0.0362]
    >>> [round(limit, 4) for limit in clopper_pearson(8, 10)]
    [0.4439, 0.9748]
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return None
    return _exact(successes, trials)


def _exact(successes: float, trials: float) -> list[float]:
    """Clopper and Pearson's limits; an effective sample need not be a whole number."""
    low = beta.ppf(TAIL, successes, trials - successes + 1) if successes > 0 else 0.0
    high = beta.ppf(1 - TAIL, successes + 1, trials - successes) if successes < trials else 1.0
    return [float(low), float(high)]


def bootstrap_mean(groups: Sequence[Sequence[float]], seed: int = 0) -> list[float] | None:
    """95 % percentile interval of a mean, resampling groups of values that belong together.

    Args:
        groups: Values of each case; the mean is over all values.
        seed: Seed of the resampling.

    Returns:
        [low, high]; None without values.

    >>> bootstrap_mean([[0.5], [0.5, 0.5]])
    [0.5, 0.5]
    """
    filled = [group for group in groups if len(group)]
    if not filled:
        return None
    sums = np.array([sum(group) for group in filled])
    counts = np.array([len(group) for group in filled])
    drawn = np.random.default_rng(seed).integers(len(filled), size=(RESAMPLES, len(filled)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return [float(low), float(high)]


def proportion(successes: int, trials: int) -> dict[str, Any]:
    """Describe a proportion: {"count", "of", "share", "ci95"}; nulls without trials."""
    share = successes / trials if trials else None
    return {"count": successes, "of": trials, "share": share,
            "ci95": clopper_pearson(successes, trials)}  # fmt: skip


def share(
    hits: Sequence[bool] | np.ndarray, patients: Sequence[Any] | np.ndarray | None = None
) -> Estimate:
    """Share of values that hit, with its exact interval.

    Where patients give several values each, Clopper and Pearson's interval is that of the effective
    sample size (Korn and Graubard, Surv Methodol 24, 1998): the number of values over the design
    effect, never more than the values. Where all values hit, or none, the design effect cannot be
    seen; then every patient counts once.

    Args:
        hits: Whether each value hits.
        patients: Whose it is; None if each is another patient's.

    Returns:
        The share; no value without values.

    >>> share([True, True, False, True]).value
    0.75
    >>> share([True] * 8, ["a", "a", "b", "b", "c", "c", "d", "d"]).low == share([True] * 4).low
    True
    """
    found = np.asarray(hits, dtype=bool)
    n = len(found)
    if n == 0:
        return Estimate(None, reason="no values")
    codes = owners(patients, n)
    count, value = int(found.sum()), float(found.mean())
    if not repeated(codes):
        low, high = _exact(count, n)
        return Estimate(value, low, high, n, "exact (Clopper and Pearson)")
    size = _effective_size(found, codes)
    if size is None:
        return Estimate(value, n=n, reason="all values are one patient's")
    low, high = _exact(value * size, size)
    return Estimate(value, low, high, n, "Clopper and Pearson on the effective sample size")


def _effective_size(hits: np.ndarray, codes: np.ndarray) -> float | None:
    """Number of independent values that hits of few patients are worth."""
    n, patients, value = len(hits), int(codes.max()) + 1, float(hits.mean())
    if patients < 2:
        return None
    if value in (0.0, 1.0):
        return float(patients)
    # Variance of a ratio of patients' sums (linearised) over that of independent values.
    totals = np.bincount(codes, hits - value)
    clustered = patients / (patients - 1) * float((totals**2).sum()) / n**2
    effect = clustered / (value * (1 - value) / n)
    wider = (t.ppf(1 - TAIL, n - 1) / t.ppf(1 - TAIL, patients - 1)) ** 2
    return float(n) if effect == 0 else min(float(n), n / effect * float(wider))
