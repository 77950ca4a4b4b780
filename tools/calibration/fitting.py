"""From pairs of a reading and a reference to a correction, and what it is worth.

    chosen = fitting.choose(reading, reference, patient)
    corrected = fitting.leave_one_out(reading, reference, patient)
    fitting.agreement(corrected - reference, patient)

**Direction.** Both the reading and QCT err, and what is wanted is a corrected reading that is right
at every true density. Least squares of reference on reading is not: it draws densities towards the
pairs' mean, by 1 - r² of the distance, so that osteoporotic patients read too high (errors of
6 mg/cm³ at a spread of 28 between persons lift a patient 50 below the mean by 2.2). The inverse
regression errs as much the other way. Deming's line with equal errors of both lies between.

**Line or offset.** A slope is corrected only where the pairs show it: where its 95 % interval
excludes 1 and is no wider than ±0.2. Else the correction is an offset, the mean difference.

Patients, not levels, are what is left out and resampled: levels of one scan share its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from tools.statistics import LEVEL

ERROR_RATIO = 1.0
"""Variance of the reference's errors over that of the reading's. Sites know neither; at 1 the line
does not depend on which of the two is called the reference (Deming 1943)."""

MOST_SLOPE_ERROR = 0.2
"""Half-width of the slope's 95 % interval beyond which no slope is corrected (design): 50 mg/cm³
from the pairs' mean it would move a density by 10, as much as the scanners that it corrects."""

Choice = Literal["auto", "line", "offset"]

MOMENTS = 6
"""Sums that a line needs: count, x, y, xx, yy, xy."""


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Chosen:
    """A correction, density = slope * reading + intercept, and why it is one.

    Attributes:
        rule: "line" or "offset".
        slope: Of the correction; 1 for an offset.
        intercept: mg/cm³.
        intercept_ci95: Its interval, mg/cm³; for a line at the mean reading, see `centre`.
        fitted_slope: Slope of Deming's line, corrected or not.
        fitted_ci95: Its interval.
        fitted_error: Its standard error.
        centre: Mean reading, mg/cm³.
        shift_ci95: Interval of the correction minus the reading there, mg/cm³.
        why: One sentence.
    """

    rule: Literal["line", "offset"]
    slope: float
    intercept: float
    fitted_slope: float
    fitted_ci95: Interval
    fitted_error: float
    centre: float
    shift_ci95: Interval
    why: str

    @property
    def shift(self) -> float:
        """Correction minus reading at the mean reading, mg/cm³."""
        return self.slope * self.centre + self.intercept - self.centre


class Estimate(NamedTuple):
    """A number with its 95 % confidence interval."""

    value: float
    ci95: Interval


@dataclass(frozen=True)
class Agreement:
    """Bland and Altman's numbers of differences, mg/cm³.

    Attributes:
        n: Patients.
        bias: Mean difference.
        sd: Standard deviation of the differences.
        low: Lower limit of agreement, bias - 1.96 SD.
        high: Upper limit.
        rms: Root mean square difference.
    """

    n: int
    bias: Estimate
    sd: float
    low: Estimate
    high: Estimate
    rms: float


def deming(x: np.ndarray, y: np.ndarray, ratio: float = ERROR_RATIO) -> tuple[float, float]:
    """Fit Deming's line y = slope x + intercept.

    Args:
        x: Readings, [N].
        y: References, [N].
        ratio: Variance of the errors of y over that of x.

    >>> slope, intercept = deming(np.array([0.0, 50.0, 100.0]), np.array([5.0, 60.0, 115.0]))
    >>> round(slope, 9), round(intercept, 9)
    (1.1, 5.0)
    """
    moments = _moments(x, y)
    slope, intercept = _lines(moments[None], ratio)
    return float(slope[0]), float(intercept[0])


def choose(
    reading: np.ndarray, reference: np.ndarray, patient: np.ndarray, choice: Choice = "auto"
) -> Chosen:
    """Fit the correction that the pairs allow.

    Args:
        reading: mg/cm³, [N].
        reference: mg/cm³, [N].
        patient: Number of the patient of each pair, 0 to P - 1, [N].
        choice: "line" or "offset" takes the rule's decision away.

    Returns:
        The correction; its intervals are of a jackknife over patients with Student's t.
    """
    origin = float(np.mean(reading))
    groups = _by_patient(reading - origin, reference - origin, patient)
    found = _choose(groups, choice)
    return _moved(found, origin)


def leave_one_out(
    reading: np.ndarray, reference: np.ndarray, patient: np.ndarray, choice: Choice = "auto"
) -> np.ndarray:
    """Correct every patient by what the others alone give, the choice of line or offset included.

    Args:
        reading: mg/cm³, [N].
        reference: mg/cm³, [N].
        patient: Number of the patient of each pair, 0 to P - 1, [N].
        choice: As in `choose`.

    Returns:
        Corrected readings, mg/cm³, [N].
    """
    origin = float(np.mean(reading))
    groups = _by_patient(reading - origin, reference - origin, patient)
    corrected = np.empty(len(reading))
    for one in range(len(groups)):
        found = _choose(np.delete(groups, one, axis=0), choice)
        own = patient == one
        corrected[own] = found.slope * (reading[own] - origin) + found.intercept + origin
    return corrected


def agreement(differences: np.ndarray, patient: np.ndarray) -> Agreement:
    """Bias and limits of agreement of patients' mean differences (Bland and Altman 1999).

    Args:
        differences: Reading minus reference of each pair, mg/cm³, [N].
        patient: Number of the patient of each pair, 0 to P - 1, [N].
    """
    values = means(differences, patient)
    n, bias, sd = len(values), float(values.mean()), float(values.std(ddof=1))
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, n - 1))
    normal = float(stats.norm.ppf((1 + LEVEL) / 2))
    half = quantile * sd / np.sqrt(n)
    wide = quantile * sd * np.sqrt(1 / n + normal**2 / (2 * (n - 1)))
    ends = [bias - normal * sd, bias + normal * sd]
    low, high = (Estimate(end, Interval(end - wide, end + wide)) for end in ends)
    rms = float(np.sqrt(np.mean(values**2)))
    return Agreement(n, Estimate(bias, Interval(bias - half, bias + half)), sd, low, high, rms)


def means(values: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Mean of each patient's values, [P].

    >>> means(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1])).tolist()
    [2.0, 5.0]
    """
    return np.bincount(patient, values) / np.bincount(patient)


def _choose(groups: np.ndarray, choice: Choice) -> Chosen:
    """Choose from patients' moments, [P, 6], readings and references about the same origin."""
    total = groups.sum(axis=0)
    (slope,), (intercept,) = _lines(total[None], ERROR_RATIO)
    without = total - groups
    slopes, intercepts = _lines(without, ERROR_RATIO)
    centre = total[1] / total[0]
    fitted = _jackknife(slope, slopes)
    error = _jackknife_error(slopes)
    excludes = not fitted.low <= 1.0 <= fitted.high
    narrow = (fitted.high - fitted.low) / 2 <= MOST_SLOPE_ERROR
    rule: Literal["line", "offset"] = "line" if excludes and narrow else "offset"
    if choice != "auto":
        rule, why = choice, f"{choice}, as asked for"
    elif rule == "line":
        why = "line: the slope's 95 % interval excludes 1"
    elif excludes:
        why = f"offset: the slope's 95 % interval is wider than ±{MOST_SLOPE_ERROR:g}"
    else:
        why = "offset: the slope's 95 % interval holds 1"
    if rule == "offset":
        slope_used = 1.0
        intercept = (total[2] - total[1]) / total[0]
        shifts = (without[:, 2] - without[:, 1]) / without[:, 0]
    else:
        slope_used = float(slope)
        shifts = (slopes - 1.0) * centre + intercepts
    shift = (slope_used - 1.0) * centre + intercept
    return Chosen(
        rule,
        slope_used,
        float(intercept),
        float(slope),
        fitted,
        error,
        float(centre),
        _jackknife(shift, shifts),
        why,
    )


def _moved(found: Chosen, origin: float) -> Chosen:
    """The same correction for readings and references from 0 on."""
    values = dict(vars(found))
    values["intercept"] = found.intercept + origin * (1.0 - found.slope)
    values["centre"] = found.centre + origin
    return Chosen(**values)


def _moments(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y], dtype=float)


def _by_patient(x: np.ndarray, y: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Moments of every patient, [P, 6]."""
    columns = (np.ones_like(x), x, y, x * x, y * y, x * y)
    return np.stack([np.bincount(patient, column) for column in columns], axis=1)


def _lines(moments: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Deming's slope and intercept of sets of moments, [K, 6]; NaN where x and y share nothing."""
    count, x, y, xx, yy, xy = moments.T
    mean_x, mean_y = x / count, y / count
    var_x, var_y = xx / count - mean_x**2, yy / count - mean_y**2
    cov = xy / count - mean_x * mean_y
    excess = var_y - ratio * var_x
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (excess + np.sqrt(excess**2 + 4 * ratio * cov**2)) / (2 * cov)
    return slope, mean_y - slope * mean_x


def _jackknife_error(without: np.ndarray) -> float:
    """Standard error of a number from its values without each patient, [P]."""
    n = len(without)
    return float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))


def _jackknife(value: float, without: np.ndarray) -> Interval:
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(without) - 1)) * _jackknife_error(without)
    return Interval(float(value) - half, float(value) + half)
