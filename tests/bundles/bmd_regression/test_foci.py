"""The network sees patches without dense foci."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bmd_bundle.foci import without_foci
from bmd_bundle.measuring import MeasureLevelsd
from bmd_bundle.patches import extract
from bmd_bundle.slab import dense_foci
from tests.bundles.bmd_regression.spines import STEP_MM, spine

SETTINGS = {"slice_step_mm": 2.7, "slice_thickness_mm": 2.7}


def l2(radius_mm=0.0, hu=700.0, seed=0):
    """A body with a ball of other HU off its middle: CT, mask, matrix."""
    image, labels, affine = spine({"L2": 90.0}, seed=seed)
    body = labels == 2
    middle = np.argwhere(body).mean(axis=0) + np.array([3.0, 1.0, 0.0]) / STEP_MM
    index = np.moveaxis(np.indices(image.shape), 0, -1)
    image[np.linalg.norm((index - middle) * STEP_MM, axis=-1) < radius_mm] = hu
    return image, body, affine


@pytest.mark.parametrize("radius_mm", [2.5, 3.5, 5.0])
@pytest.mark.parametrize("hu", [500.0, 1000.0])
def test_a_bone_island_is_left_out(radius_mm, hu):
    plain = extract(*reordered(l2()), **SETTINGS)
    held = extract(*reordered(l2(radius_mm, hu)), **SETTINGS)
    assert held.hu.mean() > plain.hu.mean() + 8
    assert without_foci(held).mean() == pytest.approx(plain.hu.mean(), abs=5)


def reordered(drawn):
    image, body, affine = drawn
    return image.astype(np.float32), affine, body


@pytest.mark.parametrize("seed", range(3))
def test_a_patch_without_a_focus_stays_as_it_is(seed):
    patch = extract(*reordered(l2(seed=seed)), **SETTINGS)
    np.testing.assert_array_equal(without_foci(patch), patch.hu)


def test_an_offset_changes_nothing():
    image, affine, body = reordered(l2(3.5))
    near, far = (extract(image + shift, affine, body, **SETTINGS) for shift in (0, 80))
    np.testing.assert_allclose(without_foci(far), without_foci(near) + 80, atol=1e-3)


def test_a_void_is_left_in():
    """Bone that is missing is what density is about."""
    patch = extract(*reordered(l2(4.0, -50.0)), **SETTINGS)
    np.testing.assert_array_equal(without_foci(patch), patch.hu)


def test_the_reach_of_a_focus_is_in_millimetres():
    """A bright plateau beside a seed belongs to it as far as 3 mm, whatever the grid."""
    for step in (0.5, 1.0):
        hu = np.random.default_rng(0).normal(100, 5, (1, 41, 41))
        hu[0, 20, 20:] = 200.0  # a bright ray, no seed of its own
        hu[0, 20, 20] = 900.0
        found = dense_foci(hu, np.ones(hu.shape, bool), (3.0, step, step))
        assert found[0, 20, 20:].sum() == 1 + int(3.0 / step)


@pytest.mark.parametrize("leave_out", [True, False])
def test_the_config_decides(leave_out):
    image, body, affine = l2(3.5)
    grid = torch.from_numpy(affine)
    given = {
        "image": MetaTensor(torch.from_numpy(image)[None], affine=grid),
        "mask": MetaTensor(torch.from_numpy(body.astype(np.uint8) * 2)[None], affine=grid),
        "kvp": 120.0,
    }
    found = MeasureLevelsd(leave_out_foci=leave_out, **SETTINGS)(given)["image"]
    assert bool(found.max() > 400) is not leave_out
