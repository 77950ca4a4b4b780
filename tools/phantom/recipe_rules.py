"""What a recipe may say: its JSON Schema, and the rules that a schema cannot state.

Each rule raises a ValueError of one line that names the file, the key and what is allowed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tools.options import nearest
from tools.phantom.strict_yaml import short

SCHEMA_FILE = Path(__file__).with_name("recipe.schema.json")

SCANNER_NAMES = ("A", "B", "C", "R")
"""Scanners that a recipe may treat apart; `imaging/scanners/` holds their files."""

CHEST_FIELDS = (
    "chest", "chest_abdomen_pelvis", "thoracolumbar", "abdomen_upper", "pelvis", "trunk_slab",
)  # fmt: skip
"""Fields that show a chest; their patients are drawn with one, which other fields' are not."""

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
"""Numbers that YAML 1.1, and so PyYAML, reads as text: it wants a point and a signed exponent."""


@cache
def schema() -> dict[str, Any]:
    """Return the published JSON Schema (draft 2020-12) of a recipe."""
    content: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


def check_given(given: Mapping[Any, Any], path: Path) -> None:
    """Refuse what a file says and the schema does not allow, overrides of scanners included.

    Args:
        given: Content of the file.
        path: The file, for the message.

    Raises:
        ValueError: For the first unknown key, else for the first bad value.
    """
    _refuse_unknown_keys(given, schema(), path)
    _refuse_bad_overrides(given, path)
    _refuse_bad_values(given, path)


def check_whole(recipe: Mapping[str, Any], path: Path, prefix: str = "") -> None:
    """Refuse a completed recipe whose values do not go together.

    Args:
        recipe: Every key with its value, as it holds for one scanner.
        path: The file, for the message.
        prefix: What stands before a key in the message, such as "scanners.B.".

    Raises:
        ValueError: For the first range that runs backwards, else for keys that exclude each other.
    """
    _refuse_bad_order(recipe, path, prefix)
    _refuse_contradictions(recipe, path, prefix)


def _refuse_unknown_keys(
    given: Mapping[Any, Any], node: Mapping[str, Any], path: Path, prefix: str = ""
) -> None:
    """Raise for the first key that the schema does not hold, naming the nearest one."""
    known = node["properties"]
    for key, value in given.items():
        if key not in known:
            everywhere = [leaf for leaf in _key_paths(schema()) if leaf.endswith(f".{key}")]
            quoted = " or ".join(f"'{leaf}'" for leaf in everywhere)
            hint = f"; did you mean {quoted}?" if everywhere else nearest(str(key), known)
            raise ValueError(
                f"recipe {path}: unknown key '{prefix}{short(key)}'{hint}; "
                f"known here: {', '.join(known)}"
            )
        if isinstance(value, Mapping) and "properties" in known[key]:
            _refuse_unknown_keys(value, known[key], path, f"{prefix}{key}.")


def _refuse_bad_overrides(given: Mapping[str, Any], path: Path) -> None:
    """Raise for the first bad key or value under a scanner; each is checked as a recipe is."""
    overrides = given.get("scanners")
    if not isinstance(overrides, Mapping):
        return
    node = schema()["properties"]
    allowed = {"properties": {key: node[key] for key in ("population", "scan")}}
    for name, own in overrides.items():
        if name not in SCANNER_NAMES:
            raise ValueError(
                f"recipe {path}: unknown scanner '{short(name)}' in scanners; "
                f"known: {', '.join(SCANNER_NAMES)}"
            )
        if not isinstance(own, Mapping):
            raise ValueError(f"recipe {path}: scanners.{name}: not a mapping of keys to values")
        _refuse_unknown_keys(own, allowed, path, f"scanners.{name}.")
        _refuse_bad_values(own, path, f"scanners.{name}.")


def _refuse_bad_values(given: Mapping[str, Any], path: Path, prefix: str = "") -> None:
    """Raise for the first value that the schema does not allow."""
    for location, value in _numbers(given):
        if not math.isfinite(value):  # passes every minimum and maximum of a JSON Schema
            raise ValueError(
                f"recipe {path}: {prefix}{_dotted(location)}: {value} is not a finite number"
            )
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(given)
    for error in sorted(errors, key=lambda e: [str(part) for part in e.absolute_path]):
        where = _dotted(error.absolute_path)
        raise ValueError(
            f"recipe {path}: {prefix}{where}: {_explain(error, _unit(error.absolute_path))}"
        )


def _refuse_contradictions(recipe: Mapping[str, Any], path: Path, prefix: str) -> None:
    """Raise for keys that exclude each other."""
    scan = recipe["scan"]
    if scan["reformat"] != "axial" and "circle" in scan["truncate"]:
        raise ValueError(
            f"recipe {path}: {prefix}scan.truncate: a reformat shows no reconstruction circle; "
            "leave out circle, or set scan.reformat to axial"
        )
    if not recipe["given_map"]["path"]:
        if recipe["given_map"]["fractured"]:
            raise ValueError(
                f"recipe {path}: given_map.fractured: there is no map; give given_map.path, or set "
                "pathology.fractured"
            )
        return
    chances = {f"anatomy.{key}": value for key, value in recipe["anatomy"].items()} | {
        f"pathology.{key}": recipe["pathology"][key]
        for key in ("fractured", "mimics", "cement", "screws")
    }
    for key, value in chances.items():
        if value:
            raise ValueError(f"recipe {path}: {key}: a given map's bodies stay as they are; set 0")
    if scan["field"] in CHEST_FIELDS:
        raise ValueError(
            f"recipe {path}: {prefix}scan.field: {scan['field']} needs a drawn spine; leave out "
            "given_map.path, or choose abdomen, lumbar or sagittal_slab"
        )


def _refuse_bad_order(recipe: Mapping[str, Any], path: Path, prefix: str) -> None:
    """Raise where a range runs backwards, which a JSON Schema cannot say."""
    population = recipe["population"]
    low, high = population["marrow_fat"]["range"]
    if low > high:
        raise ValueError(
            f"recipe {path}: {prefix}population.marrow_fat.range: low {low} is above high {high}; "
            "write [low, high]"
        )
    if not sum(population["density"]["shares"].values()) > 0:
        raise ValueError(f"recipe {path}: {prefix}population.density.shares: all are 0")
    for key, node in schema()["properties"]["scan"]["properties"].items():
        if node.get("$ref") == "#/$defs/range":
            low, high = recipe["scan"][key]
            if low > high:
                raise ValueError(
                    f"recipe {path}: {prefix}scan.{key}: low {low} is above high {high}; "
                    "write [low, high]"
                )
    age = population["age_years"]
    if not age["min"] <= age["mean"] <= age["max"]:
        raise ValueError(
            f"recipe {path}: {prefix}population.age_years: min {age['min']}, mean {age['mean']} "
            f"and max {age['max']} are not in rising order"
        )
    anatomy = recipe["anatomy"]
    if (both := anatomy["sacralised_l5"] + anatomy["lumbarised_s1"]) > 1:
        raise ValueError(
            f"recipe {path}: anatomy.sacralised_l5 and anatomy.lumbarised_s1 sum to {both:g}; "
            "nobody has both, so at most 1"
        )


def _explain(error: jsonschema.ValidationError, unit: str) -> str:
    """Say in a few words what is wrong with a value and what is allowed."""
    value, wanted = error.instance, error.schema
    shown = short(value)
    if error.validator in ("minimum", "maximum"):
        return f"{shown} is outside {wanted['minimum']} to {wanted['maximum']}{unit}"
    if error.validator == "enum":
        allowed = [str(each) for each in wanted["enum"]]
        return f"'{shown}' is not one of {', '.join(allowed)}{nearest(str(value), allowed)}"
    if error.validator == "pattern":
        return f"'{shown}' is not three letters, one each of L/R, A/P and I/S, such as LPS"
    if error.validator in ("minItems", "maxItems"):
        wanted_items = "[low, high]" if "maxItems" in wanted else "at least one value"
        return f"{shown} holds {len(value)} values; wanted {wanted_items}"
    if error.validator == "minLength":
        return "is empty"
    if error.validator_value == "number" and isinstance(value, str) and _EXPONENT.fullmatch(value):
        return f"YAML reads {shown} as text; write a point and a signed exponent, as in 1.0e-3"
    if error.validator_value == "array" and isinstance(value, str):
        return f"'{shown}' is not of type list; write [{shown}]"
    return f"{short(repr(value))} is not of type {_TYPE_WORDS[str(error.validator_value)]}"


_TYPE_WORDS = {
    "array": "list, as in [1, 2]",
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "object": "mapping of keys to values",
    "string": "text",
}


def _unit(location: Iterable[str | int]) -> str:
    """Return a blank and the unit of the key at a location, or nothing."""
    node = schema()
    for part in location:
        if isinstance(part, str):
            node = node["properties"][part]
    unit = str(node.get("unit", ""))
    return f" {unit}" if unit in ("kV", "mm", "years", "degrees") else ""


def _key_paths(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every key of the schema."""
    for key, child in node.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from _key_paths(child, f"{prefix}{key}.")


def _numbers(value: Any, location: tuple[Any, ...] = ()) -> Iterator[tuple[Any, float]]:
    """Yield each floating-point number in nested mappings and lists, with its location."""
    if isinstance(value, float):
        yield location, value
    elif isinstance(value, (dict, list)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers(child, (*location, key))


def _dotted(location: Iterable[str | int]) -> str:
    """Write a location as ``scan.kvp[1]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "the recipe"
