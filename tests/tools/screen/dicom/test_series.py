"""What is referenced is what was used, also of series that had to be repaired."""

import dataclasses
import shutil

import numpy as np
import pydicom
import pytest
import torch
from monai.data import MetaTensor

from tests.programs import errors_between, judged
from tests.tools.screen.dicom import made
from tests.tools.screen.dicom.reading import same_places
from tools.screen.dicom import series


@pytest.fixture
def one(tmp_path):
    """A series of six slices."""
    return made.scan(tmp_path / "series", "LAS", "oblique")


def with_files(one, paths):
    return dataclasses.replace(one, case=dataclasses.replace(one.case, paths=tuple(paths)))


def changed(path, **tags):
    """Write a slice anew with other tags; None leaves one empty."""
    header = pydicom.dcmread(path)
    for key, value in tags.items():
        setattr(header, key, value)
    header.save_as(path)
    return path


def uids(paths):
    return [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths]


def evidence(report):
    """SOP instance UIDs that a report counts as its evidence, segmentation left out."""
    return [
        item.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for one in study.ReferencedSeriesSequence
        for item in one.ReferencedSOPSequence
        if item.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    ]


def test_slices_are_placed_whatever_the_order_of_their_files(one):
    source = series.read(with_files(one, reversed(one.case.paths)), keep_identity=False)
    assert list(source.planes) == list(range(6))
    for index, slice_ in source.planes.items():
        at = np.array([0, 0, index, 1]) @ one.affine.T
        position = np.array(slice_.ImagePositionPatient, float) * [-1, -1, 1]
        np.testing.assert_allclose(position, at[:3], atol=1e-6)


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_of_two_slices_at_one_place_the_one_that_was_used_is_referenced(one, first, tmp_path):
    """Symptom that this prevents: a report that refers to another reconstruction's slice."""
    other = tmp_path / ("0.dcm" if first else "9.dcm")
    shutil.copy(one.case.paths[2], other)
    changed(other, SOPInstanceUID="1.2.3", RescaleIntercept=-1000)
    paths = [other, *one.case.paths] if first else [*one.case.paths, other]
    files = made.written(with_files(one, paths), made.outlines(one))
    assert sorted(evidence(files["report.dcm"])) == sorted(uids(one.case.paths))


def test_slices_beyond_the_volume_are_not_referenced(one):
    """Such as those of another stack that was left out."""
    cut = dataclasses.replace(one, image=one.image[:, :, :, :4])
    labels = made.outlines(one)[:, :, :4]
    files = made.written(cut, labels)
    kept = {slice_.SOPInstanceUID for slice_ in series.read(cut, False).slices}
    assert len(kept) == 4
    assert set(evidence(files["report.dcm"])) == kept < set(uids(one.case.paths))


@pytest.mark.parametrize("plane", [0, 3], ids=["outside the outlines", "inside"])
def test_a_plane_without_a_slice_has_no_segment(one, plane, caplog, tmp_path):
    """A gap that was filled: outlines there lie on nothing that could be referenced."""
    labels = made.outlines(one)
    labels[:, :, 5] = 0
    places = series.read(one, keep_identity=False).planes
    missing = places[plane].SOPInstanceUID
    paths = [path for path in one.case.paths if uids([path]) != [missing]]
    files = made.written(with_files(one, paths), labels)
    inside = bool(labels[:, :, plane].any())
    assert ("segmentation.dcm" in files) != inside
    expected = "1 of 4 outlined planes are none of the series' slices"
    assert (expected in caplog.text) == inside
    assert "series-0123456789: no segmentation.dcm" in caplog.text or not inside
    found = judged("dciodvfy", made.place({"x": files["report.dcm"]}, tmp_path / "x"))
    assert "Error" not in found


@pytest.mark.parametrize("shift", ["between", "turned", "coarser"])
def test_a_resampled_volume_has_no_segmentation_but_a_report(one, shift, caplog):
    affine = one.affine.copy()
    if shift == "between":
        affine[:3, 3] += 0.5 * affine[:3, 2]
    elif shift == "turned":
        affine[:3, :2] = affine[:3, [1, 0]]
    else:
        affine[:3, :3] *= 1.1
    moved = MetaTensor(one.image.as_tensor(), affine=torch.tensor(affine))
    other = dataclasses.replace(one, image=moved)
    files = made.written(other, made.outlines(one))
    assert set(files) == {"report.dcm"}
    assert "outlined planes are none of the series' slices" in caplog.text
    assert sorted(evidence(files["report.dcm"])) == sorted(uids(one.case.paths))


EMPTY = dict.fromkeys(
    ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "StudyID",
     "SeriesNumber", "PatientName", "PatientID", "PatientSex", "FrameOfReferenceUID",
     "SliceThickness"), ""
)  # fmt: skip


def test_empty_tags_are_made_up_for(one, tmp_path):
    """highdicom fails on them (KeyError: '')."""
    own = uids(one.case.paths)  # the files' own header still says them
    for path in one.case.paths:
        changed(path, **EMPTY)
    files = made.written(made.read(tmp_path / "series"), made.outlines(one))
    again = made.written(made.read(tmp_path / "series"), made.outlines(one))
    report = files["report.dcm"]
    assert sorted(evidence(report)) == sorted(own)
    assert report.StudyInstanceUID == files["segmentation.dcm"].StudyInstanceUID
    assert report.StudyInstanceUID == again["report.dcm"].StudyInstanceUID
    assert report.PatientID == ""
    paths = made.place(files, tmp_path / "objects")
    for path in paths:
        assert "Error" not in judged("dciodvfy", [path])
    assert errors_between(paths) == []


def test_illegal_uids_are_referenced_as_they_are(one):
    """Archives hold them; a reference must be that of the file."""
    illegal = "1.2.03.4"
    with pydicom.config.disable_value_validation():
        for path in one.case.paths:
            changed(path, StudyInstanceUID=illegal)
    files = made.written(one, made.outlines(one))
    assert {file.StudyInstanceUID for file in files.values()} == {illegal}


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.99", "1.2.840.10008.1.2.1", "x"])
def test_a_damaged_class_is_taken_for_ct(uid, one):
    """Symptom: KeyError in highdicom."""
    with pydicom.config.disable_value_validation():
        changed(one.case.paths[0], SOPClassUID=uid)
    files = made.written(one, made.outlines(one))
    assert len(evidence(files["report.dcm"])) == 6


def test_lossy_compression_of_the_source_is_told(one):
    for path in one.case.paths:
        changed(path, LossyImageCompression="01", LossyImageCompressionRatio=10)
    segmentation = made.written(one, made.outlines(one))["segmentation.dcm"]
    assert segmentation.LossyImageCompression == "01"
    assert segmentation.LossyImageCompressionRatio == 10


@pytest.mark.realdata
def test_outlines_on_the_real_series(shared_data, tmp_path):
    """JPEG 2000 slices that overlap, every UID but that of the frame of reference empty."""
    folder = shared_data / "upper_abdomen_dicom"
    if not folder.is_dir():
        pytest.skip("upper_abdomen_dicom is absent")
    one = made.read(folder)
    labels = made.outlines(one)
    files = made.written(one, labels)
    segmentation = files["segmentation.dcm"]
    for number, label in enumerate((1, 2, 4), start=1):
        assert same_places(segmentation, number, labels == label, one.affine)
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (measures.SliceThickness, measures.SpacingBetweenSlices) == (3, 2)
    paths = made.place(files, tmp_path / "objects")
    for path in paths:
        assert "Error" not in judged("dciodvfy", [path])
    assert errors_between(paths) == []
