"""The part of an evaluation's page that is about areal density, and its picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools import page
from tools.evaluate import figures, published, tables
from tools.evaluate.areal.compute import AGREEMENT, LIMIT_T, OSTEOPOROSIS, REFERENCE, sets
from tools.evaluate.density import LEVELS, MEAN, sample
from tools.evaluate.matching import ALL, Matched
from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.predictions import CNN
from tools.evaluate.published import TABLE
from tools.evaluate.words import counted, number
from tools.levels import MEASURED_LEVELS

UNIT = "g/cm²"
SCATTER = "scatter_areal"

USE = "Areal density from CT is an estimate of what DXA would read; confirm with DXA."

LIMIT = f"T ≤ {LIMIT_T:g}".replace("-", "−")

METHODS = (
    f"Densities are areal, {UNIT}; differences are read minus reference. Intervals of r are "
    "Fisher's, of bias and limits Student's, of MAE and RMSE bootstrapped over patients, of "
    "proportions exact, of the AUC DeLong's; where a patient gives several values, all are those "
    "of resampled patients. The patient's value is the mean over the levels, each the mean of its "
    "slices, that both reference and reading have and that neither calls fractured.",
    f"Osteoporosis is {LIMIT} by the reference's own mean over two levels or more, against "
    f"{REFERENCE.name}: {REFERENCE.mean:g} ± {REFERENCE.sd:g} {UNIT}, so at most "
    f"{REFERENCE.limit:.3f} {UNIT}. The AUC is of the estimated density, over the scans that were "
    "read. Of all scans, one that was refused or failed is neither found nor cleared: it counts "
    "against sensitivity and against specificity.",
    "Internal are the lists of scanners that trained, external those of others. S4's rows are what "
    "that study prints of patients against DXA, 45 internal and 50 external, for orientation.",
)

COLUMNS: tuple[tables.Column, ...] = (
    *(("r", "r", 3), ("r2", "r²", 3), ("bias", f"bias, {UNIT}", 3)),
    *(("limit_low", f"lower limit, {UNIT}", 3), ("limit_high", f"upper limit, {UNIT}", 3)),
    *(("mae", f"MAE, {UNIT}", 3), ("rmse", f"RMSE, {UNIT}", 3), ("slope", "slope", 3)),
)


def describe(matched: Matched) -> dict[str, Any]:
    """Say what the rows are of, as evaluation.json and the page hold it."""
    return {
        "unit": "g/cm2",
        "t_score_reference": {
            "name": REFERENCE.name, "mean_g_cm2": REFERENCE.mean, "sd_g_cm2": REFERENCE.sd,
        },
        "osteoporosis": f"T <= {LIMIT_T:g}",
        "sets": {name: len(cases) for name, cases in sets(matched.cases).items()},
    }  # fmt: skip


def parts(
    about: Mapping[str, Any],
    numbers: Numbers,
    pictures: Mapping[str, page.Figure],
    scanners: Sequence[str],
) -> Iterator[str]:
    """Yield the sections of the page, HTML."""
    names = [*scanners, *about["areal"]["sets"]]
    yield page.heading("Patient's mean against DXA")
    yield from _agreement(numbers, names, (MEAN,), "Patient's mean; below, what S4 prints")
    yield page.gallery(pictures.values())
    yield page.heading(f"Osteoporosis by DXA, {LIMIT}")
    yield from _osteoporosis(numbers, names)
    yield page.heading("Level by level")
    yield from _agreement(numbers, names, (*MEASURED_LEVELS, LEVELS), "Levels", studies=False)


def _agreement(
    numbers: Numbers,
    names: Sequence[str],
    places: Sequence[str],
    caption: str,
    studies: bool = True,
) -> Iterator[str]:
    rows, used = tables.agreement_rows(
        numbers, AGREEMENT, names, (CNN,), places, COLUMNS, with_place=True
    )
    for name in published.S4 if studies else ():
        r = number(numbers.get(TABLE, f"S4 {name}", "r", "S4", MEAN), 3)
        rows.append([f"S4 {name}", "S4", "", "", r, *[""] * (len(COLUMNS) - 1)])
    head = ["scanner", "method", "level", "n", *(title for _, title, _ in COLUMNS)]
    yield page.table(head, rows, caption)
    yield from tables.missing(used)


def _osteoporosis(numbers: Numbers, names: Sequence[str]) -> Iterator[str]:
    rows, used = [], []
    asked = [(OSTEOPOROSIS, name, CNN) for name in names]
    for table, name, method in [*asked, *((TABLE, f"S4 {name}", "S4") for name in published.S4)]:
        area = numbers.get(table, name, "osteoporosis_auc", method, MEAN)
        found: list[Number] = [
            numbers.get(table, name, f"osteoporosis_{key}", method, MEAN) for key, _ in tables.RATES
        ]
        used += [area, *found] if table == OSTEOPOROSIS else []
        rows.append([name, number(area, 3), *map(counted, found)])
    head = ["scanner", "AUC", *(text for _, text in tables.RATES)]
    yield page.table(head, rows, f"{LIMIT} by the reference, found from the estimate or not")
    yield from tables.missing(used)


def draw(matched: Matched) -> dict[str, page.Figure]:
    """Draw the patients' means against the reference, with the limit of osteoporosis."""
    if not sample(matched.groups()[ALL], CNN, MEAN)[0]:
        return {}
    figure, axes = figures.canvas(5.2, 5.0)
    everything: list[float] = []
    for scanner, colour, mark, cases in figures.scanners(matched):
        pairs, _ = sample(cases, CNN, MEAN)
        x, y = [pair.true for pair in pairs], [pair.read for pair in pairs]
        everything += x + y
        figures.points(axes, x, y, scanner, colour, mark)
    room = max(0.03, 0.05 * (max(everything) - min(everything)))
    ends = (min(everything) - room, max(everything) + room)
    axes.plot(ends, ends, color="black", linewidth=1)
    axes.axvline(REFERENCE.limit, color="#777777", linestyle=":", linewidth=1)
    axes.axhline(REFERENCE.limit, color="#777777", linestyle=":", linewidth=1)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel(f"reference by DXA, {UNIT}")
    axes.set_ylabel(f"estimate, {UNIT}")
    axes.legend(frameon=False)
    caption = (
        "Patient's mean against the reference, and the line of identity; dotted, the limit of "
        f"osteoporosis, {REFERENCE.limit:.3f} {UNIT}"
    )
    return {SCATTER: page.Figure(figures.to_png(figure), caption)}
