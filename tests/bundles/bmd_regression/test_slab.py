"""The central slab reads trabecular bone, not what lies in it."""

import numpy as np
import pytest
from scipy import ndimage

from bmd_bundle.body_frame import fit
from bmd_bundle.slab import dense_foci, read
from tests.bundles.bmd_regression.solids import SPONGY_HU, grid, solid

AXES = np.eye(3)


@pytest.fixture(scope="module")
def drawn():
    return solid(*grid(), noise_hu=20.0)


def slab_of(drawn, image=None):
    image = drawn.image if image is None else image
    return read(image, drawn.affine, fit(drawn.body, drawn.affine), AXES, 5.0)


def with_ball(drawn, hu, radius_mm=4.0):
    """The CT with a dense ball in the body, blurred as CT blurs."""
    index = np.moveaxis(np.indices(drawn.image.shape), 0, -1).astype(float)
    place = index @ drawn.affine[:3, :3].T + drawn.affine[:3, 3] - drawn.centre_mm
    ball = np.linalg.norm(place - [5, 3, 1], axis=-1) < radius_mm
    return drawn.image + hu * ndimage.gaussian_filter(ball.astype(float), 0.8)


def test_it_is_the_mean_of_spongy_bone(drawn):
    slab = slab_of(drawn)
    assert slab.hu == pytest.approx(SPONGY_HU, abs=0.5)
    assert slab.dense == 0
    assert slab.extent_mm[2] == 9
    # An ellipse-like section of 34 by 24 mm.
    assert 20 < slab.extent_mm[0] < 30


@pytest.mark.parametrize("hu", [500.0, 800.0])
def test_a_bone_island_is_left_out(drawn, hu):
    slab = slab_of(drawn, with_ball(drawn, hu))
    assert slab.hu == pytest.approx(SPONGY_HU, abs=2.5)
    # The ball holds 268 of some 6000 mm³.
    assert 0.03 < slab.dense < 0.12


def test_a_void_is_kept(drawn):
    """What lacks bone lacks density: only dense foci go."""
    slab = slab_of(drawn, with_ball(drawn, -150.0))
    assert slab.dense == 0
    assert slab.hu < SPONGY_HU - 4


@pytest.mark.parametrize("noise_hu", [20.0, 90.0])
def test_noise_is_no_focus(noise_hu):
    values = np.random.default_rng(1).normal(100, noise_hu, (30, 30, 10))
    where = np.ones(values.shape, dtype=bool)
    assert dense_foci(values, where).mean() < 1e-3


def test_foci_do_not_depend_on_an_offset(drawn):
    values = np.random.default_rng(1).normal(100, 20, (30, 30, 10))
    values[10:14, 10:14, 3:6] += 600
    where = np.ones(values.shape, dtype=bool)
    found = dense_foci(values, where)
    assert found[11, 11, 4]
    assert np.array_equal(found, dense_foci(values - 300, where))


def test_a_body_without_a_slab_has_none():
    flat = solid(*grid(), size=(34.0, 11.5, 24.0))
    assert slab_of(flat) is None


def test_a_slab_beyond_the_ct_is_not_read(drawn):
    """The frame comes from the mask; the CT must hold all of the slab."""
    body = fit(drawn.body, drawn.affine)
    assert read(drawn.image[:50], drawn.affine, body, AXES, 5.0) is None
