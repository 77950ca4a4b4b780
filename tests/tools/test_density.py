"""The density bundle in memory reads what the stock run writes, and writes nothing itself."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from tools import bundles, density

bundles.module(density.NAME, "bmd_bundle.calibration")  # puts the bundle on the path

from tests.bundles.bmd_regression.spines import spine  # noqa: E402
from tests.bundles.workflows import config_files, prepared, read  # noqa: E402

ROOT = bundles.FOLDER / density.NAME


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the shipped network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.save(read(ROOT, "inference").get_parsed_content("network_def").state_dict(), path)
    return path


def test_memory_and_files_give_the_same(weights: Path, tmp_path: Path) -> None:
    image, labels, affine = spine({"L2": 90.0, "L3": 140.0})
    loaded = density.load("cpu", weights=weights)
    before = set(ROOT.rglob("*.json"))
    found = loaded.run(density.as_input(image, affine, labels, "A1", kvp=100.0))
    assert set(ROOT.rglob("*.json")) == before
    for name, array in (("image", image), ("mask", labels)):
        nib.save(nib.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    workflow = prepared(
        config_files(ROOT, "inference"),
        "infer",
        bundle_root=str(ROOT),
        image=str(tmp_path / "image.nii.gz"),
        mask=str(tmp_path / "mask.nii.gz"),
        kvp=100.0,
        output_dir=str(tmp_path / "out"),
        weights_file=str(weights),
        device=torch.device("cpu"),
    )
    workflow.run()
    written = json.loads((tmp_path / "out" / "image_bmd.json").read_text())["levels"]
    assert [level["status"] for level in found["levels"].values()] == [
        *("refused", "measured", "measured", "refused")
    ]
    for level, stated in written.items():
        for key, value in stated.items():
            other = found["levels"][level][key]
            same = value == other or value == pytest.approx(other, abs=1e-3)
            assert same, (level, key)


def test_a_voltage_that_is_not_known_is_warned_about(weights: Path) -> None:
    image, labels, affine = spine({"L2": 90.0})
    found = density.load("cpu", weights=weights).run(
        density.as_input(image, affine, labels, "A1", kvp=None)
    )
    assert found["levels"]["L2"]["warnings"] == ["kvp_unknown"]
    assert np.isfinite(found["levels"]["L2"]["bmd_cnn_mg_cm3"])


def test_a_bad_calibration_is_one_line(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"c\.json: lacks .* of a calibration"):
        density.load("cpu", weights=weights, calibration=path)
