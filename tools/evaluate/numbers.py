"""Where every number of an evaluation goes by the same key, into JSON, the long table, the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.statistics import Estimate, Test

COLUMNS = ("table", "scanner", "method", "level", "metric", "value", "low", "high", "n")

Number = Estimate | Test
Key = tuple[str, str, str, str, str]

NOT_COMPUTED = Estimate(None, reason="not computed")


@dataclass
class Numbers:
    """All numbers of an evaluation, in the order they were put in.

    Attributes:
        found: (table, scanner, method, level, metric) -> number; a key that does not apply is "".
    """

    found: dict[Key, Number] = field(default_factory=dict)

    def put(
        self, table: str, scanner: str, method: str, level: str, numbers: Mapping[str, Number]
    ) -> None:
        """Keep numbers by metric.

        Raises:
            ValueError: If one is there already.
        """
        for metric, number in numbers.items():
            key = (table, scanner, method, level, metric)
            if key in self.found:
                raise ValueError(f"the number {key} is computed twice")
            self.found[key] = number

    def get(
        self, table: str, scanner: str, metric: str, method: str = "", level: str = ""
    ) -> Number:
        """Return a number; one without a value where there is none."""
        return self.found.get((table, scanner, method, level, metric), NOT_COMPUTED)

    def nested(self) -> dict[str, Any]:
        """All numbers as JSON holds them, one level of names per part of the key."""
        tree: dict[str, Any] = {}
        for key, number in self.found.items():
            branch = tree
            for part in (part for part in key[:-1] if part):
                branch = branch.setdefault(part, {})
            branch[key[-1]] = number.as_dict()
        return tree

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the long table; of a test its p."""
        for key, number in self.found.items():
            if isinstance(number, Test):
                yield (*key, number.p, None, None, number.n)
            else:
                yield (*key, number.value, number.low, number.high, number.n)

    def table(self) -> str:
        """Write the long table as CSV; what does not exist is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows():
            writer.writerow(["" if cell is None else cell for cell in row])
        return text.getvalue()
