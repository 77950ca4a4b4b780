"""What was written beside the reference, in the sagittal plane through the spine's middle."""

from __future__ import annotations

import numpy as np

from tools import pictures as pic
from tools.levels import LABEL_IDS
from tools.stress.sample import Sample

PIXEL_MM = 1.0

NAMED_MM2 = 60.0
"""A level that shows less of itself than this, a tenth of a body's cut, goes unnamed, mm²."""


def side_by_side(sample: Sample, written: np.ndarray) -> np.ndarray:
    """Draw the levels written on the left and the reference on the right.

    Args:
        sample: The scan.
        written: Label map of the bundle, ids 1-4 [X, Y, Z].

    Returns:
        Picture [H, W, 3], uint8; without a reference the right half shows the CT alone.
    """
    view = pic.view_through(
        sample.image.shape, sample.affine, "sagittal", _middle(sample, written), PIXEL_MM
    )
    grey = pic.window(view.sample(sample.image, sample.affine), pic.BONE_WINDOW)
    blank = np.zeros(written.shape, np.uint8)
    halves = []
    for labels in (written, blank if sample.labels is None else sample.labels):
        cut = view.sample(labels, sample.affine, order=0).astype(int)
        names = [
            (name, view.to_world(np.argwhere(cut == label).mean(axis=0)[::-1]))
            for name, label in LABEL_IDS.items()
            if (cut == label).sum() * PIXEL_MM**2 >= NAMED_MM2
        ]
        halves.append(pic.annotate(pic.overlay(grey, cut, pic.LABEL_COLOURS), view, names))
    return np.hstack(halves)


def _middle(sample: Sample, written: np.ndarray) -> float:
    """Where the plane cuts, RAS+ mm: the middle of the bodies, or that of the field."""
    for labels in (sample.labels, written):
        if labels is not None:
            marked = np.isin(labels, list(LABEL_IDS.values()))
            if marked.any():
                counts = [marked.sum(axis=tuple(a for a in range(3) if a != b)) for b in range(3)]
                index = [float(np.average(np.arange(len(c)), weights=c)) for c in counts]
                return float(sample.grid.to_world(np.array(index))[0])
    return float(sample.grid.center_mm[0])
