"""Sagittal pictures of scans on any grid, against fields whose value is known at every place."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from ovf_bundle.transforms import CheckCTd, SagittalSlices, SagittalSlicesd
from tests.bundles.lumbar_segmentation.spine_shapes import (
    ORIENTATIONS,
    Spine,
    case,
    grid,
    places,
    stored_as,
    tensor,
)

OUTSIDE_HU = -1024.0


def ramp(points):
    """A linear field: interpolation and means over a thickness leave it as it is."""
    return 300 + points @ np.array([3.0, -1.2, 0.7])


def index_of(affine, points):
    return (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T


def picture_points(found, shape):
    """RAS+ mm of every pixel of every picture."""
    return np.concatenate([places(shape, place) for place in found["places"].numpy()])


@settings(max_examples=15)
@given(
    storage=st.sampled_from(ORIENTATIONS),
    spacing=st.tuples(*[st.floats(2.0, 6.0)] * 3),
    turn=st.tuples(*[st.floats(-20.0, 20.0)] * 3),
    middle=st.tuples(*[st.floats(-30.0, 30.0)] * 3),
    slice_mm=st.floats(1.0, 6.0),
)
def test_every_pixel_shows_its_place_in_the_patient(storage, spacing, turn, middle, slice_mm):
    low, high = (np.array([-110, -125, -130]) + middle, np.array([110, 125, 130]) + middle)
    shape, affine = grid(spacing, low, high, turn)
    array, matrix = stored_as(ramp(places(shape, affine)), affine, *storage)
    cut = SagittalSlicesd("image", slice_mm=slice_mm, pixels=24)
    found = cut({"image": tensor(array.astype(np.float32), matrix)})
    values = found["image"][0].numpy()
    points = picture_points(found, (found["facts"]["slices"], 24, 24))
    at = index_of(affine, points)
    size = np.array(shape)
    # A slice's planes lie half its thickness beside its middle, a pixel's area half its edge.
    rim = 1.5 + max(slice_mm, found["facts"]["pixel_mm"]) / 2 / min(spacing)
    inner = ((at > rim) & (at < size - 1 - rim)).all(axis=-1)
    outer = ((at < -0.51) | (at > size - 0.49)).any(axis=-1)
    assert inner.sum() > 200
    np.testing.assert_allclose(values[inner], ramp(points[inner]), atol=0.05)
    assert (values[outer] == OUTSIDE_HU).all()
    # Right to left, head to foot, front to back, about the scan's middle.
    place = found["places"][0].numpy()
    if not found["facts"]["reformat"]:
        np.testing.assert_allclose(
            place[:3, :3], np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]]) * np.abs(place[:3, :3])
        )
        assert points.mean(axis=(0, 1, 2)) == pytest.approx(middle, abs=1e-6)


def test_the_same_patient_stored_in_any_order_gives_the_same_pictures():
    rng = np.random.default_rng(0)
    shape, affine = grid((4.0, 3.0, 5.0), (-90, -60, -70), (90, 60, 70), (4, -7, 3))
    array = rng.normal(0, 300, shape).astype(np.float32)
    cut = SagittalSlicesd("image", pixels=32)
    expected = cut({"image": tensor(array, affine)})
    for order, flips in ORIENTATIONS:
        found = cut({"image": tensor(*stored_as(array, affine, order, flips))})
        torch.testing.assert_close(found["image"], expected["image"], atol=1e-2, rtol=0)
        torch.testing.assert_close(found["places"], expected["places"], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("count", "kept"),
    [(1, [0]), (2, [1, 0]), (3, [2, 1, 0]), (10, [6, 5, 4]), (60, [31, 30, 29])],
)
@pytest.mark.parametrize(("order", "flips"), [ORIENTATIONS[0], ORIENTATIONS[29]])
def test_a_stack_keeps_its_own_slices(count, kept, order, flips):
    """Slice n of the stack, counted from the left, holds n; 60 mm high, 250 deep."""
    stack = np.broadcast_to(np.arange(count, dtype=float)[:, None, None], (count, 125, 30))
    affine = np.diag([4.0, 2.0, 2.0, 1.0])
    found = SagittalSlicesd("image", pixels=30)(
        {"image": tensor(*stored_as(stack, affine, order, flips))}
    )
    assert found["facts"]["reformat"]
    assert found["image"].shape == (1, len(kept), 30, 30)
    for picture, number in zip(found["image"][0], kept, strict=True):
        assert (picture[12:18] == number).all()  # the 60 mm of the slice
        assert (picture[:11] == OUTSIDE_HU).all()
        assert (picture[19:] == OUTSIDE_HU).all()
    assert float(found["places"][0, 0, 3]) == pytest.approx(4.0 * kept[0])


def test_an_oblique_stack_keeps_its_planes():
    shape, affine = grid((4.0, 2.0, 2.0), (-20, -40, -60), (20, 40, 60), (0, 12, 8))
    found = SagittalSlicesd("image", pixels=40)(
        {"image": tensor(ramp(places(shape, affine)), affine)}
    )
    across = found["places"][0, :3, 0].numpy()
    np.testing.assert_allclose(across, -affine[:3, 0], atol=1e-6)
    points = picture_points(found, (3, 40, 40))
    at = index_of(affine, points)
    rim = np.array([-1e-3, 1.5, 1.5])  # within slices; across them each is one of the stack's own
    inner = ((at > rim) & (at < np.array(shape) - 1 - rim)).all(axis=-1)
    assert inner.sum() > 400
    np.testing.assert_allclose(found["image"][0].numpy()[inner], ramp(points[inner]), atol=0.05)


def test_a_slice_is_the_mean_over_its_thickness():
    """Noise of 100 HU in voxels of 0.5 mm: six of them make a slice of 3 mm."""
    noise = np.random.default_rng(0).normal(0, 100, (240, 40, 60))
    affine = np.diag([0.5, 2.0, 2.0, 1.0])
    found = SagittalSlices(pixels=120)(tensor(noise.astype(np.float32), affine))[0]
    shown = found[0][found[0] != OUTSIDE_HU]
    # Interpolated halfway between voxels as well: less again.
    assert 20 < float(shown.std()) < 100 / np.sqrt(6)


def test_fine_voxels_do_not_alias():
    """Stripes of one voxel of 0.5 mm vanish in pixels of 2 mm instead of beating."""
    stripes = np.where(np.indices((90, 160, 160)).sum(axis=0) % 2, 500.0, -500.0)
    affine = np.diag([1.0, 0.5, 0.5, 1.0])
    found = SagittalSlices(pixels=125)(tensor(stripes.astype(np.float32), affine))[0]
    assert float(found[0, :, 48:77, 48:77].abs().max()) < 120


@pytest.mark.parametrize("padding", [-1024, -2000, -3024])
def test_padding_and_an_empty_circle_move_nothing(padding):
    shape, affine = grid((4.0, 4.0, 4.0), (-180, -100, -80), (180, 100, 80))
    points = places(shape, affine)
    whole = np.where(np.abs(points[..., 0]) < 150, 40.0, -1000.0).astype(np.float32)
    circle = np.hypot(points[..., 0] - 90, points[..., 1]) < 85
    cut = SagittalSlicesd("image", pixels=24)
    checked = CheckCTd("image")({"image": tensor(np.where(circle, whole, padding), affine)})
    torch.testing.assert_close(
        cut(checked)["places"], cut({"image": tensor(whole, affine)})["places"]
    )


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        pytest.param((-90, -80, -100), (90, 60, 100), "", id="centred"),
        pytest.param((-150, -80, -100), (60, 60, 100), "spine_beside_slices", id="45 mm beside"),
    ],
)
def test_an_off_centre_patient_is_refused_or_found(low, high, reason):
    data = case(Spine(lean=0.0), spacing=(2.0, 2.0, 3.0), low=low, high=high)
    extent = SagittalSlicesd("image", pixels=48)(data)
    assert extent["facts"]["reason"] == reason
    canal = SagittalSlicesd("image", centre="canal", pixels=48)(data)
    assert canal["facts"]["reason"] == ""
    assert canal["facts"]["slices"] == extent["facts"]["slices"]
    place = canal["places"][0].numpy()
    middle = place @ [(canal["facts"]["slices"] - 1) / 2, 0, 0, 1]
    assert middle[0] == pytest.approx(0.0, abs=3.0)


def test_parts_of_a_long_scan_follow_each_other():
    shape, affine = grid((6.0, 6.0, 6.0), (-90, -60, -360), (90, 60, 360))
    found = SagittalSlicesd("image", pixels=40)(
        {"image": tensor(ramp(places(shape, affine)), affine)}
    )
    assert found["image"].shape == (1, 6, 40, 40)
    assert (found["facts"]["parts"], found["facts"]["slices"]) == (2, 3)
    points = picture_points(found, (3, 40, 40))
    shown = found["image"][0].numpy() != OUTSIDE_HU
    inner = np.abs(points[..., 2]) < 355
    assert shown[:3].any()
    np.testing.assert_allclose(
        found["image"][0].numpy()[shown & inner], ramp(points[shown & inner]), atol=20
    )
    assert points[:3][shown[:3]][:, 2].max() > 350  # head first
    assert points[3:][shown[3:]][:, 2].min() < -350


def test_facts_name_the_scan() -> None:
    image = MetaTensor(torch.zeros(1, 50, 40, 30), affine=torch.diag(torch.tensor([4.0, 3, 5, 1])))
    facts = SagittalSlicesd("image", pixels=16)({"image": image})["facts"]
    assert facts["shape"].tolist() == [50, 40, 30]
    assert facts["spacing_mm"].tolist() == [4, 3, 5]
    assert facts["slice_mm"] == pytest.approx(3.0)
    assert facts["pixel_mm"] == pytest.approx(250 / 16)  # the field is 120 x 150 mm


def test_an_unknown_centre_is_refused():
    with pytest.raises(ValueError, match="choose extent or canal"):
        SagittalSlicesd("image", centre="spine")
