"""The published JSON Schema of report.json, and whether a report keeps to it.

from tools.report import schema
schema.validate(report)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tools.report.minerals import category, to_k2hpo4

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")

ROUNDING_MG_CM3 = 0.1
"""What rounding for the file may move a number by, mg/cm³."""


@cache
def schema() -> dict[str, Any]:
    """Return the published JSON Schema (draft 2020-12) of report.json."""
    content: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


def validate(report: Mapping[str, Any]) -> None:
    """Refuse a report that its readers could not rely on.

    Besides the schema, the numbers must agree with each other: intervals hold their value, the mean
    is that of measured levels without a suspected fracture, and its K2HPO4-equivalent and category
    are those of the mean.

    Args:
        report: Content of report.json; Python's own numbers, not NumPy's.

    Raises:
        ValueError: If it is no JSON (NaN, NumPy numbers), does not match the schema, or contradicts
            itself; one line that names the key.
    """
    try:
        content = json.loads(json.dumps(report, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"report.json: not JSON ({error}); write Python numbers and None"
        ) from None
    wrong = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema()).iter_errors(content)
    )
    if wrong is not None:
        where = wrong.json_path.removeprefix("$").lstrip(".") or "top level"
        raise ValueError(f"report.json: {where}: {wrong.message}")
    for problem in _contradictions(content):
        raise ValueError(f"report.json: {problem}")


def density(level: Mapping[str, Any]) -> float | None:
    """Return the density that counts for a level, mg/cm³ HA: the CNN's, else HU-linear.

    >>> density({"bmd_cnn_mg_cm3": None, "bmd_hu_linear_mg_cm3": 96.0})
    96.0
    """
    cnn = level["bmd_cnn_mg_cm3"]
    value: float | None = level["bmd_hu_linear_mg_cm3"] if cnn is None else cnn
    return value


def _contradictions(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a JSON Schema cannot say."""
    levels, patient = report["levels"], report["patient"]
    for name, level in levels.items():
        yield from _outside(
            f"levels.{name}.bmd_interval_95_mg_cm3",
            density(level),
            level["bmd_interval_95_mg_cm3"],
        )
        if density(level) is not None and report["calibration"] is None:
            yield f"levels.{name} has a density, but calibration is null; name what converted it"
    yield from _wrong_mean(patient, levels)
    mean, value = patient["mean_bmd_mg_cm3"], patient["mean_bmd_k2hpo4_mg_cm3"]
    yield from _outside("patient.mean_interval_95_mg_cm3", mean, patient["mean_interval_95_mg_cm3"])
    if mean is not None and abs(to_k2hpo4(mean) - value) > ROUNDING_MG_CM3:
        yield (
            f"patient.mean_bmd_k2hpo4_mg_cm3 is {value}, but {mean} mg/cm³ HA are "
            f"{to_k2hpo4(mean):.1f} mg/cm³ K2HPO4"
        )
    named = patient["category"]
    if named is not None:
        possible = {category(value + shift) for shift in (-ROUNDING_MG_CM3, 0, ROUNDING_MG_CM3)}
        if named not in possible:
            yield f"patient.category is {named}, but {value} mg/cm³ K2HPO4 lies in another range"


def _wrong_mean(patient: Mapping[str, Any], levels: Mapping[str, Any]) -> Iterator[str]:
    """Yield levels that may not be in the mean, and a mean that is not theirs."""
    used = patient["levels_used"]
    for name in used:
        if name not in levels or levels[name]["status"] != "measured":
            yield f"patient.levels_used holds {name}, which was not measured; leave it out"
        elif density(levels[name]) is None:
            yield f"patient.levels_used holds {name}, which has no density; leave it out"
        elif "fracture_suspected" in levels[name]["warnings"]:
            yield f"patient.levels_used holds {name}, which may be fractured; leave it out"
    known = [density(levels[name]) for name in used if name in levels]
    mean, densities = patient["mean_bmd_mg_cm3"], [value for value in known if value is not None]
    if mean is None or not densities:
        return
    expected = sum(densities) / len(densities)
    if abs(mean - expected) > ROUNDING_MG_CM3:
        yield f"patient.mean_bmd_mg_cm3 is {mean}, but the mean of levels_used is {expected:.1f}"


def _outside(key: str, value: float | None, interval: list[float] | None) -> Iterator[str]:
    if interval is None:
        return
    low, high = interval
    if value is None:
        yield f"{key} is given without a density"
    elif not low - ROUNDING_MG_CM3 <= value <= high + ROUNDING_MG_CM3:
        yield f"{key} is [{low}, {high}], which does not hold the density {value}"
