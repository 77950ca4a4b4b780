"""A spine of boxes on a 3 mm grid: quick, and every answer is known."""

from __future__ import annotations

import numpy as np

from tools.levels import LABEL_IDS
from tools.phantom.real import Scan

LEVELS = ("L5", "L4", "L3", "L2", "L1", "T12")  # feet to head
EDGE_MM = 3.0
BODY, GAP, FIRST = 8, 3, 24  # voxels: height of a body, of a disc, and where L5 begins


def boxes() -> Scan:
    """A CT with body ids of this project: bodies of 300 HU from L5 to T12, bright canal behind."""
    shape = (30, 32, FIRST + len(LEVELS) * (BODY + GAP) + 4)
    labels = np.zeros(shape, np.uint8)
    for number, level in enumerate(LEVELS):
        start = FIRST + number * (BODY + GAP)
        labels[8:22, 14:26, start : start + BODY] = LABEL_IDS[level]
    image = np.where(labels > 0, 300, 0).astype(np.float32)
    image += labels  # a mark of its own for each level
    affine = np.diag([EDGE_MM, EDGE_MM, EDGE_MM, 1.0])
    affine[:3, 3] = (-40.0, -30.0, 100.0)
    return Scan("boxes", image, affine, labels)
