"""Agreement of categories: confusion matrix, weighted kappa, tests, rates of a yes or no."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import ndtri

from tools.statistics.estimate import TAIL, Estimate, Test, nothing, owners, repeated
from tools.statistics.proportions import share
from tools.statistics.resampling import bootstrap

EXPECTED_LEAST = 5.0
"""Expected count below which chi-squared is a rough guess (Cochran, Biometrics 10, 1954)."""


def confusion(
    true: Sequence[Hashable], said: Sequence[Hashable], names: Sequence[Hashable]
) -> np.ndarray:
    """Count pairs of categories.

    Args:
        true: Category of each case.
        said: What it was said to be, in the same order.
        names: The categories in order.

    Returns:
        Counts [k, k], rows true, columns said.

    Raises:
        ValueError: Lengths differ, or a category is none of `names`.

    >>> confusion("aab", "abb", "ab").tolist()
    [[1, 1], [0, 1]]
    """
    if len(true) != len(said):
        raise ValueError(f"{len(true)} true and {len(said)} said categories make no pairs")
    place = {name: index for index, name in enumerate(names)}
    for name in (*true, *said):
        if name not in place:
            raise ValueError(f"{name!r} is none of the categories {', '.join(map(str, names))}")
    counts = np.zeros((len(names), len(names)), dtype=int)
    for one, other in zip(true, said, strict=True):
        counts[place[one], place[other]] += 1
    return counts


def kappa_value(counts: np.ndarray) -> np.ndarray:
    """Cohen's kappa with linear weights (Psychol Bull 70, 1968).

    Args:
        counts: Confusion matrices [..., k, k].

    Returns:
        Kappa of each [...]; NaN where all cases are in one category on both sides.

    >>> round(float(kappa_value(np.array([[77, 5, 1], [7, 97, 14], [0, 9, 188]]))), 3)
    0.888
    """
    shares = counts / counts.sum(axis=(-2, -1), keepdims=True)
    weights = _disagreement(counts.shape[-1])
    expected = shares.sum(-1)[..., :, None] * shares.sum(-2)[..., None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        value: np.ndarray = 1 - (weights * shares).sum((-2, -1)) / (weights * expected).sum(
            (-2, -1)
        )
    return value


def _disagreement(k: int) -> np.ndarray:
    """Linear weights [k, k]: 0 on the diagonal, 1 between the outermost categories."""
    place = np.arange(k)
    return np.abs(place[:, None] - place[None]) / (k - 1)


def kappa(counts: np.ndarray) -> Estimate:
    """Estimate kappa with linear weights, its interval by the asymptotic standard error.

    The variance is that of Fleiss, Cohen and Everitt (Psychol Bull 72, 1969).

    Args:
        counts: Confusion matrix [k, k], every case another patient's.

    Raises:
        ValueError: The matrix is not square, or holds what is no count.

    >>> found = kappa(np.array([[18, 7, 0], [0, 25, 4], [0, 1, 76]]))
    >>> [round(x, 3) for x in (found.value, found.low, found.high)]
    [0.879, 0.815, 0.943]
    """
    counts = _table(counts)
    n = int(counts.sum())
    if n == 0:
        return nothing("no cases")
    value = float(kappa_value(counts))
    if not np.isfinite(value):
        return nothing("all cases are in one category", n)
    found = Estimate(value, n=n)
    agree = 1 - _disagreement(len(counts))
    shares = counts / n
    rows, columns = shares.sum(1), shares.sum(0)
    expected = float(rows @ agree @ columns)
    off = (agree @ columns)[:, None] + (rows @ agree)[None]
    spread = float((shares * (agree - off * (1 - value)) ** 2).sum())
    variance = (spread - (value - expected * (1 - value)) ** 2) / (n * (1 - expected) ** 2)
    if variance <= 1e-15:
        return found.without_interval("no spread to estimate an interval from")
    reach = float(ndtri(1 - TAIL)) * variance**0.5
    method = "asymptotic (Fleiss, Cohen and Everitt 1969)"
    return Estimate(value, max(-1.0, value - reach), min(1.0, value + reach), n, method)


def clustered_kappa(
    true: Sequence[Hashable],
    said: Sequence[Hashable],
    names: Sequence[Hashable],
    patients: Sequence[Any] | np.ndarray | None,
    seed: int = 0,
) -> Estimate:
    """Estimate kappa where a patient may count several times; see `kappa`.

    Args:
        true: Category of each case.
        said: What it was said to be.
        names: The categories in order.
        patients: Whose each case is; None if each is another patient's.
        seed: Seed of the resampling.
    """
    codes = owners(patients, len(true))
    if not repeated(codes):
        return kappa(confusion(true, said, names))
    k, place = len(names), {name: index for index, name in enumerate(names)}
    cells = [place[one] * k + place[two] for one, two in zip(true, said, strict=True)]
    each = np.eye(k * k)[cells]
    return bootstrap(lambda w: kappa_value((w @ each).reshape(-1, k, k)), codes, seed)


def association(counts: np.ndarray) -> Test:
    """Test whether rows and columns of a table have to do with each other (Pearson's chi-squared).

    Empty rows and columns are left out; no continuity correction.

    Args:
        counts: Table [r, c] of independent cases.

    >>> round(association(np.array([[10, 20], [20, 10]])).statistic, 3)
    6.667
    """
    counts = _table(counts, square=False)
    n, method = int(counts.sum()), "Pearson's chi-squared"
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    if min(counts.shape) < 2:
        return Test(None, None, n, method, "only one row or column has cases")
    found = stats.chi2_contingency(counts, correction=False)
    rough = float(found.expected_freq.min()) < EXPECTED_LEAST
    return Test(
        float(found.statistic), float(found.pvalue), n, method,
        "an expected count is below 5: p is approximate" if rough else None,
    )  # fmt: skip


def mcnemar(only_first: int, only_second: int) -> Test:
    """Compare two methods on the same cases by those that one alone gets right (McNemar 1947).

    Exact: binomial on the cases that differ, two-sided.

    Args:
        only_first: Cases that the first alone gets right.
        only_second: Cases that the second alone gets right.

    Raises:
        ValueError: If a count is below 0.

    >>> round(mcnemar(1, 9).p, 4)
    0.0215
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"{only_first} and {only_second} are no counts")
    n = only_first + only_second
    if n == 0:
        return Test(None, None, 0, "McNemar, exact", "no case on which they differ")
    p = float(stats.binomtest(only_first, n, 0.5).pvalue)
    return Test(float(min(only_first, only_second)), p, n, "McNemar, exact")


def rates(
    true: Sequence[bool] | np.ndarray,
    said: Sequence[bool] | np.ndarray,
    patients: Sequence[Any] | np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Rate a yes or no.

    Args:
        true: Whether each case has it.
        said: Whether it was said to have it.
        patients: Whose each case is; None if each is another patient's.
        seed: Seed of the resampling.

    Returns:
        `sensitivity`, `specificity`, `precision`, `accuracy`, each exact with its own denominator;
        `f1`, which is no proportion, by bootstrap.

    Raises:
        ValueError: Lengths differ.

    >>> found = rates([1, 1, 1, 0, 0], [1, 1, 0, 0, 1])
    >>> found["sensitivity"].n, round(found["sensitivity"].value, 3), found["specificity"].value
    (3, 0.667, 0.5)
    """
    is_so, is_said = np.asarray(true, dtype=bool), np.asarray(said, dtype=bool)
    if len(is_so) != len(is_said):
        raise ValueError(f"{len(is_so)} true and {len(is_said)} said make no pairs")
    codes = owners(patients, len(is_so))
    both = 2.0 * (is_so & is_said)
    either = is_so.astype(float) + is_said
    f1 = bootstrap(lambda w: (w @ both) / (w @ either), codes, seed, bca=False)
    if not either.any():
        f1 = nothing("no case has it or is said to", len(is_so))
    return {
        "sensitivity": share(is_said[is_so], codes[is_so]),
        "specificity": share(~is_said[~is_so], codes[~is_so]),
        "precision": share(is_so[is_said], codes[is_said]),
        "f1": f1,
        "accuracy": share(is_so == is_said, codes),
    }


def _table(counts: np.ndarray, square: bool = True) -> np.ndarray:
    """Return a table of counts, checked."""
    found = np.asarray(counts)
    if found.ndim != 2 or (square and (found.shape[0] != found.shape[1] or len(found) < 2)):
        raise ValueError(f"a table of counts is wanted, not shape {found.shape}")
    if not np.isfinite(found).all() or (found < 0).any() or (found != np.floor(found)).any():
        raise ValueError("a table holds counts: whole numbers of at least 0")
    return found.astype(int)
