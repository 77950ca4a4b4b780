"""What a report's pictures are drawn from: the scan, the levels' bodies and their patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from tools import page
from tools import pictures as pic
from tools.levels import LABEL_IDS

GREY: pic.Colour = (200, 200, 200)
"""What is refused."""

WHITE: pic.Colour = (255, 255, 255)

INSIDE = 0.5
"""Share from which an interpolated mask counts as inside."""


@dataclass(frozen=True)
class PatchView:
    """Where a level's patch lies.

    Attributes:
        level: "L1" to "L4".
        corners_mm: The square's corners in any order, RAS+ mm [4, 3].
        centre_mm: Its middle, RAS+ mm [3].
        normal: Of its plane, RAS+ [3].
    """

    level: str
    corners_mm: np.ndarray
    centre_mm: np.ndarray
    normal: np.ndarray


class Bodies:
    """Cuts smooth outlines out of a label map, looking at one level's box at a time."""

    def __init__(self, labels: np.ndarray, affine: np.ndarray) -> None:
        self._labels, self._affine = np.asarray(labels), np.asarray(affine, dtype=float)
        self._boxes = find_objects(self._labels.astype(np.uint8, copy=False))

    def cut(self, view: pic.View, name: str) -> np.ndarray:
        """Mark the pixels of a view inside a level's body, bool [H, W]."""
        number = LABEL_IDS[name]
        box = self._boxes[number - 1] if number <= len(self._boxes) else None
        if box is None:
            return np.zeros(view.shape, dtype=bool)
        mask = np.pad(self._labels[box] == number, 1).astype(np.float32)
        affine = self._affine.copy()
        affine[:3, 3] += affine[:3, :3] @ np.array([part.start - 1 for part in box])
        return view.sample(mask, affine) >= INSIDE


@dataclass(frozen=True)
class Scan:
    """A CT with its levels.

    Attributes:
        image: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetres.
        bodies: Outlines of the levels.
    """

    image: np.ndarray
    affine: np.ndarray
    bodies: Bodies


def figure(picture: np.ndarray, caption: str) -> page.Figure:
    """Encode a picture [H, W, 3], uint8, with its caption."""
    # Encoding as small as can be takes longer than all the rest of the report.
    return page.Figure(pic.png(picture, smallest=False), caption)
