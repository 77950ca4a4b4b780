"""Statistics of the studies' tables: pure functions, each number with its 95 % interval.

    from tools import statistics
    statistics.pearson([80, 100, 120, 150], [82, 99, 125, 149]).value

Patients are what is drawn at random: where a patient gives several values (levels, scanners),
say whose each value is, and the intervals are those of resampled patients. What cannot be known
(too few values, all the same, one class only) is None with a reason; NaN is a ValueError.
"""

from tools.statistics.agreement import (
    agree,
    bland_altman,
    errors,
    line,
    pearson,
    r_squared,
    wilcoxon,
)
from tools.statistics.categories import (
    association,
    clustered_kappa,
    confusion,
    kappa,
    kappa_value,
    mcnemar,
    rates,
)
from tools.statistics.discrimination import auc, mean_auc
from tools.statistics.estimate import LEVEL, Estimate, Test
from tools.statistics.paired import paired_test, share_difference
from tools.statistics.proportions import bootstrap_mean, clopper_pearson, proportion, share
from tools.statistics.resampling import RESAMPLES, bootstrap, mean, median

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Estimate",
    "Test",
    "agree",
    "association",
    "auc",
    "bland_altman",
    "bootstrap",
    "bootstrap_mean",
    "clopper_pearson",
    "clustered_kappa",
    "confusion",
    "errors",
    "kappa",
    "kappa_value",
    "line",
    "mcnemar",
    "mean",
    "mean_auc",
    "median",
    "paired_test",
    "pearson",
    "proportion",
    "r_squared",
    "rates",
    "share",
    "share_difference",
    "wilcoxon",
]
