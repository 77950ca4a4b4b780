"""The label map and the voltage of a CT."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bmd_bundle.common import CaseError
from bmd_bundle.loading import LoadImageMaskd, MatchMaskd, ReadKvpd
from tests.bundles.lumbar_segmentation.dicom_files import write_series

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> str:
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_ids_of_any_number_type_are_read(kind: type, tmp_path: Path) -> None:
    ids = np.arange(24).reshape(2, 3, 4).astype(kind)
    found = LoadImageMaskd("mask")({"mask": save(tmp_path / "m.nii.gz", ids)})["mask"]
    assert found.dtype == torch.uint8
    assert found.shape == (1, 2, 3, 4)
    np.testing.assert_array_equal(found[0].numpy(), ids)
    np.testing.assert_allclose(found.affine, AFFINE)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param([0.5, 1.0], "values 0.5 to 1 are no label ids", id="shares"),
        pytest.param([-1, 2], "values -1 to 2 are no label ids", id="negative"),
        pytest.param([0, 1200], "values 0 to 1200 are no label ids", id="the CT itself"),
    ],
)
def test_what_holds_no_ids_is_refused(values: list, words: str, tmp_path: Path) -> None:
    array = np.array(values, dtype=np.float32).reshape(2, 1, 1)
    path = save(tmp_path / "m.nii.gz", array)
    with pytest.raises(CaseError, match=words) as caught:
        LoadImageMaskd("mask")({"mask": path})
    assert path in str(caught.value)
    assert path not in caught.value.reason


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("", "no label map has the name of this case; call it CASE.nii.gz"),
        ("gone.nii.gz", "does not exist"),
        ("folder", "is no NIfTI label map"),
    ],
)
def test_a_missing_map_is_one_line(mask: str, words: str) -> None:
    with pytest.raises(CaseError, match=words):
        LoadImageMaskd("mask")({"mask": mask, "case": "A1"})


def test_a_map_on_another_grid_is_put_on_the_ct_s() -> None:
    labels = torch.zeros(1, 6, 6, 6, dtype=torch.uint8)
    labels[0, 2:4, 1:5, 3:6] = 3
    affine = torch.eye(4, dtype=torch.float64)
    image = MetaTensor(torch.zeros(1, 6, 6, 6), affine=affine)
    turned = affine.clone()
    turned[0, 0], turned[0, 3] = -1.0, 5.0  # left and right the other way round
    given = {"image": image, "mask": MetaTensor(labels.flip(1), affine=turned), "case": "A1"}
    found = MatchMaskd("mask")(given)["mask"]
    assert found.dtype == torch.uint8
    torch.testing.assert_close(found.as_tensor(), labels)
    same = {"image": image, "mask": MetaTensor(labels, affine=affine)}
    assert MatchMaskd("mask")(same)["mask"] is same["mask"]


def test_a_map_without_a_grid_must_have_the_ct_s_shape() -> None:
    image = MetaTensor(torch.zeros(1, 4, 4, 4), affine=torch.eye(4))
    with pytest.raises(CaseError, match=r"label map \(1, 3, 4, 4\) is not on the CT's"):
        MatchMaskd("mask")({"image": image, "mask": torch.zeros(1, 3, 4, 4)})


def test_the_voltage_is_the_user_s_the_record_s_or_the_header_s(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((3, 4, 4), dtype=np.int32), KVP="100")
    files = sorted(str(path) for path in (tmp_path / "ct").iterdir())
    for image in (str(tmp_path / "ct"), files, files[0]):
        assert ReadKvpd()({"image": image})["kvp"] == 100.0
        assert ReadKvpd()({"image": image, "kvp": 140.0})["kvp"] == 140.0
        assert ReadKvpd(kvp=80)({"image": image, "kvp": 140.0})["kvp"] == 80.0
    for silent in ("a.nii.gz", str(tmp_path / "gone"), torch.zeros(1, 2, 2, 2)):
        assert "kvp" not in ReadKvpd()({"image": silent})
    write_series(tmp_path / "none", np.zeros((3, 4, 4), dtype=np.int32), uid="1.9", KVP=None)
    assert "kvp" not in ReadKvpd()({"image": str(tmp_path / "none")})
