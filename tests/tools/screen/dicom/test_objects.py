"""Segmentation and report of a series: where voxels lie, which numbers stand, what others say."""

import highdicom
import numpy as np
import pytest
from highdicom.seg import Segmentation
from highdicom.sr import Comprehensive3DSR, MeasurementReport
from pydicom.sr.codedict import codes

from tests.programs import judged
from tests.tools.screen.dicom import made
from tests.tools.screen.dicom.reading import (
    TOLERANCE_MM,
    apart_mm,
    group,
    numbers,
    said,
    same_places,
)
from tools.screen.dicom.codes import LEVELS
from tools.volumes import Grid

NAMES = {"L1": 1, "L2": 2, "L4": 4}
CASES = {
    "axial": {},
    "foot first": {"orientation": "LPI", "syntax": "implicit_little"},
    "against the normal": {"orientation": "LAS", "syntax": "rle"},
    "oblique": {"turn": "oblique", "syntax": "jpeg_2000"},
    "sagittal": {"orientation": "PIR", "turn": "oblique", "syntax": "explicit_big"},
    "coronal": {"orientation": "LSA"},
    "single slice": {"orientation": "PIR", "slices": 1},
}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Scan, outlines and objects of a case by name, made once."""
    known = {}

    def make(name):
        if name not in known:
            folder = tmp_path_factory.mktemp("case") / "series"
            one = made.scan(folder, **CASES[name])
            labels = made.outlines(one)
            known[name] = one, labels, made.written(one, labels)
        return known[name]

    return make


@pytest.mark.parametrize("name", CASES)
def test_the_segmentation_holds_the_same_millimetres(name, case):
    one, labels, files = case(name)
    segmentation = files["segmentation.dcm"]
    found = {item.SegmentLabel: item.SegmentNumber for item in segmentation.SegmentSequence}
    shown = [level for level, label in NAMES.items() if (labels == label).any()]
    assert found == {level: number for number, level in enumerate(shown, start=1)}
    for level, number in found.items():
        assert same_places(segmentation, number, labels == NAMES[level], one.affine)


@pytest.mark.parametrize("name", ["axial", "against the normal", "oblique", "sagittal"])
def test_highdicom_puts_the_segments_where_the_label_map_is(name, case):
    one, labels, files = case(name)
    segmentation = Segmentation.from_dataset(files["segmentation.dcm"])
    volume = segmentation.get_volume(combine_segments=True, relabel=True)
    to_ras = np.diag([-1.0, -1, 1, 1])
    for number, level in enumerate(NAMES, start=1):
        index = np.argwhere(np.asarray(volume.array) == number)
        found = Grid(volume.spatial_shape, to_ras @ volume.affine).to_world(index.astype(float))
        at = np.argwhere(labels == NAMES[level]).astype(float)
        expected = Grid(labels.shape, one.affine).to_world(at)
        assert apart_mm(found, expected).max() < TOLERANCE_MM


def test_every_frame_refers_to_the_slice_it_lies_on(case):
    one, _, files = case("against the normal")
    slices = {}
    for path in one.case.paths:
        header = made.pydicom.dcmread(path, stop_before_pixels=True)
        slices[header.SOPInstanceUID] = header
    for groups in files["segmentation.dcm"].PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        of = slices[source.ReferencedSOPInstanceUID]
        at = groups.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(np.array(at, float), np.array(of.ImagePositionPatient, float))


@pytest.mark.parametrize("name", ["axial", "single slice"])
def test_the_report_reads_back_to_the_same_numbers(name, case):
    _, labels, files = case(name)
    report = Comprehensive3DSR.from_dataset(files["report.dcm"]).content
    assert isinstance(report, MeasurementReport)
    for level, block in made.MEASURED["levels"].items():
        found, has_roi = group(report, level)
        assert found.tracking_identifier == level
        assert has_roi == (labels == int(level[1])).any()
        assert said(found, "reason") == block["reasons"]
        assert said(found, "warning") == block["warnings"]
        used = level in made.MEASURED["patient"]["levels_used"]
        assert said(found, "in_mean") == [(codes.SCT.Yes if used else codes.SCT.No).value]
        if block["status"] == "refused":
            assert numbers(found) == {}
            continue
        low, high = block["bmd_interval_95_mg_cm3"]
        assert numbers(found) == {
            ("vbmd_ha", "network"): (block["bmd_cnn_mg_cm3"], "mg/cm3"),
            ("vbmd_ha", "hu_linear"): (block["bmd_hu_linear_mg_cm3"], "mg/cm3"),
            ("vbmd_ha_95_low", "network"): (low, "mg/cm3"),
            ("vbmd_ha_95_high", "network"): (high, "mg/cm3"),
            ("112031", None): (block["hu_trabecular"], "[hnsf'U]"),
        }
    (patient,) = report.get_image_measurement_groups(finding_site=codes.SCT.LumbarSpine)
    assert numbers(patient) == {
        ("vbmd_ha", None): (98.765, "mg/cm3"),
        ("vbmd_ha_95_low", None): (82.1, "mg/cm3"),
        ("vbmd_ha_95_high", None): (115.2, "mg/cm3"),
        ("vbmd_k2hpo4", None): (92.248, "mg/cm3"),
    }
    assert said(patient, "category") == ["osteopenia"]
    assert said(patient, "warning") == ["kvp_not_120"]
    assert said(patient, "intended_use") == ["research"]


def test_a_level_has_one_tracking_uid_in_both_objects(case):
    _, _, files = case("axial")
    segmentation = Segmentation.from_dataset(files["segmentation.dcm"])
    report = Comprehensive3DSR.from_dataset(files["report.dcm"]).content
    for number in segmentation.segment_numbers:
        described = segmentation.get_segment_description(number)
        (found,) = report.get_volumetric_roi_measurement_groups(
            tracking_uid=described.tracking_uid,
            referenced_sop_instance_uid=segmentation.SOPInstanceUID,
        )
        assert found.tracking_identifier == described.tracking_id == described.segment_label
        assert found.finding_sites[0].value == described.segmented_property_type
        assert found.referenced_segment[0].referenced_segment_numbers == [number]


def texts(report):
    """Concept name -> texts, of a report's whole tree."""
    found = {}

    def walk(item):
        for one in item.get("ContentSequence", []):
            if one.ValueType == "TEXT":
                name = one.ConceptNameCodeSequence[0].CodeMeaning
                found.setdefault(name, set()).add(one.TextValue)
            walk(one)

    walk(report)
    return found


def test_algorithms_are_named_with_version_and_weights(case):
    _, _, files = case("axial")
    said_of = texts(files["report.dcm"])
    assert said_of["Algorithm Name"] == {
        "OsteoCT lumbar_segmentation", "OsteoCT bmd_regression", "OsteoCT HU-linear"
    }  # fmt: skip
    assert said_of["Algorithm Version"] == {"0.1.0"}
    assert said_of["Algorithm Parameters"] == {
        f"weights_sha256={'a' * 64}", f"weights_sha256={'b' * 64}", "calibration=reference-120-kV"
    }  # fmt: skip
    (algorithm,) = files["segmentation.dcm"].SegmentSequence[0][
        "SegmentationAlgorithmIdentificationSequence"
    ]
    assert algorithm.AlgorithmVersion == "0.1.0"
    assert "a" * 64 in algorithm.AlgorithmParameters


def test_codes_that_no_standard_has_are_in_a_declared_scheme(case):
    _, _, files = case("axial")
    used = set()

    def walk(dataset):
        for element in dataset.iterall():
            if element.keyword == "CodingSchemeDesignator":
                used.add(element.value)

    walk(files["report.dcm"])
    assert used - {"DCM", "SCT", "UCUM", "LN", "RFC5646"} == {"99OSTEOCT"}
    (declared,) = files["report.dcm"].CodingSchemeIdentificationSequence
    assert declared.CodingSchemeDesignator == "99OSTEOCT"
    assert (declared.CodingSchemeVersion, declared.CodingSchemeName != "") == ("1", True)


def test_the_report_is_preliminary_and_nobody_verified_it(case):
    report = case("axial")[2]["report.dcm"]
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert "research use" in report.SeriesDescription


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param({"bmd_cnn_mg_cm3": None}, {("112031", None), ("vbmd_ha", "hu_linear"),
            ("vbmd_ha_95_low", "hu_linear"), ("vbmd_ha_95_high", "hu_linear")}, id="HU-linear"),
        pytest.param(made.NOTHING | {"hu_trabecular": 190.0}, {("112031", None)}, id="enhanced"),
        pytest.param(made.NOTHING, set(), id="no number"),
    ],
)  # fmt: skip
def test_what_is_null_is_left_out(levels, expected, case):
    """Never 0, never empty."""
    one, labels, _ = case("axial")
    content = made.report(L1=made.level(warnings=["contrast"], **levels))
    report = made.written(one, labels, content)["report.dcm"]
    found, _ = group(Comprehensive3DSR.from_dataset(report).content, "L1")
    assert set(numbers(found)) == expected
    assert said(found, "warning") == ["contrast"]


def test_where_nothing_is_outlined_the_reasons_are_still_reported(case, caplog):
    one, labels, _ = case("axial")
    content = made.report()
    content["software"]["weights"].pop("bmd_regression")
    content["calibration"] = None
    files = made.written(one, np.zeros_like(labels), content)
    assert set(files) == {"report.dcm"}
    report = Comprehensive3DSR.from_dataset(files["report.dcm"]).content
    for level in LEVELS.keys() & content["levels"].keys():
        found, has_roi = group(report, level)
        assert not has_roi
        assert said(found, "reason") == ["level_not_found"]
    (patient,) = report.get_image_measurement_groups(finding_site=codes.SCT.LumbarSpine)
    assert numbers(patient) == {}
    assert said(patient, "reason") == ["level_not_found"]
    assert said(patient, "category") == []
    assert caplog.text == ""


def test_every_code_of_the_gate_has_a_legal_meaning():
    from tools.screen.dicom.codes import CATEGORIES, CONCEPTS, FINDINGS, METHODS
    from tools.screen.gate import CODES

    assert set(FINDINGS) == set(CODES)
    for code in (*FINDINGS.values(), *CONCEPTS.values(), *METHODS.values(), *CATEGORIES.values()):
        assert 0 < len(code.meaning) <= 64
        assert code.meaning.isascii()
        made_of = highdicom.sr.CodedConcept(code.value, code.scheme_designator, code.meaning)
        assert made_of.value == code.value


@pytest.mark.parametrize("name", CASES)
def test_validators_find_no_error(name, case, tmp_path):
    one, _, files = case(name)
    paths = made.place(files, tmp_path / "objects")
    for path in paths:
        found = judged("dciodvfy", [path])
        lines = found.splitlines()[1:]
        assert all("99OSTEOCT" in line for line in lines if line), found
    kept = made.place(made.written(one, made.outlines(one), keep_identity=True), tmp_path / "kept")
    assert "Error" not in judged("dcentvfy", [*one.case.paths, *paths])
    optional = judged("dcentvfy", [*one.case.paths, *kept]).splitlines()
    assert [line for line in optional if "AccessionNumber" not in line] == []


@pytest.mark.parametrize("name", ["axial", "single slice"])
def test_dsrdump_reads_the_report(name, case, tmp_path):
    (path,) = made.place({"report.dcm": case(name)[2]["report.dcm"]}, tmp_path / "objects")
    found = judged("dsrdump", [path])
    assert "Imaging Measurement Report" in found
    assert '"100.123" (mg/cm3,UCUM,"mg/cm^3")' in found
    assert not [line for line in found.splitlines() if line.startswith(("E:", "F:", "W:"))]
