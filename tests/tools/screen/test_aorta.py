"""The aorta is found where it is, read without its wall, and not invented."""

import numpy as np
import pytest

from tests.tools.screen.scene import NAMES, Vessel, grid, image, instances, places, real_bodies
from tools.levels import HEAD_TO_FOOT, LABEL_IDS
from tools.phantom import case, recipe
from tools.screen import aorta, bodies

CAVA = Vessel(left=-17.0, front=27.0, radius=10.0, hu=40.0)


def found_in(hu, on, names=NAMES):
    return aorta.find(hu, on.affine, bodies.points_mm(instances(on), on.affine, names))


@pytest.mark.parametrize("blood", [30.0, 42.0, 78.0, 150.0, 320.0])
@pytest.mark.parametrize("radius", [7.0, 10.0, 17.0])
def test_blood_is_read_to_two_hu(blood, radius):
    on = grid()
    vessel = Vessel(hu=blood, radius=radius, front=18.0 + radius)
    found = found_in(image(on, (CAVA, vessel)), on)
    assert found.hu_median == pytest.approx(blood, abs=2)
    assert np.abs(found.centre_mm[:, 0] + vessel.left).max() < 4
    assert np.abs(found.centre_mm[:, 1] - vessel.front).max() < 4
    assert found.radius_mm.mean() == pytest.approx(radius, abs=2)


@pytest.mark.parametrize(
    "on",
    [
        grid(turn_deg=(8.0, -10.0, 6.0)),
        grid(codes_flip=(-1, -1, 1)),
        grid(spacing=(0.9, 0.9, 5.0)),
        grid(spacing=(3.0, 3.0, 3.0)),
        grid(spacing=(4.0, 1.0, 1.0)),
    ],
    ids=["oblique", "LPS", "5 mm", "3 mm cubes", "sagittal"],
)
def test_any_grid(on):
    found = found_in(image(on, (CAVA, Vessel(hu=140.0))), on)
    assert found.hu_median == pytest.approx(140, abs=3)


def test_noise_of_thin_sharp_slices():
    on = grid(spacing=(0.9, 0.9, 1.0))
    found = found_in(image(on, (CAVA, Vessel()), noise_hu=80.0), on)
    assert found.hu_median == pytest.approx(42, abs=3)


def test_calcified_wall_is_left_out():
    on = grid(spacing=(1.0, 1.0, 2.0))
    vessel = Vessel(radius=9.0)
    hu = image(on, (CAVA, vessel))
    at = places(on)
    off = np.hypot(at[..., 0] + vessel.left, at[..., 1] - vessel.front)
    ring = (off > 8.0) & (off < 9.5) & (at[..., 0] + vessel.left > -3)
    hu[ring] = 700
    assert found_in(hu, on).hu_median == pytest.approx(42, abs=3)


def test_vein_on_the_right_is_no_aorta():
    on = grid()
    assert found_in(image(on, (CAVA,)), on).hu_median is None


def test_nothing_is_found_where_nothing_is():
    on = grid()
    assert found_in(image(on), on).hu_median is None
    assert aorta.find(image(on), on.affine, {}).hu_median is None
    even = np.full(on.shape, 45.0)
    assert found_in(even, on).hu_median is None


def test_oesophagus_between_the_lungs_is_no_aorta():
    on = grid()
    hu = image(on, (Vessel(left=3.0, front=24.0, radius=7.0, hu=55.0),))
    at = places(on)
    hu[(np.abs(at[..., 0]) > 26) & (at[..., 1] > 0)] = -850
    assert found_in(hu, on).hu_median is None


def test_field_that_ends_before_the_aorta():
    """A slab about the bodies shows no vessel: nothing beyond its edge is made up."""
    on = grid()
    hu = image(on, (Vessel(),))
    narrow = int(np.argmin(np.abs(on.to_world(np.array([[0, y, 0] for y in range(on.shape[1])]))
                                  [:, 1] - 18.0)))  # fmt: skip
    numbers = instances(on)[:, :narrow]
    points = bodies.points_mm(numbers, on.affine, NAMES)
    assert aorta.find(hu[:, :narrow], on.affine, points).hu_median is None


def test_bodies_without_names_are_followed_too():
    on = grid()
    found = found_in(image(on, (CAVA, Vessel(hu=160.0))), on, names=())
    assert found.hu_median == pytest.approx(160, abs=2)


def test_a_phantoms_aorta():
    settings = recipe.load("standard")
    settings["scan"] |= {
        "field": "lumbar", "pixel_mm": [1.8, 1.8], "thickness_mm": [3.0],
        "interval_ratio": [1.0, 1.0], "kernel": ["soft"],
    }  # fmt: skip
    scan = case.simulate(settings, 11, 3)
    order = [
        level
        for level in reversed(HEAD_TO_FOOT)
        if level != "sacrum" and (scan.labels == LABEL_IDS[level]).any()
    ]
    numbers = np.zeros(scan.labels.shape, np.int32)
    for number, level in enumerate(order, start=1):
        numbers[scan.labels == LABEL_IDS[level]] = number
    found = aorta.find(scan.image, scan.affine, bodies.points_mm(numbers, scan.affine, order))
    course = case._patient(settings, 11, 3, "A").vessels.aorta
    course = course[np.argsort(course[:, 2])]
    for axis in (0, 1):
        true = np.interp(found.centre_mm[:, 2], course[:, 2], course[:, axis])
        assert np.abs(found.centre_mm[:, axis] - true).max() < 4
    assert 25 < found.hu_median < 60


@pytest.mark.realdata
def test_real_ct_is_unenhanced(shared_data):
    found = aorta.find(*real_bodies(shared_data))
    assert 38 <= found.hu_median <= 47  # 40-45 by hand
