"""Grids: orientation, block means, sampling, and the refusal of what is no volume."""

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.ndimage import map_coordinates

from lumbar_bundle import grids
from tests.bundles.lumbar_segmentation.spine_shapes import ORIENTATIONS, grid, places, stored_as


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("turn", [(0, 0, 0), (12, -9, 14)], ids=["straight", "oblique"])
def test_every_orientation_gives_the_same_ras_view(turn):
    _, affine = grid((1.0, 2.0, 3.0), (0, 0, 0), (4, 10, 18), turn)
    volume = numbered((4, 5, 6))
    expected, expected_affine = grids.to_ras(volume, affine)
    np.testing.assert_array_equal(expected, volume)
    for order, flips in ORIENTATIONS:
        view, ras = grids.to_ras(*stored_as(volume, affine, order, flips))
        np.testing.assert_array_equal(view, expected)
        np.testing.assert_array_equal(ras, expected_affine)


def test_ras_view_agrees_with_nibabel():
    volume, affine = stored_as(numbered((4, 5, 6)), np.diag([1, 2, 3, 1.0]), (2, 0, 1), (1, 0, 1))
    expected = nib.as_closest_canonical(nib.Nifti1Image(volume, affine))
    view, ras = grids.to_ras(volume, affine)
    np.testing.assert_array_equal(view, expected.get_fdata())
    np.testing.assert_allclose(ras, expected.affine)


def test_ras_view_can_be_written_through():
    stored = np.zeros((3, 4, 5), dtype=np.uint8)
    view, _ = grids.to_ras(stored, np.diag([-1.0, -1.0, 2.0, 1.0]))
    view[0, 0, 0] = 7
    assert stored[2, 3, 0] == 7


def test_block_mean_is_the_mean_at_the_mean_place():
    _, affine = grid((0.7, 0.9, 1.1), (0, 0, 0), (5, 5, 5), (5, 6, 7))
    volume = np.random.default_rng(0).normal(size=(7, 6, 5)).astype(np.float32)
    means, moved = grids.block_mean(volume, affine, np.array([2, 3, 1]))
    expected = volume[:6].reshape(3, 2, 2, 3, 5, 1).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(means, expected, rtol=1e-5)
    centres = places(volume.shape, affine)[:6].reshape(3, 2, 2, 3, 5, 1, 3).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(places(means.shape, moved), centres, atol=1e-9)


def test_block_mean_of_fewer_voxels_than_a_block():
    means, affine = grids.block_mean(np.ones((1, 2, 5), np.int16), np.eye(4), np.array([3, 3, 3]))
    assert means.shape == (1, 1, 1)
    np.testing.assert_allclose(affine[:3, 3], [0, 0.5, 1])


@pytest.mark.parametrize(
    ("spacing", "step", "factors"),
    [
        pytest.param((0.7, 0.7, 5.0), 2.0, [3, 3, 1], id="thick"),
        pytest.param((1.2, 1.5, 2.0), 2.0, [2, 1, 1], id="nearest whole number"),
    ],
)
def test_block_factors(spacing, step, factors):
    found = grids.block_factors(np.diag([*spacing, 1.0]), np.full(3, step))
    assert found.tolist() == factors


@given(
    turn=st.tuples(*[st.floats(-30, 30)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 5)] * 3),
    order=st.sampled_from([0, 1]),
)
def test_sampling_agrees_with_point_by_point_interpolation(turn, spacing, order):
    volume = np.random.default_rng(1).normal(size=(6, 7, 8)).astype(np.float32)
    _, affine = grid((2.0, 1.5, 3.0), (0, 0, 0), (12, 10, 24), turn)
    shape, target = grid(spacing, (2, 2, 4), (9, 8, 20), (0, 0, 0))
    found = grids.sample(volume, affine, shape, target, order=order, outside=np.float32(-9))
    index = grids.to_index(affine, places(shape, target))
    expected = map_coordinates(volume, np.moveaxis(index, -1, 0), order=order, mode="nearest")
    inside = np.all((index > -0.499) & (index < np.array(volume.shape) - 0.501), axis=-1)
    beyond = np.any((index < -0.51) | (index > np.array(volume.shape) - 0.49), axis=-1)
    # A point midway between two voxels may go to either.
    clear = np.all(np.abs(index % 1 - 0.5) > 1e-6, axis=-1) | bool(order)
    np.testing.assert_allclose(found[inside & clear], expected[inside & clear], atol=1e-4)
    assert (found[beyond] == -9).all()


def test_a_voxel_is_an_extent():
    volume = np.array([1.0, 2.0], dtype=np.float32).reshape(2, 1, 1)
    fine = np.diag([0.25, 1, 1, 1.0])
    fine[0, 3] = -0.75
    found = grids.sample(volume, np.eye(4), (11, 1, 1), fine, outside=-5)
    places_mm = -0.75 + 0.25 * np.arange(11)
    expected = np.where((places_mm < -0.5) | (places_mm > 1.5), -5, 1 + np.clip(places_mm, 0, 1))
    np.testing.assert_allclose(found.ravel(), expected)


def test_sampling_can_keep_the_edge():
    found = grids.sample(
        np.full((2, 2, 2), 3, np.int16), np.eye(4), (5, 5, 5), np.eye(4), outside=None
    )
    assert (found == 3).all()


def test_part_of_a_volume_that_a_grid_looks_at():
    target = np.eye(4)
    target[:3, 3] = [10, 2, -4]
    part = grids.box_in((30, 30, 30), np.eye(4), (5, 5, 5), target, margin=1)
    assert part == (slice(8, 17), slice(0, 9), slice(0, 3))
    np.testing.assert_allclose(grids.shifted(np.eye(4), part)[:3, 3], [8, 0, 0])
    target[0, 3] = 90
    assert grids.box_in((30, 30, 30), np.eye(4), (5, 5, 5), target, margin=1) is None


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [
        pytest.param((5, 5), np.eye(4), "not one CT volume", id="2-D"),
        pytest.param((5, 0, 5), np.eye(4), "not one CT volume", id="empty"),
        pytest.param((5, 5, 5), np.diag([1, 1, 0, 1.0]), "cannot be inverted", id="flat"),
        pytest.param(
            (5, 5, 5),
            np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
            "cannot be inverted",
            id="two axes alike",
        ),
        pytest.param((5, 5, 5), np.full((4, 4), np.nan), "not finite", id="NaN"),
    ],
)
def test_no_grid_in_space_is_refused_in_one_line(shape, affine, message):
    with pytest.raises(ValueError, match=message) as refusal:
        grids.check_grid(shape, affine, "a.nii.gz")
    assert str(refusal.value).startswith("a.nii.gz: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("edge", [1e-3, 0.02, 0.5, 12.0])
def test_any_real_voxel_size_is_accepted(edge):
    grids.check_grid((5, 5, 5), np.diag([edge, edge, 3.0, 1.0]), "a")


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 4, 4, 4), (4, 4, 4), (1, 4, 4, 4, 2)])
def test_what_is_not_one_channel_first_volume_is_refused(shape):
    image = MetaTensor(torch.zeros(shape), meta={"filename_or_obj": "b.nii.gz"})
    with pytest.raises(ValueError, match=r"b\.nii\.gz: shape .* is not one CT volume"):
        grids.unpack(image)
