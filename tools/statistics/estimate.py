"""What a statistic returns: a number with its interval, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

LEVEL = 0.95
"""Confidence of every interval."""

TAIL = (1 - LEVEL) / 2
"""Probability beyond each limit."""

FEWEST = 3
"""Values from which a spread, a line or a correlation says something."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: The number; None if it does not exist.
        low: Lower limit of its interval; None if that does not exist.
        high: Upper limit.
        n: Values it rests on.
        method: How the interval was made.
        reason: Why value or interval are missing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    method: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that are none: they would travel on as if they were."""
        for number in (self.value, self.low, self.high):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{number} is no estimate; say None and why")

    def without_interval(self, reason: str) -> Estimate:
        """Keep the value, and say why it has no interval."""
        return replace(self, low=None, high=None, method=None, reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """The estimate as JSON holds it."""
        return asdict(self)


def nothing(reason: str, n: int = 0) -> Estimate:
    """Say that a number does not exist.

    >>> nothing("one class only", 4).value is None
    True
    """
    return Estimate(None, n=n, reason=reason)


@dataclass(frozen=True)
class Test:
    """A significance test.

    Attributes:
        statistic: The test's own number; None if the test cannot be made.
        p: Two-sided probability of a result as far from no difference.
        n: Values it rests on.
        method: Name of the test.
        reason: Why it cannot be made, or what to bear in mind.
    """

    __test__ = False  # pytest looks for classes of this name

    statistic: float | None
    p: float | None
    n: int
    method: str
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The test as JSON holds it."""
        return asdict(self)


def numbers(values: Sequence[float] | np.ndarray, what: str) -> np.ndarray:
    """Return values as an array [n] of float.

    Args:
        values: Finite numbers.
        what: Their name in the error.

    Raises:
        ValueError: If one is no finite number, or they are no plain list.
    """
    found = np.asarray(values, dtype=float)
    if found.ndim != 1:
        raise ValueError(f"{what}: a plain list of numbers is wanted, not shape {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{what}: value {int(np.argmin(np.isfinite(found))) + 1} is not finite")
    return found


def pairs(
    reference: Sequence[float] | np.ndarray, measured: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return two lists of equal length as arrays [n].

    Raises:
        ValueError: If they differ in length, or hold what is no finite number.
    """
    x, y = numbers(reference, "reference"), numbers(measured, "measured")
    if len(x) != len(y):
        raise ValueError(f"{len(x)} references and {len(y)} measured values make no pairs")
    return x, y


def owners(patients: Sequence[Any] | np.ndarray | None, n: int) -> np.ndarray:
    """Return whose each value is, as codes 0 to number of patients - 1 [n].

    Args:
        patients: A name per value; None if each is a patient of its own.
        n: Number of values.

    Raises:
        ValueError: If there is not one name per value.

    >>> owners(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    if patients is None:
        return np.arange(n)
    if len(patients) != n:
        raise ValueError(f"{len(patients)} patients for {n} values")
    return np.unique(np.asarray(patients, dtype=str), return_inverse=True)[1]


def repeated(codes: np.ndarray) -> bool:
    """Tell whether a patient gives more than one value."""
    return len(np.unique(codes)) < len(codes)
