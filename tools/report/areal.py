"""The report's section on areal density, where the variant against DXA ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools import page
from tools.report import words

FOOTER = (
    "The densities above the section on areal density are volumetric and trabecular: no T-score "
    "follows from them. The areal one is an estimate of what DXA would read; confirm with DXA."
)


def section(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section, HTML; nothing where the variant did not run."""
    areal = report.get("areal")
    if areal is None:
        return
    yield page.heading("Areal density, estimated from whole axial slices")
    if areal["areal_bmd_g_cm2"] is None:
        yield page.paragraph(f"Not measured: {_titles(areal['reasons'])}.")
    else:
        yield page.paragraph(_said(areal))
    rows = [
        [name, _number(level["areal_bmd_g_cm2"]), _titles(level["reasons"])]
        for name, level in areal["levels"].items()
    ]
    yield page.table(["level", "g/cm²", "why not"], rows, "Areal density of each level")


def _said(areal: Mapping[str, Any]) -> str:
    """The patient's value and its T-score, in words."""
    levels = words.listed(areal["levels_used"])
    text = f"Mean of {levels}: {_number(areal['areal_bmd_g_cm2'])} g/cm²"
    if areal["t_score"] is None:
        return f"{text}. No T-score: it takes two levels."
    score = f"{areal['t_score']:.1f}".replace("-", "−")
    return f"{text}, T-score {score} against {areal['t_score_reference']}."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _titles(codes: Sequence[str]) -> str:
    return ", ".join(words.finding(code).title for code in codes)
