"""The pictures: scatter with identity line, Bland-Altman plot, confusion matrices, DSC."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tools import bundles, page
from tools.evaluate import density, segmentation
from tools.evaluate.matching import ALL, Case, Matched
from tools.evaluate.numbers import Numbers
from tools.evaluate.predictions import METHODS
from tools.evaluate.published import CATEGORIES
from tools.levels import MEASURED_LEVELS
from tools.report.minerals import to_ha
from tools.statistics import Estimate

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, told apart with any colour vision."""

MARKS = "os^Dv*"

LIMITS_K2HPO4 = bundles.module("bmd_regression", "bmd_bundle.calibration").LIMITS_MG_CM3
"""Limits of the categories, mg/cm³ K2HPO4; drawn at their HA-equivalents."""

DOTS_PER_INCH = 110

MOST_PANELS = 2
"""Confusion matrices beside each other."""


def draw(
    matched: Matched,
    numbers: Numbers,
    methods: Sequence[str],
    matrices: Mapping[str, Mapping[str, list[list[int]]]],
) -> dict[str, page.Figure]:
    """Draw the pictures of density.

    Args:
        matched: The cases.
        numbers: What was computed of them.
        methods: Methods to show.
        matrices: Confusion matrices by scanner and method.

    Returns:
        File stem -> picture; none of a method without readings.
    """
    shown: dict[str, page.Figure] = {}
    scanners = [*matrices]
    shown_scanners = scanners[:1] if len(scanners) == 2 else scanners  # one is all scanners
    for method in methods:
        name = METHODS[method]
        if not density.sample(matched.groups()[ALL], method, density.LEVELS)[0]:
            continue
        shown[f"scatter_{method}"] = page.Figure(
            _scatter(matched, method),
            f"{name} against the reference: every level, and the line of identity; dotted, the "
            "limits of 80 and 120 mg/cm³ K2HPO4",
        )
        if density.sample(matched.groups()[ALL], method, density.MEAN)[0]:
            shown[f"bland_altman_{method}"] = page.Figure(
                _bland_altman(matched, numbers, method),
                f"{name}: Bland-Altman plot of the patients' means, with bias and limits of "
                "agreement of all scanners together",
            )
            shown[f"confusion_{method}"] = page.Figure(
                confusion({scanner: matrices[scanner][method] for scanner in shown_scanners}),
                f"{name}: categories of the patients' means, rows true",
            )
    return shown


def draw_segmentation(matched: Matched) -> dict[str, page.Figure]:
    """Draw the DSC of every level, by scanner."""
    figure, axes = canvas(6.4, 4.2)
    groups = {name: own for name, own in matched.groups().items() if name != ALL}
    width = 0.8 / len(groups)
    for number, (scanner, cases) in enumerate(groups.items()):
        colour = COLOURS[number % len(COLOURS)]
        values = [
            [own["dsc"] for case in cases if (own := segmentation.scores(case, name)) is not None]
            for name in MEASURED_LEVELS
        ]
        filled = [(place, own) for place, own in enumerate(values) if own]
        if not filled:
            continue
        axes.boxplot(
            [own for _, own in filled],
            positions=[place - 0.4 + (number + 0.5) * width for place, _ in filled],
            widths=0.8 * width,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "alpha": 0.5},
            medianprops={"color": "black"},
            flierprops={"markersize": 3},
            label=scanner,
        )
    axes.axhline(segmentation.VALID_DSC, color="black", linestyle=":", linewidth=1)
    axes.set_xticks(range(len(MEASURED_LEVELS)), MEASURED_LEVELS)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("DSC")
    axes.legend(frameon=False, loc="lower right")
    caption = "DSC per level; what was not written counts as 0; dotted, the limit of a valid scan"
    return {"dsc": page.Figure(to_png(figure), caption)}


def _scatter(matched: Matched, method: str) -> bytes:
    figure, axes = canvas(5.2, 5.0)
    everything: list[float] = []
    for scanner, colour, mark, cases in scanners(matched):
        pairs, _ = density.sample(cases, method, density.LEVELS)
        x, y = [pair.true for pair in pairs], [pair.read for pair in pairs]
        everything += x + y
        points(axes, x, y, scanner, colour, mark)
    low, high = min(everything), max(everything)
    room = max(5.0, 0.05 * (high - low))
    ends = (low - room, high + room)
    axes.plot(ends, ends, color="black", linewidth=1)
    for limit in map(to_ha, LIMITS_K2HPO4):
        if ends[0] < limit < ends[1]:
            axes.axvline(limit, color="#777777", linestyle=":", linewidth=1)
            axes.axhline(limit, color="#777777", linestyle=":", linewidth=1)
    axes.set_xlim(ends)
    axes.set_ylim(ends)
    axes.set_aspect("equal")
    axes.set_xlabel("reference, mg/cm³ HA")
    axes.set_ylabel(f"{METHODS[method]}, mg/cm³ HA")
    axes.legend(frameon=False)
    return to_png(figure)


def _bland_altman(matched: Matched, numbers: Numbers, method: str) -> bytes:
    figure, axes = canvas(5.6, 5.0)
    for scanner, colour, mark, cases in scanners(matched):
        pairs, _ = density.sample(cases, method, density.MEAN)
        x = [(pair.true + pair.read) / 2 for pair in pairs]
        points(axes, x, [pair.read - pair.true for pair in pairs], scanner, colour, mark)
    axes.axhline(0, color="#777777", linewidth=0.8)
    for metric, style in (("bias", "-"), ("limit_low", "--"), ("limit_high", "--")):
        found = numbers.get(density.AGREEMENT, ALL, metric, method, density.MEAN)
        if not isinstance(found, Estimate) or found.value is None:
            continue
        axes.axhline(found.value, color="black", linestyle=style, linewidth=1.2)
        axes.annotate(
            f"{found.value:.1f}", (1.0, found.value), xycoords=("axes fraction", "data"),
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
        if found.low is not None and found.high is not None:
            axes.axhspan(found.low, found.high, color="black", alpha=0.07, linewidth=0)
    axes.set_xlabel("mean of reference and reading, mg/cm³ HA")
    axes.set_ylabel(f"{METHODS[method]} minus reference, mg/cm³ HA")
    axes.legend(frameon=False)
    return to_png(figure)


def confusion(
    matrices: Mapping[str, Sequence[Sequence[int]]],
    categories: Sequence[str] = CATEGORIES,
    most: int = MOST_PANELS,
) -> bytes:
    """Draw confusion matrices side by side.

    Args:
        matrices: Title -> counts, rows true.
        categories: Names of rows and columns.
        most: Matrices beside each other.

    Returns:
        A PNG file's content.
    """
    names, places = [*matrices], range(len(categories))
    columns = min(len(names), most)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1.2 + 2.4 * columns, 0.6 + 2.7 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels.flat, names, strict=False):
        counts = np.array(matrices[name], dtype=float)
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.3)
        for (row, column), count in np.ndenumerate(counts):
            axes.text(column, row, f"{count:.0f}", ha="center", va="center",
                      color="white" if shares[row, column] > 0.75 else "black")  # fmt: skip
        axes.set_title(name, fontsize=10)
        axes.set_xticks(places, categories, rotation=35, ha="right", fontsize=8)
        first = axes in panels[:, 0]
        axes.set_yticks(places, categories if first else [""] * len(categories), fontsize=8)
    return to_png(figure)


def scanners(matched: Matched) -> list[tuple[str, str, str, list[Case]]]:
    """Scanners with colour, mark and cases."""
    groups = [(name, cases) for name, cases in matched.groups().items() if name != ALL]
    return [
        (name, COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)], cases)
        for i, (name, cases) in enumerate(groups)
    ]


def points(
    axes: Axes, x: Sequence[float], y: Sequence[float], label: str, colour: str, mark: str
) -> None:
    """Draw one scanner's points."""
    axes.scatter(x, y, s=18, c=colour, marker=mark, alpha=0.65, linewidths=0, label=label)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Make an empty plot, width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def to_png(figure: Figure) -> bytes:
    """Write a picture as a PNG file's content, the same for the same picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
