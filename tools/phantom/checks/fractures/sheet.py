"""Pictures of where the network sees fractures, one beside the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

#: Pictures beside each other, and on one sheet.
COLUMNS, MOST = 6, 30


class Shown(NamedTuple):
    """One picture.

    Attributes:
        title: What stands above it.
        picture: The slice, 0 to 1 [rows, columns].
        drop: The occlusion map over it; None for none.
    """

    title: str
    picture: np.ndarray
    drop: np.ndarray | None


def draw(shown: Sequence[Shown], path: Path, note: str) -> None:
    """Draw the first pictures, evidence in orange where the network loses its suspicion.

    Args:
        shown: Pictures.
        path: File to write.
        note: What stands above all of them.
    """
    shown = shown[:MOST]
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 2.8 * rows + 0.4), layout="constrained")
    for number, (title, picture, drop) in enumerate(shown):
        panel = figure.add_subplot(rows, COLUMNS, number + 1)
        panel.imshow(picture, cmap="gray", vmin=0, vmax=0.8)
        if drop is not None and np.nanmax(drop) > 0:
            lost = np.nan_to_num(drop).clip(0) / float(np.nanmax(drop))
            panel.imshow(np.ones_like(lost), cmap="autumn", alpha=0.5 * lost, vmin=0, vmax=2)
        panel.set_title(title, fontsize=8)
        panel.axis("off")
    figure.suptitle(note)
    figure.savefig(path, dpi=80)
