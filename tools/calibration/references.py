"""References of a site's scans: QCT densities by case and level, from a table or a datalist.

    found = references.read(Path("qct.csv"))          # case, level, reference_mg_cm3, mineral
    found["A0001", "L1"].ha_mg_cm3

A datalist of `bmd_regression` and a cohort's `truth.json` are read as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tools import bundles, segmentation
from tools.calibration import cells
from tools.options import nearest

Key = tuple[str, str]
"""Case and level; "" for a mean over levels."""

MINERALS = ("HA", "K2HPO4")


class Reference(NamedTuple):
    """A QCT density.

    Attributes:
        ha_mg_cm3: As HA, mg/cm³.
        mineral: In which it was given.
        patient: Its patient, None if not said.
    """

    ha_mg_cm3: float
    mineral: str
    patient: str | None = None

    @classmethod
    def of(cls, where: str, value: float, mineral: str, patient: str | None = None) -> Reference:
        """Make a reference of a density in its own mineral.

        Raises:
            ValueError: If the mineral is none; begins with `where`.
        """
        if mineral not in MINERALS:
            raise ValueError(f"{where}: mineral {mineral!r} is neither {' nor '.join(MINERALS)}")
        if not math.isfinite(value):
            raise ValueError(f"{where}: reference {value} is not a number")
        if mineral == "K2HPO4":
            value = bundles.module("bmd_regression", "bmd_bundle.calibration").to_ha(value)
        return cls(value, mineral, patient)


def read(path: Path) -> dict[Key, Reference]:
    """Read references.

    Args:
        path: CSV with `case`, `level`, `reference_mg_cm3`, `mineral` and, if wanted, `patient_id`;
            a datalist; or `truth.json`.

    Raises:
        ValueError: If it holds none; one line that names the file.
        OSError: If it cannot be read.
    """
    found: dict[Key, Reference] = {}
    for key, reference in _of_json(path) if path.suffix == ".json" else _of_table(path):
        if key in found:
            said = f"{key[0]} {key[1]}".strip()
            raise ValueError(f"{path}: {said} has two references; leave one out")
        found[key] = reference
    if not found:
        raise ValueError(f"{path}: holds no reference density")
    return found


def _of_table(path: Path) -> Iterator[tuple[Key, Reference]]:
    table = cells.rows(path)
    for column in ("case", "reference_mg_cm3", "mineral"):
        if column not in table[0][1]:
            raise ValueError(f"{path}: no column {column!r}{nearest(column, table[0][1])}")
    for where, line in table:
        value = cells.density(where, "reference_mg_cm3", line)
        if value is not None:
            made = Reference.of(where, value, line["mineral"], line.get("patient_id") or None)
            yield (line["case"], line.get("level", "")), made


def _of_json(path: Path) -> Iterator[tuple[Key, Reference]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: is neither a datalist nor a truth.json")
    cases = content.get("cases")
    if isinstance(cases, dict):
        yield from _of_truth(path, cases)
        return
    for records in content.values():
        for record in records if isinstance(records, list) else ():
            if isinstance(record, dict) and isinstance(record.get("bmd"), dict):
                yield from _of_record(path, record)


def _of_truth(path: Path, cases: Mapping[str, Any]) -> Iterator[tuple[Key, Reference]]:
    for case, truth in cases.items():
        for level, known in truth.get("levels", {}).items():
            value = known.get("qct_ha_mg_cm3")
            if value is not None:
                yield (case, level), Reference.of(f"{path.name}: {case}", float(value), "HA")


def _of_record(path: Path, record: Mapping[str, Any]) -> Iterator[tuple[Key, Reference]]:
    naming = bundles.module(segmentation.NAME, "lumbar_bundle.common")
    image = path.parent / str(record.get("image"))
    case = naming.case_name(image)
    where = f"{path.name}: {case}"
    if record.get("reference") != "QCT":
        raise ValueError(f"{where}: reference is {record.get('reference')!r}; only QCT is mg/cm³")
    patient = record.get("patient_id")
    for level, value in record["bmd"].items():
        if value is not None:
            made = Reference.of(where, float(value), str(record.get("mineral")),
                                None if patient is None else str(patient))  # fmt: skip
            yield (case, level), made
