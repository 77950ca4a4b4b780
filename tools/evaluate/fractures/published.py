"""What S1 prints of fractures, recomputed from its counts with each metric's own denominator.

S1: Mao X., Computer Science and Application 15(10) 240-250, 2025, doi 10.12677/csa.2025.1510264;
cohort and numbers appear to be those of Tomita N. et al., Comput Biol Med 98, 2018, doi
10.1016/j.compbiomed.2018.05.011. S1's printed intervals are exact ones of the rounded number of
hits in 129, the number of all scans, whatever the metric; those here are of the cases that the
metric is about, and F1, which is no proportion, is bootstrapped.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.published import TABLE
from tools.statistics import Estimate, association, rates

S1 = "S1"

REPORT = "radiology report"
LSTM = "CNN + LSTM"

COUNTS = MappingProxyType(
    {
        REPORT: (66, 15, 48, 0),
        "CNN + max": (71, 10, 34, 14),
        "CNN + mean": (68, 13, 45, 3),
        "CNN + vote": (68, 13, 46, 2),
        LSTM: (69, 12, 46, 2),
    }
)
"""Row of S1's Table 1 -> true positives, false negatives, true negatives, false positives."""

LITERATURE_AUC = (0.955, 0.97)
"""AUC per patient: Chettrit 2020, Zakharov 2022, CINA-VCF."""


def put(numbers: Numbers) -> None:
    """Put S1's Table 1 and the literature's areas among an evaluation's numbers."""
    for who in COUNTS:
        numbers.put(TABLE, S1, who, "", rated(who))
    numbers.put(TABLE, "literature", "", "", {"auc": Estimate(None, *LITERATURE_AUC)})


def rated(who: str) -> dict[str, Number]:
    """Recompute a row of S1's Table 1.

    Returns:
        The rates of `tools.statistics.rates`; of a network also `chi2`, of its right and wrong
        answers against the reports'.

    >>> found = rated("CNN + LSTM")["sensitivity"]
    >>> [round(100 * x, 1) for x in (found.value, found.low, found.high)]
    [85.2, 75.6, 92.1]
    """
    tp, fn, tn, fp = COUNTS[who]
    true = [True] * (tp + fn) + [False] * (tn + fp)
    said = [True] * tp + [False] * (fn + tn) + [True] * fp
    found: dict[str, Any] = {**rates(true, said)}
    if who != REPORT:
        rows = [(own[0] + own[2], own[1] + own[3]) for own in (COUNTS[who], COUNTS[REPORT])]
        found["chi2"] = association(np.array(rows))
    return found
