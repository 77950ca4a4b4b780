"""The tables of density: agreement, intervals, categories, the two methods, the fat error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tools.evaluate.bothways import both_ways
from tools.evaluate.matching import Case, Matched, Pair
from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.predictions import CNN, HU_LINEAR
from tools.evaluate.published import CATEGORIES
from tools.levels import MEASURED_LEVELS
from tools.statistics import (
    agree,
    association,
    auc,
    clustered_kappa,
    confusion,
    mean,
    median,
    share,
    wilcoxon,
)

AGREEMENT, INTERVALS, CATEGORY, PAIRED, FAT = (
    "agreement", "intervals", "categories", "paired", "fat_error",
)  # fmt: skip
"""Names of the tables."""

LEVELS, MEAN = "levels", "mean"
"""All levels together, and the patient's mean."""

PLACES = (*MEASURED_LEVELS, LEVELS, MEAN)

CRITICAL_MG_CM3 = (60.0, 100.0)
"""QCT densities about the lower limit, mg/cm³ HA, where an interval matters most."""

IDEAL = "qct"
"""The ideal QCT itself, as a method in the table of the fat error."""

REDUCED = "reduced"
"""Osteoporosis or osteopenia: what S3 screens for."""

Sample = tuple[list[Pair], list[str]]
"""Pairs and whose they are."""


def compute(
    numbers: Numbers, matched: Matched, methods: Sequence[str], seed: int
) -> dict[str, dict[str, list[list[int]]]]:
    """Compute all tables of density.

    Args:
        numbers: Where they are put.
        matched: The cases.
        methods: Methods to evaluate.
        seed: Seed of all resampling.

    Returns:
        Confusion matrices, scanner -> method -> rows true, categories as `CATEGORIES`.
    """
    matrices: dict[str, dict[str, list[list[int]]]] = {}
    for scanner, cases in matched.groups().items():
        for method in methods:
            for place in PLACES:
                pairs, patients = sample(cases, method, place)
                numbers.put(AGREEMENT, scanner, method, place, agreement(pairs, patients, seed))
                numbers.put(INTERVALS, scanner, method, place, intervals(pairs, patients, seed))
            counts, found = categories(cases, method, seed)
            numbers.put(CATEGORY, scanner, method, MEAN, found)
            matrices.setdefault(scanner, {})[method] = counts
        if {CNN, HU_LINEAR} <= set(methods):
            for place in PLACES:
                numbers.put(PAIRED, scanner, "", place, paired(cases, place, seed))
        if any(case.reference.mass is not None for case in cases):
            for method in (*methods, IDEAL):
                for place in PLACES:
                    pairs, patients = sample(cases, method, place, mass=True)
                    numbers.put(FAT, scanner, method, place, agreement(pairs, patients, seed))
    return matrices


def sample(cases: Sequence[Case], method: str, place: str, mass: bool = False) -> Sample:
    """Collect pairs of a level, of all levels, or of the patients' means.

    Args:
        cases: From where.
        method: The method that read; `IDEAL` for the reference itself, against the mass.
        place: One of `PLACES`.
        mass: Hold readings against the mineral's mass.
    """
    take = _ideal if method == IDEAL else _measured(method, mass)
    pairs, patients = [], []
    for case in cases:
        for pair in take(case, place):
            pairs.append(pair)
            patients.append(case.patient)
    return pairs, patients


def _measured(method: str, mass: bool) -> Callable[[Case, str], Iterator[Pair]]:
    def take(case: Case, place: str) -> Iterator[Pair]:
        names = MEASURED_LEVELS if place == LEVELS else (place,)
        found = (
            [case.mean(method, mass)]
            if place == MEAN
            else [case.level(name, method, mass) for name in names]
        )
        yield from (pair for pair in found if pair is not None)

    return take


def _ideal(case: Case, place: str) -> Iterator[Pair]:
    """What QCT itself reads of the mineral, whether or not the level was measured."""
    mass, density = case.reference.mass or {}, case.reference.density
    pairs = [
        (name, Pair(true, read))
        for name in MEASURED_LEVELS
        if (true := mass.get(name)) is not None and (read := density.get(name)) is not None
    ]
    if place == MEAN:
        counted = [pair for name, pair in pairs if name not in case.reference.fractured]
        if counted:
            yield Pair(
                sum(pair.true for pair in counted) / len(counted),
                sum(pair.read for pair in counted) / len(counted),
            )
        return
    yield from (pair for name, pair in pairs if place in (LEVELS, name))


def agreement(pairs: Sequence[Pair], patients: Sequence[str], seed: int) -> dict[str, Number]:
    """Every measure of agreement, with the test whether there is a bias."""
    true, read = [pair.true for pair in pairs], [pair.read for pair in pairs]
    return {
        **agree(true, read, patients, seed),
        "wilcoxon_p": wilcoxon(true, read, patients),
    }


def intervals(pairs: Sequence[Pair], patients: Sequence[str], seed: int) -> dict[str, Number]:
    """How often 95 % intervals hold the truth, and how wide they are.

    Returns:
        `coverage`; `coverage_60_100`, of the truths in that range; `median_width`, mg/cm³.
    """
    held, inner, widths, owners, inner_owners = [], [], [], [], []
    for pair, patient in zip(pairs, patients, strict=True):
        if pair.interval is None:
            continue
        low, high = pair.interval
        held.append(low <= pair.true <= high)
        widths.append(high - low)
        owners.append(patient)
        if CRITICAL_MG_CM3[0] <= pair.true <= CRITICAL_MG_CM3[1]:
            inner.append(held[-1])
            inner_owners.append(patient)
    return {
        "coverage": share(held, owners),
        "coverage_60_100": share(inner, inner_owners),
        "median_width": median(widths, owners, seed),
    }


def paired(cases: Sequence[Case], place: str, seed: int) -> dict[str, Number]:
    """Compare the methods where both read: mean of |CNN's error| - |HU-linear's error|, mg/cm³."""
    differences, patients = [], []
    for case in cases:
        for one, other in _both(case, place):
            differences.append(abs(one.read - one.true) - abs(other.read - other.true))
            patients.append(case.patient)
    return {
        "absolute_error_difference": mean(differences, patients, seed),
        "wilcoxon_p": wilcoxon(np.zeros(len(differences)), differences, patients),
    }


def _both(case: Case, place: str) -> Iterator[tuple[Pair, Pair]]:
    """Pairs of both methods; the mean is over the levels that both read."""
    if place == MEAN:
        shared = [name for name in case.common(CNN) if name in case.common(HU_LINEAR)]
        found = [[case.level(name, method) for name in shared] for method in (CNN, HU_LINEAR)]
        one, other = ([pair for pair in own if pair is not None] for own in found)
        if one and other:
            yield _mean_of(one), _mean_of(other)
        return
    for name in MEASURED_LEVELS if place == LEVELS else (place,):
        first, second = case.level(name, CNN), case.level(name, HU_LINEAR)
        if first is not None and second is not None:
            yield first, second


def _mean_of(pairs: Sequence[Pair]) -> Pair:
    return Pair(
        sum(pair.true for pair in pairs) / len(pairs),
        sum(pair.read for pair in pairs) / len(pairs),
    )


def categories(
    cases: Sequence[Case], method: str, seed: int
) -> tuple[list[list[int]], dict[str, Any]]:
    """Compare the categories of the patients' means.

    Every case whose reference has a category counts: of the measured those whose reading has one
    too, of all scans the others as well, neither found nor cleared.

    Returns:
        The confusion matrix of the measured, rows true; and `kappa`, `chi2`, and per finding
        (osteoporosis; reduced) the rates and `auc`.
    """
    known = [(case, own) for case in cases if (own := case.true_category()) is not None]
    true = [name for _, name in known]
    said = [case.read_category(method) for case, _ in known]
    patients = [case.patient for case, _ in known]
    measured = [i for i, name in enumerate(said) if name is not None]
    one, other = [true[i] for i in measured], [str(said[i]) for i in measured]
    owners = [patients[i] for i in measured]
    counts = confusion(one, other, CATEGORIES)
    found: dict[str, Any] = {
        "measured": share([name is not None for name in said], patients),
        "kappa": clustered_kappa(one, other, CATEGORIES, owners, seed),
        "chi2": association(counts),
    }
    scores = [-pair.read for i in measured if (pair := known[i][0].mean(method)) is not None]
    for finding, names in (("osteoporosis", CATEGORIES[:1]), (REDUCED, CATEGORIES[:2])):
        has = [name in names for name in true]
        called = [None if name is None else name in names for name in said]
        rated = both_ways(has, called, patients, seed)
        found |= {f"{finding}_{rate}": number for rate, number in rated.items()}
        found[f"{finding}_auc"] = auc(scores, [has[i] for i in measured], owners, seed)
    return counts.tolist(), found
