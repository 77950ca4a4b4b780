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

from lumbar_bundle.slab import SpineSlab, SpineSlabd, cut
from tests.bundles.lumbar_segmentation.conftest import BUNDLE
from tests.bundles.lumbar_segmentation.spine_shapes import (
    BODIES,
    CUT,
    NAME,
    ORIENTATIONS,
    Spine,
    case,
    grid,
    stored,
    stored_as,
    tensor,
    volume_mm3,
)


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
        "import re, numpy as np, torch\n"
        "from pathlib import Path\n"
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
        # getrusage would count the test process' own memory, which a new process inherits.
        "status = Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
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
