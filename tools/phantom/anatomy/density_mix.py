"""A cohort with given shares of osteoporosis, osteopenia and normal density.

A study's cohort is no sample of the population: S2's training set holds 59 % osteopenia at a mean
age of 52. Drawing a class first and a density inside it would lose what density has to do with age
and sex. So everybody's density is drawn as ever, and then moved along one rising line, the same for
the whole cohort, that brings the wanted share of it below each limit: who was denser stays denser,
the old and women after the menopause stay sparser, and the shares come out.

    mixed = spread(density, population)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, truncnorm

from tools.phantom.anatomy.trabecular import BETWEEN_PERSON_SD, MIN_DENSITY, density_at
from tools.phantom.physics.qct import k2hpo4_to_ha

#: Limits of ACR and ISCD between osteoporosis, osteopenia and normal, mg/cm³ K2HPO4.
LIMITS_K2HPO4 = (80.0, 120.0)
CLASSES = ("osteoporosis", "osteopenia", "normal")
#: Ages at which the population's densities are summed up; 400 change no limit by 0.01 mg/cm³.
AGES = 400
#: Where quantiles of density are looked for, mg/cm³ HA.
SEARCH_MG_CM3 = (-400.0, 600.0)
#: Shares stay so far from 0 and 1: the tails of a normal distribution have no end.
LEAST_SHARE = 1e-3


def spread(density: float, population: Mapping[str, Any]) -> float:
    """Move a density that was drawn by age and sex to where the cohort's shares want it.

    Args:
        density: QCT density as drawn, mg/cm³ HA.
        population: `women`, `age_years` and `density` of a recipe; with `density.mode` age nothing
            moves.

    Returns:
        Density, mg/cm³ HA: linear between the limits, parallel to what was drawn outside them.
    """
    wanted = population["density"]
    if wanted["mode"] == "age":
        return density
    shares = tuple(float(wanted["shares"][name]) for name in CLASSES)
    ages = tuple(float(population["age_years"][key]) for key in ("mean", "sd", "min", "max"))
    low, high = _quantiles(shares, float(population["women"]), ages)
    low_limit, high_limit = (float(k2hpo4_to_ha(limit)) for limit in LIMITS_K2HPO4)
    if density < low:
        return max(MIN_DENSITY, density - low + low_limit)
    if density > high:
        return density - high + high_limit
    return low_limit + (density - low) / (high - low) * (high_limit - low_limit)


@lru_cache(maxsize=64)
def _quantiles(
    shares: tuple[float, ...], women: float, ages: tuple[float, ...]
) -> tuple[float, float]:
    """Densities below which the population's first and first two classes lie, mg/cm³ HA."""
    below = np.cumsum(shares)[:2] / np.sum(shares)
    below = np.clip(below, LEAST_SHARE, 1 - LEAST_SHARE)
    below[1] = min(max(below[1], below[0] + LEAST_SHARE / 2), 1 - LEAST_SHARE / 2)
    mean, sd, youngest, oldest = ages
    steps = (np.arange(AGES) + 0.5) / AGES
    years = (
        truncnorm.ppf(steps, (youngest - mean) / sd, (oldest - mean) / sd, mean, sd)
        if sd > 0
        else np.array([np.clip(mean, youngest, oldest)])
    )
    means = {sex: np.array([density_at(sex, float(age)) for age in years]) for sex in "FM"}

    def share_below(density: float) -> float:
        parts = {
            sex: float(norm.cdf((density - means[sex]) / BETWEEN_PERSON_SD).mean()) for sex in means
        }
        return women * parts["F"] + (1 - women) * parts["M"]

    low, high = (
        float(brentq(lambda d, s=share: share_below(d) - s, *SEARCH_MG_CM3)) for share in below
    )
    return low, high
