"""Reading a CSV table strictly: every cell that is used is checked, errors name line and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.options import nearest

RESULTS, PREDICTIONS = "results.csv", "predictions.csv"
"""Tables of predictions, of `screen` and of a bundle."""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        place: File and line, for errors.
        cells: Column -> text, without spaces about it.
    """

    place: str
    cells: Mapping[str, str]

    def text(self, column: str) -> str | None:
        """Return a cell's text; None if it is empty or the column is not there."""
        return self.cells.get(column) or None

    def needed(self, column: str) -> str:
        """Return a cell's text.

        Raises:
            ValueError: If it is empty.
        """
        found = self.text(column)
        if found is None:
            raise ValueError(f"{self.place}: {column} is empty")
        return found

    def number(self, column: str) -> float | None:
        """Return a cell's number; None if it is empty.

        Raises:
            ValueError: If it is text, or not finite.
        """
        text = self.text(column)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{self.place}: {column} is {text!r}, not a number") from None
        if not math.isfinite(value):
            raise ValueError(f"{self.place}: {column} is {text}; leave it empty if it is unknown")
        return value

    def choice(self, column: str, known: Iterable[str]) -> str:
        """Return a cell that holds one of some words.

        Raises:
            ValueError: If it holds another.
        """
        text, words = self.needed(column), list(known)
        if text not in words:
            hint = nearest(text, words)
            raise ValueError(
                f"{self.place}: {column} is {text!r}{hint}; one of {', '.join(words)} is wanted"
            )
        return text

    def truth(self, column: str) -> bool | None:
        """Return a cell that holds 0 or 1; None if it is empty.

        Raises:
            ValueError: If it holds another word.
        """
        words = {"1": True, "0": False, "True": True, "False": False}
        return None if self.text(column) is None else words[self.choice(column, words)]

    def interval(self, columns: tuple[str, str]) -> tuple[float, float] | None:
        """Return an interval whose ends stand in two columns; None if both are empty.

        Raises:
            ValueError: If one end is missing, or they are upside down.
        """
        low, high = (self.number(column) for column in columns)
        if low is None and high is None:
            return None
        if low is None or high is None or low > high:
            raise ValueError(f"{self.place}: {' and '.join(columns)} make no interval")
        return low, high


def same(rows: Sequence[Row], column: str) -> str | None:
    """Return what all rows of a case say in a column.

    Raises:
        ValueError: If they differ.
    """
    said = {row.text(column) for row in rows}
    if len(said) > 1:
        raise ValueError(f"{rows[-1].place}: the rows of one case differ in {column}")
    return said.pop()


def table_of(place: Path) -> Path:
    """Find the table that a path means.

    Raises:
        ValueError: There is none, or more than one; one line.
    """
    if not place.exists():
        raise ValueError(f"{place}: no such file or folder; give predictions")
    if not place.is_dir():
        return place
    found = [place / name for name in (RESULTS, PREDICTIONS) if (place / name).is_file()]
    if not found:
        raise ValueError(
            f"{place}: holds neither {RESULTS} of `screen` nor {PREDICTIONS} of `evaluating`"
        )
    if len(found) > 1:
        raise ValueError(f"{place}: holds {RESULTS} and {PREDICTIONS}; name the file")
    return found[0]


def read(path: Path) -> tuple[list[str], list[Row]]:
    """Read a table with a head.

    Args:
        path: CSV file, UTF-8.

    Returns:
        The columns and the rows, of which empty lines are none.

    Raises:
        ValueError: If it cannot be read, is empty, or a row has more or fewer cells than the head.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ValueError(f"{path}: cannot be read as a CSV table ({reason})") from error
    if not text.strip() or "\0" in text:
        raise ValueError(f"{path}: {'no text' if text.strip() else 'empty'}; no table to evaluate")
    try:
        lines = csv.reader(text.splitlines(keepends=True), strict=True)
        head = [name.strip() for name in next(lines)]
        rows = []
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{path}, line {lines.line_num}"
            if len(cells) != len(head):
                raise ValueError(f"{place}: {len(cells)} cells under {len(head)} columns")
            cleaned = (cell.strip() for cell in cells)
            rows.append(Row(place, dict(zip(head, cleaned, strict=True))))
    except csv.Error as error:
        raise ValueError(f"{path}: damaged CSV ({error})") from error
    twice = [name for name in head if head.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: the column {twice[0]!r} stands there twice")
    if not rows:
        raise ValueError(f"{path}: a head without rows; nothing to evaluate")
    return head, rows


def check_columns(
    path: Path, head: Iterable[str], needed: Iterable[str], optional: Iterable[str]
) -> None:
    """Refuse a head that lacks a column, or misspells one; other columns are left alone.

    Args:
        path: The file, for errors.
        head: Its columns.
        needed: Columns that must be there.
        optional: Columns that are read if they are there.

    Raises:
        ValueError: If one is missing or misspelt.
    """
    own, known = list(head), [*needed, *optional]
    others = [name for name in own if name not in known]
    for name in needed:
        if name not in own:
            hint = nearest(name, others).replace("did you mean", "is it")
            raise ValueError(f"{path}: the column {name!r} is missing{hint}")
    absent = [name for name in optional if name not in own]
    for name in others:
        hint = nearest(name.casefold(), absent, 0.8)
        if hint:
            raise ValueError(f"{path}: unknown column {name!r}{hint}")
