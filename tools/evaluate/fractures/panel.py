"""All that judged the same scans: aggregators, the height-loss rule and readers, joined by case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.evaluate import matching
from tools.evaluate import predictions as tables
from tools.evaluate.fractures import readers as reading
from tools.evaluate.fractures import screened
from tools.evaluate.fractures.answers import Answer
from tools.evaluate.fractures.screened import RULE
from tools.evaluate.matching import Matched
from tools.evaluate.predictions import FRACTURES, Predictions
from tools.evaluate.references import References

SAME = 2e-4
"""Probabilities nearer than this are the same: a vote's are kept off 0 and 1 by half of it."""

UNNAMED = "network"
"""Method of a table that holds no answer at all."""


@dataclass(frozen=True)
class Beside:
    """Files to stand beside the predictions.

    Attributes:
        tables: predictions.csv of other aggregators.
        heights: A `screen` folder, or its results.csv; None for none.
        readers: A readers' CSV; None for none.
    """

    tables: Sequence[Path] = ()
    heights: Path | None = None
    readers: Path | None = None


@dataclass(frozen=True)
class Panel:
    """Cases with every method's answer.

    Attributes:
        matched: One case per reference, its answers those of all tables.
        networks: Names of the network's methods.
        rule: Whether the height-loss rule is among them.
        readers: Names of the readers.
        files: What was read besides the predictions -> the file's name.
    """

    matched: Matched
    networks: tuple[str, ...]
    rule: bool
    readers: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def machines(self) -> tuple[str, ...]:
        """All methods that are no reader, in the order of the table."""
        return (*self.networks, *((RULE,) if self.rule else ()))

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods in the order of the table."""
        return (*self.machines, *self.readers)


def join(said: Predictions, known: References, beside: Beside) -> Panel:
    """Join what was said by case.

    Args:
        said: The predictions.
        known: What is true.
        beside: What stands beside.

    Raises:
        ValueError: A file is unusable or fits nothing, or two methods have one name; one line.
    """
    others = [_table(path) for path in beside.tables]
    networks = [said, *others]
    sources, files = list(networks), {}
    if others:
        files["beside"] = ", ".join(table.file.name for table in others)
    if beside.heights is not None:
        if said.form == "screen":
            raise ValueError(f"--heights: {said.file} has heights of its own; leave it out")
        sources.append(_only(RULE, screened.read(beside.heights)))
        files["heights"] = sources[-1].file.name
    names = list(_names(sources)) or [RULE if said.form == "screen" else UNNAMED]
    rule = RULE in names or beside.heights is not None
    readers: list[str] = []
    if beside.readers is not None:
        sources.append(reading.read(beside.readers))
        files["readers"] = sources[-1].file.name
        readers = list(_names(sources[-1:]))
        for name in readers:
            if name in (*names, RULE):
                raise ValueError(
                    f"{beside.readers}: reader {name!r} has a method's name; rename it"
                )
    matched = _joined([matching.match(source, known) for source in sources])
    kept = _different(matched, [name for name in names if name != RULE])
    return Panel(matched, kept, rule, tuple(readers), files)


def _table(path: Path) -> Predictions:
    """Read another aggregator's table."""
    found = tables.read(path)
    if found.kind != FRACTURES:
        raise ValueError(f"--beside: {found.file} is of {found.form}; give predictions.csv of OVF")
    return found


def _only(method: str, found: Predictions) -> Predictions:
    """Keep one method's answers."""
    cases = {
        name: replace(case, answers={m: a for m, a in case.answers.items() if m == method})
        for name, case in found.cases.items()
    }
    return replace(found, cases=cases)


def _names(sources: Iterable[Predictions]) -> dict[str, Predictions]:
    """Method -> its table, in order: each table's own first, then what its slices give.

    Raises:
        ValueError: Two tables have a method of one name.
    """
    found: dict[str, Predictions] = {}
    for source in sources:
        own = dict.fromkeys(name for case in source.cases.values() for name in case.answers)
        for name in own:
            if name in found:
                raise ValueError(
                    f"{source.file} and {found[name].file} both hold {name!r}; give one table per "
                    "aggregator"
                )
            found[name] = source
    return dict(sorted(found.items(), key=lambda item: "of slices" in item[0]))


def _joined(parts: Sequence[Matched]) -> Matched:
    """Join the cases of several tables matched with the same references; the first one's status."""
    cases = []
    for same in zip(*(part.cases for part in parts), strict=True):
        answers: dict[str, Answer] = {}
        for case in same:
            answers |= case.predicted.answers if case.predicted is not None else {}
        spoken = next((case.predicted for case in same if case.predicted is not None), None)
        joined = replace(spoken, answers=answers) if spoken is not None else None
        cases.append(replace(same[0], predicted=joined))
    return Matched(cases, list(dict.fromkeys(name for part in parts for name in part.unmatched)))


def _different(matched: Matched, names: Sequence[str]) -> tuple[str, ...]:
    """Drop a method that says what one before it says, as the max of a network that pools so."""
    kept: dict[str, list[Answer | None]] = {}
    for name in names:
        said = [answer(case, name) for case in matched.cases]
        if not any(_alike(said, other) for other in kept.values()):
            kept[name] = said
    return tuple(kept)


def answer(case: matching.Case, method: str) -> Answer | None:
    """Return what a method said of a case; None if it did not judge it."""
    return case.predicted.answers.get(method) if case.predicted is not None else None


def _alike(one: Sequence[Answer | None], other: Sequence[Answer | None]) -> bool:
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            if a is not b:
                return False
        elif a.positive != b.positive or abs((a.score or 0.0) - (b.score or 0.0)) > SAME:
            return False
    return True
