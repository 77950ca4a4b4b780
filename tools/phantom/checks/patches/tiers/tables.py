"""The table as a page of Markdown and as a long CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.evaluate.density import CRITICAL_MG_CM3
from tools.evaluate.words import DASH, counted, figure, number
from tools.phantom.checks.patches.tiers.readings import NAMES
from tools.phantom.checks.patches.tiers.scoring import Numbers
from tools.statistics import Estimate

Key = tuple[str, str, str]
"""Scanner, reading, tier."""

IDEAL = "qct"
"""The ideal QCT as a reading of the table of the fat error."""

TIERS = {"T0": "blind: the reference line at the header's voltage",
         "A": "least squares line of the patients of scanner A: what blind readings compete with",
         "T1": "line of one scan of the ESP-like object with its large ring",
         "T2": "correction from patients with QCT, scored on the others"}  # fmt: skip
"""Tier -> what is known of the scanner."""

COLUMNS = ("scanner", "reading", "tier", "table", "measure", "value", "low", "high", "n",
           "interval", "reason")  # fmt: skip

UNIT = "mg/cm³"


def long(found: Mapping[Key, Numbers]) -> str:
    """Write every number with its interval as CSV; what does not exist is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for key, tables in found.items():
        for table, numbers in tables.items():
            for measure, one in numbers.items():
                cells = (*key, table, measure, one.value, one.low, one.high, one.n, one.method)
                writer.writerow(["" if cell is None else cell for cell in (*cells, one.reason)])
    return text.getvalue()


def main_table(found: Mapping[Key, Numbers], counts: Mapping[Key, Mapping[str, Any]]) -> str:
    """Agreement of levels with QCT, and the category of the patient's mean."""
    head = ["scanner", "reading", "tier", "patients", "levels read", f"bias, {UNIT}", "limits",
            "slope", "r (SD of truth)", "residual SD", "MAE", "κ", "sensitivity, osteoporosis",
            "coverage", f"at {CRITICAL_MG_CM3[0]:g}–{CRITICAL_MG_CM3[1]:g}",
            "median width"]  # fmt: skip
    rows = []
    for key, count in counts.items():
        numbers = found[key]
        levels, category, interval = (numbers[name] for name in ("levels", "category", "interval"))
        rows.append([
            *_named(key),
            str(count["patients"]),
            f"{count['levels_read']}/{count['levels']}",
            _signed(levels["bias"]),
            _limits(levels),
            figure(levels["slope"].value, 3),
            f"{figure(levels['r'].value, 3)} ({figure(levels['reference_sd'].value, 1)})",
            figure(levels["residual_sd"].value, 2),
            figure(levels["mae"].value, 2),
            _line(number(category["kappa"], 3)),
            _line(counted(category["osteoporosis_sensitivity_all"])),
            _line(number(interval["coverage"], 3)),
            _line(number(interval["coverage_60_100"], 3)),
            figure(interval["median_width"].value, 1),
        ])  # fmt: skip
    return _table(head, rows)


def mean_table(found: Mapping[Key, Numbers], counts: Mapping[Key, Mapping[str, Any]]) -> str:
    """Agreement of the patient's mean."""
    head = ["scanner", "reading", "tier", "n", f"bias, {UNIT}", "limits", "slope",
            "r (SD of truth)", "residual SD", "MAE"]  # fmt: skip
    rows = []
    for key in counts:
        mean = found[key]["mean"]
        rows.append([
            *_named(key),
            str(mean["bias"].n),
            _signed(mean["bias"]),
            _limits(mean),
            figure(mean["slope"].value, 3),
            f"{figure(mean['r'].value, 3)} ({figure(mean['reference_sd'].value, 1)})",
            figure(mean["residual_sd"].value, 2),
            figure(mean["mae"].value, 2),
        ])  # fmt: skip
    return _table(head, rows)


def fat_table(found: Mapping[Key, Numbers]) -> str:
    """The error against the mineral put in; the ideal QCT among the readings."""
    head = ["scanner", "reading", "tier", f"bias, {UNIT}", "SD",
            f"{UNIT} per percentage point of yellow marrow"]  # fmt: skip
    rows = [
        [
            *_named(key),
            _signed(one["bias"]),
            figure(one["sd"].value, 1),
            _line(number(one["slope"])),
        ]
        for key, numbers in found.items()
        if (one := numbers.get("fat"))
    ]
    return _table(head, rows)


def page(
    content: Mapping[str, Any], found: Mapping[Key, Numbers], counts: Mapping[Key, Any]
) -> str:
    """Write the page.

    Args:
        content: Of tiers.json: `notes` and `settings` are shown.
        found: Every number.
        counts: What every number of a reading rests on (`scoring.counts`).
    """
    known = "\n".join(f"- {name}: {text}." for name, text in TIERS.items())
    parts = [
        "# Density with more and more known of the scanner: phantom results",
        "Digital patients, true masks; no scan of a patient is in these numbers. Errors are "
        f"reading minus `qct_ha` in {UNIT} HA; in parentheses 95 % confidence intervals, of "
        "resampled patients where levels are scored. Categories are of the patient's mean as "
        "K2HPO4 (80 and 120); a patient who could not be categorised counts against sensitivity.",
        known,
        "## Levels",
        main_table(found, counts),
        "## Patient's mean",
        mean_table(found, counts),
        "## Error against the mineral put in",
        fat_table(found),
        "## Levels that were not read, and levels that do not count",
        _counted(counts),
        "## Calibrations",
        "\n".join(f"- {note}" for note in content["notes"]),
        "Research use only; nothing here is a diagnosis.",
    ]
    return "\n\n".join(parts) + "\n"


def _counted(counts: Mapping[Key, Mapping[str, Any]]) -> str:
    """Per scanner, of the tier that is scored on all patients."""
    seen: dict[str, Mapping[str, Any]] = {}
    for (scanner, _, _), count in counts.items():
        seen.setdefault(scanner, count)
    return _table(
        ["scanner", "patients", "levels", "not read", "left out"],
        [
            [name, str(one["patients"]), str(one["levels"]), _why(one["unread"]),
             _why(one["left_out"])]
            for name, one in seen.items()
        ],
    )  # fmt: skip


def _why(tally: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in tally.items()) or "none"


def _named(key: Key) -> list[str]:
    scanner, reading, tier = key
    return [scanner, NAMES.get(reading, "ideal QCT"), tier or DASH]


def _signed(one: Estimate) -> str:
    """A difference with its interval, all with their signs.

    >>> _signed(Estimate(1.25, -0.5, 3.0))
    '+1.25 (−0.50 to +3.00)'
    """
    value, low, high = (_sign(end) for end in (one.value, one.low, one.high))
    return value if one.low is None else f"{value} ({low} to {high})"


def _sign(value: float | None) -> str:
    return DASH if value is None else f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _limits(numbers: Mapping[str, Estimate]) -> str:
    return " to ".join(_sign(numbers[name].value) for name in ("limit_low", "limit_high"))


def _line(text: str) -> str:
    return text.replace("\n", " ")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
        yield from (f"| {' | '.join(row)} |" for row in rows)

    return "\n".join(lines())
