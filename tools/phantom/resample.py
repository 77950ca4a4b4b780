"""Volumes brought onto other grids, without aliasing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from nibabel.orientations import io_orientation

from tools.volumes import Grid


def resample(volume: torch.Tensor, affine: np.ndarray, grid: Grid, outside: float) -> torch.Tensor:
    """Sample a volume on another grid; each new voxel is the mean over its extent.

    Linear interpolation at as many sub-points per axis as old voxels fit into a new one, then
    their mean, so that noise and thin structures are averaged and not aliased.

    Args:
        volume: [C, X, Y, Z] float32.
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        grid: Grid to sample on.
        outside: Value beyond the volume.

    Returns:
        [C, *grid.shape] float32.
    """
    step = np.linalg.inv(affine) @ grid.affine
    points = [max(1, round(float(np.abs(step[:3, axis]).max()))) for axis in range(3)]
    fine_shape = [size * count for size, count in zip(grid.shape, points, strict=True)]
    to_normal = _normaliser(np.array(volume.shape[1:]))
    from_normal = np.linalg.inv(_normaliser(np.array(fine_shape)))
    fine_to_grid = np.diag([*(1 / np.array(points)), 1.0])
    fine_to_grid[:3, 3] = (1 / np.array(points) - 1) / 2
    theta = to_normal @ step @ fine_to_grid @ from_normal
    # torch orders coordinates from the last axis to the first.
    turned = theta[:3][::-1][:, [2, 1, 0, 3]].copy()
    lattice = F.affine_grid(
        torch.from_numpy(turned).float()[None], [1, 1, *fine_shape], align_corners=False
    )
    sampled = F.grid_sample(volume[None] - outside, lattice, align_corners=False)
    return F.avg_pool3d(sampled, points)[0] + outside


def _normaliser(shape: np.ndarray) -> np.ndarray:
    """4x4 matrix from voxel indices to torch's [-1, 1] (outer voxel faces)."""
    matrix = np.diag([*(2 / shape), 1.0])
    matrix[:3, 3] = 1 / shape - 1
    return matrix


def covering_grid(source: Grid, spacing_mm: float | tuple[float, float, float]) -> Grid:
    """Return a grid of a given spacing over another grid, its axes in RAS order.

    The axes keep their directions: an oblique grid stays oblique, as a reformat of a tilted
    patient does.

    Args:
        source: Grid of any orientation.
        spacing_mm: One spacing for all axes, or one per axis.

    Returns:
        A grid of the same middle that covers the same box to the nearest voxel.
    """
    spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=float), 3)
    order = np.argsort(io_orientation(source.affine)[:, 0])
    lengths = (np.array(source.shape) * source.spacing_mm)[order]
    directions = source.affine[:3, :3] / source.spacing_mm
    directions = directions[:, order] * io_orientation(source.affine)[order, 1]
    x, y, z = (max(1, round(float(size))) for size in lengths / spacing)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = source.center_mm - affine[:3, :3] @ ((np.array([x, y, z]) - 1) / 2)
    return Grid((x, y, z), affine)
