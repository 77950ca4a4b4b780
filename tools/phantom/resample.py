"""Volumes brought onto other grids, without aliasing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

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
    """Return the RAS grid of a given spacing that covers another grid.

    Args:
        source: Grid of any orientation.
        spacing_mm: One spacing for all axes, or one per axis.

    Returns:
        Its box in RAS+, to the nearest voxel.
    """
    spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=float), 3)
    corners = np.stack(
        np.meshgrid(*[(-0.5, size - 0.5) for size in source.shape], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    world = source.to_world(corners)
    low, high = world.min(axis=0), world.max(axis=0)
    x, y, z = (max(1, round(float(size))) for size in (high - low) / spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low + spacing / 2
    return Grid((x, y, z), affine)
