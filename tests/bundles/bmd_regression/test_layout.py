"""Slabs in place of planes: what they cover, and that no body is refused for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmd_bundle.body_frame import PatchError
from bmd_bundle.layout import Settings, planes_of
from bmd_bundle.patches import extract, locate
from tests.bundles.bmd_regression.solids import grid, solid

SHIPPED = {"slice_step_mm": 2.7, "slice_thickness_mm": 2.7}


@given(step=st.floats(0.5, 4.0), share=st.floats(0.2, 1.0))
def test_planes_fill_their_slices_evenly(step: float, share: float) -> None:
    thickness = share * step
    planes = planes_of(step, thickness).reshape(3, -1)
    np.testing.assert_allclose(planes.mean(axis=1), [-step, 0.0, step], atol=1e-9)
    gaps = np.diff(planes, axis=1)
    assert (gaps <= 1.0 + 1e-9).all()
    edges = planes[:, [0, -1]] - planes.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(edges) + thickness / planes.shape[1] / 2, thickness / 2)


def test_a_single_plane_is_what_it_was() -> None:
    assert planes_of(1.0, None).tolist() == [-1.0, 0.0, 1.0]


def drawn(height: float, width: float = 44.0, depth: float = 34.0):
    return solid(*grid((1.5, 1.5, 1.5)), size=(width, depth, height))


def test_a_slice_is_the_mean_over_its_height() -> None:
    """HU that rise by 10 per mm upwards give the slices' heights."""
    one = drawn(28.0)
    up = np.indices(one.image.shape)[2] * 1.5 * 10.0
    found = extract(up, one.affine, one.body, **SHIPPED)
    means = found.hu.mean(axis=(1, 2)) / 10.0
    np.testing.assert_allclose(np.diff(means), 2.7, atol=1e-3)
    np.testing.assert_allclose(found.affine[2, 0], 2.7, atol=1e-2)
    assert found.hu.shape == (3, 32, 32)


@pytest.mark.parametrize("height", [18.0, 19.0, 20.0, 24.0, 30.0])
def test_slabs_shrink_before_a_level_is_refused_or_the_square_shrinks(height: float) -> None:
    one = drawn(height)

    def layout(**settings):
        return locate(one.image, one.affine, one.body, Settings(**settings))[1]

    thin, thick = layout(), layout(**SHIPPED)
    assert thick.place.size_mm >= thin.place.size_mm
    assert thick.height_mm <= 8.1 + 1e-6
    assert (thick.height_mm > 8.0) == (height >= 24.0)


@pytest.mark.parametrize("height", [9.0, 11.0, 13.0, 14.0])
def test_no_level_is_refused_for_its_slabs(height: float) -> None:
    one = drawn(height)
    reasons = []
    for settings in ({}, SHIPPED):
        try:
            extract(one.image, one.affine, one.body, **settings)
            reasons.append("")
        except PatchError as error:
            reasons.append(error.reason)
    assert reasons[0] == reasons[1]


def test_samples_keep_the_margin() -> None:
    for height in (18.0, 20.0, 26.0):
        one = drawn(height)
        assert extract(one.image, one.affine, one.body, **SHIPPED).margin_mm >= 4.5


def test_thick_slices_leave_what_density_is_read_from_alone() -> None:
    one = solid(*grid((1.5, 1.5, 1.5)), noise_hu=15.0)
    thin = extract(one.image, one.affine, one.body)
    thick = extract(one.image, one.affine, one.body, **SHIPPED)
    assert thick.trabecular_hu == thin.trabecular_hu
    assert thick.trabecular_error_hu == thin.trabecular_error_hu
    assert thick.standard_error_hu < thin.standard_error_hu


@pytest.mark.parametrize("thickness", [0.0, -1.0])
def test_a_thickness_that_is_none_is_refused(thickness: float) -> None:
    with pytest.raises(ValueError, match="slice_thickness_mm must be above 0"):
        Settings(slice_thickness_mm=thickness)
