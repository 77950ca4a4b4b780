"""Every scan of every fold beside its reference, by what it is to the fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import bundles
from tools.evaluate import matching, references
from tools.evaluate.matching import Case, Matched
from tools.evaluate.predictions import HU_LINEAR, METHODS, Predictions
from tools.evaluate.references import References
from tools.evaluate.screening import reading
from tools.evaluate.screening.reading import INDEPENDENT, PARTS, PROBABILITY, TEST, TRAIN, Fold

_screening = bundles.module("bmd_regression", "bmd_bundle.screening")

CLASSIFIER = "classifier"

NAMES = {CLASSIFIER: "classifier", **METHODS}
"""Methods -> their names."""

TRAINING_LIST = "training"
"""List whose cases were learnt from, where a table does not say."""


@dataclass(frozen=True)
class Seen:
    """A scan as one fold saw it.

    Attributes:
        fold: The fold's number; None of a table without folds.
        part: What the scan is to it.
        case: Reference and prediction.
    """

    fold: int | None
    part: str
    case: Case


@dataclass(frozen=True)
class Panel:
    """All folds of all tables.

    Attributes:
        said: The first table, its cases once each.
        known: The references of the lists chosen.
        matched: One case per reference, as the fold that left it out saw it.
        scans: Method -> every scan of every fold.
        folds: Numbers of the folds; empty of a table without.
        files: Names of the tables.
    """

    said: Predictions
    known: References
    matched: Matched
    scans: Mapping[str, Sequence[Seen]]
    folds: tuple[int, ...]
    files: tuple[str, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods in the order of the table."""
        return tuple(name for name in NAMES if name in self.scans)

    def groups(self, method: str) -> dict[str, list[Seen]]:
        """Scans by part; below each but the first by scanner, where there are several."""
        found: dict[str, list[Seen]] = {}
        for part in PARTS:
            own = [seen for seen in self.scans[method] if seen.part == part]
            if not own:
                continue
            found[part] = own
            scanners = sorted({seen.case.reference.scanner for seen in own})
            if part == TRAIN or len(scanners) < 2:
                continue
            for scanner in scanners:
                found[f"{part}: {scanner}"] = [
                    seen for seen in own if seen.case.reference.scanner == scanner
                ]
        return found


def join(said: Path, known: References, lists: str, beside: Sequence[Path]) -> Panel:
    """Hold one table, and others of the same scans, against the references.

    Args:
        said: The table.
        known: All references.
        lists: Those to use, as `references.choose` takes them.
        beside: Further tables: of the regressor beside the classifier, or the other way round.

    Raises:
        ValueError: A table is unusable, two have the same method, or a patient whom a fold learnt
            from is among those it is tested on; one line.
    """
    tables = []
    for place in (said, *beside):
        if not reading.holds(place):
            raise ValueError(f"--beside: {place} is no table of a screening or a cross-validation")
        tables.append(reading.read(place))
    predicted = frozenset(case for fold in tables[0] for case in fold.predictions.cases)
    chosen = references.choose(known, lists, predicted)
    scans: dict[str, list[Seen]] = {}
    seens = [_seen(folds, chosen) for folds in tables]
    for folds, seen in zip(tables, seens, strict=True):
        for method in _methods(folds):
            if method not in scans:
                scans[method] = seen
            elif method != HU_LINEAR:  # the same of every table
                file = folds[0].predictions.file
                raise ValueError(
                    f"--beside: {file} holds {NAMES[method]} again; give one table of each"
                )
    numbers = tuple(fold.number for fold in tables[0] if fold.number is not None)
    files = tuple(folds[0].predictions.file.name for folds in tables)
    said_once = {name: case for fold in tables[0] for name, case in fold.predictions.cases.items()}
    first = replace(tables[0][0].predictions, cases=said_once)
    return Panel(first, chosen, _once(tables[0], seens[0], chosen), scans, numbers, files)


def probability(case: Case) -> tuple[float | None, int]:
    """What a classifier says of a patient, and of how many levels: those of a patient's mean."""
    if case.predicted is None:
        return None, 0
    levels = [case.predicted.levels[name] for name in case.true_levels()]
    said = [level.scores.get(PROBABILITY) for level in levels if level.counts]
    found = [value for value in said if value is not None]
    return _screening.patient_probability(found), len(found)


def _methods(folds: Sequence[Fold]) -> list[str]:
    """Methods that said something in a table."""
    cases = [case for fold in folds for case in fold.predictions.cases.values()]
    said = any(
        level.scores.get(PROBABILITY) is not None
        for case in cases
        for level in case.levels.values()
    )
    read = {name for case in cases for level in case.levels.values() for name in level.readings}
    return [*([CLASSIFIER] if said else []), *(name for name in METHODS if name in read)]


def _seen(folds: Sequence[Fold], known: References) -> list[Seen]:
    """Match every fold; a case that a fold does not name is failed, not left out of account."""
    matched = {fold.number: matching.match(fold.predictions, known).cases for fold in folds}
    tested = {
        case.reference.case
        for fold in folds
        for case in matched[fold.number]
        if case.predicted is not None and fold.parts.get(case.predicted.case) == TEST
    }
    apart = {
        case.reference.part
        for fold in folds
        for case in matched[fold.number]
        if case.predicted is not None and fold.parts.get(case.predicted.case) == INDEPENDENT
    }
    found = []
    for place, fold in enumerate(folds):
        own = []
        for case in matched[fold.number]:
            name = case.predicted.case if case.predicted is not None else ""
            if fold.number is None:
                part = TRAIN if case.reference.part == TRAINING_LIST else TEST
            elif name in fold.parts:
                part = fold.parts[name]
            elif case.reference.part is not None and case.reference.part in apart:
                part = INDEPENDENT
            else:  # who is never tested counts as tested once
                part = TEST if place == 0 and case.reference.case not in tested else TRAIN
            own.append(Seen(fold.number, part, case))
        _refuse_leak(fold, own)
        found += own
    return found


def _refuse_leak(fold: Fold, own: Iterable[Seen]) -> None:
    """Refuse a patient on both sides of a fold."""
    learnt = {seen.case.patient for seen in own if seen.part == TRAIN}
    for seen in own:
        if fold.number is not None and seen.part != TRAIN and seen.case.patient in learnt:
            raise ValueError(
                f"{fold.predictions.file}: the patient of case {seen.case.reference.case} was "
                f"learnt from by fold {fold.number} too; folds are made by patient"
            )


def _once(folds: Sequence[Fold], seen: Sequence[Seen], known: References) -> Matched:
    """One case per reference: what became of a scan is the same in every fold."""
    cases: dict[str, Seen] = {}
    for one in seen:
        name = one.case.reference.case
        if name not in cases or (one.part == TEST and cases[name].part == TRAIN):
            cases[name] = one
    names = {name for reference in known.cases for name in reference.names}
    unmatched = dict.fromkeys(
        case for fold in folds for case in fold.predictions.cases if case not in names
    )
    return Matched([one.case for one in cases.values()], list(unmatched))
