"""What was predicted: a `screen` folder, or the predictions.csv of a bundle's `evaluating`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tools import bundles
from tools.evaluate import csvfile
from tools.evaluate.areal import reading as areal
from tools.evaluate.csvfile import Row, table_of
from tools.evaluate.fractures import answers
from tools.evaluate.fractures.answers import Answer
from tools.levels import MEASURED_LEVELS
from tools.report import rows as screen_rows
from tools.report.rows import SEPARATOR

DENSITY, SEGMENTATION, FRACTURES = "density", "segmentation", "fractures"
SCREENING = "screening"
AREAL = "areal"

WITHOUT_CHOICE = {
    SEGMENTATION: "outlines, no densities",
    FRACTURES: "fractures, no densities",
    AREAL: "areal densities of one method",
    SCREENING: "a screening, no densities",
}
"""What predictions hold that leave no choice of methods."""

DONE, REFUSED, FAILED = "done", "refused", "failed"
CASE_WORDS = (DONE, REFUSED, FAILED)
MEASURED = "measured"
LEVEL_WORDS = (MEASURED, REFUSED, FAILED)

CNN, HU_LINEAR = "cnn", "hu_linear"

METHODS = MappingProxyType({CNN: "CNN", HU_LINEAR: "HU-linear"})
"""Methods that read a density -> their names."""

COLUMN = MappingProxyType({CNN: "bmd_cnn_mg_cm3", HU_LINEAR: "bmd_hu_linear_mg_cm3"})
"""Method -> the column of its density, mg/cm³ HA, in every table."""

INTERVALS = MappingProxyType(
    {
        CNN: ("low_95_mg_cm3", "high_95_mg_cm3"),
        HU_LINEAR: ("hu_linear_low_95_mg_cm3", "hu_linear_high_95_mg_cm3"),
    }
)
"""Method -> the columns of its interval in predictions.csv."""

SCREEN_INTERVAL = ("bmd_low_95_mg_cm3", "bmd_high_95_mg_cm3")
"""Interval of the density that counts for a level in results.csv: the CNN's, else HU-linear's."""

BUNDLE_NEEDED = ("case", "level", "status", "reason")
BUNDLE_OPTIONAL = (
    *("patient_id", "scanner", *COLUMN.values(), *INTERVALS[CNN], *INTERVALS[HU_LINEAR]),
    *("hu_trabecular", "noise_hu", "kvp", "reference_mg_cm3", "mineral", "reference_kind"),
)
"""Columns of the predictions.csv of bmd_regression."""

SUSPECTED = "fracture_suspected"
"""What keeps a measured level out of the patient's mean."""

SCORES = ("dsc", "ppv", "sensitivity", "msd_mm")

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Reading:
    """A density that one method read.

    Attributes:
        value: mg/cm³ HA; g/cm² of areal density.
        interval: Its 95 % interval; None if none was given.
    """

    value: float
    interval: Interval = None


@dataclass(frozen=True)
class Level:
    """What was said of a level.

    Attributes:
        status: "measured", "refused" or "failed".
        reason: Why it is not measured.
        readings: Method -> density; empty unless measured.
        counts: Whether it may count in the patient's mean.
        claimed: The reference that the table itself gives, in its own mineral; None if none.
        scores: Of a segmentation: `SCORES`, `present`, `named_right`, `scan_valid`; of a screening
            for reduced density: `probability_reduced`.
    """

    status: str
    reason: str | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    counts: bool = True
    claimed: float | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Predicted:
    """What was said of a case.

    Attributes:
        case: Its name.
        status: "done", "refused" or "failed".
        reason: Why it is not done.
        levels: Level -> what was said of it.
        scanner: As the table names it; None if it does not.
        patient: Whose scan it is, if the table says so.
        answers: Of fractures: method -> what it said; without those that said nothing.
        label: Of fractures: the reference that the table itself gives; None if none.
    """

    case: str
    status: str
    reason: str | None
    levels: Mapping[str, Level]
    scanner: str | None = None
    patient: str | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    label: bool | None = None


@dataclass(frozen=True)
class Predictions:
    """A table of predictions.

    Attributes:
        file: The file read.
        kind: "density", "areal", "segmentation" or "fractures".
        form: "screen", or the bundle whose table it is.
        cases: Name -> what was said.
    """

    file: Path
    kind: str
    form: str
    cases: Mapping[str, Predicted]

    def methods(self) -> tuple[str, ...]:
        """Methods that read at least one density; all known ones where none did."""
        found = {
            method
            for case in self.cases.values()
            for level in case.levels.values()
            for method in level.readings
        }
        return tuple(method for method in METHODS if method in found or not found)


def read(place: Path) -> Predictions:
    """Read predictions.

    Args:
        place: A `screen` folder, a folder with a predictions.csv, or either table itself.

    Raises:
        ValueError: There is no such table, or it is unusable; one line that names file and mend.
    """
    path = table_of(place)
    head, rows = csvfile.read(path)
    if "level_status" in head:
        csvfile.check_columns(path, head, screen_rows.ALWAYS, screen_rows.AREAL)
        kind, form, reader = DENSITY, "screen", _of_screen
    elif "dsc" in head:
        columns = bundles.module("lumbar_segmentation", "lumbar_bundle.rows").COLUMNS
        csvfile.check_columns(path, head, columns, ())
        kind, form, reader = SEGMENTATION, "lumbar_segmentation", _of_segmentation
    elif answers.MARK in head:
        csvfile.check_columns(path, head, answers.NEEDED, answers.OPTIONAL)
        kind, form, reader = FRACTURES, "ovf_classification", _of_fractures
    elif areal.MARK in head:
        csvfile.check_columns(path, head, areal.NEEDED, areal.OPTIONAL)
        kind, form, reader = AREAL, "bmd_regression", _of_areal
    else:
        csvfile.check_columns(path, head, BUNDLE_NEEDED, BUNDLE_OPTIONAL)
        if not set(head) & set(COLUMN.values()):
            raise ValueError(
                f"{path}: neither {' nor '.join(COLUMN.values())} is among its columns"
            )
        kind, form, reader = DENSITY, "bmd_regression", of_bundle
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.needed("case"), []).append(row)
    return Predictions(path, kind, form, {case: reader(case, own) for case, own in groups.items()})


def _by_level(case: str, rows: Sequence[Row]) -> dict[str, Row]:
    """Rows of a case by level, each once."""
    found: dict[str, Row] = {}
    for row in rows:
        name = row.choice("level", MEASURED_LEVELS)
        if name in found:
            raise ValueError(f"{row.place}: case {case} has {name} twice")
        found[name] = row
    return found


def _of_screen(case: str, rows: Sequence[Row]) -> Predicted:
    """Rows of results.csv: one per level, a single one without a level for a failed case."""
    status, reason = rows[0].choice("status", CASE_WORDS), csvfile.same(rows, "reason")
    csvfile.same(rows, "status")
    if len(rows) == 1 and rows[0].text("level") is None:
        return Predicted(case, status, reason, _none(status, reason))
    levels = {}
    for name, row in _by_level(case, rows).items():
        said = row.choice("level_status", LEVEL_WORDS)
        values = {method: row.number(column) for method, column in COLUMN.items()}
        shown = CNN if values[CNN] is not None else HU_LINEAR
        interval = row.interval(SCREEN_INTERVAL)
        readings = {
            method: Reading(value, interval if method == shown else None)
            for method, value in values.items()
            if value is not None and said == MEASURED
        }
        counts = SUSPECTED not in (row.text("warnings") or "").split(SEPARATOR)
        levels[name] = Level(said, row.text("reasons"), readings, counts)
    return Predicted(case, status, reason, _none(FAILED, "no row") | levels)


def of_bundle(
    case: str,
    rows: Sequence[Row],
    columns: Mapping[str, str] = COLUMN,
    intervals: Mapping[str, tuple[str, str]] = INTERVALS,
    reference: str = "reference_mg_cm3",
) -> Predicted:
    """Rows of bmd_regression's predictions.csv: one per level."""
    levels = {}
    for name, row in _by_level(case, rows).items():
        status = row.choice("status", LEVEL_WORDS)
        readings = {}
        for method, column in columns.items():
            value = row.number(column)
            interval = row.interval(intervals[method]) if method in intervals else None
            if value is not None and status == MEASURED:
                readings[method] = Reading(value, interval)
        if status == MEASURED and not readings:
            raise ValueError(
                f"{row.place}: measured, but {' and '.join(columns.values())} are empty"
            )
        claimed = row.number(reference)
        levels[name] = Level(status, row.text("reason"), readings, claimed=claimed)
    status, reason = _outcome(levels)
    return Predicted(
        case, status, reason, _none(FAILED, "no row") | levels,
        csvfile.same(rows, "scanner"), csvfile.same(rows, "patient_id"),
    )  # fmt: skip


_of_areal = partial(of_bundle, columns={CNN: areal.MARK}, intervals={}, reference="reference_g_cm2")


def _of_segmentation(case: str, rows: Sequence[Row]) -> Predicted:
    """Rows of lumbar_segmentation's predictions.csv: one per level."""
    levels = {}
    for name, row in _by_level(case, rows).items():
        scores: dict[str, Any] = {score: row.number(score) for score in SCORES}
        for score in ("dsc", "ppv", "sensitivity"):
            if scores[score] is not None and not 0 <= scores[score] <= 1:
                raise ValueError(f"{row.place}: {score} is {scores[score]}, not from 0 to 1")
        for column in ("present", "named_right", "scan_valid"):
            scores[column] = row.truth(column)
        status = row.choice("status", LEVEL_WORDS)
        levels[name] = Level(status, row.text("reasons"), scores=scores)
    status, reason = _outcome(levels)
    return Predicted(case, status, reason, _none(FAILED, "no row") | levels)


def _of_fractures(case: str, rows: Sequence[Row]) -> Predicted:
    """The row of ovf_classification's predictions.csv."""
    said = answers.of_rows(case, rows)
    status = DONE if said.status == MEASURED else said.status
    return Predicted(
        case, status, said.reason, {}, said.scanner, said.patient, said.answers, said.label
    )


def _outcome(levels: Mapping[str, Level]) -> tuple[str, str | None]:
    """What a case came to, by its levels."""
    said = {level.status for level in levels.values()}
    if MEASURED in said:
        return DONE, None
    reasons = dict.fromkeys(level.reason for level in levels.values() if level.reason)
    return (FAILED if said == {FAILED} else REFUSED), SEPARATOR.join(reasons) or None


def _none(status: str, reason: str | None) -> dict[str, Level]:
    """Every level, unmeasured for one reason."""
    said = FAILED if status == FAILED else REFUSED
    return {name: Level(said, reason) for name in MEASURED_LEVELS}
