"""Counts and means over all rows, with intervals: what the rows say, in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tools.levels import MEASURED_LEVELS
from tools.statistics import bootstrap_mean, proportion
from tools.stress.score import ABSENT, REFUSED, RIGHT, RIGHT_CUT, WRONG

VERDICTS = (RIGHT, REFUSED, WRONG, RIGHT_CUT, ABSENT)

NUMBERS = ("dsc", "dsc_central", "msd_mm", "centroid_error_mm")
"""Columns of which means are taken; Dice counts a refused level as 0, distances leave it out."""

Row = dict[str, Any]


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarise all rows by part, and each part by how much of the sacrum shows.

    Args:
        rows: One per scan and level, with the columns of `score.rows`, `part`, `case`, `sacrum`.

    Returns:
        Part -> {"all", "sacrum_whole", "sacrum_part", "sacrum_none"}, each what `describe` returns.
    """
    parts: dict[str, Any] = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        own = [row for row in rows if row["part"] == part]
        parts[part] = {"all": describe(own)}
        for sacrum in dict.fromkeys(row["sacrum"] for row in own):
            group = [row for row in own if row["sacrum"] == sacrum]
            parts[part][f"sacrum_{sacrum}"] = describe(group)
    return parts


def describe(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarise some rows.

    Returns:
        `scans`; `verdicts`, counts; of the levels shown whole, `right`, `refused` and `wrong`; of
        the names written, `wrong_of_written`; of all levels that were shown whole or written,
        `wrong_names`; of the scans that show all four, `four_right`; `scans_with_wrong_name`; and
        per level and over all, means with intervals. Proportions are exact (Clopper-Pearson)
        over levels, which holds only as far as the levels of a scan err independently; those over
        scans need no such thing. Means are resampled by scan.
    """
    cases = _by_case(rows)
    shown = [row for row in rows if row["complete"]]
    written = [row for row in rows if row["verdict"] in (RIGHT, WRONG, RIGHT_CUT)]
    counted = [row for row in rows if row["complete"] or row["verdict"] != ABSENT]
    four = [own for own in cases if sum(row["complete"] for row in own) == len(MEASURED_LEVELS)]
    return {
        "scans": len(cases),
        "verdicts": {name: _count(rows, name) for name in VERDICTS},
        "right": proportion(_count(shown, RIGHT), len(shown)),
        "refused": proportion(_count(shown, REFUSED), len(shown)),
        "wrong": proportion(_count(shown, WRONG), len(shown)),
        "wrong_names": proportion(_count(rows, WRONG), len(counted)),
        "wrong_of_written": proportion(_count(rows, WRONG), len(written)),
        "four_right": proportion(_cases_with(four, lambda own: _count(own, RIGHT) == 4), len(four)),
        "scans_with_wrong_name": proportion(
            _cases_with(cases, lambda own: _count(own, WRONG) > 0), len(cases)
        ),
        "all_levels": {name: _mean(cases, name) for name in NUMBERS},
        **{
            level: {name: _mean(_of_level(cases, level), name) for name in NUMBERS}
            for level in MEASURED_LEVELS
        },
    }


def _by_case(rows: Iterable[Row]) -> list[list[Row]]:
    """Group rows by scan."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["part"], row["case"]), []).append(row)
    return list(groups.values())


def _of_level(cases: Sequence[Sequence[Row]], level: str) -> list[list[Row]]:
    return [[row for row in own if row["level"] == level] for own in cases]


def _count(rows: Iterable[Row], verdict: str) -> int:
    return sum(row["verdict"] == verdict for row in rows)


def _cases_with(cases: Iterable[Sequence[Row]], test: Callable[[Sequence[Row]], bool]) -> int:
    return sum(test(own) for own in cases)


def _mean(cases: Sequence[Sequence[Row]], name: str) -> dict[str, Any]:
    """Mean of a column over the levels shown whole, with its interval, extremes and count."""
    groups = [[row[name] for row in own if row["complete"] and row[name] is not None]
              for own in cases]  # fmt: skip
    values = sorted(value for group in groups for value in group)
    if not values:
        return {"mean": None, "ci95": None, "lowest": None, "highest": None, "count": 0}
    return {
        "mean": sum(values) / len(values),
        "ci95": bootstrap_mean(groups),
        "lowest": values[0],
        "highest": values[-1],
        "count": len(values),
    }


def in_words(part: str, content: dict[str, Any]) -> str:
    """Say a part's result in one line."""

    def share(name: str) -> str:
        found = content[name]
        if found["share"] is None:
            return "none"
        low, high = found["ci95"]
        counts = f"{found['count']} of {found['of']}"
        return f"{counts}, {found['share']:.1%} ({low:.1%} to {high:.1%})"

    dsc = content["all_levels"]["dsc"]["mean"]
    shown = "" if dsc is None else f"; mean DSC {dsc:.3f}"
    return (
        f"{part}: {content['scans']} scans; right {share('right')}; "
        f"wrong names {share('wrong_names')}{shown}"
    )
