"""The whole way on phantom series and on the real one: objects against report.json and label map.

python -m pytest -m slow tests/tools/screen/dicom
"""

import copy
import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from highdicom.sr import Comprehensive3DSR

from tests.programs import errors_between, judged
from tests.tools.screen.dicom.reading import group, numbers, said, same_places
from tools.demo import patient_recipe
from tools.levels import LABEL_IDS
from tools.phantom import cohort
from tools.screen.command import screen

pytestmark = pytest.mark.slow

SCANS = {
    "foot first, tilted, padded": ("LPI", "jpeg_2000", "axial"),
    "against the normal": ("LAS", "rle", "axial"),
    "stored in sagittal order": ("PIR", "explicit_big", "axial"),
    "sagittal reformat": ("LPS", "implicit_little", "sagittal"),
    "single sagittal slice": ("LPS", "explicit_little", "sagittal_single"),
}


def check(case):
    """Hold the objects of a case's folder against its other files; the report and its levels."""
    report = json.loads((case / "report.json").read_text())
    labels = nib.Nifti1Image.from_filename(case / "segmentation.nii.gz")
    ids = np.asarray(labels.dataobj)
    objects = [pydicom.dcmread(path) for path in sorted(case.glob("*.dcm"))]
    content = Comprehensive3DSR.from_dataset(objects[0]).content
    assert [one.SOPClassUID.name for one in objects] == (
        ["Comprehensive 3D SR Storage", "Segmentation Storage"][: 1 + ids.any()]
    )
    if ids.any():
        segments = {item.SegmentLabel: item.SegmentNumber for item in objects[1].SegmentSequence}
        assert set(segments) == {
            name for name in report["levels"] if (ids == LABEL_IDS[name]).any()
        }
        for name, number in segments.items():
            assert same_places(objects[1], number, ids == LABEL_IDS[name], labels.affine)
    for name, level in report["levels"].items():
        found, has_roi = group(content, name)
        assert has_roi == (ids == LABEL_IDS[name]).any()
        assert (said(found, "reason"), said(found, "warning")) == (
            level["reasons"], level["warnings"]
        )  # fmt: skip
        counting = "network" if level["bmd_cnn_mg_cm3"] is not None else "hu_linear"
        low, high = level["bmd_interval_95_mg_cm3"] or (None, None)
        expected = {
            ("vbmd_ha", "network"): level["bmd_cnn_mg_cm3"],
            ("vbmd_ha", "hu_linear"): level["bmd_hu_linear_mg_cm3"],
            ("vbmd_ha_95_low", counting): low,
            ("vbmd_ha_95_high", counting): high,
            ("112031", None): level["hu_trabecular"],
        }
        read = {key: value for key, (value, _) in numbers(found).items()}
        assert read == {key: value for key, value in expected.items() if value is not None}
    return report, sorted(case.glob("*.dcm"))


def validate(paths):
    for path in paths:
        assert "Error" not in judged("dciodvfy", [path])
    dumped = judged("dsrdump", paths[:1])
    assert not [line for line in dumped.splitlines() if line.startswith(("E:", "F:"))], dumped


@pytest.mark.parametrize("name", SCANS)
def test_phantom_series(name, tmp_path, monkeypatch):
    orientation, syntax, reformat = SCANS[name]
    recipe = copy.deepcopy(patient_recipe("small"))
    recipe["scan"] |= {"reformat": reformat, "orientation": [orientation], "tilt_deg": 4.0}
    recipe["scan"]["dicom"] = {"transfer_syntax": [syntax], "padded": float(reformat == "axial")}
    monkeypatch.setattr(cohort.recipes, "load", lambda _: recipe)
    cohort.phantom(tmp_path / "cohort", cases=1, seed=1, format="dicom")
    images = tmp_path / "cohort" / "images" / "A0001"
    screen(str(images), tmp_path / "out")
    (case,) = (tmp_path / "out").glob("series-*")
    report, paths = check(case)
    assert len(paths) == 2
    measured = {one["status"] for one in report["levels"].values()}
    assert measured == {"refused" if reformat == "sagittal_single" else "measured"}
    validate(paths)
    assert "Error" not in judged("dcentvfy", [*images.iterdir(), *paths])


@pytest.mark.realdata
def test_the_real_series(shared_data, tmp_path, capsys):
    """Its UIDs and its patient are empty; contrast was applied; no level can be named."""
    screen(str(shared_data / "upper_abdomen_dicom"), tmp_path / "out")
    (case,) = (tmp_path / "out").glob("series-*")
    report, paths = check(case)
    assert {one["status"] for one in report["levels"].values()} == {"refused"}
    content = Comprehensive3DSR.from_dataset(pydicom.dcmread(paths[0])).content
    (patient,) = [
        one for one in content.get_image_measurement_groups()
        if one.tracking_identifier == "L1 to L4"
    ]  # fmt: skip
    assert "contrast" in said(patient, "warning")
    validate(paths)
    assert errors_between(paths) == []
