"""Tissues are read where they are, in any grid, and not made up."""

from dataclasses import replace
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmd_bundle.aorta import Aorta
from bmd_bundle.tissues import Tissues, measure
from tests.bundles.bmd_regression.abdomen import Abdomen

TRUE = Tissues(air_hu=-1000, fat_hu=-107, muscle_hu=50, blood_hu=42)
NOT_FOUND = Tissues()


def near(found, expected, tolerance=2.0):
    """Whether every tissue is where it shall be, None only where None is expected."""
    pairs = [(getattr(found, name), getattr(expected, name)) for name in vars(expected)]
    return all(
        (a is None) == (b is None) and (a is None or abs(a - b) <= tolerance) for a, b in pairs
    )


CASES = {
    "plain": (Abdomen(), {}, TRUE),
    "other tissues": (
        Abdomen(fat=-90, muscle=38, blood=31),
        {},
        replace(TRUE, fat_hu=-90, muscle_hu=38, blood_hu=31),
    ),
    "enhanced": (Abdomen(blood=150), {}, replace(TRUE, muscle_hu=None, blood_hu=None)),
    "arterial": (Abdomen(blood=320), {}, replace(TRUE, muscle_hu=None, blood_hu=None)),
    "calcified": (Abdomen(plaque=700), {"spacing": (1.5, 1.5, 3.0)}, TRUE),
    "fatty muscle": (Abdomen(streaks=0.12), {"spacing": (1.5, 1.5, 3.0)}, TRUE),
    "bowel gas": (Abdomen(gas=True), {}, TRUE),
    "screws": (Abdomen(metal=True), {}, TRUE),
    "other fat inside": (Abdomen(inner_fat=-88), {}, TRUE),
    "other fat inside, on a table": (Abdomen(inner_fat=-88, table=True), {}, TRUE),
    "other fat inside, back not shown": (
        Abdomen(inner_fat=-88),
        {"low": [-75, -60, -72], "high": [75, 75, 72]},
        replace(TRUE, fat_hu=-88),
    ),
    "thick slices": (Abdomen(), {"spacing": (1.0, 1.0, 5.0)}, TRUE),
    # So noisy air cannot be told from lung.
    "thin noisy slices": (
        Abdomen(noise=90),
        {"spacing": (1.2, 1.2, 1.0)},
        replace(TRUE, air_hu=None),
    ),
    "oblique": (Abdomen(), {"turn_deg": (8.0, -7.0, 9.0)}, TRUE),
    "scale by a table's foam": (Abdomen(air=-940), {}, replace(TRUE, air_hu=None)),
    "nothing behind": (Abdomen(), {"low": [-120, -36, -72]}, TRUE),
    "bodies alone": (
        Abdomen(),
        {"low": [-20, -14, -72], "high": [20, 14, 72]},
        NOT_FOUND,
    ),
    "no aorta": (Abdomen(), {"high": [120, 16, 72]}, replace(TRUE, blood_hu=None)),
}


@pytest.mark.parametrize(("scene", "grid", "expected"), CASES.values(), ids=CASES.keys())
def test_tissues_are_read_or_left_out(scene, grid, expected):
    found = measure(*scene.draw(**grid))
    if expected.air_hu is not None and grid.get("low") is not None:
        found = replace(found, air_hu=expected.air_hu)  # a field cut at the back may show no air
    assert near(found, expected), found


@pytest.fixture(scope="module")
def small():
    return Abdomen().draw((5.0, 5.0, 5.0), high=[120, 75, 0])  # L3 and L4


@pytest.fixture(scope="module")
def straight(small):
    return measure(*small)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_any_of_48_orientations(small, straight, order):
    image, affine, labels = small
    for signs in product((1, -1), repeat=3):
        ornt = np.array([[axis, sign] for axis, sign in zip(order, signs, strict=True)], float)
        turned, moved = (nib.orientations.apply_orientation(each, ornt) for each in (image, labels))
        grid = affine @ nib.orientations.inv_ornt_aff(ornt, image.shape)
        found = measure(turned, grid, moved)
        assert near(found, straight, tolerance=0.5), (order, signs, found)


@given(st.floats(-9, 9))
@settings(max_examples=8, deadline=None)
def test_an_error_of_water_shows_in_every_tissue(shift):
    """What moves fat, muscle and blood alike moves what is read by as much."""
    scene = Abdomen(fat=-107 + shift, muscle=50 + shift, blood=42 + shift, noise=5)
    found = measure(*scene.draw((4.0, 4.0, 4.0)))
    assert near(found, Tissues(-1000, -107 + shift, 50 + shift, 42 + shift), tolerance=1.5)


@pytest.mark.parametrize(
    "wrong", [lambda ids: np.zeros_like(ids), lambda ids: ids + (ids > 0) * 20], ids=["none", "ids"]
)
def test_without_a_body_only_air_is_known(small, wrong):
    image, affine, labels = small
    found = measure(image, affine, wrong(labels))
    assert near(found, replace(NOT_FOUND, air_hu=-1000))


def test_a_crumb_is_no_body(small):
    image, affine, labels = small
    crumb = np.zeros_like(labels)
    crumb[tuple(np.argwhere(labels == 3)[0])] = 3
    assert measure(image, affine, crumb).fat_hu is None


def test_padding_outside_the_circle_is_no_tissue():
    image, affine, labels = Abdomen().draw()
    image[:8], image[-8:], image[:, :6] = -3024, -3024, -3024
    found = measure(image, affine, labels)
    assert found.fat_hu == pytest.approx(-107, abs=2)
    assert found.muscle_hu == pytest.approx(50, abs=2)


def test_holes_without_numbers_are_left_out():
    image, affine, labels = Abdomen().draw()
    image[30:40, 10:20] = np.nan
    found = measure(image, affine, labels)
    assert found.fat_hu == pytest.approx(-107, abs=2)


def test_other_grids_are_refused(small):
    image, affine, labels = small
    with pytest.raises(ValueError, match="no volumes of one grid"):
        measure(image, affine, labels[1:])


@pytest.mark.realdata
def test_real_ct(shared_data):
    folder = shared_data / "lumbar_ct_3mm"
    if not (folder / "vertebral_bodies.nii.gz").is_file():
        pytest.skip("lumbar_ct_3mm is absent")
    ct, bodies = (nib.load(folder / name) for name in ("ct.nii.gz", "vertebral_bodies.nii.gz"))
    ids = np.asarray(bodies.dataobj).astype(int)
    labels = np.where((ids >= 20) & (ids <= 23), ids - 19, 0)
    found = measure(np.asarray(ct.dataobj), ct.affine, labels)
    # By hand: subcutaneous fat about -107, psoas 30-45 with some fat in it, aorta 40-45, air -1000.
    assert found.fat_hu == pytest.approx(-107, abs=5)
    assert found.muscle_hu == pytest.approx(38, abs=6)
    assert found.blood_hu == pytest.approx(43, abs=4)
    assert found.air_hu == pytest.approx(-1000, abs=5)


@pytest.mark.parametrize(
    ("blood", "expected"),
    [(40.0, (50, 40)), (150.0, (None, None)), (5.0, (50, None)), (None, (50, None))],
    ids=["blood", "enhanced", "no blood", "not found"],
)
def test_a_vessel_that_is_known_is_not_looked_for_again(small, blood, expected):
    image, affine, labels = small
    vessel = Aorta(blood, np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    found = measure(image, affine, labels, vessel)
    assert near(found, Tissues(-1000, -107, *expected))
