"""Tables of a site: rows of a CSV, and cells that are densities or voltages, or one line why not.

for where, line in cells.rows(Path("pairs.csv")):
    cells.density(where, "reference_mg_cm3", line)
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from pathlib import Path

from tools import bundles

Line = Mapping[str, str]
"""Head -> cell of one row, without blanks about them."""

PLAUSIBLE_MG_CM3 = (-150.0, 600.0)
"""Densities of trabecular bone with any error; others are another quantity or unit (design)."""

VERTEBRA = re.compile(r"T[1-9]|T1[0-2]|L[1-6]")
"""Names of levels."""


def rows(path: Path) -> list[tuple[str, Line]]:
    """Read a CSV; commas or, as some spreadsheets write, semicolons.

    Returns:
        Every row with its place, for errors.

    Raises:
        ValueError: If it is no table; one line that names the file.
        OSError: If it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no text; give a CSV in UTF-8") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(
        text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ","
    )
    names = [name.strip() for name in reader.fieldnames or ()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{path}: the column {twice!r} stands there twice; leave one out")
    found: list[tuple[str, Line]] = []
    for row in reader:
        where = f"{path.name}, row {reader.line_num}"
        if None in row or None in row.values():
            raise ValueError(f"{where}: more or fewer cells than the head")
        found.append((where, {key.strip(): cell.strip() for key, cell in row.items()}))
    if not found:
        raise ValueError(f"{path}: holds no rows; give a CSV with a head and a row for each pair")
    return found


def level(where: str, line: Line) -> str:
    """Name of a level; "" for an empty or absent cell.

    Raises:
        ValueError: If it is none; begins with `where`.
    """
    text = line.get("level", "")
    if text and not VERTEBRA.fullmatch(text):
        raise ValueError(f"{where}: level is {text!r}, not such as L1; leave it empty for a mean")
    return text


def density(where: str, column: str, line: Line) -> float | None:
    """A density, mg/cm³; None for an empty or absent cell.

    >>> density("row 2", "x", {"x": "98.5"}), density("row 2", "x", {"x": ""})
    (98.5, None)

    Raises:
        ValueError: If it is none; begins with `where`.
    """
    text = line.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: {column} is {text!r}, not a number such as 98.5") from None
    low, high = PLAUSIBLE_MG_CM3
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{where}: {column} is {text}, no density of trabecular bone in mg/cm³")
    return value


def voltage(where: str, line: Line, given: float | None) -> float:
    """Tube voltage, kV, of column `kvp`; as given for an empty or absent cell.

    Raises:
        ValueError: If it is none that a calibration can have; begins with `where`.
    """
    text = line.get("kvp", "")
    if not text and given is None:
        raise ValueError(f"{where}: no kvp; give the scans' tube voltage with --kvp")
    try:
        value = float(text) if text else float(given or 0.0)
    except ValueError:
        value = math.nan
    low, high = bundles.module("bmd_regression", "bmd_bundle.calibration").KVP_RANGE
    if not low <= value <= high:
        raise ValueError(
            f"{where}: kvp is {text or given}, not a tube voltage from {low:g} to {high:g} kV"
        )
    return value
