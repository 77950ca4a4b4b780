"""Densities with their intervals, given what turns a scan's HU into density."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tools.phantom.checks.patches.tiers.cohort import Cohort

CNN, INTERNAL, HU_LINEAR = "cnn", "cnn_internal", "hu_linear"

NAMES = {CNN: "CNN", INTERNAL: "CNN + internal calibration", HU_LINEAR: "HU-linear"}
"""Reading -> its name, in the order of the tables."""

One = tuple[float, tuple[float, float]]
"""A density with its interval, mg/cm³ HA."""


class Values(NamedTuple):
    """Densities of a cohort.

    Attributes:
        density: mg/cm³ HA, [N, 4]; NaN where nothing is read.
        low: Lower end of the 95 % interval, mg/cm³ HA, [N, 4]; NaN for none.
        high: Upper end.
    """

    density: np.ndarray
    low: np.ndarray
    high: np.ndarray


def hu_linear(cohort: Cohort, used: Any) -> Values:
    """Read HU-linear density.

    Args:
        cohort: The patients.
        used: The calibration in use (`bmd_bundle.in_use.InUse`).
    """

    def one(place: tuple[int, int]) -> One:
        found: One = used.hu_linear(cohort.trabecular_hu[place], _known(cohort.error_hu[place]))
        return found

    return _each(cohort, one)


def cnn(cohort: Cohort, density: np.ndarray, used: Any, interval: Any) -> Values:
    """Put intervals about what a network read, and correct both where a site's file says so.

    Args:
        cohort: The patients.
        density: What the network read, mg/cm³ HA, [N, 4].
        used: The calibration in use (`bmd_bundle.in_use.InUse`).
        interval: The network's (`bmd_bundle.interval.Interval`); None for none. A site's
            correction brings its own.
    """

    def one(place: tuple[int, int]) -> One:
        error = _known(cohort.error_hu[place])
        value = float(density[place])
        around = interval.around(value, error, cohort.kvp) if interval else (np.nan, np.nan)
        found: One = used.cnn(value, around, error)
        return found

    return _each(cohort, one)


def _each(cohort: Cohort, read: Callable[[tuple[int, int]], One]) -> Values:
    """Read every level that counts and can be read."""
    shape = cohort.read.shape
    found = Values(*(np.full(shape, np.nan) for _ in Values._fields))
    for number, level in np.argwhere(cohort.read).tolist():
        place = number, level
        found.density[place], (found.low[place], found.high[place]) = read(place)
    return found


def _known(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
