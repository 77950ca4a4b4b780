"""From a scan to the levels' block: numbers, calibrations, refusals."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate

from bmd_bundle import calibration_file
from bmd_bundle.calibration import Calibration, reference
from bmd_bundle.common import CaseError
from bmd_bundle.describing import DescribeLevelsd
from bmd_bundle.in_use import WrongWeightsError
from bmd_bundle.inferers import PatchInferer
from bmd_bundle.interval import Interval, difficulty, dump
from bmd_bundle.measuring import NUMBERS, MeasureLevelsd
from bmd_bundle.patches import extract
from bmd_bundle.site import Correction
from tests.bundles.bmd_regression.spines import spine


def scan(kvp: float | None = 120.0, **densities: float) -> dict[str, Any]:
    """A scan as the loaders leave it."""
    drawn = densities or {"L2": 90.0, "L3": 140.0}
    image, labels, affine = spine(drawn, kvp=kvp or 120.0)
    grid = torch.from_numpy(affine)
    given = {
        "image": MetaTensor(torch.from_numpy(image)[None], affine=grid),
        "mask": MetaTensor(torch.from_numpy(labels)[None], affine=grid),
        "case": "A1",
    }
    return given if kvp is None else given | {"kvp": kvp}


def weights_file(folder: Path) -> Path:
    path = folder / "model.pt"
    path.write_text("weights")
    return path


def through(measured: dict[str, Any], pred: torch.Tensor) -> dict[str, Any]:
    """Collate and split up as MONAI does on the way past the network."""
    batch = list_data_collate([measured])
    batch["pred"] = pred[None]
    return decollate_batch(batch)[0]


def described(
    given: dict[str, Any], folder: Path, pred: Any = (91.0, 139.0), **options: Any
) -> Any:
    """Measure a scan and describe densities that a network is said to have read."""
    calibration = options.get("calibration")
    measured = MeasureLevelsd(calibration=calibration)(given)
    output = torch.tensor(pred, dtype=torch.float32)[:, None]
    options = {"weights": weights_file(folder), "interval": folder / "none.json"} | options
    return DescribeLevelsd(**options)(through(measured, output))


def test_numbers_are_those_of_the_patches() -> None:
    given = scan()
    found = MeasureLevelsd()(given)
    assert found["image"].shape == (2, 3, 32, 32)
    assert found["reasons"] == {
        "L1": "level_not_found",
        "L2": "",
        "L3": "",
        "L4": "level_not_found",
    }
    hu, labels = given["image"][0].numpy(), given["mask"][0].numpy()
    patch = extract(hu, given["image"].affine.numpy(), labels == 3)
    row = dict(zip(NUMBERS, found["numbers"][2].tolist(), strict=True))
    assert row["hu_trabecular"] == patch.trabecular_hu
    assert row["noise_hu"] == patch.noise_hu
    assert row["bmd_hu_linear_mg_cm3"] == pytest.approx(reference().density(patch.trabecular_hu))
    assert torch.isnan(found["numbers"][0]).all()
    np.testing.assert_array_equal(found["image"][1].numpy(), patch.hu)
    assert "mask" not in found


@pytest.mark.parametrize("kvp", [80.0, 100.0, 140.0])
def test_the_network_reads_hu_of_the_reference_beam(kvp: float) -> None:
    found = MeasureLevelsd()(scan(kvp))["image"].mean(dim=(1, 2, 3)).numpy()
    np.testing.assert_allclose(found, np.array([90.0, 140.0]) * 1.33251, atol=2.0)


def test_a_scanner_s_line_maps_hu_and_gives_the_density(tmp_path: Path) -> None:
    line = Calibration("ct-1", "HA", 120.0, "CT 1", 1.45, 8.0)
    path = tmp_path / "c.json"
    path.write_text(calibration_file.dump(line))
    plain, own = MeasureLevelsd()(scan()), MeasureLevelsd(calibration=str(path))(scan())
    expected = (plain["image"] - 8.0) / 1.45 * 1.33251
    torch.testing.assert_close(own["image"], expected, atol=1e-2, rtol=1e-4)
    at = NUMBERS.index("bmd_hu_linear_mg_cm3")
    hu = plain["numbers"][1, NUMBERS.index("hu_trabecular")]
    assert float(own["numbers"][1, at]) == pytest.approx(float(hu - 8.0) / 1.45)


def test_a_line_of_another_voltage_fails_the_case(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(calibration_file.dump(Calibration("ct-1", "HA", 100.0, "CT 1", 1.6, 0.0)))
    with pytest.raises(CaseError, match="was made at 100 kV, the scan's voltage is 120 kV"):
        MeasureLevelsd(calibration=str(path))(scan())


def test_a_level_says_what_was_measured(tmp_path: Path) -> None:
    levels = described(scan(), tmp_path)["levels"]
    assert levels["L2"]["bmd_cnn_mg_cm3"] == pytest.approx(91.0)
    assert levels["L3"]["bmd_cnn_mg_cm3"] == pytest.approx(139.0)
    assert levels["L2"]["bmd_hu_linear_mg_cm3"] == pytest.approx(90.0, abs=1.0)
    assert levels["L2"]["bmd_interval_95_mg_cm3"] is None  # weights without an interval
    assert levels["L1"] == {
        **dict.fromkeys(("hu_trabecular", "hu_sd", "noise_hu", "bmd_cnn_mg_cm3")),
        **dict.fromkeys(("bmd_hu_linear_mg_cm3", "bmd_interval_95_mg_cm3")),
        "status": "refused",
        "reasons": ["level_not_found"],
        "warnings": [],
    }


@pytest.mark.parametrize("kvp", [120.0, None])
def test_the_interval_belongs_to_the_weights(kvp: float | None, tmp_path: Path) -> None:
    weights = weights_file(tmp_path)
    checksum = hashlib.sha256(weights.read_bytes()).hexdigest()
    path = tmp_path / "interval.json"
    path.write_text(dump(Interval(1.5, 60, 200, checksum)))
    done = described(scan(kvp), tmp_path, interval=path)
    error = done["measured"]["L2"]["standard_error_hu"]
    half = 1.5 * difficulty(91.0, error, kvp)
    low, high = done["levels"]["L2"]["bmd_interval_95_mg_cm3"]
    assert (low, high) == (pytest.approx(91.0 - half), pytest.approx(91.0 + half))
    path.write_text(dump(Interval(1.5, 60, 200, "0" * 64)))
    other = described(scan(kvp), tmp_path, interval=path)
    assert other["levels"]["L2"]["bmd_interval_95_mg_cm3"] is None


def test_a_site_s_correction_of_the_network_names_its_weights(tmp_path: Path) -> None:
    weights = weights_file(tmp_path)
    checksum = hashlib.sha256(weights.read_bytes()).hexdigest()
    site = Correction("site-1", "cnn", 1.1, -5.0, "HA", 120.0, 30, weights_sha256=checksum)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(asdict(site)))
    done = described(scan(), tmp_path, calibration=str(path))
    assert done["levels"]["L2"]["bmd_cnn_mg_cm3"] == pytest.approx(1.1 * 91.0 - 5.0, abs=1e-4)
    assert done["measured"]["L2"]["calibration"] == "site-1"
    plain = described(scan(), tmp_path)["measured"]["L2"]["calibration"]
    assert plain.startswith("reference-")  # what `recalibrate` takes as uncorrected
    assert done["levels"]["L2"]["bmd_hu_linear_mg_cm3"] == pytest.approx(90.0, abs=1.0)
    other = tmp_path / "other.pt"
    other.write_text("other weights")
    with pytest.raises(WrongWeightsError, match="was made with weights"):
        described(scan(), tmp_path, calibration=str(path), weights=other)


def test_a_scan_without_a_level_goes_past_the_network(tmp_path: Path) -> None:
    given = scan() | {"mask": scan()["mask"] * 0}
    measured = MeasureLevelsd()(given)
    assert measured["image"].shape == (0, 3, 32, 32)

    def never(image: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    pred = PatchInferer()(measured["image"][None], never)
    assert pred.shape == (1, 0, 1)
    done = DescribeLevelsd(weights=weights_file(tmp_path))(through(measured, pred[0]))
    assert {level["status"] for level in done["levels"].values()} == {"refused"}


@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (3, 1)])
def test_patches_of_several_scans_go_through_at_once(shape: tuple[int, int]) -> None:
    image = torch.rand(*shape, 3, 8, 8)
    found = PatchInferer()(image, lambda x: x.mean(dim=(1, 2, 3))[:, None])
    torch.testing.assert_close(found[..., 0], image.mean(dim=(2, 3, 4)))
    flat = PatchInferer()(image.flatten(0, 1), lambda x: x.mean(dim=(1, 2, 3))[:, None])
    torch.testing.assert_close(flat, found.flatten(0, 1))
