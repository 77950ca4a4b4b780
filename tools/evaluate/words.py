"""How numbers and names of an evaluation are written for a reader."""

from __future__ import annotations

from collections.abc import Iterable

from tools.evaluate.numbers import Number
from tools.statistics import Test

DASH = "–"

LEAST_P = 0.001

PLACES = {"levels": "L1–L4", "mean": "patient's mean", "scan": "scan"}


def place(level: str) -> str:
    """Name a level, or what stands for several.

    >>> place("mean"), place("L2")
    ("patient's mean", 'L2')
    """
    return PLACES.get(level, level)


def figure(value: float | None, digits: int) -> str:
    """Write a number; a dash where there is none.

    >>> figure(-3.14159, 1), figure(None, 1), figure(-0.01, 1)
    ('−3.1', '–', '0.0')
    """
    if value is None:
        return DASH
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def number(found: Number, digits: int = 2) -> str:
    r"""Write a number with its interval under it; of a test its p.

    >>> from tools.statistics import Estimate
    >>> number(Estimate(0.9123, 0.85, 0.95, 30), 3)
    '0.912\n(0.850 to 0.950)'
    >>> number(Estimate(None, 0.956, 0.968), 3)
    '0.956 to 0.968'
    >>> number(Estimate(None, reason="one class only"))
    '–'
    """
    if isinstance(found, Test):
        return p_value(found.p)
    value = figure(found.value, digits)
    if found.low is None or found.high is None:
        return value
    ends = f"{figure(found.low, digits)} to {figure(found.high, digits)}"
    return ends if found.value is None else f"{value}\n({ends})"


def counted(found: Number, digits: int = 2) -> str:
    r"""Write a share with its counts.

    >>> from tools.statistics import share
    >>> counted(share([True] * 18 + [False] * 21))
    '18/39 = 0.46\n(0.30 to 0.63)'
    """
    if isinstance(found, Test) or found.value is None or not found.n:
        return number(found, digits)
    return f"{round(found.value * found.n)}/{found.n} = {number(found, digits)}"


def p_value(p: float | None) -> str:
    """Write a p.

    >>> p_value(0.0002), p_value(0.0312)
    ('< 0.001', '0.031')
    """
    if p is None:
        return DASH
    return f"< {LEAST_P}" if p < LEAST_P else f"{p:.3f}"


def why(numbers: Iterable[Number]) -> str:
    """Say why some of the numbers have no value or no interval; nothing where all have.

    >>> from tools.statistics import Estimate
    >>> why([Estimate(None, reason="one class only"), Estimate(1.0, 0.5, 1.5)])
    'Where a value or an interval is missing: one class only.'
    """
    reasons = dict.fromkeys(
        found.reason
        for found in numbers
        if found.reason and not (isinstance(found, Test) and found.p is not None)
    )
    return f"Where a value or an interval is missing: {'; '.join(reasons)}." if reasons else ""
