"""The pictures of fractures: ROC curves with operating points, and confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.metrics import roc_curve

from tools import page
from tools.evaluate.figures import COLOURS, MARKS, canvas, confusion, to_png
from tools.evaluate.fractures import compute, published, strata
from tools.evaluate.fractures.panel import Panel, answer
from tools.evaluate.matching import ALL
from tools.evaluate.numbers import Numbers
from tools.statistics import Estimate

ROC, CONFUSION = "roc", "confusion_fractures"
"""File stems."""

MOST_PANELS = 4
"""Confusion matrices beside each other."""

ANSWERS = ("fracture", "none")
"""Rows and columns of a confusion matrix."""

STUDY_MARKS = {published.REPORT: "P", published.LSTM: "X"}
"""Rows of S1 that stand in the ROC plot, with their marks."""


def draw(
    panel: Panel, numbers: Numbers, matrices: Mapping[str, Mapping[str, list[list[int]]]]
) -> dict[str, page.Figure]:
    """Draw the pictures of the main result, all scanners together.

    Args:
        panel: The cases with all answers.
        numbers: What was computed of them.
        matrices: Confusion matrices by scanner and method.

    Returns:
        File stem -> picture; none where nothing was judged.
    """
    own = {name: counts for name, counts in matrices[ALL].items() if sum(map(sum, counts))}
    if not own:
        return {}
    return {
        ROC: page.Figure(
            _roc(panel, numbers),
            "ROC curves of the scans that each method judged, all scanners together; the large "
            "marks are where its decisions stand. Readers and S1's rows are points",
        ),
        CONFUSION: page.Figure(
            confusion(own, ANSWERS, MOST_PANELS),
            "Confusion matrices of the scans judged, rows true",
        ),
    }


def _roc(panel: Panel, numbers: Numbers) -> bytes:
    figure, axes = canvas(6.0, 6.0)
    axes.plot((0, 1), (0, 1), color="#777777", linewidth=0.8, linestyle=":")
    main = strata.main(panel.matched.cases)
    for method, look in _looks(panel):
        known = [(c, said) for c in main if (said := answer(c, method)) and said.score is not None]
        area = numbers.get(compute.TABLE, ALL, "auc", method, strata.MAIN)
        label = method
        if isinstance(area, Estimate) and area.value is not None:
            wrong, right, _ = roc_curve(
                [bool(case.reference.label) for case, _ in known],
                [said.score for _, said in known],
                drop_intermediate=False,
            )
            axes.plot(wrong, right, color=look["color"], linestyle=look["linestyle"], linewidth=1.5)
            ends = "" if area.low is None else f" ({area.low:.3f} to {area.high:.3f})"
            label = f"{method}: AUC {area.value:.3f}{ends}"
        found, free = (
            numbers.get(compute.TABLE, ALL, f"{rate}_measured", method, strata.MAIN)
            for rate in ("sensitivity", "specificity")
        )
        if not isinstance(found, Estimate) or not isinstance(free, Estimate):
            continue
        if found.value is not None and free.value is not None:
            axes.plot(1 - free.value, found.value, markersize=9, markeredgecolor="white",
                      clip_on=False, zorder=3, label=label, **look)  # fmt: skip
    for who, mark in STUDY_MARKS.items():
        tp, fn, tn, fp = published.COUNTS[who]
        axes.plot(fp / (fp + tn), tp / (tp + fn), mark, color="none", markeredgecolor="black",
                  markersize=9, label=f"S1, {who}", clip_on=False)  # fmt: skip
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("sensitivity")
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return to_png(figure)


def _looks(panel: Panel) -> Iterator[tuple[str, dict[str, Any]]]:
    """Colour, line and mark of every method: networks in colours, the rule black, readers grey."""
    for place, method in enumerate(panel.networks):
        turn, colour = divmod(place, len(COLOURS))
        style = ("-", "-.")[turn % 2]
        yield method, {"color": COLOURS[colour], "linestyle": style, "marker": MARKS[colour]}
    for method in panel.machines[len(panel.networks) :]:
        yield method, {"color": "black", "linestyle": "--", "marker": "s"}
    for place, method in enumerate(panel.readers):
        marks = "<>hHd8"
        look = {"color": "#777777", "linestyle": "none", "marker": marks[place % len(marks)]}
        yield method, look
