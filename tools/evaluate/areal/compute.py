"""The numbers of areal density: agreement with DXA, and osteoporosis by its T-score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tools import bundles
from tools.evaluate.bothways import both_ways
from tools.evaluate.density import MEAN, PLACES, agreement, sample
from tools.evaluate.matching import Case, Matched
from tools.evaluate.numbers import Numbers
from tools.evaluate.predictions import CNN
from tools.statistics import auc, share

AGREEMENT, OSTEOPOROSIS = "areal_agreement", "areal_osteoporosis"
"""Names of the tables; densities are g/cm²."""

INTERNAL, EXTERNAL = "internal", "external"
"""Scanners that trained, and others, as S4 calls its two sets."""

OTHER_SCANNER = re.compile(r"_\d+$")
"""How a list of a scanner that did not train is called: test_2."""

_scores = bundles.module("bmd_regression", "bmd_bundle.t_score")

REFERENCE = _scores.Reference()
"""Young adults of the T-score."""

LIMIT_T = _scores.OSTEOPOROSIS


def compute(numbers: Numbers, matched: Matched, seed: int) -> None:
    """Compute all tables of areal density.

    Args:
        numbers: Where they are put.
        matched: The cases.
        seed: Seed of all resampling.
    """
    for name, cases in {**matched.groups(), **sets(matched.cases)}.items():
        for place in PLACES:
            pairs, patients = sample(cases, CNN, place)
            numbers.put(AGREEMENT, name, CNN, place, agreement(pairs, patients, seed))
        numbers.put(OSTEOPOROSIS, name, CNN, MEAN, osteoporosis(cases, seed))


def sets(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Cases of S4's two sets, by the names of their lists; empty unless both are there."""
    known = [(case, case.reference.part) for case in cases if case.reference.part is not None]
    found = {
        INTERNAL: [case for case, part in known if not OTHER_SCANNER.search(part)],
        EXTERNAL: [case for case, part in known if OTHER_SCANNER.search(part)],
    }
    return found if all(found.values()) else {}


def true_score(case: Case) -> float | None:
    """T-score of the reference's own mean, all its levels; None with fewer than two."""
    values = [case.reference.density[name] for name in case.true_levels()]
    score: float | None = REFERENCE.of_levels([value for value in values if value is not None])
    return score


def read_score(case: Case) -> float | None:
    """T-score of the mean of what was read; None with fewer than two levels."""
    pairs = [case.level(name, CNN) for name in case.common(CNN)]
    score: float | None = REFERENCE.of_levels([pair.read for pair in pairs if pair is not None])
    return score


def osteoporosis(cases: Sequence[Case], seed: int) -> Mapping[str, Any]:
    """Rate osteoporosis, T-score at most -2.5 by the reference, from what was read.

    Every case whose reference has a T-score counts: of all scans also those that were not read,
    neither found nor cleared. The AUC is of those that were read.

    Returns:
        `measured`, the rates both ways, and `osteoporosis_auc`.
    """
    known = [(case, score) for case in cases if (score := true_score(case)) is not None]
    has = [score <= LIMIT_T for _, score in known]
    said = [read_score(case) for case, _ in known]
    patients = [case.patient for case, _ in known]
    read = [number for number, score in enumerate(said) if score is not None]
    called = [None if score is None else score <= LIMIT_T for score in said]
    rated = both_ways(has, called, patients, seed)
    return {
        "measured": share([score is not None for score in said], patients),
        **{f"osteoporosis_{rate}": number for rate, number in rated.items()},
        "osteoporosis_auc": auc(
            [-score for score in said if score is not None],
            [has[number] for number in read],
            [patients[number] for number in read],
            seed,
        ),
    }
