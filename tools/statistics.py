"""Confidence intervals of counts and of means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import beta

LEVEL = 0.95
"""Confidence of every interval."""

RESAMPLES = 2000


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
    tail = (1 - LEVEL) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
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
