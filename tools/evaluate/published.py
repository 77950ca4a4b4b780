"""What the studies print, to stand beside: S2, S3, S4 and the HU-linear baseline.

Sources: S2, "A DCNN study of primary osteoporosis on CT"; S3, Peng et al., China Medical Devices
39(2), 2024; S4, Yasaka et al., Eur Radiol 30, 3549-3557, 2020. S2's rates of osteoporosis are
recomputed here from its confusion matrices and Table 1, by the functions that `evaluate` uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from tools.evaluate.bothways import both_ways
from tools.evaluate.numbers import Numbers
from tools.statistics import Estimate, association, kappa

TABLE = "published"

S2_SETS = (1, 2, 3)
"""S2's test sets: the training scanner, and two other vendors'."""

CATEGORIES = ("osteoporosis", "osteopenia", "normal")
"""Order of rows and columns of every confusion matrix."""

S2_CONFUSION: Mapping[int, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {
        1: ((77, 5, 1), (7, 97, 14), (0, 9, 188)),
        2: ((26, 0, 0), (6, 51, 6), (0, 5, 69)),
        3: ((18, 7, 0), (0, 25, 4), (0, 1, 76)),
    }
)
"""S2's confusion matrices, rows true."""

S2_SCANS = MappingProxyType({1: (89, 124, 250), 2: (31, 77, 92), 3: (39, 56, 105)})
"""Scans of each category in S2's Table 1, measured or not."""

S2_R = MappingProxyType({1: 0.992, 2: 0.986, 3: 0.980})
"""Pearson's r of the patient's mean."""

S2_LIMITS = MappingProxyType({1: (-11.84, 13.64), 2: (-16.8, 12.6), 3: (-8.3, 29.3)})
"""Limits of agreement of the patient's mean, mg/cm³; their middle is the bias."""

S2_R2: Mapping[int, Mapping[str, float]] = MappingProxyType(
    {
        1: {"L1": 0.948, "L2": 0.958, "L3": 0.949, "L4": 0.962},
        2: {"L2": 0.946, "L3": 0.946, "L4": 0.963},
        3: {"L1": 0.780, "L2": 0.877, "L3": 0.828, "L4": 0.886},
    }
)
"""r² per level; L1 of set 2 is not printed."""

S2_DSC: Mapping[int, Mapping[str, float]] = MappingProxyType(
    {
        1: {"L1": 0.823, "L2": 0.825, "L3": 0.862, "L4": 0.899},
        2: {"L1": 0.786, "L2": 0.793, "L3": 0.813, "L4": 0.883},
        3: {"L1": 0.789, "L2": 0.786, "L3": 0.801, "L4": 0.782},
    }
)
"""Mean DSC per level."""

S2_VALID = MappingProxyType({1: (398, 463), 2: (163, 200), 3: (131, 200)})
"""Scans with all four DSC above 0.5, of all."""

S2_ABOVE_090 = MappingProxyType({1: (0.69, 0.58), 2: (0.635, 0.50), 3: (0.44, 0.30)})
"""Shares of scans with at least three, and with all four DSC above 0.90."""

S3_ERRORS = MappingProxyType({"test": (8.52, 10.80), "independent": (13.89, 20.36)})
"""S3's MAE and RMSE, mg/cm³: other patients, and 42 cases of other scanners."""

S4 = MappingProxyType({"internal": (0.852, 0.965), "external": (0.840, 0.970)})
"""S4's r against DXA and AUC for osteoporosis, 45 and 50 cases."""

HU_LINEAR_R = (0.956, 0.968)
"""r of HU-linear against QCT in the literature, lowest and highest."""

HU_LINEAR_AUC = 0.982
"""AUC of the HU of L1 for osteoporosis in the literature."""


def set_name(number: int) -> str:
    """Name a test set of S2.

    >>> set_name(1)
    'S2 set 1'
    """
    return f"S2 set {number}"


def put(numbers: Numbers) -> None:
    """Put the studies' density numbers among an evaluation's."""
    for number in S2_SETS:
        name = set_name(number)
        low, high = S2_LIMITS[number]
        numbers.put(
            TABLE, name, "S2", "mean",
            {
                "r": Estimate(S2_R[number]),
                "bias": Estimate((low + high) / 2),
                "limit_low": Estimate(low),
                "limit_high": Estimate(high),
            },
        )  # fmt: skip
        for level, value in S2_R2[number].items():
            numbers.put(TABLE, name, "S2", level, {"r2": Estimate(value)})
        numbers.put(TABLE, name, "S2", "mean", s2_categories(number))
    for name, (mae, rmse) in S3_ERRORS.items():
        found = {"mae": Estimate(mae), "rmse": Estimate(rmse)}
        numbers.put(TABLE, f"S3 {name}", "S3", "mean", found)
    put_areal(numbers)
    low, high = HU_LINEAR_R
    others = {"r": Estimate(None, low, high), "osteoporosis_auc": Estimate(HU_LINEAR_AUC)}
    numbers.put(TABLE, "literature", "hu_linear", "mean", others)


def put_areal(numbers: Numbers) -> None:
    """Put S4's numbers among an evaluation's."""
    for name, (r, area) in S4.items():
        found = {"r": Estimate(r), "osteoporosis_auc": Estimate(area)}
        numbers.put(TABLE, f"S4 {name}", "S4", "mean", found)


def put_segmentation(numbers: Numbers) -> None:
    """Put S2's segmentation numbers among an evaluation's."""
    for number in S2_SETS:
        name = set_name(number)
        for level, value in S2_DSC[number].items():
            numbers.put(TABLE, name, "S2", level, {"dsc": Estimate(value)})
        count, of = S2_VALID[number]
        three, four = S2_ABOVE_090[number]
        numbers.put(
            TABLE, name, "S2", "scan",
            {
                "valid": Estimate(count / of, n=of),
                "three_above_090": Estimate(three, n=of),
                "four_above_090": Estimate(four, n=of),
            },
        )  # fmt: skip


def s2_categories(number: int) -> dict[str, Any]:
    """Recompute kappa, chi-squared and the rates of osteoporosis of a test set of S2."""
    counts = np.array(S2_CONFUSION[number])
    cells = [(i, j) for i, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]
    true: list[int] = [i for i, _ in cells]
    said: list[int | None] = [j for _, j in cells]
    for place, scans in enumerate(S2_SCANS[number]):
        lost = scans - int(counts[place].sum())
        true += [place] * lost
        said += [None] * lost
    found: dict[str, Any] = {"kappa": kappa(counts), "chi2": association(counts)}
    called = [None if place is None else place == 0 for place in said]
    rated = both_ways([place == 0 for place in true], called)
    found |= {f"osteoporosis_{name}": rate for name, rate in rated.items()}
    return found
