"""The tables of fractures: rates and areas of every method, and each against rule and readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.evaluate.bothways import both_ways
from tools.evaluate.fractures import strata
from tools.evaluate.fractures.panel import Panel, answer
from tools.evaluate.fractures.screened import RULE
from tools.evaluate.fractures.strata import EVERYONE, MAIN, Stratum
from tools.evaluate.matching import Case
from tools.evaluate.numbers import Number, Numbers
from tools.statistics import (
    Estimate,
    association,
    auc,
    confusion,
    paired_test,
    share,
    share_difference,
)

TABLE, AGAINST_RULE, AGAINST_READERS = "fractures", "against_rule", "against_readers"
"""Names of the tables."""

Matrices = dict[str, dict[str, list[list[int]]]]


def compute(numbers: Numbers, panel: Panel, seed: int) -> Matrices:
    """Compute all tables of fractures.

    Args:
        numbers: Where they are put.
        panel: The cases with all answers.
        seed: Seed of all resampling.

    Returns:
        Confusion matrices of the main result's judged cases, scanner -> method -> rows true,
        fracture first.
    """
    matrices: Matrices = {}
    for scanner, cases in panel.matched.groups().items():
        main, groups = strata.main(cases), strata.of(cases)
        for method in panel.methods:
            numbers.put(TABLE, scanner, method, MAIN, rated(main, method, seed))
            if groups:
                numbers.put(TABLE, scanner, method, EVERYONE, rated(cases, method, seed))
            for group in groups:
                numbers.put(
                    TABLE, scanner, method, group.key, of_stratum(group, main, method, seed)
                )
            matrices.setdefault(scanner, {})[method] = counted(main, method)
        for method in panel.networks if panel.rule else ():
            numbers.put(AGAINST_RULE, scanner, method, MAIN, compared(main, method, RULE, seed))
        for method in panel.machines:
            for reader in panel.readers:
                found = compared(main, method, reader, seed)
                numbers.put(AGAINST_READERS, scanner, method, reader, found)
    return matrices


def rated(cases: Sequence[Case], method: str, seed: int) -> dict[str, Number]:
    """Rate a method as S1's Table 1 does, of the judged and of all cases.

    Returns:
        `measured`, the share of cases judged; the rates of `both_ways`; `auc` of the judged.
    """
    called = [_called(case, method) for case in cases]
    owners = [case.patient for case in cases]
    return {
        "measured": share([said is not None for said in called], owners),
        **both_ways([_true(case) for case in cases], called, owners, seed),
        "auc": area(cases, method, seed),
    }


def of_stratum(group: Stratum, main: Sequence[Case], method: str, seed: int) -> dict[str, Number]:
    """Rate a method on a stratum.

    Returns:
        `sensitivity_measured` and `sensitivity_all` where it holds positives, the same of
        `specificity` for negatives; `auc`, where it holds one side only against all cases of the
        other side in the main result.
    """
    found: dict[str, Number] = {}
    for side, positive, rate in (
        (strata.POSITIVES, True, "sensitivity"),
        (strata.NEGATIVES, False, "specificity"),
    ):
        if group.side not in (side, strata.BOTH):
            continue
        own = [case for case in group.cases if _true(case) == positive]
        called = [_called(case, method) for case in own]
        owners = [case.patient for case in own]
        judged = [i for i, said in enumerate(called) if said is not None]
        right = [said == positive for said in called]
        found[f"{rate}_measured"] = share([right[i] for i in judged], [owners[i] for i in judged])
        found[f"{rate}_all"] = share(right, owners)
    others = [
        case
        for case in main
        if group.side != strata.BOTH and _true(case) == (group.side == strata.NEGATIVES)
    ]
    return {**found, "auc": area([*group.cases, *others], method, seed)}


def area(cases: Sequence[Case], method: str, seed: int) -> Number:
    """Area under the ROC curve of the cases that a method judged; a yes or no has none."""
    known = [(case, said) for case in cases if (said := answer(case, method)) is not None]
    scored = [(case, said.score) for case, said in known if said.score is not None]
    if known and not scored:
        return Estimate(None, n=len(known), reason="a yes or no has no curve")
    scores = [score for _, score in scored]
    return auc(scores, [_true(case) for case, _ in scored], [c.patient for c, _ in scored], seed)


def compared(cases: Sequence[Case], one: str, other: str, seed: int) -> dict[str, Number]:
    """Compare two methods on the same cases.

    Of the measured, those that both judged; of all, one that a method did not judge is wrong.

    Returns:
        `accuracy_difference_…` (first minus second) and `mcnemar_…`, each `…_measured` and `…_all`;
        `chi2`, of right and wrong answers of the measured by method, as S1 tests: it takes the two
        for different cases and is blunter than McNemar's test.
    """
    found: dict[str, Number] = {}
    both = [case for case in cases if answer(case, one) and answer(case, other)]
    for name, own in (("measured", both), ("all", cases)):
        first, second = ([_called(c, method) == _true(c) for c in own] for method in (one, other))
        owners = [case.patient for case in own]
        found[f"accuracy_difference_{name}"] = share_difference(first, second, owners, seed)
        found[f"mcnemar_{name}"] = paired_test(first, second, owners)
        if name == "measured":
            hits = np.array([sum(first), sum(second)])
            found["chi2"] = association(np.stack([hits, len(own) - hits], axis=1))
    return found


def counted(cases: Sequence[Case], method: str) -> list[list[int]]:
    """Confusion matrix of the judged cases, rows true, fracture first."""
    judged = [case for case in cases if answer(case, method) is not None]
    said = [bool(_called(case, method)) for case in judged]
    matrix: list[list[int]] = confusion([_true(c) for c in judged], said, (True, False)).tolist()
    return matrix


def _true(case: Case) -> bool:
    return bool(case.reference.label)


def _called(case: Case, method: str) -> bool | None:
    said = answer(case, method)
    return None if said is None else said.positive
