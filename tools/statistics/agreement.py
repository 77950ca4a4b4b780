"""How well measured values agree with a reference: correlation, line, bias, limits, errors.

agree([80, 100, 120, 150], [82, 99, 125, 149])["bias"].value

Differences are measured minus reference throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import ndtri

from tools.statistics.estimate import FEWEST, TAIL, Estimate, Test, nothing, owners, pairs, repeated
from tools.statistics.resampling import bootstrap

Values = Sequence[float] | np.ndarray
Patients = Sequence[Any] | np.ndarray | None

FISHER_FEWEST = 4
"""Pairs from which Fisher's z has a standard error."""

LIMITS_Z = float(ndtri(1 - TAIL))
"""Standard deviations from the bias to the limits of agreement: 1.96 (Bland and Altman 1986)."""

ON_A_LINE = 1e-12
"""A correlation this near to 1 is that of points on a line."""

FEW = "fewer than three pairs"
CONSTANT_REFERENCE = "the reference does not vary"
CONSTANT_MEASURED = "the measured values do not vary"

FISHER = "Fisher's z"
STUDENT = "Student's t"
LIMITS = "Student's t, standard error of a limit (Bland and Altman 1999)"


def agree(
    reference: Values, measured: Values, patients: Patients = None, seed: int = 0
) -> dict[str, Estimate]:
    """Compute every measure of agreement.

    Args:
        reference: Values taken as true, [n].
        measured: Values under test, in the same order and unit.
        patients: Whose each pair is; None if each is another patient's.
        seed: Seed of the resampling.

    Returns:
        `r2`, `r`, `slope`, `intercept`, `bias`, `sd`, `limit_low`, `limit_high`, `mae`, `rmse`.

    Raises:
        ValueError: Lengths differ, or a value is not finite.
    """
    return {
        "r2": r_squared(reference, measured, patients, seed),
        "r": pearson(reference, measured, patients, seed),
        **line(reference, measured, patients, seed),
        **bland_altman(reference, measured, patients, seed),
        **errors(reference, measured, patients, seed),
    }


def pearson(
    reference: Values, measured: Values, patients: Patients = None, seed: int = 0
) -> Estimate:
    """Correlate by Pearson; the interval is Fisher's (Metron 1, 1921).

    >>> round(pearson([1, 2, 3, 4], [1, 3, 2, 4]).value, 3)
    0.8
    """
    x, y = pairs(reference, measured)
    codes = owners(patients, len(x))
    if (reason := _no_line(x) or _constant(y)) is not None:
        return nothing(reason, len(x))
    value = float(np.clip(stats.pearsonr(x, y).statistic, -1.0, 1.0))
    if repeated(codes):
        return bootstrap(_weighted(x, y, _correlation), codes, seed)
    found = Estimate(value, n=len(x))
    if 1 - abs(value) < ON_A_LINE:
        return found.without_interval("all points lie on a line")
    if len(x) < FISHER_FEWEST:
        return found.without_interval("fewer than four pairs")
    low, high = stats.pearsonr(x, y).confidence_interval(1 - 2 * TAIL)
    return Estimate(value, float(low), float(high), len(x), FISHER)


def r_squared(
    reference: Values, measured: Values, patients: Patients = None, seed: int = 0
) -> Estimate:
    """Square Pearson's r: the share of variance that a line explains, whatever its bias.

    The interval holds the squares of all correlations in that of r.

    >>> round(r_squared([1, 2, 3, 4], [4, 2, 3, 1]).value, 2)
    0.64
    """
    found = pearson(reference, measured, patients, seed)
    if found.value is None:
        return found
    value = found.value**2
    if found.low is None or found.high is None:
        return Estimate(value, n=found.n, reason=found.reason)
    ends = sorted((found.low**2, found.high**2))
    low = 0.0 if found.low <= 0 <= found.high else ends[0]
    return Estimate(value, low, ends[1], found.n, f"{found.method}, squared")


def line(
    reference: Values, measured: Values, patients: Patients = None, seed: int = 0
) -> dict[str, Estimate]:
    """Fit measured = slope * reference + intercept by least squares.

    Returns:
        `slope` and `intercept`, intervals by Student's t.

    >>> round(line([1, 2, 3, 4], [3, 5, 7, 9.1])["slope"].value, 2)
    2.03
    """
    x, y = pairs(reference, measured)
    codes = owners(patients, len(x))
    if (reason := _no_line(x)) is not None:
        return dict.fromkeys(("slope", "intercept"), nothing(reason, len(x)))
    if repeated(codes):
        return {
            "slope": bootstrap(_weighted(x, y, _slope), codes, seed),
            "intercept": bootstrap(_weighted(x, y, _intercept), codes, seed),
        }
    fit = stats.linregress(x, y)
    reach = float(stats.t.ppf(1 - TAIL, len(x) - 2))
    return {
        "slope": _about(fit.slope, reach * fit.stderr, len(x), STUDENT),
        "intercept": _about(fit.intercept, reach * fit.intercept_stderr, len(x), STUDENT),
    }


def bland_altman(
    reference: Values, measured: Values, patients: Patients = None, seed: int = 0
) -> dict[str, Estimate]:
    """Describe the differences as Bland and Altman do (Lancet 1986; Stat Methods Med Res 8, 1999).

    Returns:
        `bias`, the mean difference; `sd` of the differences; `limit_low` and `limit_high`, bias
        -/+ 1.96 sd. The standard error of a limit is sd * sqrt(1/n + 1.96² / (2 (n - 1))), that of
        `sd` is by chi-squared.

    >>> found = bland_altman([0, 0, 0, 0], [1, 2, 3, 6])
    >>> found["bias"].value, round(found["limit_high"].value, 2)
    (3.0, 7.23)
    """
    x, y = pairs(reference, measured)
    codes = owners(patients, len(x))
    names = ("bias", "sd", "limit_low", "limit_high")
    n, apart = len(x), y - x
    if n < FEWEST:
        return dict.fromkeys(names, nothing(FEW, n))
    if repeated(codes):
        by_name = {
            "bias": lambda m: m["d"],
            "sd": _sd,
            "limit_low": lambda m: m["d"] - LIMITS_Z * _sd(m),
            "limit_high": lambda m: m["d"] + LIMITS_Z * _sd(m),
        }
        return {
            name: bootstrap(_weighted(x, y, part), codes, seed) for name, part in by_name.items()
        }
    bias, sd = float(apart.mean()), float(apart.std(ddof=1))
    reach = float(stats.t.ppf(1 - TAIL, n - 1)) * sd
    near, far = reach / math.sqrt(n), reach * math.sqrt(1 / n + LIMITS_Z**2 / (2 * (n - 1)))
    low, high = (
        sd * math.sqrt((n - 1) / float(stats.chi2.ppf(share, n - 1))) for share in (1 - TAIL, TAIL)
    )
    return {
        "bias": _about(bias, near, n, STUDENT),
        "sd": _with_ends(sd, low, high, n, "chi-squared"),
        "limit_low": _about(bias - LIMITS_Z * sd, far, n, LIMITS),
        "limit_high": _about(bias + LIMITS_Z * sd, far, n, LIMITS),
    }


def errors(
    reference: Values, measured: Values, patients: Patients = None, seed: int = 0
) -> dict[str, Estimate]:
    """Average the errors: `mae`, mean absolute error, and `rmse`, root of the mean square.

    >>> found = errors([0, 0, 0], [3, -4, 0])
    >>> round(found["mae"].value, 3), round(found["rmse"].value, 3)
    (2.333, 2.887)
    """
    x, y = pairs(reference, measured)
    codes, apart = owners(patients, len(x)), np.abs(y - x)
    return {
        "mae": bootstrap(lambda w: w @ apart / w.sum(1), codes, seed),
        "rmse": bootstrap(lambda w: np.sqrt(w @ apart**2 / w.sum(1)), codes, seed),
    }


def wilcoxon(reference: Values, measured: Values, patients: Patients = None) -> Test:
    """Test whether differences lie about zero (Wilcoxon signed rank, two-sided).

    Where a patient gives several pairs, the means of their differences are tested.

    >>> wilcoxon([1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 10, 12]).p
    0.03125
    """
    x, y = pairs(reference, measured)
    codes = owners(patients, len(x))
    method = "Wilcoxon signed rank"
    apart = y - x
    if repeated(codes):
        apart = np.bincount(codes, apart) / np.bincount(codes)
        method += " on patients' mean differences"
    if len(apart) < FEWEST:
        return Test(None, None, len(apart), method, FEW)
    if not apart.any():
        return Test(None, None, len(apart), method, "no difference anywhere")
    found = stats.wilcoxon(apart)
    return Test(float(found.statistic), float(found.pvalue), len(apart), method)


def _no_line(x: np.ndarray) -> str | None:
    """Why no line can be laid through points over these references."""
    if len(x) < FEWEST:
        return FEW
    return CONSTANT_REFERENCE if np.ptp(x) <= ON_A_LINE * max(1.0, np.abs(x).max()) else None


def _constant(y: np.ndarray) -> str | None:
    return CONSTANT_MEASURED if np.ptp(y) <= ON_A_LINE * max(1.0, np.abs(y).max()) else None


def _about(value: float, reach: float, n: int, method: str) -> Estimate:
    """An interval to both sides of its value."""
    return _with_ends(float(value), float(value - reach), float(value + reach), n, method)


def _with_ends(value: float, low: float, high: float, n: int, method: str) -> Estimate:
    if low == high or not math.isfinite(high - low):  # SciPy's NaN where all points lie on a line
        return Estimate(value, n=n, reason="no spread to estimate an interval from")
    return Estimate(value, low, high, n, method)


def _weighted(
    x: np.ndarray, y: np.ndarray, part: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """A statistic of weighted moments about the values' own means, where sums stay exact."""
    x0, y0 = float(x.mean()), float(y.mean())
    u, v = x - x0, y - y0
    columns = np.stack([u, v, u * u, u * v, v * v], axis=1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(1)
        mu, mv, uu, uv, vv = (weights @ columns / total[:, None]).T
        return part({
            "n": total, "x": mu + x0, "y": mv + y0, "d": mv + y0 - mu - x0,
            "xx": uu - mu**2, "xy": uv - mu * mv, "yy": vv - mv**2,
        })  # fmt: skip

    return statistic


def _correlation(m: dict[str, np.ndarray]) -> np.ndarray:
    return m["xy"] / np.sqrt(m["xx"] * m["yy"])


def _slope(m: dict[str, np.ndarray]) -> np.ndarray:
    return m["xy"] / m["xx"]


def _intercept(m: dict[str, np.ndarray]) -> np.ndarray:
    return m["y"] - _slope(m) * m["x"]


def _sd(m: dict[str, np.ndarray]) -> np.ndarray:
    variance = (m["xx"] + m["yy"] - 2 * m["xy"]) * m["n"] / (m["n"] - 1)
    return np.sqrt(np.maximum(variance, 0.0))
