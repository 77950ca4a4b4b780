"""Random texture: periodic, fixed to the patient, interpolated between its lattice points."""

import numpy as np
import pytest
import torch

from tools.phantom.drawing.canvas import Canvas
from tools.phantom.drawing.texture import Texture
from tools.volumes import Grid, reorient


@pytest.fixture(scope="module")
def texture():
    return Texture.draw(np.random.default_rng(0), 3.0, 8)


def at(texture, points):
    u, v, w = torch.tensor(np.asarray(points), dtype=torch.float32).T
    return texture.sample(u[:, None, None], v[:, None, None], w[:, None, None]).numpy().ravel()


def test_values_at_lattice_points_are_the_lattice(texture):
    rng = np.random.default_rng(1)
    index = rng.integers(0, 8, (50, 3))
    found = at(texture, index * 3.0)
    np.testing.assert_allclose(found, texture.lattice[tuple(index.T)], atol=1e-4)


def test_halfway_is_the_mean_of_the_neighbours(texture):
    found = at(texture, [[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5], [22.5, 0, 0]])
    lattice = texture.lattice
    ends = [lattice[1, 0, 0], lattice[0, 1, 0], lattice[0, 0, 1]]
    expected = [(lattice[0, 0, 0] + end) / 2 for end in ends]
    expected.append((lattice[7, 0, 0] + lattice[0, 0, 0]) / 2)  # over the seam
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_texture_repeats_itself(texture):
    points = np.random.default_rng(2).uniform(-50, 50, (100, 3))
    period = 8 * 3.0
    for shift in ([period, 0, 0], [0, -2 * period, 0], [0, 0, period]):
        np.testing.assert_allclose(at(texture, points), at(texture, points + shift), atol=2e-4)


def test_two_orientations_of_a_grid_show_the_same_texture(texture):
    affine = np.diag([2.0, 1.5, 2.5, 1.0])
    affine[:3, 3] = [-11, 7, 30]
    shape = (9, 12, 7)
    plain = texture.sample(*Canvas(Grid(shape, affine), 0.0).whole().coordinates()).numpy()
    turned, turned_affine = reorient(plain, affine, "PIR")
    grid = Grid(turned.shape, turned_affine)
    again = texture.sample(*Canvas(grid, 0.0).whole().coordinates()).numpy()
    np.testing.assert_allclose(again, turned, atol=1e-4)
