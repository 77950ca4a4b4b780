"""Noise is measured in soft tissue, and its effect on a mean foretold."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage

from bmd_bundle.noise import measure, standard_error

CENTRE = np.zeros(3)


def scan(noise_hu, smooth=0.0, spacing=(1.0, 1.0, 1.0), seed=0):
    """Soft tissue with bone and fat of hard edges, and noise whose grain is `smooth` voxels wide.

    Returns:
        HU, matrix, mask of the bone, the noise alone.
    """
    shape = tuple(int(100 / step) for step in spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(shape) - 1) / 2
    noise = np.random.default_rng(seed).normal(0, 1, shape)
    noise = ndimage.gaussian_filter(noise, smooth, mode="wrap") if smooth else noise
    noise *= noise_hu / noise.std()
    place = np.moveaxis(np.indices(shape), 0, -1) * spacing + affine[:3, 3]
    bone = np.abs(place).max(axis=-1) < 20
    fat = (np.floor(place[..., 0] / 16) % 2 == 0) & ~bone
    image = 50.0 - 150 * fat + 150 * bone
    return (image + noise).astype(np.float32), affine, bone, noise


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 1.0), (0.9, 0.9, 5.0), (3.0, 3.0, 3.0)], ids=str)
@pytest.mark.parametrize("noise_hu", [8.0, 30.0, 80.0])
def test_noise_is_that_of_homogeneous_tissue(noise_hu, spacing):
    image, affine, bone, _ = scan(noise_hu, spacing=spacing)
    assert measure(image, affine, CENTRE, bone).sd_hu == pytest.approx(noise_hu, rel=0.15)


@pytest.mark.parametrize("smooth", [0.0, 0.6, 1.0])
def test_error_of_a_mean_is_foretold(smooth):
    """Against the scatter of means over boxes of pure noise of the same kind."""
    image, affine, bone, noise = scan(25.0, smooth)
    box = (20, 20, 3)
    means = [
        noise[x : x + 20, y : y + 20, z : z + 3].mean()
        for x in range(0, 80, 20)
        for y in range(0, 80, 20)
        for z in range(0, 96, 6)
    ]
    expected = np.std(means)
    found = standard_error(measure(image, affine, CENTRE, bone), np.eye(3), np.array(box))
    assert found == pytest.approx(expected, rel=0.35)


def test_finer_patches_average_less():
    image, affine, bone, _ = scan(25.0, 1.0)
    noise = measure(image, affine, CENTRE, bone)
    errors = [standard_error(noise, np.eye(3), np.array([side, side, 3])) for side in (5, 10, 20)]
    assert errors[0] == pytest.approx(2 * errors[1], rel=0.01)
    assert errors[1] == pytest.approx(2 * errors[2], rel=0.01)
    assert standard_error(noise, np.eye(3), np.array([0.1, 0.1, 0.1])) == noise.sd_hu


def test_without_soft_tissue_noise_is_not_known():
    image, affine, bone, _ = scan(10.0)
    assert measure(image + 900, affine, CENTRE, bone) is None
    assert measure(np.full_like(image, 40.0), affine, CENTRE, bone) is None
    assert measure(image[:2, :2, :2], affine, CENTRE, bone[:2, :2, :2]) is None


def test_voxels_of_5_mm_give_noise_and_no_division_by_zero():
    """Windows of one voxel had no spread: the case ended with ZeroDivisionError."""
    image, affine, bone, noise = scan(20.0, spacing=(5.0, 5.0, 5.0))
    even = (50 + noise).astype(np.float32)  # fat's edges would lie in every window of 15 mm
    assert measure(even, affine, CENTRE, bone).sd_hu == pytest.approx(20.0, rel=0.15)
    assert measure(image, affine, CENTRE, bone).sd_hu > 20.0


@pytest.mark.parametrize("spacing", [(3.0, 3.0, 3.0), (3.0, 2.0, 3.0)], ids=str)
def test_noise_does_not_depend_on_the_order_of_the_axes(spacing):
    """Of equal voxel edges the first two counted: LPS read 14.9 HU, PIR of the same CT 13.6."""
    image, affine, bone, noise = scan(20.0, spacing=spacing, smooth=0.5)
    grain = ndimage.gaussian_filter(noise, (0, 0, 1.5))  # along the patient, it is smoother
    image = (image - noise + grain).astype(np.float32)
    centre = np.array([3.0, -4.0, 5.5])
    known = measure(image, affine, centre, bone)
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        turn = np.eye(4)[:, [*order, 3]]
        for axis, flipped in enumerate(flips):
            if flipped:
                last = image.shape[order[axis]] - 1
                turn[:3, 3] += turn[:3, axis] * last
                turn[:3, axis] *= -1
        step = tuple(slice(None, None, -1 if flipped else 1) for flipped in flips)
        found = measure(
            image.transpose(order)[step], affine @ turn, centre, bone.transpose(order)[step]
        )
        assert found.sd_hu == pytest.approx(known.sd_hu, abs=0.01), (order, flips)
        assert found.lengths_mm == pytest.approx(known.lengths_mm[list(order)], rel=1e-3)
