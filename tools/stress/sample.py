"""A scan to examine, what is known of it, and how a field is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from nibabel.orientations import io_orientation

from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.volumes import Grid

Sacrum = Literal["whole", "part", "none", "unknown"]

WHOLE = 0.995
"""Share of a body's voxels that must lie in the field for it to count as complete: the rest is
what resampling rounds off."""

DISC_HALF_MM = 4.0
"""A field that ends beside a body ends this far from its endplate: within the disc."""

SACRUM_BEGINS_MM, SACRUM_ENDS_MM = 35.0, 90.0
"""Where a field shows more than a corner of the sacrum, and where it shows all of it, below the
centre of L5's body along the table: half a tilted body, a disc and a corner; and as far as a sacrum
of 105 mm reaches at its usual slope of 40 degrees."""

Cut = str
"""Where a field ends: "" (not cut), "L1 through" its middle, or "L1 beside" it, in the disc; for
the upper end above the level, for the lower end below it. `sacrum through` is its middle."""


@dataclass(frozen=True)
class Sample:
    """A scan and what is known of it; arrays [X, Y, Z].

    Attributes:
        image: HU, int16.
        affine: 4x4 voxel to RAS+ millimetres.
        labels: Bodies, uint8, ids of `tools.levels`; None without a reference.
        complete: Levels L1 to L4 that the field shows whole.
        sacrum: How much of the sacrum the field shows.
        across: Unit vector from the patient's right to left, in RAS+ axes.
        may_name: Without a reference, the levels that may be named.
    """

    image: np.ndarray
    affine: np.ndarray
    labels: np.ndarray | None
    complete: frozenset[str]
    sacrum: Sacrum = "unknown"
    across: np.ndarray | None = None
    may_name: frozenset[str] = frozenset()

    @property
    def grid(self) -> Grid:
        """The scan's voxel grid."""
        return grid_of(self.image, self.affine)


def grid_of(volume: np.ndarray, affine: np.ndarray) -> Grid:
    """Return the grid of a volume."""
    return Grid((volume.shape[0], volume.shape[1], volume.shape[2]), affine)


def body_points_mm(labels: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Voxel centres of each labelled level, RAS+ millimetres [N, 3]."""
    present = set(np.unique(labels).tolist())
    grid = grid_of(labels, affine)
    return {
        level: grid.to_world(np.argwhere(labels == label).astype(float))
        for level, label in LABEL_IDS.items()
        if label in present
    }


def complete_levels(
    points_mm: dict[str, np.ndarray], grid: Grid, measured: tuple[str, ...] = MEASURED_LEVELS
) -> frozenset[str]:
    """Name the levels of which a field holds all points.

    Args:
        points_mm: Voxel centres of each body, RAS+ mm.
        grid: The field.
        measured: Levels to look at.
    """
    return frozenset(
        level
        for level in measured
        if level in points_mm and inside(points_mm[level], grid).mean() >= WHOLE
    )


def inside(points_mm: np.ndarray, grid: Grid) -> np.ndarray:
    """Tell which points a grid's voxels cover, bool [N]."""
    index = grid.to_index(points_mm)
    return np.all((index >= -0.5) & (index <= np.array(grid.shape) - 0.5), axis=-1)


def superior_axis(affine: np.ndarray) -> tuple[int, bool]:
    """Return the array axis that runs most along the body, and whether it rises to the head."""
    turned = io_orientation(affine)
    axis = int(np.flatnonzero(turned[:, 0] == 2)[0])
    return axis, bool(turned[axis, 1] > 0)


def sacrum_below(l5_mm: np.ndarray, grid: Grid, caudal: np.ndarray) -> Sacrum:
    """Tell how much of the sacrum a field shows, from the centre of L5's body.

    Args:
        l5_mm: Centre of L5, RAS+ mm [3]; it may lie outside the field.
        grid: The field.
        caudal: Unit vector from head to foot of the patient.
    """
    axis, _ = superior_axis(grid.affine)

    def seen(depth_mm: float) -> bool:
        place = grid.to_index(l5_mm + depth_mm * caudal)[axis]
        return bool(-0.5 <= place <= grid.shape[axis] - 0.5)

    if not seen(SACRUM_BEGINS_MM):
        return "none"
    return "whole" if seen(SACRUM_ENDS_MM) else "part"


def cut_field(
    points_mm: dict[str, np.ndarray], grid: Grid, top: Cut = "", bottom: Cut = ""
) -> tuple[slice, slice, slice]:
    """Lay the slices that end a field at given levels.

    Args:
        points_mm: Voxel centres of each body, RAS+ mm.
        grid: The whole field.
        top: Where it ends above.
        bottom: Where it ends below.

    Returns:
        Slices of the array.

    Raises:
        ValueError: If a level is not there, or nothing would be left.
    """
    axis, rises = superior_axis(grid.affine)
    last = grid.shape[axis] - 1

    def height(cut: Cut, upper: bool) -> float:
        """Place of a cut along the axis, counted from the feet."""
        level, _, where = cut.partition(" ")
        if level not in points_mm or where not in ("through", "beside"):
            raise ValueError(f"no field can be cut {cut!r}: {level} is not there")
        index = grid.to_index(points_mm[level])[:, axis]
        from_feet = index if rises else last - index
        if where == "through":
            return float(from_feet.mean())
        margin = DISC_HALF_MM / grid.spacing_mm[axis]
        return float(from_feet.max() + margin if upper else from_feet.min() - margin)

    low = max(0, round(height(bottom, False))) if bottom else 0
    high = min(last, round(height(top, True))) if top else last
    if high - low < 1:
        raise ValueError(f"nothing is left between {bottom!r} and {top!r}")
    kept = slice(low, high + 1) if rises else slice(last - high, last - low + 1)
    whole = [slice(0, size) for size in grid.shape]
    whole[axis] = kept
    return whole[0], whole[1], whole[2]


def cropped_affine(affine: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
    """Return the affine of a part of an array."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array([part.start for part in box], dtype=float)
    return moved
