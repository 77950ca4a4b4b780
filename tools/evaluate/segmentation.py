"""The tables of segmentation: DSC, PPV and sensitivity per level, and S2's valid scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools import bundles
from tools.evaluate.matching import Case, Matched
from tools.evaluate.numbers import Numbers
from tools.evaluate.predictions import MEASURED, SCORES
from tools.levels import MEASURED_LEVELS
from tools.statistics import mean, share

TABLE, SCANS = "segmentation", "scan"

LEVELS = "levels"

VALID_DSC: float = bundles.module("lumbar_segmentation", "lumbar_bundle.metrics").VALID_DSC
"""S2: a scan is valid when all four DSC exceed this."""

GOOD_DSC = 0.90
"""S2 counts scans with three and with four DSC above this."""

NEVER_WRITTEN = 0.0
"""DSC and sensitivity of a level that was not written (S2's failures stay in the mean)."""

Scores = dict[str, Any]


def compute(numbers: Numbers, matched: Matched, seed: int) -> None:
    """Compute the tables of segmentation.

    Args:
        numbers: Where they are put.
        matched: The cases.
        seed: Seed of all resampling.
    """
    for scanner, cases in matched.groups().items():
        for place in (*MEASURED_LEVELS, LEVELS):
            names = MEASURED_LEVELS if place == LEVELS else (place,)
            numbers.put(TABLE, scanner, "", place, _level(cases, names, seed))
        numbers.put(TABLE, scanner, "", SCANS, _scans(cases))


def scores(case: Case, name: str) -> Scores | None:
    """Return a level's scores.

    A case without a prediction, or whose reference could not be read, counts as showing the level
    unless the reference says otherwise: what failed stays in the denominator.

    Returns:
        DSC, PPV, sensitivity, surface distance, `measured`, `named_right`; None if the reference
        does not show the level whole.
    """
    level = case.predicted.levels[name] if case.predicted is not None else None
    said = level.scores if level is not None else {}
    present = said.get("present")
    if present is None:
        present = (case.reference.whole or {}).get(name)
    if present is False:
        return None
    found = {score: said.get(score) for score in SCORES}
    for score in ("dsc", "sensitivity"):
        if found[score] is None:
            found[score] = NEVER_WRITTEN
    measured = level is not None and level.status == MEASURED
    return found | {"measured": measured, "named_right": said.get("named_right")}


def _level(cases: Sequence[Case], names: Sequence[str], seed: int) -> dict[str, Any]:
    """Means over the levels shown, and shares; what was not written has no PPV and no distance."""
    shown = [
        (case.patient, found)
        for case in cases
        for name in names
        if (found := scores(case, name)) is not None
    ]
    numbers: dict[str, Any] = {}
    for score in SCORES:
        known = [(patient, own[score]) for patient, own in shown if own[score] is not None]
        numbers[score] = mean([value for _, value in known], [who for who, _ in known], seed)
    numbers["measured"] = share([own["measured"] for _, own in shown], [who for who, _ in shown])
    named = [(who, own["named_right"]) for who, own in shown if own["named_right"] is not None]
    numbers["named_right"] = share([right for _, right in named], [who for who, _ in named])
    return numbers


def _scans(cases: Sequence[Case]) -> dict[str, Any]:
    """S2's shares of scans, of those whose reference shows all four levels."""
    four = []
    for case in cases:
        found = [scores(case, name) for name in MEASURED_LEVELS]
        if all(own is not None for own in found):
            four.append((case.patient, [own["dsc"] for own in found if own is not None]))
    owners = [who for who, _ in four]
    return {
        "valid": share([min(dsc) > VALID_DSC for _, dsc in four], owners),
        "three_above_090": share([sum(d > GOOD_DSC for d in dsc) >= 3 for _, dsc in four], owners),
        "four_above_090": share([min(dsc) > GOOD_DSC for _, dsc in four], owners),
    }
