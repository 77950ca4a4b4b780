"""Tags of a series, and the programs that judge them."""

import numpy as np
import pydicom
import pytest

from tests.programs import judged
from tests.tools.phantom.dicom import volumes
from tools.phantom.dicom.contrast import is_enhanced
from tools.phantom.dicom.geometry import planes
from tools.phantom.dicom.header import series_header
from tools.phantom.dicom.syntaxes import SYNTAXES


def header(orientation="LPS", **scan):
    image, affine = volumes.volume(orientation)
    places = planes(image.shape, affine)
    return series_header(volumes.IDENTITY, volumes.truth(**scan), places, image.shape[1::-1])


@pytest.mark.parametrize(
    ("orientation", "scan", "tags"),
    [
        ("LPS", {}, {"SliceThickness": 3, "SpacingBetweenSlices": 2.3, "PixelSpacing": [0.7, 0.7]}),
        ("LPS", {}, {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SeriesNumber": 2}),
        ("LPS", {}, {"Rows": 22, "Columns": 26, "PatientAge": "071Y", "PatientSex": "F"}),
        ("PIR", {}, {"SliceThickness": 0.7, "SpacingBetweenSlices": 0.7}),
        ("PIR", {}, {"PixelSpacing": [2.3, 0.7], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}),
        ("PIR", {"reformat": {"thickness_mm": 4.0}}, {"SliceThickness": 4, "SeriesNumber": 601}),
        ("LPS", {"kernel": "soft"}, {"ConvolutionKernel": "Br36", "WindowWidth": 400}),
        ("LPS", {"kernel": "sharp"}, {"ConvolutionKernel": "Br60", "WindowWidth": 1000}),
        ("LPS", {"kvp": 100.0}, {"KVP": 100, "Manufacturer": "OsteoCT phantom scanner A"}),
        ("LPS", {"field": "lumbar"}, {"BodyPartExamined": "LSPINE", "PatientPosition": "HFS"}),
    ],
)
def test_tags_say_how_the_scan_was_made(orientation, scan, tags):
    made = header(orientation, **scan)
    assert {name: made.get(name) for name in tags} == tags


def test_exposure_quarters_when_noise_doubles():
    # 24 HU at 1 mm and MTF50 0.36 /mm is scanner A's usual noise.
    usual = 24 / np.sqrt(3)
    assert header(noise_hu=usual).Exposure == 200
    assert header(noise_hu=2 * usual).Exposure == 50
    assert header(noise_hu=2 * usual).XRayTubeCurrent == 100
    assert header(noise_hu=0.0).Exposure == 2000
    assert header(noise_hu=usual).CTDIvol == pytest.approx(13.6)
    assert header(noise_hu=usual, kvp=80.0).CTDIvol == pytest.approx(
        13.6 * (2 / 3) ** 2.5, abs=0.01
    )


@pytest.mark.parametrize(
    ("truth", "enhanced"),
    [
        ({}, False),
        ({"scan": {"contrast": None}}, False),
        ({"scan": {"contrast": "none"}}, False),
        ({"contrast": {"phase": "none"}}, False),
        ({"contrast": {"phase": "portal", "aorta_hu": 150}}, True),
        ({"scan": {"contrast": "arterial"}}, True),
        ({"scan": {"contrast": True}}, True),
    ],
    ids=str,
)
def test_contrast_is_what_the_truth_says(truth, enhanced):
    assert is_enhanced(truth) is enhanced


def test_contrast_agent_is_absent_unless_given():
    assert "ContrastBolusAgent" not in header()
    assert header(contrast="portal").ContrastBolusAgent == "APPLIED"


CASES = {
    **{syntax: ("LPS", {"syntax": syntax}) for syntax in SYNTAXES},
    "padded": ("LPS", {"padded": True}),
    "foot first": ("LPI", {}),
    "against the normal": ("LAS", {}),
    "sagittal": ("PIR", {"reformat": {"thickness_mm": 4.0}}),
    "enhanced": ("LPS", {"contrast": "portal"}),
    "without noise": ("LPS", {"noise_hu": 0.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_dciodvfy_finds_no_error(case, tmp_path):
    orientation, options = CASES[case]
    volumes.write(tmp_path / "series", *volumes.volume(orientation, "oblique"), **options)
    found = judged("dciodvfy", [tmp_path / "series" / "0002.dcm"])
    assert "CTImage" in found
    assert "Error" not in found, found
    warnings = [line for line in found.splitlines() if "Warning" in line]
    assert all("for value" in line and "Image Type" in line for line in warnings), found


def test_dcentvfy_finds_one_patient_study_series_and_frame(tmp_path):
    volumes.write(tmp_path / "series", *volumes.volume("LPS", "oblique"))
    assert judged("dcentvfy", sorted((tmp_path / "series").iterdir())) == ""


def test_pydicom_finds_every_value_legal(tmp_path):
    volumes.write(tmp_path / "series", *volumes.volume("PIR", "oblique"))
    pydicom.config.settings.reading_validation_mode, before = (
        pydicom.config.RAISE,
        pydicom.config.settings.reading_validation_mode,
    )
    try:
        made = pydicom.dcmread(tmp_path / "series" / "0001.dcm")
        for element in made.iterall():
            assert element.value is not None
    finally:
        pydicom.config.settings.reading_validation_mode = before
