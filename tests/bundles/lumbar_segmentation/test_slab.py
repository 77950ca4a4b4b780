"""The slab of sagittal slices about the spine."""

import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImaged

from lumbar_bundle.midsagittal import MidSagittalSlicesd
from lumbar_bundle.planning import is_sagittal_reformat
from lumbar_bundle.slab import SpineSlab, SpineSlabd, cut
from tests.bundles.lumbar_segmentation.conftest import BUNDLE
from tests.bundles.lumbar_segmentation.spine_shapes import (
    BODIES,
    ORIENTATIONS,
    Spine,
    case,
    grid,
    stored_as,
    tensor,
)

NAME = "spine.nii.gz"
CUT = SpineSlabd(["image", "label"], mode=["bilinear", "nearest"])


def volume_mm3(label, number):
    return float((label == number).sum() * abs(np.linalg.det(label.affine[:3, :3])))


def stored(data, order, flips):
    """The same data stored with other axes."""
    return {
        key: tensor(
            *stored_as(np.asarray(v[0]), v.affine.numpy(), order, flips), filename_or_obj=NAME
        )
        for key, v in data.items()
    }


@pytest.mark.parametrize("turn", [(0, 0, 0), (7, -8, 5)], ids=["straight", "oblique"])
def test_48_orientations_give_one_slab(turn):
    data = case(spacing=(2.0, 1.5, 3.0), low=(-40, -70, -70), high=(40, 50, 70), turn=turn)
    expected = CUT(data)
    assert len(expected["curve"]) > 20
    for order, flips in ORIENTATIONS:
        found = CUT(stored(data, order, flips))
        for key in ("image", "label", "curve", "wide"):
            np.testing.assert_array_equal(found[key], expected[key])
        np.testing.assert_allclose(found["image"].affine, expected["image"].affine, atol=1e-9)


def test_an_oblique_grid_shows_the_same_spine():
    given = [case(turn=turn) for turn in [(0, 0, 0), (10, -8, 6)]]
    slabs = [CUT(data) for data in given]
    a, b = (slab["curve"].numpy() for slab in slabs)
    shared = np.linspace(-60, 60, 41)
    for axis in (0, 1):
        gap = np.interp(shared, a[:, 2], a[:, axis]) - np.interp(shared, b[:, 2], b[:, axis])
        assert np.abs(gap).max() < 1
    for data, slab in zip(given, slabs, strict=True):
        for number in BODIES:
            expected = volume_mm3(data["label"], number)
            assert volume_mm3(slab["label"], number) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("lean", [0.0, 0.1, -0.27])
def test_slices_lean_with_the_spine(lean):
    found = CUT(case(Spine(lean=lean)))
    height = found["image"].affine[:3, 2].numpy() / 2
    assert np.linalg.norm(height) == pytest.approx(1)
    # The canal's own bends, 3 mm to each side, add to the lean of its line.
    assert np.arctan2(height[0], height[2]) == pytest.approx(np.arctan(lean), abs=0.08)
    assert found["image"].shape[1] <= 36


def test_slab_is_cut_where_the_scan_ends():
    data = case(low=(-200, -140, -100), high=(200, 120, 100), spacing=(4, 4, 2))
    found = CUT(data)
    shape = found["image"].shape[1:]
    assert 30 <= shape[0] <= 36
    assert shape[1] <= (75 + 125 + 25) / 2, "y: 75 mm behind to 125 mm before the curve"
    assert found["image"].min() >= -1024
    wide = found["wide"]
    assert wide.dtype == torch.int16
    np.testing.assert_allclose(wide.affine[:3, :3], 3 * np.eye(3))
    assert 180 <= wide.shape[1] * 3 <= 200, "90 mm to each side"


def test_all_bodies_lie_in_the_slab():
    data = case(low=(-200, -140, -100), high=(200, 120, 100), spacing=(2, 2, 2))
    found = CUT(data)
    for number in BODIES:
        expected = volume_mm3(data["label"], number)
        assert volume_mm3(found["label"], number) == pytest.approx(expected, rel=0.05)


def test_noise_is_averaged_not_aliased():
    rng = np.random.default_rng(0)
    image = case(spacing=(0.8, 0.8, 1), low=(-36, -60, -50), high=(36, 50, 50))["image"]
    noise = torch.from_numpy(rng.normal(0, 60, image.shape).astype(np.float32))
    plan = SpineSlab().plan(image)
    grain = (cut(image + noise, plan) - cut(image, plan)).numpy()[0][3:-3, 3:-3, 3:-3]
    # Means of 2 x 2 x 2 voxels or more have at most a third of the noise.
    assert grain.std() < 60 / np.sqrt(8)


def test_meta_data_name_the_input_and_its_grid():
    data = case()
    found = CUT(stored(data, (2, 0, 1), (1, 0, 1)))["image"]
    assert found.meta["filename_or_obj"] == NAME
    assert tuple(found.meta["spatial_shape"]) == (100, 50, 70)
    assert nib.aff2axcodes(found.meta["original_affine"]) == ("I", "R", "P")
    # What the reader noted of the file is kept.
    noted = {"original_affine": np.eye(4), "spatial_shape": np.array([9, 8, 7])}
    image = MetaTensor(data["image"].as_tensor(), affine=data["image"].affine, meta=noted)
    found = SpineSlab()(image)
    assert tuple(found.meta["spatial_shape"]) == (9, 8, 7)


def test_keys_can_be_left_out():
    found = SpineSlabd("image", curve_key=None, wide_key=None)(case())
    assert set(found) == {"image", "label"}
    assert found["label"].shape[1:] == (50, 70, 100)


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="choose from bilinear, nearest"):
        SpineSlabd(["image", "label"], mode=["bilinear", "linear"])


# Sagittal reformats


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


# What is no spine


def test_without_a_canal_the_slab_stands_on_the_bone():
    shape, affine = grid((2, 2, 2), (-100, -80, -60), (100, 60, 60))
    hu = np.full(shape, 40, np.float32)
    hu[70:85, 20:40] = 300  # a column without a canal at x = 53 mm
    hu[5, 5, 5] = 900
    found = SpineSlabd("image")({"image": tensor(hu, affine)})
    assert found["curve"].shape == (0, 3)
    assert found["image"].shape == (1, 30, 70, 60)
    middle = found["image"].affine[0, 3] + 2 * 14.5
    assert float(middle) == pytest.approx(54, abs=4)


@pytest.mark.parametrize(
    "hu",
    [
        pytest.param(np.full((60, 50, 40), 0), id="water"),
        pytest.param(np.full((60, 50, 40), -1024), id="blank"),
        pytest.param(np.full((60, 50, 40), 3000), id="metal"),
        pytest.param(np.full((60, 50, 1), 40), id="one axial slice"),
        pytest.param(np.full((60, 1, 50), 40), id="one coronal slice"),
        pytest.param(np.full((1, 1, 1), 40), id="one voxel"),
    ],
)
def test_nothing_to_see_is_no_crash(hu):
    image = tensor(hu.astype(np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
    found = SpineSlabd("image")({"image": image})
    assert found["curve"].shape == (0, 3)
    assert torch.isfinite(found["image"]).all()
    assert min(found["image"].shape) >= 1
    assert (found["image"] == int(hu.flat[0])).all()


def with_nan(image):
    image[0, 0, 3, 3] = np.nan
    return image


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(with_nan, "not finite .*-1024 HU", id="NaN"),
        pytest.param(lambda i: i[:, :, :, 0], "not one CT volume", id="2-D"),
        pytest.param(lambda i: torch.cat([i, i]), "one phase", id="two phases"),
        pytest.param(
            lambda i: MetaTensor(i.as_tensor(), affine=np.diag([1, 0, 1, 1]), meta=i.meta),
            "cannot be inverted",
            id="flat affine",
        ),
    ],
)
@pytest.mark.parametrize("width", [4, 140], ids=["slice", "volume"])
def test_what_cannot_be_used_is_refused_in_one_line(spoil, message, width):
    data = case(low=(-width / 2, -40, -40), high=(width / 2, 40, 40), spacing=(4, 4, 4))
    with pytest.raises(ValueError, match=message) as refusal:
        SpineSlabd("image")({"image": spoil(data["image"])})
    assert str(refusal.value).startswith("spine.nii.gz: ")
    assert "\n" not in str(refusal.value)


# Ten slices


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


# Files, time and memory


def test_a_file_and_its_turned_copy(tmp_path):
    data = case(low=(-40, -70, -70), high=(40, 50, 70))
    for name, (order, flips) in {"a": ORIENTATIONS[0], "b": ORIENTATIONS[29]}.items():
        for key in ("image", "label"):
            array, affine = np.asarray(data[key][0]), data[key].affine.numpy()
            turned, matrix = stored_as(array, affine, order, flips)
            nib.save(nib.Nifti1Image(turned, matrix), tmp_path / f"{name}_{key}.nii.gz")
    load = LoadImaged(["image", "label"], ensure_channel_first=True)
    a, b = (
        CUT(load({key: tmp_path / f"{name}_{key}.nii.gz" for key in ("image", "label")}))
        for name in "ab"
    )
    np.testing.assert_allclose(a["image"], b["image"], atol=0.5)
    assert (a["label"] == b["label"]).float().mean() > 0.9999
    np.testing.assert_allclose(a["curve"], b["curve"], atol=0.01)


@pytest.mark.slow
def test_512_512_500_voxels_fit_in_three_gigabytes():
    """The volume itself takes 0.5 GB as float32."""
    program = (
        "import resource, numpy as np, torch\n"
        "from monai.data import MetaTensor\n"
        "from lumbar_bundle.slab import SpineSlabd\n"
        "from tests.bundles.lumbar_segmentation.spine_shapes import Spine, places\n"
        "affine = np.diag([0.75, 0.75, 0.75, 1.0]); affine[:3, 3] = -190\n"
        "volume = torch.empty((1, 512, 512, 500))\n"
        "for i in range(512):\n"
        "    moved = affine.copy(); moved[0, 3] += 0.75 * i\n"
        "    volume[0, i] = torch.from_numpy(Spine().scan(places((1, 512, 500), moved))[0][0])\n"
        "found = SpineSlabd('image')({'image': MetaTensor(volume, affine=torch.tensor(affine))})\n"
        "assert len(found['curve']) > 40\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    with tempfile.TemporaryDirectory() as empty:
        paths = f"{BUNDLE}:{Path(__file__).resolve().parents[3]}"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": paths, "PATH": "", "HOME": empty},
            capture_output=True,
            text=True,
            check=True,
        )
    assert int(done.stdout) * 1024 < 3e9
