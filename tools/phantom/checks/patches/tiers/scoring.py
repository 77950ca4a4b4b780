"""What a reading is worth: every number of the table, each with its 95 % interval over patients."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.evaluate import density as evaluation
from tools.evaluate.density import LEVELS, MEAN
from tools.evaluate.matching import Case
from tools.evaluate.predictions import MEASURED, Level, Predicted, Reading
from tools.evaluate.references import Reference
from tools.levels import MEASURED_LEVELS
from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.checks.patches.tiers.readings import Values
from tools.statistics import Estimate, agree, bland_altman, bootstrap, line

REFUSED = "refused"

METHOD = "reading"
"""Name of the only method of a case."""

SHOWN = ("bias", "limit_low", "limit_high", "sd", "slope", "r", "mae")
"""Measures of agreement that are kept, of `tools.statistics.agree`."""

RATES = ("kappa", "osteoporosis_sensitivity_measured", "osteoporosis_sensitivity_all",
         "osteoporosis_specificity_all")  # fmt: skip
"""Measures of the category that are kept, of `tools.evaluate.density.categories`."""

POINTS = 100.0
"""Percentage points of marrow fat in a share of 1."""

Numbers = dict[str, dict[str, Estimate]]
"""Table -> measure -> number."""


def score(cohort: Cohort, values: Values, chosen: np.ndarray, seed: int) -> Numbers:
    """Score a reading on some patients.

    Args:
        cohort: The scanner's patients.
        values: What was read of all of them.
        chosen: Whom it is scored on, bool [N].
        seed: Seed of all resampling.

    Returns:
        `levels` and `mean` (the patient's): agreement with QCT, `interval`: of the levels,
        `category`: of the patient's mean, `fat`: against the mineral put in.
    """
    cases = cases_of(cohort, values, chosen)
    found: Numbers = {}
    for place in (LEVELS, MEAN):
        pairs, owners = evaluation.sample(cases, METHOD, place)
        true, read = np.array([[pair.true, pair.read] for pair in pairs]).reshape(-1, 2).T
        found[place] = agreement(true, read, owners, seed)
        if place == LEVELS:
            found["interval"] = evaluation.intervals(pairs, owners, seed)  # type: ignore[assignment]
    _, rated = evaluation.categories(cases, METHOD, seed)
    found["category"] = {name: rated[name] for name in RATES}
    found["fat"] = fat(cohort, values.density, chosen, seed)
    return found


def cases_of(cohort: Cohort, values: Values, chosen: np.ndarray) -> list[Case]:
    """Give patients the form that `tools.evaluate` scores; levels left out have no reference."""
    found = []
    for number in np.flatnonzero(chosen & cohort.counted.any(axis=1)).tolist():
        name = str(cohort.patient[number])
        levels, truth = {}, {}
        for column, level in enumerate(MEASURED_LEVELS):
            place = number, column
            truth[level] = float(cohort.qct_ha[place]) if cohort.counted[place] else None
            levels[level] = _level(values, place, str(cohort.unread[place]))
        reference = Reference(name, frozenset({name}), name, cohort.scanner, None, truth)
        found.append(Case(reference, Predicted(name, "done", None, levels), "done", None))
    return found


def _level(values: Values, place: tuple[int, int], reason: str) -> Level:
    read = values.density[place]
    if not np.isfinite(read):
        return Level(REFUSED, reason or None)
    ends = (float(values.low[place]), float(values.high[place]))
    interval = ends if np.isfinite(ends).all() else None
    return Level(MEASURED, readings={METHOD: Reading(float(read), interval)})


def agreement(true: np.ndarray, read: np.ndarray, patients: Any, seed: int) -> dict[str, Estimate]:
    """Agreement with QCT; beside r the spread that it depends on.

    Args:
        true: mg/cm³ HA, [n].
        read: mg/cm³ HA, [n].
        patients: Whose each value is.
        seed: Seed of all resampling.

    Returns:
        `SHOWN`, `residual_sd` about the fitted line and `reference_sd`, both mg/cm³ HA.
    """
    everything = agree(true, read, patients, seed)
    found = {name: everything[name] for name in SHOWN}
    found["residual_sd"] = residual_sd(true, read, patients, seed)
    spread = float(true.std(ddof=1)) if len(true) > 1 else None
    found["reference_sd"] = Estimate(spread, n=len(true))
    return found


def residual_sd(true: np.ndarray, read: np.ndarray, patients: Any, seed: int) -> Estimate:
    """Spread of readings about their least squares line over the reference, mg/cm³ HA.

    Args:
        true: mg/cm³ HA, [n].
        read: mg/cm³ HA, [n].
        patients: Whose each value is.
        seed: Seed of the resampling.

    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> round(residual_sd(x, 2 * x + [1, -1, -1, 1], range(4), 0).value, 3)  # sqrt(4 / (4 - 2))
    1.414
    """
    u, v = (values - values.mean() if len(values) else values for values in (true, read))
    columns = np.stack([u, v, u * u, u * v, v * v], axis=1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        mu, mv, uu, uv, vv = (weights @ columns / total[:, None]).T
        left = vv - mv**2 - (uv - mu * mv) ** 2 / (uu - mu**2)
        found: np.ndarray = np.sqrt(np.maximum(left, 0.0) * total / (total - 2))
        return found

    return bootstrap(statistic, patients, seed)


def fat(cohort: Cohort, density: np.ndarray, chosen: np.ndarray, seed: int) -> dict[str, Estimate]:
    """Error against the mineral put in, which marrow fat hides from single-energy CT.

    Args:
        cohort: The scanner's patients.
        density: What was read, mg/cm³ HA, [N, 4].
        chosen: Whom it is scored on, bool [N].
        seed: Seed of all resampling.

    Returns:
        `bias` and `sd` of the error, mg/cm³ HA, and its `slope`, mg/cm³ HA per percentage point of
        yellow marrow.
    """
    where = chosen[:, None] & cohort.counted & np.isfinite(density)
    owners = np.broadcast_to(cohort.patient[:, None], where.shape)[where]
    error = density[where] - cohort.ha_mass[where]
    apart = bland_altman(np.zeros(len(error)), error, owners, seed)
    slope = line(POINTS * cohort.marrow_fat[where], error, owners, seed)["slope"]
    return {"bias": apart["bias"], "sd": apart["sd"], "slope": slope}


def counts(cohort: Cohort, values: Values, chosen: np.ndarray) -> dict[str, Any]:
    """Count patients and levels.

    Args:
        cohort: The scanner's patients.
        values: What was read of all of them.
        chosen: Whom it is scored on, bool [N].

    Returns:
        `patients` with a level that counts; `patients_read`; `levels` that count, the denominator;
        `levels_read`; `unread`, reason -> levels that count but were not read; `left_out`, why
        levels do not count -> how many.
    """
    counted = cohort.counted & chosen[:, None]
    read = counted & np.isfinite(values.density)
    return {
        "patients": int(counted.any(axis=1).sum()),
        "patients_read": int(read.any(axis=1).sum()),
        "levels": int(counted.sum()),
        "levels_read": int(read.sum()),
        "unread": _tally(cohort.unread[counted & ~read]),
        "left_out": _tally(cohort.left_out[chosen[:, None] & ~cohort.counted]),
    }


def _tally(reasons: np.ndarray) -> dict[str, int]:
    names, numbers = np.unique(reasons, return_counts=True)
    return {str(name): int(number) for name, number in zip(names, numbers, strict=True)}
