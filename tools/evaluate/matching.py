"""Predictions beside their references: every reference has an outcome, found or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tools.evaluate.predictions import (
    AREAL,
    CASE_WORDS,
    FAILED,
    MEASURED,
    Interval,
    Predicted,
    Predictions,
)
from tools.evaluate.qct import K2HPO4
from tools.evaluate.references import NAMELESS, Reference, References
from tools.levels import MEASURED_LEVELS
from tools.report.minerals import category, to_k2hpo4

ALL = "all scanners"
"""The group of all cases."""

MISSING = "no prediction"
"""Reason of a reference that no prediction speaks of; it counts as failed."""

CATEGORY_LEVELS = 2
"""Levels that a category takes (the project's clinical rules)."""

SAME = {AREAL: 0.001}
SAME_MG_CM3 = 0.1
"""What rounding may move a reference by between two files, g/cm² and mg/cm³."""


@dataclass(frozen=True)
class Pair:
    """A reference and a reading of the same level or patient, mg/cm³ HA."""

    true: float
    read: float
    interval: Interval = None


@dataclass(frozen=True)
class Case:
    """A reference with what was predicted of it.

    Attributes:
        reference: What is true.
        predicted: What was said; None if nothing.
        status: "done", "refused" or "failed".
        reason: Why it is not done.
    """

    reference: Reference
    predicted: Predicted | None
    status: str
    reason: str | None

    @property
    def patient(self) -> str:
        """Whose scan it is; never printed."""
        said = self.predicted.patient if self.predicted is not None else None
        return self.reference.patient or said or self.reference.case

    def level(self, name: str, method: str, mass: bool = False) -> Pair | None:
        """Pair a level's reading with its reference.

        Args:
            name: The level.
            method: The method that read it.
            mass: Hold it against the mineral's mass instead of what QCT reads.

        Returns:
            None unless both exist.
        """
        truths = self.reference.mass if mass else self.reference.density
        true = (truths or {}).get(name)
        if true is None or self.predicted is None:
            return None
        reading = self.predicted.levels[name].readings.get(method)
        return None if reading is None else Pair(true, reading.value, reading.interval)

    def mean(self, method: str, mass: bool = False) -> Pair | None:
        """Pair the patient's means over the levels that both have and none calls fractured.

        Levels share their calibration's error: the interval of the mean is the mean of theirs.
        """
        pairs = [
            pair
            for name in self.common(method)
            if (pair := self.level(name, method, mass)) is not None
        ]
        if not pairs:
            return None
        intervals = [pair.interval for pair in pairs]
        known = [interval for interval in intervals if interval is not None]
        ends = None
        if len(known) == len(pairs):
            ends = (_mean([low for low, _ in known]), _mean([high for _, high in known]))
        return Pair(_mean([p.true for p in pairs]), _mean([p.read for p in pairs]), ends)

    def common(self, method: str) -> list[str]:
        """Levels that count in the patient's mean of reference and reading."""
        if self.predicted is None:
            return []
        return [
            name
            for name in self.true_levels()
            if self.predicted.levels[name].counts and method in self.predicted.levels[name].readings
        ]

    def true_category(self) -> str | None:
        """Category of the reference's own mean, all its levels; None with fewer than two."""
        known = [self.reference.density[name] for name in self.true_levels()]
        values = [value for value in known if value is not None]
        return _category(values)

    def read_category(self, method: str) -> str | None:
        """Category of the mean of what was read; None with fewer than two levels."""
        pairs = [self.level(name, method) for name in self.common(method)]
        return _category([pair.read for pair in pairs if pair is not None])

    def true_levels(self) -> list[str]:
        """Levels that count in the reference's own mean."""
        return [
            name
            for name in MEASURED_LEVELS
            if self.reference.density.get(name) is not None and name not in self.reference.fractured
        ]


@dataclass(frozen=True)
class Matched:
    """References and predictions of one evaluation.

    Attributes:
        cases: One per reference.
        unmatched: Names of predictions without a reference: listed, not scored.
    """

    cases: Sequence[Case]
    unmatched: Sequence[str]

    def groups(self) -> dict[str, list[Case]]:
        """Cases by scanner, in order of name, and all together under `ALL`."""
        scanners = sorted({case.reference.scanner for case in self.cases})
        return {
            scanner: [case for case in self.cases if case.reference.scanner == scanner]
            for scanner in scanners
        } | {ALL: list(self.cases)}


def match(predictions: Predictions, references: References) -> Matched:
    """Match by the case's name.

    Args:
        predictions: What was said.
        references: What is true.

    Raises:
        ValueError: Nothing matches, one reference has two predictions, or the predictions were
            made against other references.
    """
    cases, used = [], set()
    for reference in references.cases:
        if reference.scanner == ALL:
            raise ValueError(f"{references.file}: a scanner is called {ALL!r}; give it a name")
        names = sorted(reference.names & set(predictions.cases))
        if len(names) > 1:
            raise ValueError(
                f"{predictions.file}: {' and '.join(names)} are one case of {references.file.name}"
            )
        if not names:
            cases.append(Case(reference, None, FAILED, MISSING))
            continue
        said = predictions.cases[names[0]]
        used.add(names[0])
        if reference.scanner == NAMELESS and said.scanner is not None:
            reference = replace(reference, scanner=said.scanner)
        _refuse_other_references(predictions, references, said, reference)
        cases.append(Case(reference, said, said.status, said.reason))
    if not used:
        first = next(iter(predictions.cases))
        other = references.cases[0].case if references.cases else None
        beside = f", and {references.file.name} such as {other!r}" if other else ""
        raise ValueError(
            f"no case of {predictions.file} has a reference in {references.file}: predictions have "
            f"names such as {first!r}{beside}"
        )
    return Matched(cases, [name for name in predictions.cases if name not in used])


def _refuse_other_references(
    predictions: Predictions, references: References, said: Predicted, reference: Reference
) -> None:
    """Refuse what another cohort of the same case names must have led to."""
    if said.scanner is not None and said.scanner != reference.scanner:
        raise ValueError(
            f"{predictions.file}: case {said.case} is of scanner {said.scanner!r}, but of "
            f"{reference.scanner!r} in {references.file.name}; give the references of this run"
        )
    if said.label is not None and reference.label not in (None, said.label):
        raise ValueError(
            f"{predictions.file}: case {said.case} has the label {said.label:d}, but "
            f"{reference.label:d} in {references.file.name}; give the references of this run"
        )
    for name, level in said.levels.items():
        true = reference.density.get(name)
        if level.claimed is None or true is None:
            continue
        as_given = to_k2hpo4(true) if reference.mineral == K2HPO4 else true
        same = SAME.get(predictions.kind, SAME_MG_CM3)
        if min(abs(level.claimed - true), abs(level.claimed - as_given)) > same:
            raise ValueError(
                f"{predictions.file}: {name} of case {said.case} has the reference "
                f"{level.claimed:g}, but {as_given:g} in {references.file.name}; give the "
                "references of this run"
            )


def tally(cases: Sequence[Case]) -> dict[str, int]:
    """Count what cases came to."""
    return {status: sum(case.status == status for case in cases) for status in CASE_WORDS}


def reasons(cases: Sequence[Case]) -> dict[str, int]:
    """Count why cases are not done, the most frequent first."""
    found: dict[str, int] = {}
    for case in cases:
        if case.reason is not None and case.status != "done":
            found[case.reason] = found.get(case.reason, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def level_reasons(cases: Sequence[Case]) -> dict[str, int]:
    """Count why levels that have a reference were not measured, the most frequent first."""
    found: dict[str, int] = {}
    for case in cases:
        for name, true in case.reference.density.items():
            if true is None:
                continue
            level = case.predicted.levels[name] if case.predicted else None
            if level is not None and level.status == MEASURED:
                continue
            reason = (level.reason if level else MISSING) or "no reason given"
            found[reason] = found.get(reason, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _category(values: Sequence[float]) -> str | None:
    """Category of a mean of HA densities, by its K2HPO4-equivalent."""
    return category(to_k2hpo4(_mean(values))) if len(values) >= CATEGORY_LEVELS else None
