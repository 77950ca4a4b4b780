"""The levels as an HTML table, the patient's mean below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tools.report import words
from tools.report.minerals import to_k2hpo4
from tools.report.schema import density

SAID_ABOVE = words.SCAN_WIDE - {"contrast"}
"""Warnings about the whole scan, which the page says once; contrast changes what HU mean."""

NONE = "–"
"""What does not exist."""

CAPTION = "Density, HU, height and name of each level"
NOTE = (
    "Bone: the trabecular HU that density is read from, without dense foci. Median and spread "
    "(standard deviation): of the patch that the pictures show. Noise: in soft tissue near the "
    "body. Height lost: share of the expected height in front / in the middle / behind. Names are "
    "counted from the sacrum; one person in twenty has a sixth lumbar vertebra, which moves all of "
    "them by one and which only ribs in the field can tell. A dash: "
    "not measured."
)


def table(report: Mapping[str, Any]) -> str:
    """Write the table.

    Args:
        report: Content of report.json.

    Returns:
        HTML; it scrolls sideways by itself where the screen is narrower.
    """
    levels = report["levels"]
    network = any(level["bmd_cnn_mg_cm3"] is not None for level in levels.values())
    head = ["Level", "Density, mg/cm³ HA", "95 % interval", "Density, mg/cm³ K₂HPO₄"]
    head += ["Network, mg/cm³ HA", "HU-linear, mg/cm³ HA"] if network else []
    head += [
        "Bone, HU",
        "Median, HU",
        "Spread, HU",
        "Noise, HU",
        "Height lost, %",
        "Name, probability",
    ]
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in [*head, "Remarks"])
    body = "\n".join(_row(name, level, network) for name, level in levels.items())
    foot = _mean(report["patient"], len(head))
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Levels, scrolls sideways">'
        f'<table class="levels"><caption>{escape(CAPTION)}</caption>\n'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        f'<tfoot>{foot}</tfoot></table></div>\n<p class="legend">{escape(NOTE)}</p>'
    )


def _row(name: str, level: Mapping[str, Any], network: bool) -> str:
    value = density(level)
    numbers = [_interval(level["bmd_interval_95_mg_cm3"]), _k2hpo4(value)]
    if network:
        numbers += [_number(level["bmd_cnn_mg_cm3"], 1), _number(level["bmd_hu_linear_mg_cm3"], 1)]
    numbers += [
        _number(level["hu_trabecular"]),
        _number(level.get("hu_median")),
        _number(level["hu_sd"]),
        _number(level["noise_hu"]),
        _losses(level["height_loss"]),
        NONE if level["confidence"] is None else f"{100 * level['confidence']:.0f} %",
    ]
    kind = ' class="refused"' if words.left_out(level) else ""
    cells = "".join(f"<td>{escape(number)}</td>" for number in numbers)
    return (
        f'<tr{kind}><th scope="row">{escape(name)}</th>'
        f'<td class="main">{escape(_number(value, 1))}</td>{cells}'
        f'<td class="words">{escape(_remarks(level))}</td></tr>'
    )


def _mean(patient: Mapping[str, Any], columns: int) -> str:
    numbers = [
        _number(patient["mean_bmd_mg_cm3"], 1),
        _interval(patient["mean_interval_95_mg_cm3"]),
        _number(patient["mean_bmd_k2hpo4_mg_cm3"], 1),
    ]
    cells = "".join(f"<td>{escape(number)}</td>" for number in numbers)
    used = patient["levels_used"]
    said = f"of {words.listed(used)}" if used else "no mean"
    empty = f'<td colspan="{columns - 1 - len(numbers)}"></td>'
    return f'<tr><th scope="row">Mean</th>{cells}{empty}<td class="words">{escape(said)}</td></tr>'


def _remarks(level: Mapping[str, Any]) -> str:
    codes = [*level["reasons"], *(code for code in level["warnings"] if code not in SAID_ABOVE)]
    said = [words.finding(code).title for code in codes]
    if not words.left_out(level):
        return "; ".join(said)
    grade = level.get("fracture_grade")
    if grade and "fracture_suspected" in codes:
        said.append(f"grade {grade}")
    lead = "not measured" if density(level) is None else "not in the mean"
    return f"{lead}: {'; '.join(said)}"


def _number(value: float | None, digits: int = 0) -> str:
    """Write a number with a real minus, and none before a zero."""
    if value is None:
        return NONE
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _k2hpo4(ha_mg_cm3: float | None) -> str:
    return _number(None if ha_mg_cm3 is None else to_k2hpo4(ha_mg_cm3), 1)


def _interval(interval: Sequence[float] | None) -> str:
    return NONE if interval is None else f"{_number(interval[0])} to {_number(interval[1])}"


def _losses(losses: Mapping[str, float | None] | None) -> str:
    if losses is None:
        return NONE
    shares = (losses[place] for place in ("anterior", "middle", "posterior"))
    return " / ".join(_number(None if share is None else 100 * share) for share in shares)
