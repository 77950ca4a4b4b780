"""The page's tables, each from the numbers of one evaluation, with the studies' rows beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools import page
from tools.evaluate import density, published
from tools.evaluate import segmentation as outlines
from tools.evaluate.density import AGREEMENT, CATEGORY, FAT, IDEAL, INTERVALS, MEAN, PAIRED
from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.predictions import METHODS
from tools.evaluate.published import CATEGORIES, S2_SETS, TABLE, set_name
from tools.evaluate.words import counted, number, place, why
from tools.levels import MEASURED_LEVELS

UNIT = "mg/cm³"

Column = tuple[str, str, int]
"""Metric, its head, and its digits."""

MEAN_COLUMNS: tuple[Column, ...] = (
    ("r", "r", 3),
    ("r2", "r²", 3),
    ("bias", f"bias, {UNIT}", 1),
    ("limit_low", f"lower limit, {UNIT}", 1),
    ("limit_high", f"upper limit, {UNIT}", 1),
    ("mae", f"MAE, {UNIT}", 1),
    ("rmse", f"RMSE, {UNIT}", 1),
    ("slope", "slope", 3),
    ("intercept", f"intercept, {UNIT}", 1),
    ("wilcoxon_p", "Wilcoxon p", 3),
)

FAT_COLUMNS: tuple[Column, ...] = MEAN_COLUMNS[:1] + MEAN_COLUMNS[2:8]

RATES = (
    ("sensitivity_measured", "sensitivity of the measured"),
    ("sensitivity_all", "sensitivity of all scans"),
    ("specificity_measured", "specificity of the measured"),
    ("specificity_all", "specificity of all scans"),
    ("precision_measured", "precision of the measured"),
)


def scans(about: Mapping[str, Any]) -> str:
    """What the scans of each scanner came to."""
    head = ["scanner", "references", "done", "refused", "failed"]
    rows = [
        [name, *(str(found[key]) for key in head[1:])] for name, found in about["scans"].items()
    ]
    return page.table(head, rows, "Scans with a reference, and what became of them")


def means(numbers: Numbers, scanners: Sequence[str], methods: Sequence[str]) -> Iterator[str]:
    """Agreement of the patients' means; S2, S3, S4 and the literature below."""
    rows, used = agreement_rows(numbers, AGREEMENT, scanners, methods, (MEAN,), MEAN_COLUMNS)
    others = [set_name(n) for n in S2_SETS]
    others += [f"S3 {name}" for name in published.S3_ERRORS] + [
        f"S4 {name}" for name in published.S4
    ]
    for name in (*others, "literature"):
        method = "hu_linear" if name == "literature" else name[:2]
        cells = [
            number(numbers.get(TABLE, name, metric, method, MEAN), digits)
            for metric, _, digits in MEAN_COLUMNS
        ]
        rows.append([name, METHODS.get(method, method), "", *cells])
    head = ["scanner", "method", "n", *(title for _, title, _ in MEAN_COLUMNS)]
    yield page.table(head, rows, "Patient's mean; below, what studies print of patients")
    yield from missing(used)


def levels(numbers: Numbers, scanners: Sequence[str], methods: Sequence[str]) -> Iterator[str]:
    """Agreement of every level; S2's r² below."""
    places = (*MEASURED_LEVELS, density.LEVELS)
    rows, used = agreement_rows(numbers, AGREEMENT, scanners, methods, places, MEAN_COLUMNS, True)
    for n in S2_SETS:
        for level in MEASURED_LEVELS:
            r2 = number(numbers.get(TABLE, set_name(n), "r2", "S2", level), 3)
            blank = [""] * len(MEAN_COLUMNS[2:])
            rows.append([set_name(n), "S2", level, "", "", r2, *blank])
    head = ["scanner", "method", "level", "n", *(title for _, title, _ in MEAN_COLUMNS)]
    yield page.table(head, rows, "Levels; L1–L4: all together, resampled by patient")
    yield from missing(used)


def categories(numbers: Numbers, scanners: Sequence[str], methods: Sequence[str]) -> Iterator[str]:
    """Kappa, rates both ways and AUC; S2's beside."""
    for finding, title in (
        ("osteoporosis", "The range of osteoporosis, found or not"),
        (density.REDUCED, "Reduced density (osteoporosis or osteopenia), found or not"),
    ):
        used: list[Number] = []
        rows = []
        asked = [
            (CATEGORY, name, method, METHODS[method]) for name in scanners for method in methods
        ]
        if finding == "osteoporosis":
            asked += [(TABLE, set_name(n), "S2", "S2") for n in S2_SETS]
            asked += [(TABLE, "literature", "hu_linear", METHODS["hu_linear"])]
            asked += [(TABLE, f"S4 {name}", "S4", "S4") for name in published.S4]
        for table, name, method, shown in asked:
            kappa, chi2, area = (
                numbers.get(table, name, metric, method, MEAN)
                for metric in ("kappa", "chi2", f"{finding}_auc")
            )
            found = [numbers.get(table, name, f"{finding}_{key}", method, MEAN) for key, _ in RATES]
            if table == CATEGORY:
                used += [kappa, area, *found]
            rows.append([name, shown, number(kappa, 3), number(area, 3), *map(counted, found),
                         number(chi2)])  # fmt: skip
        head = ["scanner", "method", "κ, linear weights", "AUC", *(text for _, text in RATES),
                "χ² p"]  # fmt: skip
        yield page.table(head, rows, title)
        yield from missing(used)


def confusions(
    matrices: Mapping[str, Mapping[str, list[list[int]]]],
    scanners: Sequence[str],
    methods: Sequence[str],
) -> Iterator[str]:
    """Confusion matrices as text, S2's beside."""
    rows = []
    found = [(name, METHODS[m], matrices[name][m]) for name in scanners for m in methods]
    found += [(set_name(n), "S2", [*map(list, published.S2_CONFUSION[n])]) for n in S2_SETS]
    for name, method, counts in found:
        for true, row in zip(CATEGORIES, counts, strict=True):
            rows.append([name, method, true, *map(str, row)])
    head = ["scanner", "method", "true", *(f"read as {name}" for name in CATEGORIES)]
    yield page.table(head, rows, "Confusion matrices of the measured scans, rows true")


def intervals(numbers: Numbers, scanners: Sequence[str], methods: Sequence[str]) -> Iterator[str]:
    """How often the 95 % intervals hold the truth."""
    used, rows = [], []
    for name in scanners:
        for method in methods:
            for level in (density.LEVELS, MEAN):  # single levels stand in tables.csv
                found = [
                    numbers.get(INTERVALS, name, metric, method, level)
                    for metric in ("coverage", "coverage_60_100", "median_width")
                ]
                used += found
                rows.append([name, METHODS[method], place(level), *map(counted, found[:2]),
                             number(found[2], 1)])  # fmt: skip
    low, high = density.CRITICAL_MG_CM3
    head = ["scanner", "method", "level", "truths inside",
            f"of truths from {low:.0f} to {high:.0f} {UNIT}", f"median width, {UNIT}"]  # fmt: skip
    yield page.table(head, rows, "Share of true densities inside their 95 % interval")
    yield from missing(used)


def paired(numbers: Numbers, scanners: Sequence[str]) -> Iterator[str]:
    """The CNN's absolute error minus HU-linear's."""
    used, rows = [], []
    for name in scanners:
        for level in density.PLACES:
            found = numbers.get(PAIRED, name, "absolute_error_difference", "", level)
            p = numbers.get(PAIRED, name, "wilcoxon_p", "", level)
            used.append(found)
            rows.append([name, place(level), str(found.n), number(found, 2), number(p)])
    head = ["scanner", "level", "n", f"|error| of CNN − HU-linear, {UNIT}", "Wilcoxon p"]
    yield page.table(
        head, rows, "Below 0 the CNN is nearer to the reference; same scans and levels"
    )
    yield from missing(used)


def fat_error(numbers: Numbers, scanners: Sequence[str], methods: Sequence[str]) -> list[str]:
    """Agreement with the mineral's mass; empty for patients, whose mass nobody knows."""
    if not any(key[0] == FAT for key in numbers.found):
        return []
    names = {**METHODS, IDEAL: "ideal QCT"}
    rows, used = agreement_rows(
        numbers, FAT, scanners, (*methods, IDEAL), (density.LEVELS, MEAN), FAT_COLUMNS, True, names
    )
    head = ["scanner", "method", "level", "n", *(title for _, title, _ in FAT_COLUMNS)]
    caption = (
        "Marrow fat lowers what single-energy CT reads: every method against the mineral put in, "
        "the ideal noise-free QCT among them"
    )
    return [page.table(head, rows, caption), *missing(used)]


def segmentation(numbers: Numbers, scanners: Sequence[str]) -> Iterator[str]:
    """DSC, PPV and sensitivity per level, and S2's shares of scans."""
    columns = (("dsc", 3), ("ppv", 3), ("sensitivity", 3), ("msd_mm", 2))
    used, rows = [], []
    for name in scanners:
        for level in (*MEASURED_LEVELS, outlines.LEVELS):
            found = [numbers.get(outlines.TABLE, name, metric, "", level) for metric, _ in columns]
            used += found
            cells = [number(one, digits) for one, (_, digits) in zip(found, columns, strict=True)]
            shares = [
                numbers.get(outlines.TABLE, name, metric, "", level)
                for metric in ("measured", "named_right")
            ]
            rows.append([name, place(level), str(found[0].n), *cells, *map(counted, shares)])
    for n in S2_SETS:
        for level in MEASURED_LEVELS:
            dsc = number(numbers.get(TABLE, set_name(n), "dsc", "S2", level), 3)
            rows.append([set_name(n), level, "", dsc, *[""] * 5])
    head = ["scanner", "level", "n", "DSC", "PPV", "sensitivity", "surface distance, mm",
            "written", "named right, of those written"]  # fmt: skip
    yield page.table(head, rows, "Levels that the reference shows whole")
    yield from missing(used)
    rows = []
    asked = [(outlines.TABLE, name, "") for name in scanners]
    asked += [(TABLE, set_name(n), "S2") for n in S2_SETS]
    for table, name, method in asked:
        shares = [
            numbers.get(table, name, metric, method, outlines.SCANS)
            for metric in ("valid", "three_above_090", "four_above_090")
        ]
        rows.append([name, *map(counted, shares)])
    head = ["scanner", "valid: all four DSC above 0.5", "three or four above 0.90",
            "all four above 0.90"]  # fmt: skip
    yield page.table(head, rows, "Scans whose reference shows L1 to L4 whole")


def agreement_rows(
    numbers: Numbers,
    table: str,
    scanners: Iterable[str],
    methods: Sequence[str],
    places: Sequence[str],
    columns: Sequence[Column],
    with_place: bool = False,
    names: Mapping[str, str] = METHODS,
) -> tuple[list[list[str]], list[Number]]:
    """Rows of agreement and the numbers they show."""
    rows, used = [], []
    for scanner in scanners:
        for method in methods:
            for level in places:
                found = [numbers.get(table, scanner, key, method, level) for key, _, _ in columns]
                used += found
                cells = [number(one, col[2]) for one, col in zip(found, columns, strict=True)]
                middle = [place(level)] if with_place else []
                rows.append([scanner, names[method], *middle, str(found[0].n), *cells])
    return rows, used


def missing(used: Iterable[Number]) -> Iterator[str]:
    """Say why numbers are missing, if some are."""
    said = why(used)
    if said:
        yield page.paragraph(said, "soft")
