"""The `evaluate` command: predictions against references, the studies' tables with intervals.

python -m tools evaluate results cohort/truth.json evaluation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import page, versions
from tools.evaluate import density, figures, html, matching, predictions, published, references
from tools.evaluate import segmentation as outlines
from tools.evaluate.areal import compute as areal
from tools.evaluate.areal import section as areal_section
from tools.evaluate.fractures import compute as fractures
from tools.evaluate.fractures import figures as fracture_figures
from tools.evaluate.fractures import panel as panels
from tools.evaluate.fractures import published as s1
from tools.evaluate.fractures import screened, section
from tools.evaluate.fractures.panel import Beside, Panel
from tools.evaluate.matching import Matched
from tools.evaluate.numbers import Numbers
from tools.evaluate.predictions import (
    AREAL,
    CNN,
    DENSITY,
    FRACTURES,
    METHODS,
    SCREENING,
    SEGMENTATION,
    WITHOUT_CHOICE,
    Predictions,
)
from tools.evaluate.references import References
from tools.evaluate.screening import compute as screening
from tools.evaluate.screening import panel as crossed
from tools.evaluate.screening import published as s3
from tools.evaluate.screening import reading as crossed_tables
from tools.evaluate.screening import section as screening_section
from tools.files import LOCK_FILE, exclusive, write_content, write_json
from tools.options import nearest

NUMBERS_FILE, TABLE_FILE, PAGE_FILE = "evaluation.json", "tables.csv", "index.html"

PICTURES = frozenset(
    f"{stem}.png"
    for stem in (
        "dsc",
        areal_section.SCATTER,
        *section.PICTURES,
        *(f"{kind}_{m}" for kind in ("scatter", "bland_altman", "confusion") for m in METHODS),
    )
)
"""Every picture that an evaluation may hold."""

OWN = {NUMBERS_FILE, TABLE_FILE, PAGE_FILE, LOCK_FILE, *PICTURES}

SCHEMA = 1
"""Version of evaluation.json."""


def evaluate(
    predictions: Path,
    references: Path,
    out: Path,
    methods: str = "all",
    lists: str = "predicted",
    beside: tuple[Path, ...] = (),
    heights: Path | None = None,
    readers: Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Compute the studies' tables, with 95 % confidence intervals, and draw their plots.

    Cases are matched by name. A reference without a prediction counts as failed; a prediction
    without a reference is listed, not scored. Intervals are those of patients drawn at random.
    Writes evaluation.json with all numbers, tables.csv with one number a row, index.html to read,
    and its pictures.

    Args:
        predictions: Folder that `screen` wrote, or the predictions.csv of a bundle's `evaluating`
            or `cross_validating`.
        references: The truth.json of a phantom cohort, or a datalist. With a datalist of
            ovf_classification, fractures are evaluated. Predictions of areal density (the variant
            of bmd_regression against DXA) take a datalist of areal density.
        out: Folder to write.
        methods: Methods to evaluate, with commas: cnn, hu_linear, or all that read a density.
        lists: Lists of the datalist that were predicted, with commas; all; or predicted, those
            that hold a predicted case. The cases of these lists are the denominator.
        beside: Of fractures: the predictions.csv of further aggregators, with commas. Of a
            cross-validation: that of the regressor beside the classifier's, or the other way round.
        heights: Of fractures: a folder that `screen` wrote of the same cases, for the height-loss
            rule.
        readers: Of fractures: a CSV of readers' answers: case, then a column of 0 or 1 for each.
        seed: Seed of the resampling.
        overwrite: Replace an evaluation that OUT holds.

    Raises:
        ValueError: An argument or a file is unusable, nothing matches, or OUT holds other files.
        OSError: OUT cannot be written.
    """
    out = Path(out)
    if seed < 0:
        raise ValueError(f"seed is a whole number of at least 0, not {seed}")
    _check_out(out, overwrite)
    said, true, matched, panel = _read(
        Path(predictions), Path(references), lists, Beside(beside, heights, readers)
    )
    used = panel.methods if panel is not None else _methods(methods, said)
    numbers = Numbers()
    matrices: dict[str, dict[str, list[list[int]]]] = {}
    about = describe(said, true, matched, used)
    if isinstance(panel, crossed.Panel):
        _no_choice(methods, said)
        about["screening"] = screening_section.describe(panel)
        screening.compute(numbers, panel, seed)
        s3.put(numbers)
        pictures: dict[str, page.Figure] = {}
    elif panel is not None:
        _no_choice(methods, said)
        about["fractures"] = section.describe(panel)
        matrices = fractures.compute(numbers, panel, seed)
        s1.put(numbers)
        pictures = fracture_figures.draw(panel, numbers, matrices)
    elif said.kind == DENSITY:
        matrices = density.compute(numbers, matched, used, seed)
        published.put(numbers)
        pictures = figures.draw(matched, numbers, used, matrices)
    elif said.kind == AREAL:
        about["areal"] = areal_section.describe(matched)
        areal.compute(numbers, matched, seed)
        published.put_areal(numbers)
        pictures = areal_section.draw(matched)
    else:
        outlines.compute(numbers, matched, seed)
        published.put_segmentation(numbers)
        pictures = figures.draw_segmentation(matched)
    content = {
        "schema": SCHEMA,
        "software": versions.describe(),
        "arguments": {"methods": methods, "lists": lists, "seed": seed},
        **about,
        "confusion": matrices,
        "tables": numbers.nested(),
    }
    out.mkdir(parents=True, exist_ok=True)
    with exclusive(out):
        _write(out, content, numbers, html.write(about, numbers, matrices, pictures), pictures)
    for line in in_words(about):
        print(line)
    print(f"tables and plots: {out / PAGE_FILE}")


def _read(
    said: Path, true: Path, lists: str, beside: Beside
) -> tuple[Predictions, References, Matched, Panel | crossed.Panel | None]:
    """Read and match; nothing is written before.

    A `screen` folder speaks of densities and of fractures: a datalist of fractures asks for those.
    """
    if crossed_tables.holds(said):
        _only_fractures({"heights": beside.heights, "readers": beside.readers}, SCREENING, said)
        joined = crossed.join(said, references.read(true, True), lists, beside.tables)
        return joined.said, joined.known, joined.matched, joined
    found = predictions.read(said)
    if found.form == "screen" and references.names_fractures(true):
        found = screened.read(said)
    asked = found.kind == FRACTURES
    known = references.read(true, found.kind == DENSITY, asked, found.kind == AREAL)
    known = references.choose(known, lists, frozenset(found.cases))
    if asked:
        panel = panels.join(found, known, beside)
        return found, known, panel.matched, panel
    given = {"beside": beside.tables, "heights": beside.heights, "readers": beside.readers}
    _only_fractures(given, found.kind, found.file)
    return found, known, matching.match(found, known), None


def _only_fractures(given: Mapping[str, Any], kind: str, file: Path) -> None:
    """Refuse options that only an evaluation of fractures takes."""
    for name, value in given.items():
        if value:
            raise ValueError(
                f"--{name} is for fractures, not for the {kind} of {file}; with a "
                "`screen` folder give a datalist of ovf_classification"
            )


def _methods(wanted: str, said: Predictions) -> tuple[str, ...]:
    """Return the methods that a comma-separated text names."""
    if said.kind in (SEGMENTATION, AREAL):
        _no_choice(wanted, said)
        return () if said.kind == SEGMENTATION else (CNN,)
    if wanted == "all":
        return said.methods()
    names = [part.strip() for part in wanted.split(",") if part.strip()]
    for name in names:
        if name not in METHODS:
            known = ", ".join(METHODS)
            raise ValueError(
                f"--methods: unknown method {name!r}{nearest(name, METHODS)}; known: {known}"
            )
        if name not in said.methods():
            raise ValueError(f"--methods: {said.file} holds no density that {METHODS[name]} read")
    if not names:
        raise ValueError(f"--methods names none of {', '.join(METHODS)}")
    return tuple(name for name in METHODS if name in names)


def _no_choice(wanted: str, said: Predictions) -> None:
    """Refuse a choice of methods where there are no densities."""
    if wanted != "all":
        what = WITHOUT_CHOICE[said.kind]
        raise ValueError(f"--methods: {said.file} holds {what}; leave it out")


def _check_out(out: Path, overwrite: bool) -> None:
    """Refuse a place that is not ours to write to."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"OUT names a file, not a folder: {out}")
    other = [p.name for p in sorted(out.iterdir()) if p.name not in OWN and p.name[:6] != ".part-"]
    if other:
        raise ValueError(f"{out} holds other files ({other[0]}); choose another OUT")
    if (out / NUMBERS_FILE).exists() and not overwrite:
        raise ValueError(f"{out} holds an evaluation; give --overwrite or another OUT")


def describe(
    said: Predictions, true: References, matched: Matched, methods: Sequence[str]
) -> dict[str, Any]:
    """Say what was compared: files, lists, cases and what became of them.

    Returns:
        JSON-ready; files by name only, patients not at all.
    """
    scans = {
        name: {
            "references": len(cases),
            **matching.tally(cases),
            "reasons": matching.reasons(cases),
            "levels_not_measured": {} if said.kind == FRACTURES else matching.level_reasons(cases),
        }
        for name, cases in matched.groups().items()
    }
    minerals = dict.fromkeys(case.mineral for case in true.cases if case.mineral is not None)
    return {
        "phantom": true.phantom,
        "kind": said.kind,
        "methods": list(methods),
        "predictions": {"file": said.file.name, "of": said.form, "cases": len(said.cases)},
        "references": {
            "file": true.file.name,
            "lists": list(true.parts),
            "lists_left_out": list(true.left_out),
            "minerals": list(minerals),
            "patients": len({case.patient for case in matched.cases}),
        },
        "scans": scans,
        "predictions_without_reference": list(matched.unmatched),
    }


def in_words(about: dict[str, Any]) -> list[str]:
    """Say what was compared in a few lines."""
    scans = about["scans"][matching.ALL]
    kind = "phantom results: " if about["phantom"] else ""
    lines = [
        f"{kind}{scans['references']} references: {scans['done']} done, {scans['refused']} "
        f"refused, {scans['failed']} failed"
    ]
    if about["references"]["lists_left_out"]:
        left = ", ".join(about["references"]["lists_left_out"])
        lines.append(f"lists without a prediction, left out: {left} (--lists all counts them)")
    if about["predictions_without_reference"]:
        count = len(about["predictions_without_reference"])
        lines.append(f"{count} predictions have no reference and are not scored")
    return lines


def _write(
    out: Path,
    content: dict[str, Any],
    numbers: Numbers,
    text: str,
    pictures: dict[str, page.Figure],
) -> None:
    """Write all files; evaluation.json goes first and comes last, so that it means a whole one."""
    for name in (NUMBERS_FILE, *PICTURES):
        (out / name).unlink(missing_ok=True)
    for stem, picture in pictures.items():
        write_content(out / f"{stem}.png", picture.png)
    write_content(out / TABLE_FILE, numbers.table())
    write_content(out / PAGE_FILE, text)
    write_json(out / NUMBERS_FILE, content)
