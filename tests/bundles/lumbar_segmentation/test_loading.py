"""Every input becomes one volume on its own grid, or one line that says why not."""

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImage, LoadImaged
from pydicom.uid import SecondaryCaptureImageStorage

from lumbar_bundle.cases import FAILURE, CaseDataset, CaseError
from lumbar_bundle.inputs import find_cases
from lumbar_bundle.loading import CheckCT, CheckCTd, LoadImageCT, LoadImageCTd
from tests.bundles.lumbar_segmentation.dicom_files import (
    SAGITTAL,
    body,
    write_series,
    write_slice,
)
from tests.bundles.lumbar_segmentation.nifti_files import AFFINE, write_nifti


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_nifti_values_and_grid_are_kept(tmp_path: Path, kind: type) -> None:
    array = np.abs(body()).astype(kind)
    volume = LoadImageCT()(write_nifti(tmp_path / "a.nii.gz", array))
    assert volume.dtype == (torch.float32 if kind in (np.float32, np.float64) else torch.int16)
    np.testing.assert_array_equal(volume[0].numpy(), array)
    np.testing.assert_allclose(volume.affine, AFFINE)
    np.testing.assert_allclose(volume.meta["original_affine"], AFFINE)
    assert tuple(volume.meta["spatial_shape"]) == array.shape


def test_nifti_is_read_as_monai_reads_it(tmp_path: Path) -> None:
    image = nib.Nifti1Image(body().astype(np.int16), AFFINE)
    image.header.set_slope_inter(0.5, -3.0)
    nib.save(image, tmp_path / "a.nii")
    theirs = LoadImage(reader="NibabelReader", image_only=True)(tmp_path / "a.nii")
    ours = LoadImageCT()(tmp_path / "a.nii")
    np.testing.assert_allclose(ours[0].numpy(), theirs.numpy(), atol=1e-3)
    np.testing.assert_allclose(ours.affine, theirs.affine)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 5, 1), (6, 8, 5, 1, 1)])
def test_a_slice_and_a_volume_with_empty_axes_become_three_dimensional(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    volume = LoadImageCT()(write_nifti(tmp_path / "a.nii.gz", array))
    assert volume.shape == (1, 6, 8, 1 if len(shape) == 2 else 5)


def test_dicom_is_stacked_in_space_not_by_name(tmp_path: Path) -> None:
    hu = body()
    write_series(tmp_path, hu)
    (case,) = find_cases(tmp_path)
    volume = LoadImageCT()(case["image"])
    assert volume.dtype == torch.int16
    np.testing.assert_array_equal(volume[0].numpy(), hu.transpose(2, 1, 0))
    # Columns run to the left 3 mm, rows to the back 2 mm, slices up 4 mm; the first at LPS 10.
    expected = [[-3, 0, 0, -10], [0, -2, 0, -10], [0, 0, 4, 10], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.affine, expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_dicom_agrees_with_monais_reader(tmp_path: Path, sign: int) -> None:
    write_series(tmp_path, body(), step_mm=(0.0, 0.0, sign * 4.0))
    (case,) = find_cases(tmp_path)
    ours = LoadImageCT()(case["image"])
    theirs = LoadImage(reader="PydicomReader", image_only=True)(tmp_path)
    # They take the slices in the order of their numbers, we from bottom to top.
    one, other = (
        nib.as_closest_canonical(nib.Nifti1Image(volume.squeeze().numpy(), np.asarray(affine)))
        for volume, affine in ((ours.as_tensor(), ours.affine), (theirs.as_tensor(), theirs.affine))
    )
    np.testing.assert_array_equal(np.asanyarray(one.dataobj), np.asanyarray(other.dataobj))
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-6)


def test_a_tilted_gantry_gives_a_skewed_grid(tmp_path: Path) -> None:
    write_series(tmp_path, body(), step_mm=(0.0, 1.5, 4.0))
    volume = LoadImageCT()(find_cases(tmp_path)[0]["image"])
    np.testing.assert_allclose(volume.affine[:3, 2], [0, -1.5, 4])


def test_a_sagittal_series_keeps_its_slices(tmp_path: Path) -> None:
    write_series(tmp_path, body(), step_mm=(4.0, 0, 0), ImageOrientationPatient=list(SAGITTAL))
    volume = LoadImageCT()(find_cases(tmp_path)[0]["image"])
    assert nib.aff2axcodes(np.asarray(volume.affine)) in [("P", "I", "R"), ("P", "I", "L")]
    assert volume.shape == (1, 8, 6, 5)


@pytest.mark.parametrize(("thickness", "expected"), [(4.0, 4.0), (None, 1.0), ("", 1.0)])
def test_a_single_slice_is_as_thick_as_it_says(
    tmp_path: Path, thickness: Any, expected: float
) -> None:
    path = tmp_path / "one.dcm"
    write_slice(path, body()[0], "1.2", (0, 0, 0), SliceThickness=thickness or None)
    volume = LoadImageCT()(str(path))
    assert volume.shape == (1, 8, 6, 1)
    assert float(volume.affine[2, 2]) == expected


def test_rescaling_by_a_fraction_gives_fractions(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", body()[0], "1.2", (0, 0, 0), RescaleSlope=0.5)
    volume = LoadImageCT()(tmp_path / "a.dcm")
    expected = 0.5 * (body()[0] + 1024) - 1024
    np.testing.assert_allclose(volume[0, :, :, 0].numpy(), expected.T)


def test_an_image_stored_twice_counts_once(tmp_path: Path) -> None:
    paths = write_series(tmp_path, body())
    (tmp_path / "copy.dcm").write_bytes(paths[1].read_bytes())
    (case,) = find_cases(tmp_path)
    assert LoadImageCT()(case["image"]).shape == (1, 8, 6, 5)


def test_a_slice_copied_under_another_uid_counts_once(tmp_path: Path) -> None:
    """Symptom: "two slices lie at one place" for a series that was archived twice."""
    hu = body()
    write_series(tmp_path / "a", hu)
    for index, path in enumerate(write_series(tmp_path / "b", hu)):
        copy = pydicom.dcmread(path)
        copy.SOPInstanceUID = f"1.9.{index}"
        copy.save_as(path)
    (case,) = find_cases(tmp_path)
    assert len(case["image"]) == 10
    np.testing.assert_array_equal(LoadImageCT()(case["image"])[0].numpy(), hu.transpose(2, 1, 0))


def test_an_empty_modality_is_that_of_the_class(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", body()[0], "1.2", (0, 0, 0), Modality="", SOPClassUID="")
    assert LoadImageCT()(tmp_path / "a.dcm").shape == (1, 8, 6, 1)


def test_a_folder_with_one_series_loads_and_with_two_does_not(tmp_path: Path) -> None:
    write_series(tmp_path / "a", body(), uid="1.2.3")
    assert LoadImageCT()(tmp_path / "a").shape == (1, 8, 6, 5)
    write_series(tmp_path / "b", body(), uid="1.2.4")
    with pytest.raises(CaseError, match="holds 2 DICOM series"):
        LoadImageCT()(tmp_path)


def test_a_localizer_is_no_part_of_its_series(tmp_path: Path) -> None:
    write_series(tmp_path, body())
    write_slice(
        tmp_path / "scout.dcm", body()[0], "1.2.3", (0, 0, 90.0),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )  # fmt: skip
    cases = find_cases(tmp_path)
    assert sorted(len(case["image"]) for case in cases) == [1, 5]
    assert len({case["case"] for case in cases}) == 2
    scout = next(case for case in cases if len(case["image"]) == 1)
    with pytest.raises(CaseError, match=r"scout\.dcm: is a localizer.*; leave this series out"):
        LoadImageCT()(scout["image"])


# ---- what is wrong is said in one line ----

BAD_TAGS = {
    "MR": ({"Modality": "MR"}, "its modality is MR, not CT; leave this series out"),
    "no modality": (
        {"Modality": None, "SOPClassUID": SecondaryCaptureImageStorage},
        "its modality is missing, not CT",
    ),
    "MIP": (
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"]},
        "projection of many slices .*; give the original series",
    ),
    "MIP by its description": (
        {"SeriesDescription": "Abd cor MIP_10/5"},
        "projection of many slices",
    ),
    "no position": ({"ImagePositionPatient": None}, "says not where it lies"),
    "empty orientation": ({"ImageOrientationPatient": None}, "says not where it lies"),
    "zero spacing": ({"PixelSpacing": [0.0, 1.0]}, "says not where it lies"),
    "iodine map": ({"RescaleType": "MGML"}, "its values are MGML, not HU"),
    "no intercept": ({"RescaleIntercept": None}, "has no RescaleIntercept"),
    "several frames": ({"NumberOfFrames": 3}, "several frames.*dcm2niix"),
    "no pixels": ({"PixelData": None}, "pixels are missing or cut off"),
    "short pixels": ({"PixelData": b"\0\0"}, "pixels are missing or cut off"),
}


@pytest.mark.parametrize(("tags", "message"), BAD_TAGS.values(), ids=BAD_TAGS.keys())
def test_a_dicom_file_that_is_no_ct_slice(
    tmp_path: Path, tags: dict[str, Any], message: str
) -> None:
    write_slice(tmp_path / "a.dcm", body()[0], "1.2", (0, 0, 0), **tags)
    with pytest.raises(CaseError, match=message) as caught:
        LoadImageCT()(tmp_path / "a.dcm")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.dcm"))
    assert str(tmp_path) not in caught.value.reason


def test_a_dicom_file_cut_off_in_its_pixels(tmp_path: Path) -> None:
    paths = write_series(tmp_path, body())
    content = paths[3].read_bytes()
    paths[3].write_bytes(content[: len(content) - 40])
    with pytest.raises(CaseError, match=rf"{paths[3].name}: .*cut off"):
        LoadImageCT()(find_cases(tmp_path)[0]["image"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"CS\x16\x00ORIGINAL", b"U\x07\x16\x00ORIGINAL", id="kind of image"),
        pytest.param(b"UI\x06\x001.2.3", b"\x01\x02\x06\x001.2.3", id="series UID"),
        pytest.param(b"US\x02\x00\x06\x00", b"US\x01\x00\x06\x00", id="rows"),
        pytest.param(b"\x02\x00\x02\x00UI", b"\x02\x00\x02\x00U\x07", id="class in the file meta"),
        pytest.param(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x00U\x07", id="transfer syntax"),
        pytest.param(b"DS\x04\x001.0 ", b"DS\x04\x00?.0 ", id="rescale slope"),
    ],
)
def test_damaged_tags_fail_their_file_alone(tmp_path: Path, old: bytes, new: bytes) -> None:
    """Symptom: NotImplementedError and BytesLengthException stopped the run, or "unexpected"."""
    (path,) = write_series(tmp_path, body(1))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    write_nifti(tmp_path / "good.nii.gz")
    found = CaseDataset(find_cases(tmp_path), Compose([LoadImageCTd(keys="image")]))
    assert len(found) == 2
    for item in found:
        assert "unexpected" not in str(item.get(FAILURE))
        assert (FAILURE in item) <= (item["case"] != "good")


def test_a_missing_slice_is_named(tmp_path: Path) -> None:
    paths = write_series(tmp_path, body())
    paths[2].unlink()
    message = rf"{paths[3].name}: slices are missing before it \(8.00 mm .* usually 4.00 mm\)"
    with pytest.raises(CaseError, match=message):
        LoadImageCT()(find_cases(tmp_path)[0]["image"])


def test_two_images_at_one_place(tmp_path: Path) -> None:
    write_series(tmp_path, body())
    write_slice(tmp_path / "x.dcm", body()[0], "1.2.3", (10, 10, 14), SOPInstanceUID="1.2.9")
    with pytest.raises(CaseError, match=r"two slices lie at one place \(14.0 mm\)"):
        LoadImageCT()(find_cases(tmp_path)[0]["image"])


def test_steps_that_grow(tmp_path: Path) -> None:
    for index in range(6):
        position = (0, 0, 3.0 * index + 0.12 * index**2)
        write_slice(tmp_path / f"{index}.dcm", body()[0], "1.2", position)
    with pytest.raises(CaseError, match="mm apart; reconstruct the series with even steps"):
        LoadImageCT()(tmp_path)


def test_slices_beside_one_line(tmp_path: Path) -> None:
    for index in range(6):
        write_slice(tmp_path / f"{index}.dcm", body()[0], "1.2", (9.0 * (index == 3), 0, 4 * index))
    with pytest.raises(CaseError, match=r"up to 9\.0 mm beside one line"):
        LoadImageCT()(tmp_path)


def test_rounded_positions_are_no_gaps(tmp_path: Path) -> None:
    for index in range(9):
        write_slice(tmp_path / f"{index}.dcm", body()[0], "1.2", (0, 0, round(0.625 * index, 1)))
    with pytest.raises(CaseError, match="even steps"):
        LoadImageCT()(tmp_path)  # 0.6 and 0.7 mm: more than a tenth
    for index in range(9):
        write_slice(tmp_path / f"{index}.dcm", body()[0], "1.2", (0, 0, round(0.625 * index, 2)))
    assert float(LoadImageCT()(tmp_path).affine[2, 2]) == pytest.approx(0.625)


def test_nifti_that_is_missing_or_cut_off_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="does not exist"):
        LoadImageCT()(tmp_path / "none.nii.gz")
    path = write_nifti(tmp_path / "a.nii.gz", np.arange(8000, dtype=np.int16).reshape(20, 20, 20))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(CaseError, match=r"a\.nii\.gz: is no readable NIfTI file or is cut off"):
        LoadImageCT()(path)
    path.write_bytes(gzip.compress(b"no image" * 100))
    with pytest.raises(CaseError, match="NIfTI"):
        LoadImageCT()(path)
    path.write_bytes(b"")
    with pytest.raises(CaseError, match="NIfTI"):
        LoadImageCT()(path)


@pytest.mark.parametrize(
    ("place", "value"), [(70, 242), (70, -10492), (108, 1)], ids=["kind 242", "kind < 0", "offset"]
)
def test_nifti_with_a_damaged_header(tmp_path: Path, place: int, value: int) -> None:
    """Symptom: "unexpected HeaderDataError"."""
    content = bytearray(write_nifti(tmp_path / "a.nii").read_bytes())
    number = np.float32(value).tobytes() if place == 108 else np.int16(value).tobytes()
    content[place : place + len(number)] = number
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(CaseError, match="is no NIfTI file, or its header is damaged"):
        LoadImageCT()(tmp_path / "a.nii")


def test_nifti_without_a_place_in_space(tmp_path: Path) -> None:
    image = nib.Nifti1Image(body().astype(np.int16), None)
    image.header["sform_code"], image.header["qform_code"] = 0, 0
    nib.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(CaseError, match="says not how the patient lies"):
        LoadImageCT()(tmp_path / "a.nii.gz")


def test_nifti_with_several_volumes(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros((4, 4, 4, 3), dtype=np.int16))
    with pytest.raises(CaseError, match=r"shape \(4, 4, 4, 3\) is not one volume"):
        LoadImageCT()(path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (np.dtype([(channel, "u1") for channel in "RGB"]), "holds colours, not CT numbers"),
        (np.complex64, "holds complex numbers, not CT numbers"),
    ],
    ids=["RGB", "complex"],
)
def test_nifti_of_no_plain_numbers(tmp_path: Path, kind: Any, message: str) -> None:
    """Symptom: "unexpected TypeError" for colours; of complex numbers one part was measured."""
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros((4, 4, 4), dtype=kind))
    with pytest.raises(CaseError, match=rf"a\.nii\.gz: {message}; give the CT in HU"):
        LoadImageCT()(path)


# ---- the check before the network ----


def volume_of(array: np.ndarray, affine: np.ndarray = AFFINE) -> MetaTensor:
    meta = {"filename_or_obj": "a.nii.gz"}
    return MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(affine), meta=meta)


RAMP = np.linspace(0, 1, 60, dtype=np.float32).reshape(1, 3, 4, 5)
FLAT = np.diag([1.0, 1.0, 0.0, 1.0])
BAD_VOLUMES = {
    "two channels": (np.zeros((2, 3, 4, 5), np.int16), AFFINE, "one channel"),
    "two dimensions": (np.zeros((1, 4, 5), np.int16), AFFINE, "is not one volume"),
    "constant": (np.full((1, 3, 4, 5), -1000, np.int16), AFFINE, "every voxel is -1000"),
    "0..1": (RAMP, AFFINE, r"look scaled to 0\.\.1; give the CT in HU"),
    "-1..1": (2 * RAMP - 1, AFFINE, r"look scaled to 0\.\.1"),
    "0..255": (255 * RAMP, AFFINE, r"look scaled to 0\.\.255"),
    "no intercept": (4000 * RAMP, AFFINE, r"intercept \(-1024\) seems missing"),
    "too bright": (1e6 * RAMP - 1000, AFFINE, "are no CT numbers"),
    "NaN": (np.where(RAMP > 0.5, np.nan, 900 * RAMP - 1000), AFFINE, "not finite"),
    "infinite": (np.where(RAMP > 0.5, np.inf, 900 * RAMP - 1000), AFFINE, "not finite"),
    "flat affine": (2000 * RAMP - 1000, FLAT, "voxels measure 1 x 1 x 0 mm"),
    "metres": (2000 * RAMP - 1000, np.diag([1e-3, 1e-3, 1e-3, 1]), "voxels measure 0.001"),
    "bad affine": (2000 * RAMP - 1000, np.full((4, 4), np.nan), "affine is not finite"),
    "one plane": (2000 * RAMP - 1000, np.ones((4, 4)) * np.eye(4)[3] + 1, "affine has no volume"),
}


@pytest.mark.parametrize(("array", "affine", "message"), BAD_VOLUMES.values(), ids=BAD_VOLUMES)
def test_what_is_no_ct_is_refused(array: np.ndarray, affine: np.ndarray, message: str) -> None:
    with pytest.raises(CaseError, match=message) as caught:
        CheckCT()(volume_of(array, affine))
    assert str(caught.value).startswith("a.nii.gz: ")
    assert "\n" not in str(caught.value)


def test_padding_is_cut_off_at_air_and_the_rest_kept() -> None:
    array = np.array([-3024, -1024, -1000, 0, 3071], np.int16).reshape(1, 5, 1, 1)
    checked = CheckCT()(volume_of(array))
    assert checked.flatten().tolist() == [-1024, -1024, -1000, 0, 3071]
    np.testing.assert_allclose(checked.affine, AFFINE)
    assert checked.meta["filename_or_obj"] == "a.nii.gz"


@pytest.mark.parametrize(
    ("slices", "value", "lost"),
    [
        pytest.param([2], 0, 1, id="zeros between"),
        pytest.param([0, 1, 2], 0, 3, id="zeros below"),
        pytest.param([3, 4, 5], 0, 3, id="zeros above"),
        pytest.param([2, 3], -1024, 2, id="blank between"),
        pytest.param([0, 5], -1024, 0, id="padding at the ends"),
    ],
)
def test_slices_that_a_copy_lost_are_no_padding(slices: list[int], value: int, lost: int) -> None:
    """Symptom: a scan with a zero-filled part was measured, bone of 0 HU included."""
    array = np.random.default_rng(0).normal(0, 300, (1, 4, 5, 6)).astype(np.int16)
    array[..., slices] = value
    if lost:
        with pytest.raises(CaseError, match=f"{lost} of its slices hold one value only"):
            CheckCT()(volume_of(array))
    else:
        assert CheckCT()(volume_of(array)).shape == array.shape


def test_the_loader_is_one_that_monai_label_and_deploy_replace() -> None:
    loader = LoadImageCTd(keys="image")
    assert isinstance(loader, LoadImaged)
    assert "LoadImage" in type(loader).__name__
    image = volume_of(RAMP)
    assert loader({"image": image})["image"] is image


# ---- one bad case among good ones ----


def test_a_bad_case_becomes_a_failure_and_the_others_are_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "good.nii.gz")
    write_nifti(tmp_path / "scaled.nii.gz", RAMP[0])
    chain = Compose([LoadImageCTd(keys="image"), CheckCTd(keys="image")])
    good, bad = CaseDataset(find_cases(tmp_path), chain)
    assert good["image"].shape == (1, 5, 6, 8)
    assert bad == {
        "case": "scaled",
        "kind": "nifti",
        FAILURE: "values 0 to 1 look scaled to 0..1; give the CT in HU, as the scanner wrote it",
    }


def test_an_unexpected_error_is_a_failure_too_and_logged_in_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_nifti(tmp_path / "a.nii.gz")
    (item,) = CaseDataset(find_cases(tmp_path), lambda item: item["nothing"])
    assert item[FAILURE] == "unexpected KeyError: 'nothing'; see the log"
    assert "Traceback" in caplog.text


# ---- real data ----


@pytest.mark.realdata
def test_a_real_series_without_uids(shared_data: Path) -> None:
    (case,) = find_cases(shared_data / "upper_abdomen_dicom")
    assert len(case["image"]) == 20
    volume = CheckCT()(LoadImageCT()(case["image"][:3]))
    assert volume.shape == (1, 512, 512, 3)
    assert volume.dtype == torch.int16
    assert float(volume.min()) == -1024
    np.testing.assert_allclose(np.diag(volume.affine)[:3], [-0.9765625, -0.9765625, 2.0])
