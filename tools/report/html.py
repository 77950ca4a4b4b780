"""The report as one HTML page: no network, light and dark, for screen, phone and A4.

    page = html.write(report, pictures.draw(report, image, affine, labels, patches))

It shows what report.json holds and nothing of the patient besides: no name, number or date, and
of the input no more than the case's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from tools import page
from tools.levels import MEASURED_LEVELS
from tools.report import areal, words
from tools.report.chart import chart
from tools.report.facts import facts
from tools.report.schema import density
from tools.report.table import table

STYLE_FILE = Path(__file__).with_name("report.css")

WORST_FIRST = ("fracture_suspected", "metal_or_cement", "contrast", "kvp_out_of_range", "scale")
"""Findings that a reader should not miss, before the others."""


def write(report: Mapping[str, Any], pictures: Mapping[str, page.Figure]) -> str:
    """Write the page of a report.

    Args:
        report: Content of report.json, valid by `tools.report.schema.validate`.
        pictures: File stem -> picture, as `tools.report.pictures.draw` returns them; what is
            missing is left out or said.

    Returns:
        A complete HTML document.
    """
    parts = [
        f'<p class="use"><strong>{escape(words.RESEARCH_USE)}</strong></p>',
        *_alert(report),
        _result(report),
        *_findings(report),
        page.heading("Levels"),
        table(report),
        page.heading("Pictures"),
        *_pictures(report, pictures),
        *areal.section(report),
        page.heading("How this was measured"),
        facts(report),
        page.footer(
            areal.FOOTER
            if report.get("areal")
            else "Densities are volumetric and trabecular. DXA measures areal density: the two are "
            "not equivalent, and no T-score follows from this page."
        ),
    ]
    style = STYLE_FILE.read_text(encoding="utf-8")
    return page.document(f"Bone density of L1–L4 from CT: {report['case']}", parts, style)


def _alert(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what comes before any density: suspected fractures."""
    lines = [
        words.fracture(name, level)
        for name, level in report["levels"].items()
        if "fracture_suspected" in (*level["reasons"], *level["warnings"])
    ]
    if report["ovf"] is not None and report["ovf"]["decision"] == "positive":
        lines.append(f"Fracture network: {words.fracture_network(report['ovf'])}")
    if lines:
        said = "".join(f"<p>{escape(line)}</p>" for line in lines)
        fragility = words.FRAGILITY[0].upper() + words.FRAGILITY[1:]
        yield (
            '<section class="alert"><h2>Fracture suspected</h2>'
            f"{said}<p><strong>{escape(fragility)}.</strong></p></section>"
        )


def _result(report: Mapping[str, Any]) -> str:
    said = f"<div><h2>Result</h2>{''.join(_verdict(report))}</div>"
    if all(density(level) is None for level in report["levels"].values()):
        return f'<section class="result">{said}</section>'
    return f'<section class="result">{said}<div>{chart(report)}</div></section>'


def _verdict(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the patient's mean with its meaning, or why there is none."""
    patient = report["patient"]
    mean, interval = patient["mean_bmd_mg_cm3"], patient["mean_interval_95_mg_cm3"]
    if mean is None:
        yield from _without_mean(report["levels"])
        for code in patient["reasons"]:
            found = words.finding(code)
            yield (
                f"<p><strong>{escape(_capital(found.title))}.</strong> {escape(found.meaning)}</p>"
            )
    else:
        yield f'<p class="value">{mean:.1f} <small>mg/cm³ HA</small></p>'
        yield page.paragraph(f"95 % interval {interval[0]:.0f} to {interval[1]:.0f} mg/cm³ HA")
        yield page.paragraph(
            f"{patient['mean_bmd_k2hpo4_mg_cm3']:.1f} mg/cm³ K₂HPO₄-equivalent, on which the "
            "category rests"
        )
        used = patient["levels_used"]
        many = "Mean of" if len(used) > 1 else "From"
        yield page.paragraph(f"{many} {words.listed(used)}")
    if patient["category"] is not None:
        yield f'<p class="verdict">{escape(words.verdict(patient["category"]))}</p>'
        if patient["borderline"]:
            yield page.paragraph(words.BORDERLINE)
    elif mean is not None:
        reasons = [words.finding(code).title for code in patient["reasons"]]
        yield page.paragraph(
            f"No category: {words.listed(reasons)}." if reasons else words.NO_CATEGORY_OF_ONE
        )
    ovf = report["ovf"]
    if ovf is not None and ovf["decision"] != "positive":
        yield page.paragraph(f"Fracture network: {words.fracture_network(ovf)}")


def _without_mean(levels: Mapping[str, Any]) -> Iterator[str]:
    """Yield what there is instead of a mean; the reasons follow."""
    shown = [name for name, level in levels.items() if level["status"] == "measured"]
    if not shown:
        yield '<p class="value">Not measured</p>'
        yield page.paragraph("No mean density and no category are given:")
        return
    yield '<p class="value">No mean density</p>'
    converted = any(density(levels[name]) is not None for name in shown)
    what = "HU and density" if converted else "HU"
    yield page.paragraph(
        f"The {what} of {words.listed(shown)} were measured and stand in the table below; no mean "
        "density and no category are given:"
    )


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield every reason and warning once, with the levels it is about."""
    about: dict[str, list[str]] = {}
    for name, level in report["levels"].items():
        for code in dict.fromkeys((*level["reasons"], *level["warnings"])):
            about.setdefault(code, []).append(name)
    for code in (*report["patient"]["reasons"], *report["qc"]["warnings"]):
        about.setdefault(code, [])
    if not about:
        return
    ranks = {code: rank for rank, code in enumerate(WORST_FIRST)}
    yield page.heading("What to bear in mind")
    yield '<ul class="findings">'
    for code in sorted(about, key=lambda one: ranks.get(one, len(ranks))):
        found, names = words.finding(code), about[code]
        where = "whole scan" if code in words.SCAN_WIDE or not names else words.listed(names)
        yield (
            f"<li><h3>{escape(found.title)}: {escape(where)}</h3>"
            f"<p>{escape(found.meaning)}</p><p><strong>{escape(found.action)}</strong></p>"
            f'<p class="code">{escape(code)}</p></li>'
        )
    yield "</ul>"


def _pictures(report: Mapping[str, Any], pictures: Mapping[str, page.Figure]) -> Iterator[str]:
    shown = [pictures[stem] for stem in ("sagittal", "sagittal_levels") if stem in pictures]
    if shown:
        yield '<div class="sagittal">' + "".join(map(page.figure, shown)) + "</div>"
    if "fracture" in pictures:
        yield f'<div class="sagittal">{page.figure(pictures["fracture"])}</div>'
    if not any(f"axial_{name}" in pictures for name in MEASURED_LEVELS):
        yield page.paragraph("No level could be shown in its own plane.")
        return
    yield '<div class="axial">'
    for name in MEASURED_LEVELS:
        figure = pictures.get(f"axial_{name}")
        if figure is not None:
            yield page.figure(figure)
        else:
            reasons = [words.finding(code).title for code in report["levels"][name]["reasons"]]
            said = f"{name}: no picture" + (f" ({words.listed(reasons)})" if reasons else "")
            yield f'<div class="absent">{escape(said)}</div>'
    yield "</div>"


def _capital(said: str) -> str:
    return said[0].upper() + said[1:]
