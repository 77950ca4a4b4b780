"""The page's tables of fractures: S1's Table 1, rule and readers beside, strata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools import page
from tools.evaluate.fractures import published, strata
from tools.evaluate.fractures.compute import AGAINST_READERS, AGAINST_RULE, TABLE
from tools.evaluate.fractures.figures import ANSWERS
from tools.evaluate.fractures.screened import RULE
from tools.evaluate.fractures.strata import MAIN
from tools.evaluate.matching import ALL
from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.words import counted, number, why

RATES = ("accuracy", "precision", "sensitivity", "specificity")
"""S1's rates that are proportions, in the order of its Table 1."""

OF_ALL = ("accuracy", "sensitivity", "specificity")
"""Those that a scan that was not judged can count in."""

DIGITS = 3


def table_1(
    numbers: Numbers, scanners: Sequence[str], methods: Sequence[str], level: str
) -> Iterator[str]:
    """S1's Table 1: of all scans, then of those judged, as S1 counts, with S1's own rows below."""
    used: list[Number] = []
    everyone, judged = [], []
    for scanner in scanners:
        for method in methods:
            rates = [numbers.get(TABLE, scanner, f"{key}_all", method, level) for key in OF_ALL]
            own = [numbers.get(TABLE, scanner, f"{key}_measured", method, level) for key in RATES]
            f1, area, share = (
                numbers.get(TABLE, scanner, key, method, level)
                for key in ("f1_measured", "auc", "measured")
            )
            used += [*rates, *own, f1, area]
            cells = [counted(one, DIGITS) for one in (share, *rates)]
            everyone.append([scanner, method, *cells])
            cells = [counted(one, DIGITS) for one in own]
            judged.append([scanner, method, *cells, number(f1, DIGITS), number(area, DIGITS)])
    what = "Main result" if level == MAIN else "All cases, those outside the main result too"
    head = ["scanner", "method"]
    yield page.table(
        [*head, "judged", *OF_ALL], everyone, f"{what}: of all scans, failed and refused ones wrong"
    )
    caption = f"{what}: of the scans judged, as S1 counts"
    if level == MAIN:
        judged += list(_study(numbers))
        caption += "; S1 itself below"
    yield page.table([*head, *RATES, "F1", "AUC"], judged, caption)
    yield from _why(used)


def _study(numbers: Numbers) -> Iterator[list[str]]:
    """Rows of S1 and of the literature."""
    for who in published.COUNTS:
        found = [numbers.get(published.TABLE, published.S1, key, who) for key in RATES]
        f1 = number(numbers.get(published.TABLE, published.S1, "f1", who), DIGITS)
        yield [published.S1, who, *(counted(one, DIGITS) for one in found), f1, ""]
    area = number(numbers.get(published.TABLE, "literature", "auc"), DIGITS)
    yield ["literature", "networks, per patient", *[""] * len(RATES), "", area]


def against(
    numbers: Numbers, scanners: Sequence[str], methods: Sequence[str], others: Sequence[str]
) -> Iterator[str]:
    """Each method against the height-loss rule, or against readers."""
    used: list[Number] = []
    rows = []
    for scanner in scanners:
        for method in methods:
            for other in others:
                table, level = (AGAINST_RULE, MAIN) if other == RULE else (AGAINST_READERS, other)
                found = {
                    key: numbers.get(table, scanner, key, method, level)
                    for key in ("accuracy_difference_measured", "mcnemar_measured", "chi2",
                                "accuracy_difference_all", "mcnemar_all")
                }  # fmt: skip
                used += found.values()
                first = found["accuracy_difference_measured"]
                cells = [number(one, DIGITS) for one in found.values()]
                rows.append([scanner, method, other, str(first.n), *cells])
    head = ["scanner", "method", "against", "both judged", "difference in accuracy",
            "McNemar p", "χ² p", "difference, all scans", "McNemar p, all scans"]  # fmt: skip
    yield page.table(head, rows, "Above 0 the method is right more often; scans of the main result")
    yield from _why(used)


def confusions(
    matrices: Mapping[str, Mapping[str, list[list[int]]]],
    scanners: Sequence[str],
    methods: Sequence[str],
) -> str:
    """Confusion matrices as text, S1's beside."""
    found = [(name, method, matrices[name][method]) for name in scanners for method in methods]
    for who, (tp, fn, tn, fp) in published.COUNTS.items():
        found.append((published.S1, who, [[tp, fn], [fp, tn]]))
    rows = [
        [name, method, true, *map(str, row)]
        for name, method, counts in found
        for true, row in zip(ANSWERS, counts, strict=True)
    ]
    head = ["scanner", "method", "true", *(f"called {name}" for name in ANSWERS)]
    return page.table(head, rows, "Confusion matrices of the scans judged, rows true")


def groups(
    numbers: Numbers, found: Sequence[Mapping[str, Any]], methods: Sequence[str], metric: str
) -> Iterator[str]:
    """Strata of all scanners together, a column per method.

    Args:
        numbers: All numbers.
        found: The strata, as the evaluation describes them: `key`, `title`, `name`, `side`.
        methods: Methods to show.
        metric: "sensitivity", "specificity" or "auc"; the rates are of all scans.
    """
    wanted = {
        "sensitivity": (strata.POSITIVES, strata.BOTH),
        "specificity": (strata.NEGATIVES, strata.BOTH),
        "auc": (strata.POSITIVES, strata.NEGATIVES, strata.BOTH),
    }[metric]
    key = metric if metric == "auc" else f"{metric}_all"
    shown = [("main result", "", MAIN)]
    shown += [(one["title"], one["name"], one["key"]) for one in found if one["side"] in wanted]
    used: list[Number] = []
    rows = []
    for title, name, level in shown:
        own = [numbers.get(TABLE, ALL, key, method, level) for method in methods]
        used += own
        cells = [number(one, DIGITS) if metric == "auc" else counted(one, DIGITS) for one in own]
        rows.append([title, name, *cells])
    captions = {
        "sensitivity": "Sensitivity of all scans, by what the fracture is",
        "specificity": "Specificity of all scans, by what looks like a fracture",
        "auc": "AUC of the scans judged; a row of positives or negatives alone is held against all "
        "others of the main result",
    }
    yield page.table(["by", "", *methods], rows, captions[metric])
    yield from _why(used)


def _why(used: Iterable[Number]) -> Iterator[str]:
    said = why(used)
    if said:
        yield page.paragraph(said, "soft")
