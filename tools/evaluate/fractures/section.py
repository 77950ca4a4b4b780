"""The part of an evaluation's page that is about fractures, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools import page
from tools.evaluate.fractures import figures, strata, tables
from tools.evaluate.fractures.panel import Panel
from tools.evaluate.fractures.screened import LIMIT, RULE
from tools.evaluate.matching import ALL
from tools.evaluate.numbers import Numbers

USE = (
    "A call of a fracture is a suspicion that a reader has to confirm; its absence rules nothing "
    "out."
)

METHODS = (
    "Proportions have exact intervals (Clopper and Pearson), each with its own denominator; F1 is "
    "no proportion and is bootstrapped over patients; the AUC has DeLong's interval. Where a "
    "patient gives several scans, intervals are those of resampled patients, and of proportions "
    "those of the effective sample size. Of all scans, one that a method did not judge counts as "
    "wrong, whether fractured or not.",
    "Of a network's slices, max, mean and vote are S1's aggregators without weights: positive "
    "above 0.5, a vote by more than half of the slices. One that says what a row above says, as "
    "the max of a network that pools by max, is left out.",
    f"{RULE.capitalize()} is what a segmentation alone knows: positive if any level of L1 to L4 "
    f"whose heights were measured has lost {100 * LIMIT:.0f} % or more in front, in the middle or "
    "behind; its score is the largest loss.",
    "McNemar's test is exact and looks at the scans on which two methods differ; where a patient "
    "gives several, the patient counts once. The difference in accuracy has Tango's score interval "
    "for paired proportions (1998). χ² is S1's test: it takes the same scans for different ones, "
    "and finds differences less easily.",
    "S1's rows are recomputed from its counts (129 scans, 81 with a fracture). The intervals that "
    "S1 prints are exact ones of 129 for every metric: too narrow for all but accuracy. They are "
    "of patients and stand here for orientation.",
)

STRATA = (
    "A patient with several fractures is filed under the deepest that the scan shows whole. The "
    "main result leaves out fractures drawn near a limit of the grades, and patients whose deepest "
    "fracture is of grade 1, about which readers disagree: both have rows of their own, at the "
    "top. A mimic is no osteoporotic fracture, not even one that breaks a body (a metastasis, "
    "violence). Density is the K2HPO4-equivalent of the true mean of L1 to L4, broken levels left "
    "out."
)


def describe(panel: Panel) -> dict[str, Any]:
    """Say what was compared, as evaluation.json and the page hold it."""
    cases = panel.matched.cases
    return {
        "networks": list(panel.networks),
        "rule": panel.rule,
        "readers": list(panel.readers),
        "files": dict(panel.files),
        "main": {"cases": len(strata.main(cases)), "left_out": strata.left_out(cases)},
        "strata": [
            {"key": one.key, "title": one.title, "name": one.name, "side": one.side,
             "cases": len(one.cases)}
            for one in strata.of(cases)
        ],
    }  # fmt: skip


def parts(
    about: Mapping[str, Any],
    numbers: Numbers,
    matrices: Mapping[str, Mapping[str, list[list[int]]]],
    pictures: Mapping[str, page.Figure],
    scanners: list[str],
) -> Iterator[str]:
    """Yield the sections of the page, HTML."""
    own, methods = about["fractures"], about["methods"]
    machines = [name for name in methods if name not in own["readers"]]
    yield page.heading("S1’s Table 1")
    yield from _outside(own)
    yield from tables.table_1(numbers, scanners, methods, strata.MAIN)
    yield page.gallery(pictures.values())
    if own["rule"] and own["networks"]:
        yield page.heading("Against the height-loss rule")
        yield from tables.against(numbers, scanners, own["networks"], [RULE])
    if own["readers"]:
        yield page.heading("Against readers")
        yield from tables.against(numbers, scanners, machines, own["readers"])
    if own["strata"]:
        yield page.heading("Kinds of fractures, mimics, density")
        yield page.paragraph(STRATA)
        for metric in ("sensitivity", "specificity", "auc"):
            shown = [name for name in methods if metric != "auc" or name in machines]
            yield from tables.groups(numbers, own["strata"], shown, metric)
        yield page.heading("All cases")
        yield from tables.table_1(numbers, [ALL], methods, strata.EVERYONE)
    yield page.heading("Confusion matrices")
    yield tables.confusions(matrices, scanners, methods)


def _outside(own: Mapping[str, Any]) -> Iterator[str]:
    """Say what the rows are of."""
    main = own["main"]
    if main["left_out"]:
        said = "; ".join(f"{reason}: {count}" for reason, count in main["left_out"].items())
        yield page.paragraph(f"Main result: {main['cases']} scans. Outside it, with rows of their "
                             f"own: {said}.")  # fmt: skip
    names = {"beside": "other aggregators", "heights": "heights", "readers": "readers"}
    said = "; ".join(f"{names[key]} from {file}" for key, file in own["files"].items())
    if said:
        yield page.paragraph(f"Beside: {said}.")


PICTURES = (figures.ROC, figures.CONFUSION)
"""File stems of all pictures of fractures."""
