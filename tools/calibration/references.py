"""References of a site's scans: QCT densities by case and level, from a table or a datalist.

    found = references.read(Path("qct.csv"))          # case, level, reference_mg_cm3, mineral
    found["A0001", "L1"].ha_mg_cm3

A datalist of `bmd_regression` and a cohort's `truth.json` are read as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from tools import bundles
from tools.calibration import cells
from tools.evaluate import references as evaluation
from tools.options import nearest

Key = tuple[str, str]
"""Case and level; "" for a mean over levels."""

HA = "HA"
MINERALS = (HA, "K2HPO4")


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
            yield (line["case"], cells.level(where, line)), made


def _of_json(path: Path) -> Iterator[tuple[Key, Reference]]:
    """Read a datalist or a cohort's truth; a case that has several names stands under each."""
    for case in evaluation.read(path, density=True).cases:
        for name, (level, value) in product(sorted(case.names), case.density.items()):
            if value is not None:
                made = Reference.of(f"{path.name}: {name}", value, HA, case.patient)
                yield (name, level), made._replace(mineral=case.mineral or HA)
