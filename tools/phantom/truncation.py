"""Scans that show less than their field: ends at any level, and small reconstruction circles.

The truth of a truncated scan is that of what it shows: a level is complete only if its whole body
lies between the ends and inside the circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tools.phantom.anatomy.patient import Patient
from tools.volumes import Grid

#: A truncated scan keeps at least this much of its length and loses at least this much, mm.
LEAST_KEPT_MM, LEAST_LOST_MM = 90.0, 15.0
#: Share of scans cut below whose end lies at or just above the sacrum, from its middle to L4/L5,
#: z in mm: there names depend most on what is still seen (design).
SACRAL_SHARE, SACRAL_RANGE_MM = 0.5, (-45.0, 60.0)
#: Radius of a small reconstruction circle, mm: 20 to 34 cm fields of view (design).
RADIUS_MM = (100.0, 170.0)
#: Share of circles laid about the spine and how far off it they lie, mm; the others lie to the
#: left or the right, about a lung, a kidney or the heart (design).
SPINAL_SHARE, SPINAL_SD_MM, ASIDE_MM = 0.6, 10.0, (25.0, 85.0)
#: Where the circle's centre lies between the spine and the middle of the trunk.
AHEAD = (0.0, 1.0)
#: HU outside the circle: none (the square is filled), and what vendors write there (recalled:
#: Siemens -1024, GE -2000 and -3024).
PADDING_HU = (None, -1024, -2000, -3024)


@dataclass(frozen=True)
class Truncation:
    """How a scan was cut.

    Attributes:
        kind: `none`, `above`, `below`, `both` or `circle`.
        corners_mm: [[low], [high]] of what is left of the field, RAS+ mm.
        radius_mm: Of the reconstruction circle in the slices, about the array's middle, or None.
        padding_hu: HU outside the circle, or None where the whole square is filled.
    """

    kind: str
    corners_mm: np.ndarray
    radius_mm: float | None = None
    padding_hu: int | None = None

    def shown(self, grid: Grid) -> torch.Tensor | None:
        """Which pixels of a slice hold data, bool [X, Y]; None for all."""
        if self.padding_hu is None:
            return None
        places = np.stack(np.meshgrid(*map(np.arange, grid.shape[:2]), indexing="ij"), -1)
        return torch.from_numpy(self._away(places, grid) <= 0)

    def holds(self, index: np.ndarray, grid: Grid) -> bool:
        """Whether all places lie in the scan.

        Args:
            index: Voxel indices [N, 3].
            grid: Of the scan.
        """
        if np.any(index < -0.5) or np.any(index > np.array(grid.shape) - 0.5):
            return False
        return self.padding_hu is None or bool(np.all(self._away(index[:, :2], grid) <= 0))

    def _away(self, index: np.ndarray, grid: Grid) -> np.ndarray:
        """Distance outside the circle, mm, of in-plane indices [..., 2]."""
        gaps = (index - (np.array(grid.shape[:2]) - 1) / 2) * np.array(grid.spacing_mm[:2])
        return np.linalg.norm(gaps, axis=-1) - (self.radius_mm or np.inf)

    def as_dict(self) -> dict[str, Any]:
        """For the truth: `truncate`, `circle_mm` (diameter) and `padding_hu`."""
        diameter = 2 * self.radius_mm if self.radius_mm else None
        return {"truncate": self.kind, "circle_mm": diameter, "padding_hu": self.padding_hu}


def truncate(
    rng: np.random.Generator, kinds: Sequence[str], corners_mm: np.ndarray, patient: Patient
) -> Truncation:
    """Draw how a scan is cut.

    Args:
        rng: Random stream of truncation alone.
        kinds: Kinds of the recipe, of which one is drawn.
        corners_mm: [[low], [high]] of the whole field, RAS+ mm.
        patient: Who is scanned.
    """
    kind = str(rng.choice(list(kinds)))
    corners = corners_mm.copy()
    if kind in ("below", "both"):
        corners[0, 2] = _end_below(rng, *corners[:, 2])
    if kind in ("above", "both"):
        low = corners[0, 2] + LEAST_KEPT_MM
        corners[1, 2] = rng.uniform(
            min(low, corners[1, 2]), max(low, corners[1, 2] - LEAST_LOST_MM)
        )
    if kind != "circle":
        return Truncation(kind, corners)
    radius = float(rng.uniform(*RADIUS_MM))
    middle = _middle(rng, patient, corners)
    half = np.minimum(radius, (corners[1, :2] - corners[0, :2]) / 2).min()
    corners[:, :2] = middle - half, middle + half
    return Truncation(kind, corners, float(half), PADDING_HU[int(rng.integers(len(PADDING_HU)))])


def _end_below(rng: np.random.Generator, low: float, high: float) -> float:
    """Z of the lower end of a scan cut below, mm."""
    sacral = rng.random() < SACRAL_SHARE
    first, last = low + LEAST_LOST_MM, high - LEAST_KEPT_MM
    if sacral and first < SACRAL_RANGE_MM[1] and last > SACRAL_RANGE_MM[0]:
        first, last = max(first, SACRAL_RANGE_MM[0]), min(last, SACRAL_RANGE_MM[1])
    return float(rng.uniform(min(first, last), last))


def _middle(rng: np.random.Generator, patient: Patient, corners: np.ndarray) -> np.ndarray:
    """Centre of the circle in the axial plane, RAS+ mm [2]."""
    z = corners[:, 2].mean()
    bodies = patient.spine.vertebrae.values()
    spine = min(bodies, key=lambda body: abs(body.frame.origin[2] - z)).frame.origin[:2]
    if rng.random() < SPINAL_SHARE:
        aside = float(rng.normal(0, SPINAL_SD_MM))
    else:
        aside = float(rng.choice([-1, 1]) * rng.uniform(*ASIDE_MM))
    trunk = patient.trunk
    front = trunk.back + trunk.half_depth
    y = spine[1] + rng.uniform(*AHEAD) * (front - spine[1])
    return np.array([spine[0] + aside, y])
