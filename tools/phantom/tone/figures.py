"""Pictures: histograms and edge profiles of phantoms over those of real CTs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tools.files import write_atomically
from tools.phantom.tone.measures import Profile, Tissue

REAL_COLOUR, PHANTOM_COLOUR = "#8e8e93", "#0a84ff"
BINS = 60
EDGE_LABELS = {
    "skin": "distance from the crossing, inwards, mm",
    "border": "distance from the body's surface, outwards, mm",
}


def draw_histograms(path: Path, tissue: str, pairs: dict[str, list[Tissue | None]]) -> None:
    """Draw one panel per real CT: its histogram filled, one line per phantom.

    Args:
        path: PNG to write; nothing is written where no scan shows the tissue.
        tissue: Headline.
        pairs: Real scan's name -> the real region, then the phantoms'.
    """
    shown = {name: looks for name, looks in pairs.items() if looks[0] is not None}
    figure, axes = _panels(len(shown))
    for axis, (name, (real, *phantoms)) in zip(axes, shown.items(), strict=True):
        assert real is not None
        present = [tissue.values for tissue in phantoms if tissue is not None]
        pooled = np.concatenate([real.values, *present])
        low, high = np.percentile(pooled, [0.5, 99.5])
        # Whole numbers of HU per bin: real files hold integers, which other bins would comb.
        width = max(1, round((high - low) / BINS))
        edges = np.arange(np.floor(low) - 0.5, high + width, width).tolist()
        axis.hist(real.values, edges, density=True, color=REAL_COLOUR, label="real")
        for number, values in enumerate(present):
            axis.hist(values, edges, density=True, histtype="step", color=PHANTOM_COLOUR,
                      label=None if number else "phantoms")  # fmt: skip
        _finish(axis, name, "HU")
    _save(path, figure, tissue, len(shown))


def draw_edges(path: Path, edge: str, profiles: dict[str, list[Profile | None]]) -> None:
    """Draw one panel per real CT: its mean edge profile, and one line per phantom.

    Args:
        path: PNG to write; nothing is written where no scan shows the edge.
        edge: "skin" or "border".
        profiles: Real scan's name -> the real profile, then the phantoms'.
    """
    shown = {name: lines for name, lines in profiles.items() if lines[0] is not None}
    figure, axes = _panels(len(shown))
    for axis, (name, (real, *phantoms)) in zip(axes, shown.items(), strict=True):
        assert real is not None
        present = [profile for profile in phantoms if profile is not None]
        for number, (distance, value) in enumerate(present):
            axis.plot(distance, value, color=PHANTOM_COLOUR, linewidth=0.8,
                      label=None if number else "phantoms")  # fmt: skip
        axis.plot(*real, color="black", linewidth=1.6, label="real")
        _finish(axis, name, EDGE_LABELS[edge])
    _save(path, figure, edge, len(shown))


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.0 * max(1, count), 3.2), dpi=110, layout="constrained")
    if count == 0:
        return figure, []
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _finish(axis: Axes, name: str, label: str) -> None:
    axis.set_title(name, fontsize=9)
    axis.set_xlabel(label, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=8)


def _save(path: Path, figure: Figure, title: str, panels: int) -> None:
    if panels == 0:
        return
    figure.suptitle(title, fontsize=10)
    canvas = FigureCanvasAgg(figure)
    write_atomically(path, lambda temporary: canvas.print_png(temporary))
