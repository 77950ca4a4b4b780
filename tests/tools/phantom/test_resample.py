import numpy as np
import pytest
import torch

from tools.phantom.resample import covering_grid, resample
from tools.volumes import Grid


def _random_volume() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(1, 8, 10, 12))).float()


def test_resampling_onto_its_own_grid_changes_nothing() -> None:
    volume = _random_volume()
    affine = np.diag([0.8, 0.9, 2.5, 1.0])
    same = resample(volume, affine, Grid((8, 10, 12), affine), 0.0)
    torch.testing.assert_close(same, volume, atol=1e-5, rtol=0)


def test_resampling_knows_axis_order_and_direction() -> None:
    volume = _random_volume()
    affine = np.array([[0, 0, -2.0, 5], [1.5, 0, 0, -3], [0, 1.0, 0, 7], [0, 0, 0, 1]])
    # The RAS grid with the same voxel centres: x runs against axis 2, y along 0, z along 1.
    grid = Grid((12, 8, 10), np.diag([2.0, 1.5, 1.0, 1.0]) + _shift(5 - 2 * 11, -3, 7))
    expected = volume[0].permute(2, 0, 1).flip(0)
    torch.testing.assert_close(resample(volume, affine, grid, 0.0)[0], expected, atol=1e-5, rtol=0)


def _shift(x: float, y: float, z: float) -> np.ndarray:
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = x, y, z
    return matrix


def test_a_coarser_voxel_is_the_mean_of_those_it_covers() -> None:
    volume = _random_volume()
    grid = Grid((4, 5, 6), np.diag([2.0, 2.0, 2.0, 1.0]) + _shift(0.5, 0.5, 0.5))
    expected = torch.nn.functional.avg_pool3d(volume, 2)
    found = resample(volume, np.eye(4), grid, 0.0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_beyond_the_volume_is_the_outside_value() -> None:
    grid = Grid((2, 2, 2), np.eye(4) + _shift(100, 100, 100))
    assert (resample(_random_volume(), np.eye(4), grid, -1024.0) == -1024).all()


def test_covering_grid_keeps_an_oblique_volume_s_axes() -> None:
    cos, sin = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * [2, 2, 3], [3, -8, 20]
    source = Grid((30, 40, 20), affine)
    grid = covering_grid(source, 2.0)
    assert grid.shape == (30, 40, 30)
    assert grid.spacing_mm == pytest.approx((2.0, 2.0, 2.0))
    np.testing.assert_allclose(grid.center_mm, source.center_mm)
    np.testing.assert_allclose(grid.affine[:3, :3], 2 * turn)


def test_covering_grid_puts_axes_into_ras_order() -> None:
    # Stored posterior, inferior, right, 2 x 3 x 4 mm.
    affine = np.array([[0, 0, 4.0, 10], [-2.0, 0, 0, 20], [0, -3.0, 0, 30], [0, 0, 0, 1]])
    grid = covering_grid(Grid((10, 20, 6), affine), (4.0, 2.0, 3.0))
    assert grid.shape == (6, 10, 20)
    np.testing.assert_allclose(grid.affine[:3, :3], np.diag([4.0, 2.0, 3.0]))
    np.testing.assert_allclose(grid.affine[:3, 3], [10, 2, -27])
