"""Areal density: what is refused, learnt from, and said of slices, levels and the patient."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from monai.data import MetaTensor

from bmd_bundle.areal import MeasureSlicesd, ReadContrastd, TrainingSlicesd
from bmd_bundle.areal_describing import DescribeArealLevelsd
from bmd_bundle.common import CaseError
from bmd_bundle.t_score import Reference
from tests.bundles.bmd_regression.abdomen import Abdomen
from tests.bundles.bmd_regression.trunks import trunk

SETTINGS: dict[str, Any] = {"size": [32, 32], "size_mm": 400.0}
PLAIN = {"L1": "level_not_found", "L2": "", "L3": "", "L4": "level_not_found"}


def scan(abdomen: Abdomen | None = None, **more: Any) -> dict[str, Any]:
    """A scan with the label map of L2 and L3."""
    image, affine, labels = trunk(abdomen)
    return {
        "image": MetaTensor(torch.from_numpy(image)[None].float(), affine=affine),
        "mask": MetaTensor(torch.from_numpy(labels)[None], affine=affine),
        **more,
    }


@pytest.mark.parametrize(
    ("blood", "said", "reason"),
    [
        (42.0, {"contrast": "none", "kvp": 120.0}, ""),
        (42.0, {"contrast": "applied"}, "contrast"),
        (170.0, {}, "contrast"),
        (170.0, {"contrast": "none"}, "contrast"),  # the header may be wrong; blood is not
        (42.0, {"kvp": 100.0}, "kvp_out_of_range"),
    ],
    ids=lambda value: str(value),
)
def test_enhanced_scans_and_other_voltages_are_refused(
    blood: float, said: dict[str, Any], reason: str
) -> None:
    found = MeasureSlicesd("image", **SETTINGS)(scan(Abdomen(blood=blood), **said))
    assert found["reasons"] == PLAIN | dict.fromkeys(("L2", "L3"), reason)
    assert found["image"].shape == (0 if reason else 6, 1, 32, 32)
    assert "mask" not in found


HEADERS = {
    "agent": ({"ContrastBolusAgent": "Iohexol 350"}, "applied"),
    "amount": ({"ContrastBolusVolume": "80"}, "applied"),
    "native": ({"ContrastBolusAgent": "ohne KM"}, "none"),
    "nothing": ({}, "unknown"),
}


def write_header(path: Path, **tags: str) -> None:
    """Write a CT file that is nothing but its header."""
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.SOPClassUID = pydicom.uid.CTImageStorage
    made.SOPInstanceUID = pydicom.uid.generate_uid()
    for name, value in tags.items():
        setattr(made, name, value)
    made.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("form", ["folder", "files"])
def test_the_header_of_any_slice_tells_of_contrast(name: str, form: str, tmp_path: Path) -> None:
    tags, expected = HEADERS[name]
    native = HEADERS["native"][0] if expected == "none" else {}
    paths = [tmp_path / f"{n}.dcm" for n in range(3)]
    for number, path in enumerate(paths):
        write_header(path, **(tags if number == 1 else native))
    given = str(tmp_path) if form == "folder" else [str(path) for path in paths]
    assert ReadContrastd()({"image": given})["contrast"] == expected


def test_nifti_tells_nothing_and_what_is_said_is_kept(tmp_path: Path) -> None:
    nifti = str(tmp_path / "a.nii.gz")
    assert ReadContrastd()({"image": nifti})["contrast"] == "unknown"
    assert ReadContrastd()({"image": nifti, "contrast": "none"})["contrast"] == "none"


def test_a_calibration_of_volumetric_density_is_refused() -> None:
    measure = MeasureSlicesd("image", calibration="site.json", **SETTINGS)
    with pytest.raises(CaseError, match=r"has no calibration .*; leave calibration_file out"):
        measure(scan())


def test_each_slice_learns_the_density_of_its_level() -> None:
    density = {"L1": 0.7, "L2": 0.8, "L3": 1.1}
    found = TrainingSlicesd("image", **SETTINGS)(scan(density=density))
    assert found["image"].shape == (6, 32, 32)
    assert found["image"].dtype == torch.float32
    torch.testing.assert_close(found["label"], torch.tensor([0.8] * 3 + [1.1] * 3))


def test_nothing_is_learnt_from_an_enhanced_scan(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bmd_bundle.areal"):
        found = TrainingSlicesd("image", **SETTINGS)(
            scan(Abdomen(blood=170.0), density={"L2": 0.8}, case="A1")
        )
    assert found["image"].shape == (0, 32, 32)
    assert "A1: left out: L2 contrast" in caplog.text


def described(pred: list[float], reasons: dict[str, str], **more: Any) -> dict[str, Any]:
    data = {"pred": torch.tensor(pred)[:, None], "reasons": reasons, "kvp": 120.0, **more}
    return DescribeArealLevelsd("pred")(data)


def test_the_patient_is_the_mean_over_all_slices() -> None:
    found = described([0.7, 0.8, 0.9, 0.6, 0.6, 0.6], PLAIN)
    level = found["levels"]["L2"]
    assert (level["status"], level["slices"], level["warnings"]) == ("measured", 3, [])
    assert level["areal_bmd_g_cm2"] == pytest.approx(0.8)
    assert level["slices_sd_g_cm2"] == pytest.approx(0.1)
    assert found["levels"]["L4"]["reasons"] == ["level_not_found"]
    patient = found["areal"]
    assert patient["areal_bmd_g_cm2"] == pytest.approx(np.mean([0.8, 0.6]))
    assert patient["levels_used"] == ["L2", "L3"]
    assert patient["t_score"] == pytest.approx((0.7 - 1.065) / 0.122, abs=1e-6)
    assert patient["t_score_reference"] == Reference().name


def test_one_level_has_a_density_and_no_t_score() -> None:
    found = described([0.7, 0.7, 0.7], PLAIN | {"L3": "no_axial_data"}, kvp=float("nan"))
    assert found["areal"]["areal_bmd_g_cm2"] == pytest.approx(0.7)
    assert (found["areal"]["t_score"], found["areal"]["t_score_reference"]) == (None, None)
    assert found["levels"]["L2"]["warnings"] == ["kvp_unknown"]


def test_a_refused_scan_says_why() -> None:
    found = described([], dict.fromkeys(PLAIN, "contrast"))
    assert found["areal"]["status"] == "refused"
    assert found["areal"]["reasons"] == ["contrast"]
    assert found["areal"]["areal_bmd_g_cm2"] is None
    assert all(level["areal_bmd_g_cm2"] is None for level in found["levels"].values())


@pytest.mark.parametrize("wrong", [{"name": ""}, {"sd": 0.0}, {"mean": 1065.0, "sd": 122.0}])
def test_a_reference_needs_a_name_and_areal_densities(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give a name, and mean and SD"):
        Reference(**wrong)
