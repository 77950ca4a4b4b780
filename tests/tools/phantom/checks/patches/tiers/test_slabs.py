"""The network's slices, made of the bench's planes, are those that the bundle cuts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bundles.bmd_regression.abdomen import Abdomen
from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.phantom import recipe
from tools.phantom.case import simulate
from tools.phantom.checks.patches import reading
from tools.phantom.checks.patches.reading import PLANES_MM
from tools.phantom.checks.patches.tiers import slabs

SHIPPED = {"slice_step_mm": 2.7, "slice_thickness_mm": 2.7}
SMALL = {
    "spacing": (1.2, 1.2, 2.0),
    "turn_deg": (5.0, -4.0, 6.0),
    "low": (-50.0, -50.0, -15.0),
    "high": (50.0, 50.0, 50.0),
}
"""A grid about L2, one of the abdomen's bodies."""
WEIGHTS = slabs.weights(2.7, 2.7)


def test_a_ramp_is_read_at_the_middle_of_each_slice() -> None:
    np.testing.assert_allclose(WEIGHTS.sum(axis=1), 1.0)
    np.testing.assert_allclose(WEIGHTS @ PLANES_MM, [-2.7, 0.0, 2.7], atol=1e-12)


def test_weights_are_near_the_integral_of_the_interpolant() -> None:
    """NumPy's own interpolation, averaged over the height of a slice in 2,700 steps."""
    within = (np.arange(2700) + 0.5) / 1000 - 1.35
    for row, middle in zip(WEIGHTS, (-2.7, 0.0, 2.7), strict=True):
        whole = [np.interp(middle + within, PLANES_MM, plane).mean() for plane in np.eye(11)]
        np.testing.assert_allclose(row, whole, atol=0.031)


def test_single_planes_of_the_bench_are_themselves() -> None:
    np.testing.assert_array_equal(slabs.weights(3.0, None), np.eye(11)[[2, 5, 8]])


def test_planes_that_do_not_count_may_be_missing() -> None:
    cube = np.ones((2, 11, 4, 4), np.float16)
    cube[0, [0, 10]], cube[1, 2, 0, 0] = np.nan, np.nan
    found = slabs.slices(cube, WEIGHTS)
    np.testing.assert_allclose(found[0], 1.0, rtol=1e-6)
    assert np.isnan(found[1, :, 0, 0]).all()
    assert np.isfinite(found[1, :, 1:]).all()


def test_slices_beyond_the_planes_are_refused() -> None:
    with pytest.raises(ValueError, match="reach 6 mm from the middle"):
        slabs.weights(6.0, None)


def cut(low_mm: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Slices of the bench and of the bundle, of L2 with so much of its height taken off."""
    image, affine, labels = Abdomen(noise=6.0).draw(**SMALL)
    body = labels == LABEL_IDS["L2"]
    up = np.argwhere(body) @ affine[2, :3] + affine[2, 3]
    body[tuple(np.argwhere(body)[np.abs(up - up.mean()) > up.std() * 3**0.5 - low_mm / 2].T)] = 0
    texture = np.random.default_rng(1).normal(0.0, 30.0, image.shape)
    image = (image + texture).astype(np.int16)
    extract = bundles.module("bmd_regression", "bmd_bundle.patches").extract
    cube = reading._cube(image, affine, extract(image, affine, body))
    patch = extract(image, affine, body, **SHIPPED)
    step = float(np.linalg.norm(patch.affine[:3, 0]))
    return slabs.slices(cube, WEIGHTS), patch.hu, step


def test_slices_are_those_the_bundle_cuts() -> None:
    """Not exactly, since the bench interpolates twice: 2 HU of a texture of 14 HU and more."""
    found, expected, step = cut(0.0)
    assert step == pytest.approx(2.7)
    apart = found - expected
    assert np.sqrt((apart**2).mean()) < 0.2 * expected.std()
    assert abs(apart.mean()) < 0.3


def test_a_low_body_is_read_nearer_its_middle_by_the_bundle() -> None:
    """The stated difference: there the bundle shrinks step and thickness, the bench cannot."""
    found, expected, step = cut(9.0)
    assert step < 2.7
    np.testing.assert_allclose(found.mean(), expected.mean(), atol=3.0)


@pytest.mark.slow
def test_slices_of_a_drawn_patient() -> None:
    settings = recipe.load("scanners")
    settings["scan"] |= {
        "field": reading.FIELD,
        "pixel_mm": [1.5, 1.5],
        "thickness_mm": [3.0],
        "interval_ratio": [1.0, 1.0],
    }
    case = simulate(settings, 3, 2, "A", False)
    cubes = reading.read_case(case, reading.Settings())["cube"]
    extract = bundles.module("bmd_regression", "bmd_bundle.patches").extract
    same = 0
    for row, level in enumerate(MEASURED_LEVELS):
        mask = case.labels == LABEL_IDS[level]
        thin = extract(case.image, case.affine, mask)
        patch = extract(case.image, case.affine, mask, **SHIPPED)
        apart = slabs.slices(cubes[row], WEIGHTS) - patch.hu
        moved = np.linalg.norm(thin.centre_mm - patch.centre_mm) > 1e-6
        same += not moved
        # Where the higher patch lies elsewhere in the body, texture differs, the mean hardly does.
        assert np.sqrt((apart**2).mean()) < (7.0 if moved else 0.6), level
        assert abs(apart.mean()) < 0.5, level
    assert same == 3
