"""QCT densities of a datalist's record, in HA whatever they were given in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.levels import MEASURED_LEVELS
from tools.options import nearest
from tools.report.minerals import to_ha

UNITS = ("mg/cm3", "mg/cm³")
HA, K2HPO4 = "HA", "K2HPO4"

PLAUSIBLE_MG_CM3 = (-150.0, 600.0)
"""QCT densities of trabecular bone with any error; others are another quantity (design)."""

AREAL = 3.0
"""A patient whose levels all lie between 0 and this was measured in g/cm²: 0.3 to 2."""


def densities(where: str, record: Mapping[str, Any]) -> tuple[dict[str, float | None], str]:
    """Read a record's densities.

    Args:
        where: The record, for errors.
        record: Of a datalist of bmd_regression.

    Returns:
        Level -> mg/cm³ HA, None where there is none; and the mineral they were given in.

    Raises:
        ValueError: They are no QCT densities in mg/cm³; one line that begins with `where`.
    """
    given = record.get("bmd")
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} has no bmd; for densities give a datalist of bmd_regression")
    if record.get("reference", "QCT") != "QCT":
        raise ValueError(
            f"{where} has the reference {record['reference']!r}: areal density does not compare "
            "with mg/cm³; give QCT references"
        )
    if record.get("unit") not in UNITS:
        raise ValueError(f"{where} has the unit {record.get('unit')!r}; mg/cm3 is wanted")
    mineral = record.get("mineral")
    if mineral not in (HA, K2HPO4):
        raise ValueError(
            f"{where} has the mineral {mineral!r}; say HA or K2HPO4, as the phantom of the QCT was"
        )
    values: dict[str, float] = {}
    for name, value in given.items():
        if name not in MEASURED_LEVELS:
            raise ValueError(f"{where} has a bmd of {name!r}{nearest(name, MEASURED_LEVELS)}")
        if value is not None:
            values[name] = _density(f"{where}: {name}", value)
    if values and all(0 < value < AREAL for value in values.values()):
        first = next(iter(values.values()))
        raise ValueError(f"{where} has a bmd of {first:g}, as in g/cm²; mg/cm³ is wanted")
    convert = to_ha if mineral == K2HPO4 else float
    found = dict.fromkeys(MEASURED_LEVELS) | {k: convert(value) for k, value in values.items()}
    return found, mineral


def _density(where: str, value: Any) -> float:
    """A density as it was given, mg/cm³."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} is {value!r}, not a number")
    if not math.isfinite(value):
        raise ValueError(f"{where} is {value}; null is unknown")
    low, high = PLAUSIBLE_MG_CM3
    if not low <= value <= high:
        raise ValueError(f"{where} is {value}, no density of trabecular bone in mg/cm³")
    return value
