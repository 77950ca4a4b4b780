"""The file all bundles share: names of cases, whole JSON files, resampling beside text keys."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai import transforms
from monai.data import MetaTensor
from pydicom.dataset import FileDataset, FileMetaDataset

from lumbar_bundle.common import LoadWeights, SettingError, Spacingd, case_name, write_json


def write_dicom(path: Path, series: str | None) -> None:
    """Write a DICOM file that holds a patient's name and, if any, a series."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName, data.PatientID = "Doe^Jane", "12345"
    if series is not None:
        data.SeriesInstanceUID = series
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("A0001.nii.gz", "A0001", id="compressed"),
        pytest.param("A0001.nii", "A0001", id="plain"),
        pytest.param("a.b.NII.GZ", "a.b", id="dots and capitals"),
    ],
)
def test_a_nifti_case_is_named_after_its_file(name, expected):
    assert case_name(Path("/somewhere") / name) == expected


def test_a_dicom_case_is_named_after_its_series(tmp_path):
    write_dicom(tmp_path / "Doe_Jane" / "scan" / "1.dcm", "1.2.3.4")
    (tmp_path / "Doe_Jane" / "DICOMDIR.txt").write_text("no image")
    expected = "series-" + hashlib.sha256(b"1.2.3.4").hexdigest()[:10]
    assert case_name(tmp_path / "Doe_Jane") == expected
    assert case_name(tmp_path / "Doe_Jane" / "scan" / "1.dcm") == expected


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(SettingError, match="holds no DICOM file: give"):
        case_name(tmp_path)


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=30)
@given(JSON_VALUES)
def test_json_comes_back_as_it_was(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "new" / "file.json"
    write_json(path, content)
    assert json.loads(path.read_text()) == content


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"mean": 1.0})
    for broken in ({"mean": float("nan")}, {"mean": object()}):
        with pytest.raises((ValueError, TypeError)):
            write_json(path, broken)
    assert json.loads(path.read_text()) == {"mean": 1.0}
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]


def item(**more):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    meta = {"filename_or_obj": "ct.nii.gz"}
    image = MetaTensor(torch.arange(64.0).reshape(1, 4, 4, 4), affine=affine, meta=meta)
    return {"image": image, **more}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="nothing beside"),
        pytest.param({"image_path": "/scans/ct.nii.gz"}, id="path, as MONAI Label adds"),
        pytest.param({"image_id": 7, "image_meta_dict": {"a": 1}}, id="number, and a dictionary"),
    ],
)
def test_resampling_leaves_text_keys_alone(more):
    found = Spacingd(keys="image", pixdim=(1.0, 1.0, 1.0))(item(**more))
    expected = transforms.Spacing(pixdim=(1.0, 1.0, 1.0))(item()["image"])
    torch.testing.assert_close(found["image"].as_tensor(), expected.as_tensor())
    assert {k: found[k] for k in more if k != "image_meta_dict"} == {
        k: more[k] for k in more if k != "image_meta_dict"
    }


def test_monai_s_own_resampling_still_fails_beside_text_keys():
    """When this fails, MONAI was mended and the subclass can go."""
    with pytest.raises(AttributeError, match="update"):
        transforms.Spacingd(keys="image", pixdim=(1.0, 1.0, 1.0))(item(image_path="x"))


RUN = ["monai", "run", "inferring", "--config_file", "inference.yaml"]


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "checkpoint"])
def test_weights_of_half_precision_fill_a_network(tmp_path, wrapped):
    given, network = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    state = {name: value.half() for name, value in given.state_dict().items()}
    torch.save({"model": state} if wrapped else state, tmp_path / "w.pt")
    LoadWeights(network, str(tmp_path / "w.pt"))()
    assert network.weight.dtype == torch.float32
    assert torch.equal(network.weight, given.weight.half().float())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"PK\x03\x04", "cannot be read as weights; restore it", id="cut off"),
        pytest.param(b"hi", "cannot be read as weights", id="text"),
        pytest.param([1, 2], "cannot be read as weights", id="no dictionary"),
        pytest.param({"a": 1}, "cannot be read as weights", id="no tensors"),
        pytest.param(torch.nn.Linear(4, 2), r"weight is \[2, 4\], not \[2, 3\]", id="shape"),
        pytest.param(torch.nn.Linear(3, 2, bias=False), "bias is missing", id="missing"),
        pytest.param(torch.nn.BatchNorm1d(2), "weight is", id="another layer"),
        pytest.param(
            {**torch.nn.Linear(3, 2).state_dict(), "more": torch.ones(1)},
            "more is unknown",
            id="unknown",
        ),
    ],
)
def test_weights_of_another_network_are_one_line(tmp_path, content, says):
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        is_network = isinstance(content, torch.nn.Module)
        torch.save(content.state_dict() if is_network else content, path)
    network = torch.nn.Linear(3, 2)
    with pytest.raises(SettingError, match=says):
        LoadWeights(network, str(path))()
    with pytest.raises(SystemExit, match=says) as caught:
        LoadWeights(network, str(path), RUN)()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
