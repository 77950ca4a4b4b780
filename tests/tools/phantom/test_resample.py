import numpy as np
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


def test_covering_grid_covers_an_oblique_volume() -> None:
    angle = np.deg2rad(20)
    affine = np.array(
        [
            [np.cos(angle), -np.sin(angle), 0, 3],
            [np.sin(angle), np.cos(angle), 0, -8],
            [0, 0, 3, 20],
            [0, 0, 0, 1.0],
        ]
    )
    source = Grid((30, 40, 20), affine)
    grid = covering_grid(source, 2.0)
    corners = np.array([[i, j, k] for i in (0, 29) for j in (0, 39) for k in (0, 19)])
    inside = grid.to_index(source.to_world(corners))
    assert (inside > -0.5).all()
    assert (inside < np.array(grid.shape) - 0.5).all()
    assert grid.spacing_mm == (2.0, 2.0, 2.0)
