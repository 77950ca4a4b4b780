"""Sagittal reformats, and the study's ten slices."""

import numpy as np
import pytest
import torch

from lumbar_bundle.common import is_sagittal_reformat
from lumbar_bundle.midsagittal import MidSagittalSlicesd
from tests.bundles.lumbar_segmentation.spine_shapes import (
    BODIES,
    CUT,
    ORIENTATIONS,
    Spine,
    case,
    stored,
    volume_mm3,
)


@pytest.mark.parametrize(
    ("shape", "spacing", "reformat"),
    [
        pytest.param((1, 512, 512), (0.8, 0.5, 0.5), True, id="single slice"),
        pytest.param((15, 512, 512), (4, 0.5, 0.5), True, id="15 slices 4 mm apart"),
        pytest.param((40, 512, 512), (3, 0.5, 0.5), True, id="wide stack"),
        pytest.param((512, 512, 90), (0.7, 0.7, 5), False, id="axial"),
        pytest.param((122, 101, 112), (3, 3, 3), False, id="cubes of 3 mm"),
        pytest.param((78, 374, 275), (0.9, 0.9, 1.2), False, id="slab of 70 mm"),
        pytest.param((300, 60, 300), (1, 4, 1), False, id="coronal"),
    ],
)
def test_reformats_are_told_from_volumes(shape, spacing, reformat):
    assert is_sagittal_reformat(shape, np.diag([*spacing, 1.0])) is reformat


@pytest.mark.parametrize(("order", "flips"), [ORIENTATIONS[0], ORIENTATIONS[13], ORIENTATIONS[42]])
def test_single_sagittal_slice(order, flips):
    spacing, x = (4.0, 0.8, 0.8), (-2.0, 2.0)
    data = case(spacing=spacing, low=(x[0], -80, -100), high=(x[1], 60, 100))
    found = CUT(stored(data, order, flips))
    assert found["image"].shape == (1, 1, 70, 100)
    assert found["curve"].shape == (0, 3)
    assert "wide" not in found
    np.testing.assert_allclose(np.diag(found["image"].affine), [4, 2, 2, 1], atol=1e-6)
    assert set(np.unique(found["label"])) == {0, *BODIES}
    for number in BODIES:
        expected = volume_mm3(data["label"], number)
        assert volume_mm3(found["label"], number) == pytest.approx(expected, rel=0.12)


def test_stack_of_15_slices_4_mm_apart_keeps_its_slices():
    data = case(Spine(lean=0.0), spacing=(4, 1, 1), low=(-30, -80, -100), high=(30, 60, 100))
    found = CUT(data)
    assert found["image"].shape == (1, 15, 70, 100)
    np.testing.assert_allclose(found["image"].affine[:3, 0], data["image"].affine[:3, 0], atol=1e-9)
    np.testing.assert_allclose(found["image"].affine[0, 3], data["image"].affine[0, 3], atol=1e-6)
    # Slices are not mixed: pixels of 2 mm are means of 2 x 2 of the slice's own.
    slices = data["image"][0].numpy().reshape(15, 70, 2, 100, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(found["image"][0], slices, atol=0.01)


def test_wide_stack_keeps_the_slices_about_the_curve():
    spine = Spine(lean=0.0)
    data = case(spine, spacing=(3, 1, 1), low=(-90, -80, -100), high=(60, 60, 100))
    found = CUT(data)
    assert len(found["curve"]) > 20
    assert 19 <= found["image"].shape[1] <= 21
    middle = (found["image"].affine @ torch.tensor([10.0, 0, 0, 1], dtype=torch.float64))[0]
    assert float(middle) == pytest.approx(0, abs=3)


def test_wide_stack_across_the_spine_is_cut_anew():
    data = case(Spine(lean=0.2), spacing=(4, 1, 1), low=(-60, -80, -100), high=(60, 60, 100))
    found = CUT(data)
    np.testing.assert_allclose(np.linalg.norm(found["image"].affine[:3, :3], axis=0), 2)
    assert found["image"].affine[0, 2] / 2 == pytest.approx(np.sin(np.arctan(0.2)), abs=0.08)


def test_thin_slices_of_a_narrow_stack_are_averaged():
    data = case(spacing=(1, 1, 1), low=(-20, -80, -100), high=(20, 60, 100))
    found = CUT(data)
    assert found["image"].shape == (1, 20, 70, 100)
    expected = data["image"][0].numpy().reshape(20, 2, 70, 2, 100, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(found["image"][0], expected, atol=0.01)


@pytest.mark.parametrize(("method", "tolerance"), [("curve", 2.0), ("s2", 6.0)])
def test_ten_consecutive_slices_hold_the_spinal_centre(method, tolerance):
    data = case(spacing=(1.0, 1.0, 1.0), low=(-45, -80, -85), high=(35, 60, 85))
    found = MidSagittalSlicesd(["image", "label"], ["bilinear", "nearest"], method=method)(data)
    assert found["image"].shape == (1, 10, 70, 85)
    first = found["image"].affine[0, 3]
    assert float(first) + 4.5 == pytest.approx(0, abs=tolerance)
    # They are the scan's own slices: between two of its own there is none.
    assert float(first - data["image"].affine[0, 3]) % 1 == pytest.approx(0, abs=1e-6)
    assert set(np.unique(found["label"])) == {0, *BODIES}
    assert len(found["curve"]) > 20


def test_fewer_slices_than_asked_for():
    data = case(spacing=(4, 2, 2), low=(-8, -80, -100), high=(8, 60, 100))
    assert MidSagittalSlicesd("image")(data)["image"].shape[1] == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"method": "S2"}, "choose curve or s2"), ({"slices": 0}, "one or more")],
)
def test_wrong_settings_of_the_ten_slices(settings, message):
    with pytest.raises(ValueError, match=message):
        MidSagittalSlicesd("image", **settings)
