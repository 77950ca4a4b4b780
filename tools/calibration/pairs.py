"""A site's pairs: what was read in each CT, and what QCT says of the same patient.

    found = pairs.read(Path("pairs.csv"))
    found.reading, found.reference, found.patient      # mg/cm³ HA, [N] each

PAIRS is a CSV with a row per case and level, or per case: `case`, `level` (optional), `patient_id`
(optional), one or both of the readings' columns, `reference_mg_cm3`, `mineral`, `kvp`,
`weights_sha256`. The bundle's `predictions.csv` is one. A `results.csv` or folder of `screen` takes
its references from another file (`tools.calibration.references`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from tools.calibration import cells, weights
from tools.calibration.cells import Line
from tools.calibration.references import HA, Key, Reference
from tools.evaluate import csvfile
from tools.options import nearest
from tools.report.minerals import to_k2hpo4

COLUMNS = {"cnn": weights.CNN_COLUMN, "hu_linear": "bmd_hu_linear_mg_cm3"}
"""Reading -> its column."""

REFERENCE = "reference_mg_cm3"

OPTIONAL = (
    *("level", "patient_id", "kvp", "weights_sha256"),
    *("warnings", "calibration", "reference_kind"),
)
"""Columns that are read where they are there; one like them is a misspelt one."""

LEAST_PATIENTS = 10
"""Fewer patients give no limits of agreement worth the name."""

LEAST_SPREAD_MG_CM3 = 0.5
"""Readings or references that spread by less (SD) are one number written many times (design)."""

AREAL = 5.0
"""References that all lie below this are no mg/cm³: areal density is 0.3 to 2 g/cm²."""

AREAL_APART = 40.0
"""A single one below it, further below its reading than scanners err, is none either (design)."""

NOT_MEASURED = frozenset({"refused", "failed"})
"""Status of a level whose reading, if there is one, does not count."""

SPOILING = frozenset({"fracture_suspected", "contrast"})
"""Warnings of a level whose reading and reference need not be of the same bone."""

PHYSICAL = "reference-"
"""What the name of the physical reference begins with: readings that nothing has corrected yet."""


class Row(NamedTuple):
    """One reading with its reference.

    Attributes:
        case: Name of the case.
        level: Name of the level, "" for a mean over levels.
        patient: What tells patients apart; the case where the file has no `patient_id`.
        reading: mg/cm³ HA.
        reference: mg/cm³ HA.
    """

    case: str
    level: str
    patient: str
    reading: float
    reference: float


@dataclass(frozen=True)
class Pairs:
    """A site's pairs that a correction can be made from.

    Attributes:
        rows: The pairs.
        name: What was read, a key of `COLUMNS`.
        kvp: Tube voltage of all scans, kV.
        weights_sha256: Of the weights that gave the readings; None for HU-linear.
        mineral: Of the references as they were given.
        left_out: Why rows were left out -> how many.
    """

    rows: Sequence[Row]
    name: str
    kvp: float
    weights_sha256: str | None
    mineral: str
    left_out: Mapping[str, int]

    @property
    def reading(self) -> np.ndarray:
        """Readings, mg/cm³ HA, [N]."""
        return np.array([row.reading for row in self.rows])

    @property
    def reference(self) -> np.ndarray:
        """References, mg/cm³ HA, [N]."""
        return np.array([row.reference for row in self.rows])

    @property
    def patient(self) -> np.ndarray:
        """Number of each pair's patient, 0 to P - 1 in the file's order, [N]."""
        known: dict[str, int] = {}
        return np.array([known.setdefault(row.patient, len(known)) for row in self.rows])


def read(
    path: Path,
    reading: Literal["auto", "cnn", "hu_linear"] = "auto",
    kvp: float | None = None,
    weights_sha256: str | None = None,
    references: Mapping[Key, Reference] | None = None,
) -> Pairs:
    """Read a site's pairs.

    Args:
        path: CSV, or a folder of `screen`.
        reading: Which reading is paired; "auto" takes the network's where there is one.
        kvp: Tube voltage of rows that do not say it, kV.
        weights_sha256: Weights of rows that do not say them.
        references: (case, level) -> reference; None where the file holds them itself.

    Raises:
        ValueError: If no correction can be made of it; one line that names file, row and mend.
        OSError: If it cannot be read.
    """
    if path.is_dir():
        path = path / "results.csv"
    table = cells.rows(path)
    lines = [line for _, line in table]
    _columns(path, lines[0], references is not None)
    name = _which(path, lines, reading)
    taken: list[tuple[str, Row, Line]] = []
    left_out: Counter[str] = Counter()
    minerals: set[str] = set()
    seen: dict[Key, str] = {}
    owners: dict[str, str] = {}
    for where, line in table:
        case, level = line["case"], cells.level(where, line)
        if not case:
            raise ValueError(f"{where}: no case; every row names one")
        key = (case, level)
        if key in seen:
            also = f"{case} {level}".strip()
            raise ValueError(f"{where}: {also} stands in {seen[key]}, too; leave one out")
        seen[key] = where
        value = cells.density(where, COLUMNS[name], line)
        if value is None or line.get("level_status", line.get("status")) in NOT_MEASURED:
            left_out["not measured"] += 1
            continue
        if spoiled := SPOILING.intersection(_words(line.get("warnings", ""))):
            left_out[min(spoiled)] += 1
            continue
        found = _reference(where, line, key, references)
        if found is None:
            left_out["no reference"] += 1
            continue
        _refuse_other(where, line)
        _refuse_areal(where, value, found)
        minerals.add(found.mineral)
        patient = found.patient or line.get("patient_id", "") or case
        if owners.setdefault(case, patient) != patient:
            raise ValueError(f"{where}: {case} has another patient_id than above; give it one")
        taken.append((where, Row(case, level, patient, value, found.ha_mg_cm3), line))
    rows = [row for _, row, _ in taken]
    _enough(path, rows, left_out)
    mineral = _one(path, "minerals", minerals, "split the file by mineral")
    voltages = {cells.voltage(where, line, kvp) for where, _, line in taken}
    voltage = _one(path, "tube voltages", voltages, "make one calibration per voltage")
    sha = None
    if name == "cnn":
        shas = {weights.of_row(path, line, weights_sha256) for _, _, line in taken}
        sha = _one(path, "weights", shas, "screen all scans with the same weights")
    found_pairs = Pairs(rows, name, voltage, sha, mineral, dict(left_out))
    _varied(path, found_pairs)
    return found_pairs


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";")]


def _columns(path: Path, line: Line, joined: bool) -> None:
    """Refuse a file that lacks a column."""
    needed = ["case"] if joined else ["case", REFERENCE, "mineral"]
    csvfile.check_columns(path, line, (), OPTIONAL)
    for column in needed:
        if column not in line:
            hint = nearest(column, line)
            if column == REFERENCE and "level_status" in line:
                hint = "; results of `screen` need --references FILE"
            raise ValueError(f"{path}: no column {column!r}{hint}")


def _which(path: Path, lines: Sequence[Line], reading: str) -> str:
    """Which reading the pairs are of."""
    there = [name for name, column in COLUMNS.items() if any(line.get(column) for line in lines)]
    if reading == "auto":
        if not there:
            known = " nor ".join(repr(column) for column in COLUMNS.values())
            hint = nearest(COLUMNS["hu_linear"], lines[0])
            raise ValueError(f"{path}: neither {known} holds a reading{hint}")
        return there[0]
    if reading not in there:
        raise ValueError(f"{path}: column {COLUMNS[reading]!r} holds no reading")
    return reading


def _reference(
    where: str, line: Line, key: Key, references: Mapping[Key, Reference] | None
) -> Reference | None:
    """The reference of a row, None for none."""
    if references is not None:
        return references.get(key)
    value = cells.density(where, REFERENCE, line)
    return None if value is None else Reference.of(where, value, line["mineral"])


def _refuse_other(where: str, line: Line) -> None:
    """Refuse references other than QCT, and readings that a calibration has moved already."""
    kind = line.get("reference_kind", "")
    if kind not in ("", "QCT"):
        raise ValueError(f"{where}: reference_kind is {kind!r}; only QCT gives mg/cm³")
    used = line.get("calibration", "")
    if used and not used.startswith(PHYSICAL):
        raise ValueError(
            f"{where}: was read with calibration {used!r}; screen the pairs without --calibration"
        )


def _refuse_areal(where: str, reading: float, found: Reference) -> None:
    """Refuse an areal density among references."""
    given = found.ha_mg_cm3 if found.mineral == HA else to_k2hpo4(found.ha_mg_cm3)
    if 0 < given < AREAL and reading - given > AREAL_APART:
        raise ValueError(
            f"{where}: the reference {given:g} beside a reading of {reading:.0f} is no mg/cm³; "
            "areal density is none"
        )


def _enough(path: Path, rows: Sequence[Row], left_out: Mapping[str, int]) -> None:
    patients = {row.patient for row in rows}
    if len(patients) < LEAST_PATIENTS:
        said = "".join(f"; {count} rows {why}" for why, count in left_out.items())
        raise ValueError(
            f"{path}: pairs of {len(patients)} patients, a calibration takes {LEAST_PATIENTS}{said}"
        )
    if all(abs(row.reference) < AREAL for row in rows):
        raise ValueError(f"{path}: references below {AREAL:g} are no mg/cm³; areal density is none")


def _varied(path: Path, found: Pairs) -> None:
    for what, values in (("reference", found.reference), ("reading", found.reading)):
        if float(np.std(values)) < LEAST_SPREAD_MG_CM3:
            raise ValueError(
                f"{path}: every {what} is about {values.mean():.1f} mg/cm³; pairs must differ in "
                "density"
            )


def _one(path: Path, what: str, found: set[Any], mend: str) -> Any:
    """The only one of a set.

    Raises:
        ValueError: If there are several.
    """
    if len(found) != 1:
        shown = " and ".join(
            f"{one:g}" if isinstance(one, float) else str(one)[:12] for one in sorted(found)
        )
        raise ValueError(f"{path}: several {what}, {shown}; {mend}")
    return next(iter(found))
