"""Pictures along the spine with the bodies covered, so that only their surroundings can tell.

The cover is a column of constant width along a smooth curve: its shape says nothing of the bodies.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from tools.levels import LABEL_IDS, LEVEL_NAMES
from tools.phantom.resample import resample
from tools.volumes import Grid

SPACING_MM = 2.0
#: Three slabs side by side, each the mean of as much of the patient's width, mm.
SLABS, SLAB_MM = 3, 16.0
#: Sagittal planes that a slab is the mean of.
PLANES = 4
#: Size of a picture, mm: back to front, foot to head; how far its lower end lies below L5's middle.
DEPTH_MM, HEIGHT_MM, BELOW_MM = 160.0, 300.0, 40.0
#: Middle of the picture before the curve, mm: the back shows as far as its muscles and fat.
BEFORE_MM = -26.0
#: Reach of the cover behind and before the bodies' middles, mm: bodies, discs and the swelling
#: around broken ones; the posterior elements stay in sight.
COVER_BEHIND_MM, COVER_FRONT_MM = 26.0, 36.0
#: Reach behind of the cover that hides whole vertebrae, to beyond the spinous processes' tips, mm.
VERTEBRAE_BEHIND_MM = 80.0
#: HU of the cover: soft tissue.
COVER_HU = 40.0
#: What the network sees, HU -> 0 to 1.
WINDOW_HU = (-150.0, 850.0)
DEGREE = 3
"""Of the curve through the bodies' middles."""
#: Rows this close to the middle of a broken body are its own, mm.
BODY_MM = 10.0


@dataclass(frozen=True)
class Look:
    """A spine from the side.

    Attributes:
        sight: Three sagittal slabs from left to right, 0 to 1, float16 [3, Y, Z], 2 mm.
        covered: The same with bodies and discs hidden.
        without: The same with whole vertebrae hidden.
        rows: Whether a broken body lies at each height, bool [Z].
    """

    sight: np.ndarray
    covered: np.ndarray
    without: np.ndarray
    rows: np.ndarray


def look(
    image: np.ndarray, labels: np.ndarray, affine: np.ndarray, broken: Collection[str]
) -> Look:
    """Look at a spine from the side, with the bodies in sight and covered.

    Args:
        image: HU [X, Y, Z].
        labels: Vertebral bodies, ids of `tools.levels`, same shape.
        affine: 4x4 voxel to RAS+ millimetres.
        broken: Names of the levels that have a fracture.

    Raises:
        ValueError: If L5 is not in the field, or fewer than four bodies are.
    """
    middles = _middles(labels, affine)
    if "L5" not in middles or len(middles) <= DEGREE:
        raise ValueError("the field shows no L5, or too few bodies")
    points = np.array(list(middles.values()))
    bottom = middles["L5"][2] - BELOW_MM
    heights = bottom + SPACING_MM * (np.arange(round(HEIGHT_MM / SPACING_MM)) + 0.5)
    across, forward = (course(points[:, 2], points[:, axis], heights) for axis in (0, 1))
    grid = _grid(float(np.median(across)), float(np.median(forward)) + BEFORE_MM, bottom)
    hu = resample(torch.from_numpy(image.astype(np.float32))[None], affine, grid, -1024.0)[0]
    y = grid.affine[1, 3] + SPACING_MM * np.arange(grid.shape[1])[:, None] - forward

    def covered(behind_mm: float) -> np.ndarray:
        hidden = hu.clone()
        hidden[:, torch.from_numpy((y > -behind_mm) & (y < COVER_FRONT_MM))] = COVER_HU
        return _slabs(hidden)

    rows = np.zeros(len(heights), dtype=bool)
    for level in set(broken) & set(middles):
        rows |= np.abs(heights - middles[level][2]) < BODY_MM
    return Look(_slabs(hu), covered(COVER_BEHIND_MM), covered(VERTEBRAE_BEHIND_MM), rows)


def _slabs(hu: torch.Tensor) -> np.ndarray:
    """Means of neighbouring sagittal planes, 0 to 1."""
    low, high = WINDOW_HU
    shown = ((hu - low) / (high - low)).clamp(0, 1)
    mean: np.ndarray = shown.unflatten(0, (SLABS, PLANES)).mean(1).numpy().astype(np.float16)
    return mean


def _middles(labels: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Middle of each body in the field, RAS+ mm."""
    found = {}
    for label in np.unique(labels):
        if label and label != LABEL_IDS["sacrum"]:
            index = np.argwhere(labels == label).mean(0)
            found[LEVEL_NAMES[int(label)]] = affine[:3, :3] @ index + affine[:3, 3]
    return found


def course(z: np.ndarray, values: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """A smooth course through places; straight beyond the last ones."""
    fit = np.polynomial.Polynomial.fit(z, values, DEGREE)
    within = np.clip(heights, z.min(), z.max())
    return fit(within) + fit.deriv()(within) * (heights - within)


def _grid(across: float, forward: float, bottom: float) -> Grid:
    """Grid of the slabs' planes about a place, RAS."""
    edges = np.array([SLAB_MM / PLANES, SPACING_MM, SPACING_MM])
    size = np.array([SLABS * SLAB_MM, DEPTH_MM, HEIGHT_MM])
    x, y, z = (round(float(number)) for number in size / edges)
    affine = np.diag([*edges, 1.0])
    corner = np.array([across - size[0] / 2, forward - size[1] / 2, bottom])
    affine[:3, 3] = corner + edges / 2
    return Grid((x, y, z), affine)
