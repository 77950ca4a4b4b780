"""Sagittal reformats: slices over the spine, resampled from the axial ones as a console does.

view = plan(scan_grid, patient.spine, protocol.pixel_mm, single=False, rng=rng)
image = average(image, scan_grid, view)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from tools.phantom.anatomy.spine import Spine
from tools.phantom.resample import resample
from tools.volumes import Grid

THICKNESS_MM = (3.0, 4.0, 5.0)
"""Slice thicknesses of which one is drawn, mm; slices lie side by side, or overlap a little (D)."""

OVERLAPS = (1.0, 1.0, 0.8)
"""Interval / thickness of which one is drawn (D)."""

HALF_WIDTH_MM = (30.0, 42.0)
"""Range of the half width of the stack, mm (D): both sides of every body and its facets."""

TURNED = 0.5
"""Probability that the stack is turned against the patient's planes (D)."""

MOST_TURN_DEG = 1.5
"""Largest turn about the patient's long axis and about the view, degrees (D)."""

MOST_ASIDE_MM = 3.0
"""How far beside the spine's middle the stack, or a single slice, may lie, mm (D)."""

OUTSIDE_HU = -1024.0
"""What a reformat shows beyond the scan, HU."""


@dataclass(frozen=True)
class Reformat:
    """A stack of sagittal slices.

    Attributes:
        grid: Its voxels, axes in the order right, front, head; one voxel along the first is one
            slice.
        codes: Axis codes in which it is stored: rows to the back, columns downwards, then from
            slice to slice.
        thickness_mm: Thickness of a slice.
        turn_deg: Turn about x and z against the patient's planes.
    """

    grid: Grid
    codes: str
    thickness_mm: float
    turn_deg: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Return what the truth says of it."""
        return {
            "thickness_mm": self.thickness_mm,
            "interval_mm": self.grid.spacing_mm[0],
            "pixel_mm": self.grid.spacing_mm[1],
            "turn_deg": list(self.turn_deg),
        }


def plan(
    scan: Grid, spine: Spine, pixel_mm: float, single: bool, rng: np.random.Generator
) -> Reformat:
    """Draw where the slices lie.

    Args:
        scan: Grid of the axial slices.
        spine: Whose.
        pixel_mm: Edge of a pixel of the reformat.
        single: Whether it is one slice.
        rng: A stream of its own.
    """
    middle_mm = float(np.mean([spine.vertebrae[f"L{n}"].frame.origin[0] for n in range(1, 6)]))
    thickness = float(rng.choice(THICKNESS_MM))
    interval = thickness * float(rng.choice(OVERLAPS))
    half = float(rng.uniform(*HALF_WIDTH_MM))
    aside = float(rng.uniform(-MOST_ASIDE_MM, MOST_ASIDE_MM))
    turned = bool(rng.random() < TURNED)
    drawn = rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG, 2)
    turn = (float(drawn[0]), float(drawn[1])) if turned else (0.0, 0.0)
    codes = str(rng.choice(["PIL", "PIR"]))
    corners = scan.corners_mm()
    low, high = corners.min(0), corners.max(0)
    low[0] = max(low[0], middle_mm + aside - half)
    high[0] = min(high[0], middle_mm + aside + half)
    slices = 1 if single else max(1, int((high[0] - low[0]) // interval))
    counts = [slices, *(int(size // pixel_mm) for size in (high - low)[1:])]
    center = (low + high) / 2
    if single:
        center[0] = middle_mm + aside
    axes = Rotation.from_euler("xz", turn, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array([interval, pixel_mm, pixel_mm])
    affine[:3, 3] = center - affine[:3, :3] @ ((np.array(counts) - 1) / 2)
    return Reformat(Grid((counts[0], counts[1], counts[2]), affine), codes, thickness, turn)


def average(image: torch.Tensor, scan: Grid, wanted: Reformat) -> torch.Tensor:
    """Resample the axial slices: each pixel is the mean over the thickness of its slice.

    Args:
        image: HU [X, Y, Z] on the scan's grid, float32.
        scan: That grid.
        wanted: The reformat.

    Returns:
        HU on the reformat's grid, float32.
    """
    grid = wanted.grid
    slices = []
    for index in range(grid.shape[0]):  # one by one: sub-points of a whole stack fill the memory
        affine = grid.affine.copy()
        affine[:3, 3] = grid.to_world(np.array([index, 0.0, 0.0]))
        affine[:3, 0] *= wanted.thickness_mm / grid.spacing_mm[0]
        one = Grid((1, grid.shape[1], grid.shape[2]), affine)
        slices.append(resample(image[None], scan.affine, one, OUTSIDE_HU)[0])
    return torch.cat(slices)


def scanned(scan: Grid, wanted: Grid) -> torch.Tensor:
    """Tell which voxels of a grid lie in the box of another one, bool [X, Y, Z].

    Outside it a reformat shows nothing, so nothing is labelled there either.

    Args:
        scan: Grid of the axial slices; its box ends half a voxel beyond the outer centres.
        wanted: Grid of the reformat.
    """
    step = np.linalg.inv(scan.affine) @ wanted.affine
    x, y, z = (np.arange(count) for count in wanted.shape)
    inside = np.ones(wanted.shape, dtype=bool)
    for axis, size in enumerate(scan.shape):
        a, b, c, start = step[axis]
        index = start + a * x[:, None, None] + b * y[:, None] + c * z
        inside &= (index >= -0.5) & (index <= size - 0.5)
    return torch.from_numpy(inside)
