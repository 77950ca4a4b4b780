"""Areal densities, g/cm²: what bmd_regression's variant read, and what DXA says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tools import bundles
from tools.levels import MEASURED_LEVELS
from tools.options import nearest
from tools.phantom import datalists

if TYPE_CHECKING:
    from tools.evaluate.references import Reference, References

MARK = "areal_bmd_g_cm2"
"""The column that makes a table one of areal density."""

NEEDED = ("case", "level", "status", "reason", MARK)
OPTIONAL = (
    *("patient_id", "scanner", "slices", "slices_sd_g_cm2", "kvp"),
    *("reference_g_cm2", "reference_kind"),
)

UNITS = ("g/cm2", "g/cm²")

PLAUSIBLE_G_CM2 = bundles.module("bmd_regression", "bmd_bundle.records").PLAUSIBLE_G_CM2
"""Areal densities of lumbar bodies; others are another quantity."""

Densities = dict[str, float | None]


def of_truth(found: References, cases: Mapping[str, Any]) -> References:
    """Give the references of a truth.json its areal densities.

    Raises:
        ValueError: A case has none; one line.
    """
    _, record = datalists.BUNDLES[datalists.AREAL]
    areal = []
    for case in found.cases:
        try:
            densities = record(cases[case.case])["bmd"]
        except LookupError as error:
            raise ValueError(
                f"{found.file}: case {case.case} has no areal density ({error}); draw the cohort "
                "anew"
            ) from error
        areal.append(_areal(case, densities))
    return replace(found, cases=areal)


def of_datalist(found: References, lists: Mapping[str, Any]) -> References:
    """Give the references of a datalist its records' areal densities, in the order of the records.

    Raises:
        ValueError: A record holds no areal densities by DXA; one line.
    """
    places = [(name, n, r) for name, part in lists.items() for n, r in enumerate(part, 1)]
    return replace(
        found,
        cases=[
            _areal(case, densities(f"{found.file}: record {number} of {name}", record))
            for case, (name, number, record) in zip(found.cases, places, strict=True)
        ],
    )


def _areal(case: Reference, density: Mapping[str, float | None]) -> Reference:
    """A reference of areal density: no mineral, no mass per volume."""
    return replace(case, density=density, mineral=None, mass=None)


def densities(where: str, record: Mapping[str, Any]) -> Densities:
    """Read a record's areal densities.

    Args:
        where: The record, for errors.
        record: Of a datalist of bmd_regression against DXA.

    Returns:
        Level -> g/cm², None where there is none.

    Raises:
        ValueError: They are none; one line that begins with `where`.
    """
    given = record.get("bmd")
    if record.get("reference") != "DXA" or not isinstance(given, Mapping):
        raise ValueError(
            f"{where} holds no density by DXA; for areal density give {datalists.AREAL}.json or "
            'records with "reference": "DXA"'
        )
    if record.get("unit") not in UNITS:
        raise ValueError(f"{where} has the unit {record.get('unit')!r}; g/cm2 is wanted")
    low, high = PLAUSIBLE_G_CM2
    for name, value in given.items():
        if name not in MEASURED_LEVELS:
            raise ValueError(f"{where} has a bmd of {name!r}{nearest(name, MEASURED_LEVELS)}")
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"{where}: {name} is {value!r}, no areal density in g/cm²")
    return dict.fromkeys(MEASURED_LEVELS) | dict(given)
