"""Pictures of predicted and reference outlines over sagittal slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tools.files import write_atomically
from tools.phantom.probe.slices import BODY, SliceSet
from tools.phantom.real import Scan

#: Offsets of the five shown slices from the middle of the bodies, mm.
OFFSETS_MM = (-20.0, -10.0, 0.0, 10.0, 20.0)
#: Grey range shown, HU.
SHOWN_HU = (-200.0, 400.0)
#: HU, predicted and reference bodies (all [Y, Z]; the reference may be missing), caption.
Panel = tuple[np.ndarray, np.ndarray, np.ndarray | None, str]
PREDICTED_COLOUR, REFERENCE_COLOUR = "#ff3b30", "#34c759"


def draw_scan(path: Path, scan: Scan, predicted: np.ndarray, title: str) -> None:
    """Draw five sagittal slices with the prediction in red and the reference in green.

    Args:
        path: PNG to write.
        scan: The scan, with or without a reference.
        predicted: Boolean [X, Y, Z].
        title: Headline.
    """
    marked = predicted if scan.bodies is None else scan.bodies > 0
    places = np.argwhere(marked if marked.any() else np.ones_like(marked))
    spacing = scan.grid.spacing_mm
    panels: list[Panel] = []
    for offset in OFFSETS_MM:
        x = round(float(places[:, 0].mean()) + offset / spacing[0])
        x = min(max(x, 0), scan.image.shape[0] - 1)
        reference = None if scan.bodies is None else scan.bodies[x] > 0
        panels.append((scan.image[x], predicted[x], reference, f"{offset:+.0f} mm"))
    _draw(path, panels, spacing[2] / spacing[1], title)


def draw_slices(
    path: Path, slices: SliceSet, probabilities: torch.Tensor, shown: list[int], title: str
) -> None:
    """Draw phantom slices with the prediction in red and the reference in green.

    Args:
        path: PNG to write.
        slices: Phantom slices.
        probabilities: Class probabilities of the shown slices, [len(shown), classes, Y, Z].
        shown: Which slices.
        title: Headline.
    """
    panels: list[Panel] = [
        (
            slices.images[i].numpy(),
            (probability.argmax(0) == BODY).numpy(),
            (slices.labels[i] == BODY).numpy(),
            f"patient {int(slices.patients[i])}",
        )
        for i, probability in zip(shown, probabilities, strict=True)
    ]
    _draw(path, panels, 1.0, title)


def _draw(
    path: Path,
    panels: list[Panel],
    aspect: float,
    title: str,
) -> None:
    """Draw panels side by side."""
    rows, columns = panels[0][0].shape
    width = min(3.5, 5.5 * rows / (columns * aspect))
    size = (len(panels) * width, width * columns * aspect / rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)
    for axis, (hu, predicted, reference, caption) in zip(axes[0], panels, strict=True):
        axis.imshow(hu.T, cmap="gray", vmin=SHOWN_HU[0], vmax=SHOWN_HU[1], origin="lower",
                    aspect=aspect)  # fmt: skip
        for mask, colour in ((reference, REFERENCE_COLOUR), (predicted, PREDICTED_COLOUR)):
            if mask is not None and mask.any():
                axis.contour(mask.T, levels=[0.5], colors=colour, linewidths=0.9)
        axis.set_title(caption, fontsize=9)
        axis.axis("off")
    figure.suptitle(title, fontsize=10)
    figure.set_dpi(110)
    write_atomically(path, lambda temporary: canvas.print_png(temporary))
