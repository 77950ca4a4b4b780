"""Volumes along the spine with the bodies covered, so that only their surroundings can tell.

The cover is a column of constant width along a smooth curve: its shape says nothing of the bodies.
"""

from __future__ import annotations

import numpy as np
import torch

from tools.levels import LABEL_IDS, LEVEL_NAMES
from tools.phantom.resample import resample
from tools.volumes import Grid

SPACING_MM = 4.0
#: Size of the volume, mm: right to left, back to front, foot to head, and how far its lower end
#: lies below L5's middle.
SIZE_MM = np.array([128.0, 160.0, 320.0])
BELOW_MM = 40.0
#: Middle of the volume before the curve, mm: as much of the back shows as of the belly.
BEFORE_MM = -10.0
#: Half width of the cover, its reach behind and before the bodies' middles, mm: bodies, discs and
#: the swelling around broken ones; the posterior elements stay in sight.
COVER_SIDE_MM, COVER_BEHIND_MM, COVER_FRONT_MM = 48.0, 19.0, 36.0
#: HU of the cover: soft tissue.
COVER_HU = 40.0
#: What the network sees, HU -> 0 to 1.
WINDOW_HU = (-150.0, 850.0)
DEGREE = 3
"""Of the curve through the bodies' middles."""


def volume(image: np.ndarray, labels: np.ndarray, affine: np.ndarray, covered: bool) -> np.ndarray:
    """Cut the spine's surroundings out of a scan.

    Args:
        image: HU [X, Y, Z].
        labels: Vertebral bodies, ids of `tools.levels`, same shape.
        affine: 4x4 voxel to RAS+ millimetres.
        covered: Whether bodies and discs are hidden.

    Returns:
        Values 0 to 1, float16 [32, 40, 80], 4 mm, RAS.

    Raises:
        ValueError: If L5 is not in the field, or fewer than four bodies are.
    """
    middles = _middles(labels, affine)
    if "L5" not in middles or len(middles) <= DEGREE:
        raise ValueError("the field shows no L5, or too few bodies")
    points = np.array(list(middles.values()))
    bottom = middles["L5"][2] - BELOW_MM
    heights = bottom + SPACING_MM * (np.arange(round(SIZE_MM[2] / SPACING_MM)) + 0.5)
    across, forward = (_course(points[:, 2], points[:, axis], heights) for axis in (0, 1))
    grid = _grid(float(np.median(across)), float(np.median(forward)) + BEFORE_MM, bottom)
    hu = resample(torch.from_numpy(image.astype(np.float32))[None], affine, grid, -1024.0)[0]
    if covered:
        x, y, _ = np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij")
        x = grid.affine[0, 3] + SPACING_MM * x - across
        y = grid.affine[1, 3] + SPACING_MM * y - forward
        column = (np.abs(x) < COVER_SIDE_MM) & (y > -COVER_BEHIND_MM) & (y < COVER_FRONT_MM)
        hu[torch.from_numpy(column)] = COVER_HU
    low, high = WINDOW_HU
    return ((hu - low) / (high - low)).clamp(0, 1).numpy().astype(np.float16)


def _middles(labels: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Middle of each body in the field, RAS+ mm."""
    found = {}
    for label in np.unique(labels):
        if label and label != LABEL_IDS["sacrum"]:
            index = np.argwhere(labels == label).mean(0)
            found[LEVEL_NAMES[int(label)]] = affine[:3, :3] @ index + affine[:3, 3]
    return found


def _course(z: np.ndarray, values: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """A smooth course through places; straight beyond the last ones."""
    fit = np.polynomial.Polynomial.fit(z, values, DEGREE)
    within = np.clip(heights, z.min(), z.max())
    return fit(within) + fit.deriv()(within) * (heights - within)


def _grid(across: float, forward: float, bottom: float) -> Grid:
    """Grid of the volume about a place, RAS."""
    x, y, z = (round(float(size / SPACING_MM)) for size in SIZE_MM)
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    corner = np.array([across - SIZE_MM[0] / 2, forward - SIZE_MM[1] / 2, bottom])
    affine[:3, 3] = corner + SPACING_MM / 2
    return Grid((x, y, z), affine)
