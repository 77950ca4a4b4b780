"""What S3 prints: Peng T. et al., China Medical Devices 39(2), 2024.

199 opportunistic CT in five folds, 42 of other scanners. Of the five rates it says only that all
are at least 0.91 of the test cases, and above 0.862 of the others.
"""

from __future__ import annotations

from types import MappingProxyType

from tools.evaluate.numbers import Numbers
from tools.evaluate.published import S3_ERRORS, TABLE
from tools.evaluate.screening.reading import INDEPENDENT, TEST, TRAIN
from tools.statistics import Estimate

S3 = "S3"

AUC = MappingProxyType({TEST: 0.974, INDEPENDENT: 0.938})
"""Mean area under the ROC curve."""

LEAST_RATE = MappingProxyType({TEST: 0.91, INDEPENDENT: 0.862})
"""What F1, recall, precision, specificity and accuracy reach at the least."""

ERRORS = MappingProxyType({TRAIN: (1.42, 1.93), **S3_ERRORS})
"""MAE and RMSE of the regressor, mg/cm³."""

RATES = ("f1", "sensitivity", "precision", "specificity", "accuracy")

INDEPENDENT_CASES = 42


def put(numbers: Numbers) -> None:
    """Put S3's numbers among an evaluation's."""
    for part, (mae, rmse) in ERRORS.items():
        found = {"mae": Estimate(mae), "rmse": Estimate(rmse)}
        n = INDEPENDENT_CASES if part == INDEPENDENT else 0
        if part in AUC:
            found["auc"] = Estimate(AUC[part], n=n)
            found |= {rate: Estimate(None, LEAST_RATE[part], 1.0, n) for rate in RATES}
        numbers.put(TABLE, f"{S3} {part}", S3, "", found)
