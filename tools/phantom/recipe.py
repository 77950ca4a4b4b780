"""Recipes: who a phantom cohort holds and how it is scanned.

A recipe is a short YAML file. ``recipe.schema.json`` describes every key with its unit and range,
``recipes/standard.yaml`` holds the defaults, and :func:`load` refuses whatever it does not know.

    >>> from tools.phantom import recipe
    >>> recipe.load("standard")["scan"]["kvp"]
    [120]
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.options import nearest
from tools.phantom import recipe_rules as rules
from tools.phantom.recipe_rules import SCHEMA_FILE, schema
from tools.phantom.strict_yaml import StrictLoader

__all__ = ["DEFAULTS", "RECIPE_FOLDER", "SCHEMA_FILE", "for_scanner", "load", "names",
           "refuse_paired", "schema"]  # fmt: skip

RECIPE_FOLDER = Path(__file__).with_name("recipes")
DEFAULTS = "standard"
"""The packaged recipe that gives the value of every key a recipe leaves out."""

_OWN_KEYS = ("name", "description")
"""They say what a recipe is, so none inherits them."""

_PACKAGED_NAME = re.compile(r"\w+")


def names() -> list[str]:
    """Return the names of the packaged recipes, sorted."""
    return sorted(path.stem for path in RECIPE_FOLDER.glob("*.yaml"))


def load(name_or_path: str | Path) -> dict[str, Any]:
    """Read, check and complete a recipe.

    Args:
        name_or_path: a packaged recipe's name, or the path of a YAML file.

    Returns:
        The recipe with every key of the schema; what the file leaves out is taken from
        ``recipes/standard.yaml``, its name from the file's stem.

    Raises:
        ValueError: the recipe is unknown, unreadable or wrong; one line that names the file, the
            key, what is allowed and the nearest known key.
    """
    path = _find(str(name_or_path))
    given = _read(path)
    rules.check_given(given, path)
    defaults = _read(RECIPE_FOLDER / f"{DEFAULTS}.yaml")
    recipe = _merged({key: value for key, value in defaults.items() if key not in _OWN_KEYS}, given)
    recipe = {"name": path.stem, "description": ""} | recipe
    rules.check_whole(recipe, path)
    for name in recipe["scanners"]:
        rules.check_whole(for_scanner(recipe, name), path, f"scanners.{name}.")
    return recipe


def for_scanner(recipe: Mapping[str, Any], scanner: str) -> dict[str, Any]:
    """Return the recipe as it holds for one scanner: its own keys laid over the common ones.

    Args:
        recipe: A loaded recipe.
        scanner: Name of the scanner.
    """
    return _merged(recipe, recipe.get("scanners", {}).get(scanner, {}))


def refuse_paired(recipe: Mapping[str, Any]) -> None:
    """Raise if a scanner has patients of its own, so that no patient can be on every scanner.

    Raises:
        ValueError: Names the scanner.
    """
    for name, own in recipe.get("scanners", {}).items():
        shared = {"oral_contrast", "contrast"} & set(own.get("scan", {}))
        if "population" in own or shared:
            raise ValueError(
                f"recipe {recipe['name']}: scanner {name} has patients of its own "
                f"(scanners.{name}), so they cannot be paired: leave out paired, or use another "
                "recipe"
            )


def _find(name_or_path: str) -> Path:
    """Return the file that a packaged name or a path means."""
    if name_or_path in names():
        return RECIPE_FOLDER / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if os.path.isfile(path):  # noqa: PTH113, as Path.is_file raises on a name too long
        return path
    if name_or_path and os.path.isdir(path):  # noqa: PTH112, likewise
        raise ValueError(f"recipe {path}: is a folder; give the path of a YAML file")
    if _PACKAGED_NAME.fullmatch(name_or_path):
        hint = nearest(name_or_path, names())
        raise ValueError(
            f"unknown recipe '{name_or_path}'{hint}; known: {', '.join(names())}, "
            "or give the path of a YAML file"
        )
    raise ValueError(f"recipe {name_or_path or repr('')}: no such file")


def _read(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds, in plain YAML terms."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"recipe {path}{where}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # bytes that are no text, a date that is none
        raise ValueError(f"recipe {path}: not a YAML text file") from error
    except OSError as error:
        raise ValueError(f"recipe {path}: {error.strerror}") from error
    if not isinstance(content, dict):
        raise ValueError(f"recipe {path}: not a mapping of keys to values")
    return content


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one nested mapping over another; lists are replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            value = _merged(old, value)
        merged[key] = value
    return merged
