"""The density scale: every level with its interval against the limits, in both minerals.

An inline SVG whose places across are percentages and whose text keeps its size, so that the same
drawing suits a wide screen, a phone and paper. Colours are the page's (`report.css`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from tools.report import words
from tools.report.minerals import to_ha, to_k2hpo4
from tools.report.schema import density

AXIS_MG_CM3 = (0.0, 200.0)
"""Least extent of the scale, mg/cm³ HA: a young adult's trabecular bone reaches about 200."""

AXIS_STEP_MG_CM3 = 50.0
K2HPO4_STEP_MG_CM3 = 40.0
"""Between the ticks, mg/cm³; 80 and 120 K2HPO4 are ticks themselves."""

TOP, ROW, BOTTOM = 58, 30, 38
"""Heights of the upper axis, of a row, and of the lower axis, pixels."""

NUMBERS = "100%"
"""Where the column of numbers begins, right of the scale (`report.css` leaves room)."""


RANGES = {"low": "osteoporosis", "mid": "osteopenia", "high": "normal range"}
"""Style of a range -> its name, low to high."""

_SWATCHES = " ".join(f'<span class="{kind}"></span>{name}' for kind, name in RANGES.items())


@dataclass(frozen=True)
class Scale:
    """Where densities lie across the drawing.

    Attributes:
        low: Density at the left edge, mg/cm³ HA.
        high: At the right edge.
        limits: The limits between the categories, mg/cm³ K2HPO4.
    """

    low: float
    high: float
    limits: tuple[float, float]

    def share(self, ha_mg_cm3: float) -> float:
        """Return the place of an HA density, 0 at the left edge and 1 at the right one."""
        return (ha_mg_cm3 - self.low) / (self.high - self.low)

    def at(self, ha_mg_cm3: float) -> str:
        """Return the place of an HA density as SVG wants it.

        >>> Scale(0, 200, (80, 120)).at(50)
        '25.00%'
        """
        return f"{100 * self.share(ha_mg_cm3):.2f}%"


def scale_of(report: Mapping[str, Any]) -> Scale:
    """Lay the scale so that it holds every interval of a report."""
    values = list(AXIS_MG_CM3)
    for level in report["levels"].values():
        values += _ends(density(level), level["bmd_interval_95_mg_cm3"])
        values += [
            level[key]
            for key in ("bmd_cnn_mg_cm3", "bmd_hu_linear_mg_cm3")
            if level[key] is not None
        ]
    patient = report["patient"]
    values += _ends(patient["mean_bmd_mg_cm3"], patient["mean_interval_95_mg_cm3"])
    low, high = patient["thresholds_mg_cm3"]
    return Scale(
        math.floor(min(values) / AXIS_STEP_MG_CM3) * AXIS_STEP_MG_CM3,
        math.ceil(max(values) / AXIS_STEP_MG_CM3) * AXIS_STEP_MG_CM3,
        (float(low), float(high)),
    )


def _ends(value: float | None, interval: list[float] | None) -> list[float]:
    return [] if value is None else [value, *(interval or ())]


def chart(report: Mapping[str, Any]) -> str:
    """Draw the scale of a report.

    Args:
        report: Content of report.json.

    Returns:
        HTML with one inline SVG and its legend.
    """
    scale = scale_of(report)
    rows = [*report["levels"].items()]
    height = TOP + ROW * (len(rows) + 1) + BOTTOM
    foot = height - BOTTOM
    parts = [*_bands(scale, foot), *_axes(scale, foot)]
    for number, (name, level) in enumerate(rows):
        parts += _level_row(scale, TOP + ROW * (number + 0.5), name, level)
    patient = report["patient"]
    y = TOP + ROW * (len(rows) + 0.5)
    if patient["mean_bmd_mg_cm3"] is None:
        parts += [_name(y, "Mean"), _text("2%", y + 4, "none", "reason")]
    else:
        interval = patient["mean_interval_95_mg_cm3"]
        parts += [_name(y, "Mean"), *_mark(scale, y, patient["mean_bmd_mg_cm3"], interval, 6.5)]
    return (
        f'<div class="chart"><svg role="img" height="{height}" aria-label="{_spoken(report)}">'
        + "\n".join(parts)
        + f'</svg></div>\n<p class="legend swatches">{_SWATCHES}</p>'
        + f'<p class="legend">{_legend(report)}</p>'
    )


def _bands(scale: Scale, foot: float) -> Iterator[str]:
    """Yield the categories' ranges with their names."""
    first, second = (to_ha(limit) for limit in scale.limits)
    edges = (scale.low, first, second, scale.high)
    for low, high, (kind, name) in zip(edges[:-1], edges[1:], RANGES.items(), strict=True):
        width = f"{100 * (scale.share(high) - scale.share(low)):.2f}%"
        yield (
            f'<rect class="{kind}" x="{scale.at(low)}" y="{TOP - 18}" width="{width}" '
            f'height="{foot - TOP + 18:.0f}"/>'
        )
        yield _text(scale.at((low + high) / 2), TOP - 5, name, "range", "middle")
    for limit in (first, second):
        x = scale.at(limit)
        yield f'<line class="limit" x1="{x}" x2="{x}" y1="{TOP}" y2="{foot + 20:.0f}"/>'


def _axes(scale: Scale, foot: float) -> Iterator[str]:
    """Yield both minerals' ticks and numbers: K2HPO4 above, HA below."""
    yield _text("0%", 11, "K₂HPO₄-equivalent, mg/cm³", "soft")
    tick = math.ceil(to_k2hpo4(scale.low) / K2HPO4_STEP_MG_CM3) * K2HPO4_STEP_MG_CM3
    while scale.low <= to_ha(tick) <= scale.high:
        x = scale.at(to_ha(tick))
        kind = "limit-text" if tick in scale.limits else "soft"
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{TOP - 24}" y2="{TOP - 18}"/>'
        yield _text(x, TOP - 28, f"{tick:.0f}", kind, "middle")
        tick += K2HPO4_STEP_MG_CM3
    tick = scale.low
    while tick <= scale.high:
        x = scale.at(tick)
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{foot:.0f}" y2="{foot + 5:.0f}"/>'
        yield _text(x, foot + 18, f"{tick:.0f}", "soft", "middle")
        tick += AXIS_STEP_MG_CM3
    for limit in scale.limits:
        ha = to_ha(limit)
        yield _text(scale.at(ha), foot + 33, f"{ha:.1f}", "limit-text", "middle")
    yield _text("0%", foot + 33, "HA, mg/cm³", "soft")
    yield _beside(TOP - 5, "HA (95 %)", "soft")


def _level_row(scale: Scale, y: float, name: str, level: Mapping[str, Any]) -> Iterator[str]:
    """Yield a level's name with its value and interval, or why there is none."""
    value = density(level)
    why = words.left_out(level)
    yield f'<g class="{"unused" if why else "used"}">'
    yield _name(y, name)
    if value is None:
        said = words.finding(why).title if why else "no density"
        yield _text("2%", y + 4, said, "reason")
    else:
        if level["bmd_cnn_mg_cm3"] is not None and level["bmd_hu_linear_mg_cm3"] is not None:
            x = scale.at(level["bmd_hu_linear_mg_cm3"])
            yield (
                f'<svg x="{x}" y="{y - 9:.0f}" overflow="visible">'
                '<path class="other" d="M0-5L5 0 0 5-5 0z"/></svg>'
            )
        yield from _mark(scale, y, value, level["bmd_interval_95_mg_cm3"], 5)
    yield "</g>"


def _mark(
    scale: Scale, y: float, value: float, interval: list[float] | None, radius: float
) -> Iterator[str]:
    low, high = interval or (value, value)
    yield (
        f'<line class="interval" x1="{scale.at(low)}" x2="{scale.at(high)}" '
        f'y1="{y:.0f}" y2="{y:.0f}"/>'
    )
    yield f'<circle class="dot" cx="{scale.at(value)}" cy="{y:.0f}" r="{radius}"/>'
    said = f"{value:.0f}" + (f" ({low:.0f}–{high:.0f})" if interval else "")
    yield _beside(y + 4, said, "number")


def _beside(y: float, said: str, kind: str) -> str:
    """Write into the column of numbers."""
    place = f'<svg x="{NUMBERS}" y="{y:.0f}" overflow="visible">'
    return place + _text("10", 0, said, kind) + "</svg>"


def _name(y: float, name: str) -> str:
    return f'<text class="name" x="-10" y="{y + 5:.0f}" text-anchor="end">{escape(name)}</text>'


def _text(x: str, y: float, said: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y:.0f}" text-anchor="{anchor}">{escape(said)}</text>'


def _spoken(report: Mapping[str, Any]) -> str:
    """Say the drawing in a sentence for those who do not see it."""
    said = []
    for name, level in report["levels"].items():
        value = density(level)
        said.append(f"{name} " + ("none" if value is None else f"{value:.0f}"))
    mean = report["patient"]["mean_bmd_mg_cm3"]
    said.append("mean " + ("none" if mean is None else f"{mean:.0f}"))
    low, high = (to_ha(float(one)) for one in report["patient"]["thresholds_mg_cm3"])
    return escape(
        f"Density in mg/cm³ HA: {', '.join(said)}. Limits at {low:.1f} and {high:.1f} mg/cm³ HA, "
        "which are 80 and 120 mg/cm³ K2HPO4. The same numbers are in the table below."
    )


def _legend(report: Mapping[str, Any]) -> str:
    levels = report["levels"].values()
    said = ["Dot: value; bar: 95 % interval, mg/cm³ HA."]
    if any(one["bmd_cnn_mg_cm3"] is not None for one in levels):
        said[0] = "Dot: network; diamond above it: HU-linear; bar: 95 % interval, mg/cm³ HA."
    if any(words.left_out(one) and density(one) is not None for one in levels):
        said.append("Grey: not in the mean.")
    said.append("Ranges as named by ACR.")
    return escape(" ".join(said))
