"""The page of an evaluation: tables and pictures in one file, for screen, phone and print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from tools import __version__, page
from tools.evaluate import tables
from tools.evaluate.areal import section as areal_section
from tools.evaluate.fractures import section as fracture_section
from tools.evaluate.matching import ALL
from tools.evaluate.numbers import Numbers
from tools.evaluate.predictions import (
    AREAL,
    DENSITY,
    FRACTURES,
    METHODS,
    SCREENING,
    SEGMENTATION,
)
from tools.evaluate.screening import section as screening_section
from tools.report import words

STYLE = """
.use { border-left: .3rem solid var(--soft); padding: .4rem .8rem; max-width: none; }
th, td { vertical-align: top; white-space: pre; }
thead th { white-space: normal; vertical-align: bottom; }
caption { min-width: min(40rem, 90vw); white-space: normal; }
.soft { color: var(--soft); font-size: .875rem; }
.pictures { grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
  margin-top: 1rem; }
img { background: #fff; }
"""

CATEGORY_USE = (
    "Categories are ranges: in the range called osteoporosis by ACR, no diagnosis; confirm with "
    "DXA or QCT."
)

PHANTOM = (
    "These are phantom results: the scans are computed images of patients who do not exist. What "
    "they show of phantoms need not hold for patients."
)

MOST_NAMES = 20
"""Names of unmatched predictions shown; all stand in evaluation.json."""


def write(
    about: Mapping[str, Any],
    numbers: Numbers,
    matrices: Mapping[str, Mapping[str, list[list[int]]]],
    pictures: Mapping[str, page.Figure],
) -> str:
    """Write the page.

    Args:
        about: What was compared, as `command.describe` says it.
        numbers: What was computed.
        matrices: Confusion matrices by scanner and method.
        pictures: File stem -> picture.

    Returns:
        A complete HTML document.
    """
    kind = about["kind"]
    parts = [
        f'<p class="use"><strong>{escape(words.RESEARCH_USE)}</strong> {escape(USE[kind])}</p>',
        *([page.paragraph(PHANTOM, "note")] if about["phantom"] else []),
        *_compared(about),
        tables.scans(about),
        *_reasons(about),
    ]
    scanners = shown_scanners(about)
    if kind == DENSITY:
        parts += _density(about, numbers, matrices, pictures, scanners)
    elif kind == SCREENING:
        parts += screening_section.parts(about, numbers)
    elif kind == AREAL:
        parts += areal_section.parts(about, numbers, pictures, scanners)
    elif kind == FRACTURES:
        parts += fracture_section.parts(about, numbers, matrices, pictures, scanners)
    else:
        parts += [
            page.heading("Outlines against the reference"),
            *tables.segmentation(numbers, scanners),
            page.gallery(pictures.values()),
        ]
    parts += [
        page.heading("How this was computed"),
        *(page.paragraph(text) for text in HOW[kind]),
        page.footer(
            f"osteoct tools {__version__}. All numbers, with the method of every interval and the "
            "reason where one is missing: evaluation.json and tables.csv beside this page."
        ),
    ]
    title = f"Evaluation of {WHAT[kind]}" + (": phantom results" if about["phantom"] else "")
    return page.document(title, parts, STYLE)


def shown_scanners(about: Mapping[str, Any]) -> list[str]:
    """Scanners with a row of their own; a single one is all of them."""
    names = [*about["scans"]]
    return [name for name in names if name != ALL or len(names) > 2]


def _compared(about: Mapping[str, Any]) -> Iterator[str]:
    """Say what was held against what."""
    said, true = about["predictions"], about["references"]
    text = (
        f"{said['file']} of {said['of']} ({said['cases']} cases) against {true['file']}: "
        f"{about['scans'][ALL]['references']} scans of {true['patients']} patients"
    )
    if true["lists"]:
        text += f", {words.listed(true['lists'])}"
    yield page.paragraph(f"{text}.")
    if "K2HPO4" in true["minerals"]:
        yield page.paragraph(
            "References in K2HPO4 were converted to HA: HA = 1.15 · K2HPO4 − 7.32 (Faulkner 1993); "
            "such a conversion holds for one phantom."
        )
    if true["lists_left_out"]:
        yield page.paragraph(
            f"Lists without a predicted case, not counted: {words.listed(true['lists_left_out'])}."
        )
    if about["kind"] != SCREENING and any("training" in name for name in true["lists"]):
        yield page.paragraph("A list of training cases is among them: they flatter.", "note")
    names = about["predictions_without_reference"]
    if names:
        shown = ", ".join(names[:MOST_NAMES]) + (" …" if len(names) > MOST_NAMES else "")
        yield page.paragraph(f"Predictions without a reference, not scored ({len(names)}): {shown}")


def _reasons(about: Mapping[str, Any]) -> Iterator[str]:
    """Say why scans and levels are missing."""
    everyone = about["scans"][ALL]
    for title, key in (("Scans", "reasons"), ("Levels", "levels_not_measured")):
        if everyone[key]:
            said = "; ".join(f"{reason}: {count}" for reason, count in everyone[key].items())
            yield page.paragraph(f"{title} that were not measured, by reason: {said}.")


def _density(
    about: Mapping[str, Any],
    numbers: Numbers,
    matrices: Mapping[str, Mapping[str, list[list[int]]]],
    pictures: Mapping[str, page.Figure],
    scanners: list[str],
) -> list[str]:
    methods = about["methods"]
    parts = [
        page.heading("Patient's mean against the reference"),
        *tables.means(numbers, scanners, methods),
        page.gallery(pictures[stem] for stem in pictures if not stem.startswith("confusion")),
        page.heading("Level by level"),
        *tables.levels(numbers, scanners, methods),
        page.heading("Categories"),
        *tables.categories(numbers, scanners, methods),
        page.gallery(pictures[stem] for stem in pictures if stem.startswith("confusion")),
        *tables.confusions(matrices, scanners, methods),
        page.heading("95 % intervals"),
        *tables.intervals(numbers, scanners, methods),
    ]
    if len(methods) > 1:
        parts += [
            page.heading(f"{METHODS['cnn']} against {METHODS['hu_linear']}"),
            *tables.paired(numbers, scanners),
        ]
    fat = tables.fat_error(numbers, scanners, methods)
    if fat:
        parts += [page.heading("Against the mineral's mass: the fat error"), *fat]
    return parts


DENSITY_METHODS = (
    "Differences are measured minus reference, mg/cm³ HA. r² is the square of Pearson's r: it does "
    "not see a bias. Intervals of r are Fisher's, of bias, line and limits Student's (Bland and "
    "Altman 1999), of MAE, RMSE and F1 bootstrapped over patients, of proportions exact (Clopper "
    "and Pearson), of the AUC DeLong's; where a patient gives several values, all are those of "
    "resampled patients, and of proportions those of the effective sample size. Bootstrap "
    "intervals of fewer than about twenty patients come out too narrow.",
    "The patient's mean is over the levels that both reference and reading have and that neither "
    "calls fractured. The true category is that of the reference's own mean. Categories take two "
    "levels and stand on the K2HPO4-equivalent: below 80 osteoporosis, 80 to 120 osteopenia, above "
    "normal range. κ has linear weights. Of all scans, one that was not measured is neither found "
    "nor cleared: it counts against sensitivity and against specificity.",
    "S2's rows are what that study prints; its rates are recomputed from its confusion matrices "
    "and scan counts. They are of patients against QCT and stand here for orientation.",
)

OUTLINE_METHODS = (
    "A level that the reference shows whole and that was not written has DSC and sensitivity 0; "
    "PPV and surface distance are of what was written. A scan is valid for measuring density when "
    "all four DSC exceed 0.5 (S2); it is counted where the reference shows all four levels. A scan "
    "that failed, or of which nothing was said, counts as not valid. Means have bootstrap "
    "intervals over patients, proportions exact ones.",
)

WHAT = {
    DENSITY: "bone density of L1–L4",
    AREAL: "areal bone density of L1–L4",
    SEGMENTATION: "outlines of L1–L4",
    FRACTURES: "vertebral fractures",
    SCREENING: "screening for reduced density",
}
"""What each kind of predictions is about."""

USE = {
    DENSITY: CATEGORY_USE,
    AREAL: areal_section.USE,
    SEGMENTATION: "",
    FRACTURES: fracture_section.USE,
    SCREENING: screening_section.USE,
}
"""What to bear in mind before anything else."""

HOW = {
    DENSITY: DENSITY_METHODS,
    AREAL: areal_section.METHODS,
    SEGMENTATION: OUTLINE_METHODS,
    FRACTURES: fracture_section.METHODS,
    SCREENING: screening_section.METHODS,
}
"""How the numbers of each kind were computed."""
