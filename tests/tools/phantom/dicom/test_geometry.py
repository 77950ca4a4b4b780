"""Where slices lie, against values worked out by hand."""

import math

import numpy as np
import pytest

from tests.tools.phantom.dicom import volumes
from tools.phantom.dicom.geometry import planes


def affine_of(columns, origin):
    affine = np.eye(4)
    affine[:3, :3] = np.array(columns, dtype=float).T
    affine[:3, 3] = origin
    return affine


#: Columns of the affine are what one voxel along X, Y and Z moves in RAS+ mm; expected in LPS+.
HAND = {
    "LPS": ([[-0.5, 0, 0], [0, -0.8, 0], [0, 0, 3]], [1, 0, 0, 0, 1, 0], [0, 0, 3], True),
    "LPI": ([[-0.5, 0, 0], [0, -0.8, 0], [0, 0, -3]], [1, 0, 0, 0, 1, 0], [0, 0, -3], True),
    "RAS": ([[0.5, 0, 0], [0, 0.8, 0], [0, 0, 3]], [-1, 0, 0, 0, -1, 0], [0, 0, 3], True),
    "PIR": ([[0, -0.5, 0], [0, 0, -0.8], [3, 0, 0]], [0, 1, 0, 0, 0, -1], [-3, 0, 0], False),
}


@pytest.mark.parametrize("codes", HAND)
def test_axes_become_rows_columns_and_positions(codes):
    columns, orientation, step, axial = HAND[codes]
    made = planes((4, 5, 3), affine_of(columns, [10, 20, 30]))
    np.testing.assert_allclose(made.orientation, orientation, atol=1e-15)
    np.testing.assert_allclose(made.positions[0], [-10, -20, 30])
    np.testing.assert_allclose(made.positions[2], np.array([-10, -20, 30]) + 2 * np.array(step))
    assert made.pixel_mm == pytest.approx((0.8, 0.5))  # distance of rows first
    assert made.interval_mm == pytest.approx(3)
    assert made.tilt_deg == 0
    assert made.axial is axial


@pytest.mark.parametrize("tilt", [-18.0, -3.0, 12.5])
def test_tilted_gantry_shears_the_volume(tilt):
    # Rows stay; columns and normal turn about x; the table moves along z.
    c, s = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    made = planes(
        (4, 5, 6), affine_of([[-0.7, 0, 0], [0, -0.7 * c, 0.7 * s], [0, 0, 2]], [0, 0, 0])
    )
    assert made.tilt_deg == pytest.approx(tilt)
    assert made.interval_mm == pytest.approx(2 * c)
    np.testing.assert_allclose(np.diff(made.positions, axis=0), [[0, 0, 2]] * 5)


@pytest.mark.parametrize("orientation", volumes.ORIENTATIONS)
@pytest.mark.parametrize("turn", volumes.TURNS_DEG)
def test_turning_and_flipping_shear_nothing(orientation, turn):
    image, affine = volumes.volume(orientation, turn)
    made = planes(image.shape, affine)
    assert made.tilt_deg == 0
    np.testing.assert_allclose(np.linalg.norm(made.orientation.reshape(2, 3), axis=1), 1)
    assert made.axial is (orientation[2] in "SI")


def test_rows_and_columns_that_lean_are_refused():
    with pytest.raises(ValueError, match=r"meet at 84\.\d+ degrees; DICOM slices at 90 only"):
        planes((4, 4, 4), affine_of([[1, 0, 0], [0.1, 1, 0], [0, 0, 1]], [0, 0, 0]))
