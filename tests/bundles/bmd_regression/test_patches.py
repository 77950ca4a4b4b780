"""A patch lies where it should, and reads what is there."""

from dataclasses import replace

import numpy as np
import pytest

from bmd_bundle.geometry import to_world
from bmd_bundle.patches import PatchError, extract
from tests.bundles.bmd_regression.solids import SPONGY_HU, Solid, grid, solid

NUMBERS = ("mean_hu", "median_hu", "sd_hu", "core_mean_hu", "trabecular_hu")


def patch_of(drawn: Solid, **settings):
    return extract(drawn.image, drawn.affine, drawn.body, **settings)


def places(patch):
    """RAS+ mm of every sample, [3, P, P, 3]."""
    return to_world(patch.affine, np.moveaxis(np.indices(patch.hu.shape), 0, -1).astype(float))


@pytest.fixture(scope="module")
def plain() -> Solid:
    return solid(*grid(), noise_hu=10.0)


def test_it_is_a_square_of_three_slices_in_the_middle(plain):
    patch = patch_of(plain)
    assert patch.hu.shape == (3, 32, 32)
    assert patch.hu.dtype == np.float32
    assert patch.size_mm == 20
    assert np.linalg.norm(patch.centre_mm - plain.centre_mm) < 0.5
    edges = np.diff(np.vstack([patch.corners_mm, patch.corners_mm[:1]]), axis=0)
    assert np.linalg.norm(edges, axis=1) == pytest.approx([20] * 4)
    assert patch.corners_mm.mean(axis=0) == pytest.approx(patch.centre_mm)
    assert (patch.corners_mm - patch.centre_mm) @ patch.normal == pytest.approx([0] * 4)
    assert np.linalg.norm(patch.affine[:3, 0]) == pytest.approx(1)


def test_it_is_seen_as_an_axial_slice_is(plain):
    """Slices from below up, rows from the front back, columns from right to left."""
    affine = patch_of(plain, tilt=False).affine
    assert affine[:3, :3] == pytest.approx(
        np.array([[0, 0, -0.625], [0, -0.625, 0], [1, 0, 0]]), abs=1e-6
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"spacing": (0.8, 0.8, 5.0)},
        {"spacing": (0.9, 1.3, 2.0), "turn_deg": (12, -7, 20)},
        {"spacing": (2.0, 1.0, 1.0), "codes": (1, 2, 0), "signs": (-1, -1, 1)},
    ],
    ids=["1 mm", "thick", "oblique", "PIR"],
)
@pytest.mark.parametrize("tilt", [True, False])
def test_samples_are_the_hu_at_their_places(settings, tilt):
    """Linear interpolation gives a linear field back exactly."""
    drawn = solid(*grid(**settings), tilt_deg=(15, 5, 0))
    slopes = np.array([2.0, -1.0, 3.0])
    index = np.moveaxis(np.indices(drawn.image.shape), 0, -1).astype(float)
    field = to_world(drawn.affine, index) @ slopes + 100
    patch = extract(field, drawn.affine, drawn.body, tilt=tilt)
    assert patch.hu == pytest.approx(places(patch) @ slopes + 100, abs=1e-3)
    assert patch.mean_hu == pytest.approx(patch.centre_mm @ slopes + 100, abs=1e-6)


def test_it_lies_parallel_to_the_endplates_or_in_the_axial_plane():
    drawn = solid(*grid(), tilt_deg=(20, 0, 0))
    along, axial = patch_of(drawn), patch_of(drawn, tilt=False)
    assert along.tilt_deg == pytest.approx(20, abs=1)
    assert along.normal @ drawn.axes[2] > np.cos(np.radians(1))
    assert axial.tilt_deg == 0
    assert axial.normal == pytest.approx([0, 0, 1])
    assert np.linalg.norm(along.centre_mm - axial.centre_mm) < 0.6


@pytest.mark.parametrize("size", [(44, 34, 27), (40, 29, 24), (38, 26, 22)], ids=str)
def test_it_keeps_its_margin_and_is_smaller_where_the_body_is(size):
    patch = patch_of(solid(*grid(), size=size))
    assert patch.margin_mm >= 5
    assert 10 <= patch.size_mm <= 20
    # No larger square fits: half a depth less the margin, and what steps of 1 mm leave.
    assert patch.size_mm >= min(20, size[1] - 10 - 3)
    assert patch.purity == 1
    # Fresh from the drawn shape: nothing but spongy bone was read.
    assert patch.hu == pytest.approx(SPONGY_HU)


def test_a_body_without_room_is_refused():
    with pytest.raises(PatchError, match="no square of 10 mm") as raised:
        patch_of(solid(*grid(), size=(40, 19, 24)))
    assert raised.value.reason == "patch_outside_body"


def test_purity_counts_what_lies_in_the_core():
    """Without a margin a large patch reaches the cortex."""
    patch = patch_of(solid(*grid()), size_mm=34.0, margin_mm=0.5)
    assert 0.5 < patch.purity < 1
    assert patch.margin_mm >= 0.5


@pytest.mark.parametrize("offset", [-40.0, 40.0])
def test_an_offset_of_the_bodys_voxels_is_read_exactly(plain, offset):
    drawn = replace(plain, image=plain.image + np.where(plain.body, offset, 0))
    before, after = patch_of(plain), patch_of(drawn)
    for name in ("mean_hu", "median_hu", "core_mean_hu", "trabecular_hu"):
        assert getattr(after, name) - getattr(before, name) == pytest.approx(offset, abs=1e-3)
    assert after.sd_hu == pytest.approx(before.sd_hu, abs=1e-3)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)], ids=str)
@pytest.mark.parametrize("flips", [(), (0,), (1, 2)], ids=str)
def test_the_order_of_voxels_in_memory_changes_nothing(plain, order, flips):
    image, body, affine = plain.image, plain.body, plain.affine
    for axis in flips:
        turn = np.eye(4)
        turn[axis, axis], turn[axis, 3] = -1, image.shape[axis] - 1
        image, body, affine = np.flip(image, axis), np.flip(body, axis), affine @ turn
    swap = np.eye(4)[:, [*order, 3]]
    found = extract(image.transpose(order), affine @ swap, body.transpose(order))
    expected = patch_of(plain)
    for name in NUMBERS:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=0.01)


def test_a_mirrored_patient_reads_the_same(plain):
    mirrored = replace(plain, image=plain.image[::-1], body=plain.body[::-1])
    for name in NUMBERS:
        assert getattr(patch_of(mirrored), name) == pytest.approx(
            getattr(patch_of(plain), name), abs=0.5
        )


def test_spread_is_of_the_cts_own_voxels():
    """Interpolation halves white noise; the spread told is the noise put in."""
    drawn = solid(*grid(turn_deg=(10, 10, 10)), noise_hu=30.0)
    patch = patch_of(drawn)
    assert patch.hu.std() < 22
    assert patch.sd_hu == pytest.approx(30, rel=0.1)


def test_core_leaves_the_cortex_out(plain):
    assert patch_of(plain).core_mean_hu == pytest.approx(SPONGY_HU, abs=1)
    assert plain.image[plain.body].mean() > SPONGY_HU + 30


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("slice", "single slice"),
        ("cut", "only a part of the body"),
        ("nan", "no numbers"),
        ("coarse", "too coarse"),
    ],
)
def test_a_ct_that_does_not_show_the_patch_is_refused(plain, broken, says):
    image, body, affine = plain.image.copy(), plain.body, plain.affine
    if broken == "nan":
        image[45, 42, 45] = np.nan
    else:
        kept = {"slice": slice(46, 47), "cut": slice(40), "coarse": slice(None, None, 8)}[broken]
        image, body = image[kept], body[kept]
        affine = affine @ np.diag([kept.step or 1, 1, 1, 1])
    with pytest.raises(PatchError, match=says) as raised:
        extract(image, affine, body)
    assert raised.value.reason == "no_axial_data"


@pytest.mark.parametrize(
    "settings", [{"size_mm": 0}, {"slice_step_mm": -1}, {"pixels": 1}, {"margin_mm": -1}], ids=str
)
def test_settings_that_make_no_patch_are_refused(plain, settings):
    with pytest.raises(ValueError, match="must be"):
        patch_of(plain, **settings)


def test_image_and_mask_must_fit(plain):
    with pytest.raises(ValueError, match="not volumes of one grid"):
        extract(plain.image[1:], plain.affine, plain.body)
