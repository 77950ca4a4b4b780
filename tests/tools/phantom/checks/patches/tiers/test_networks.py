"""The networks read slices of the bench as the bundle reads a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tools import bundles, density

bundles.module(density.NAME, "bmd_bundle.calibration")  # puts the bundle on the path

from bmd_bundle import in_use, tissues  # noqa: E402
from bmd_bundle.calibration import Calibration  # noqa: E402
from tests.bundles.bmd_regression.spines import spine  # noqa: E402
from tests.bundles.workflows import read  # noqa: E402
from tests.tools.phantom.checks.patches.tiers.made_up import cohort_of  # noqa: E402
from tools.phantom.checks.patches.tiers import networks, readings  # noqa: E402

ROOT = bundles.FOLDER / density.NAME
LINE = Calibration("c-1", "HA", 120.0, "C", 1.40, 12.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def weights(folder: Path, *overlays: str) -> Path:
    """Random weights; of a head, too, which starts at no correction."""
    torch.manual_seed(0)
    network = read(ROOT, "inference", *overlays).get_parsed_content("network_def")
    if overlays:
        torch.nn.init.normal_(network.head.weight, std=0.1)
    path = folder / f"model{len(overlays)}.pt"
    if path.exists():
        return path
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.parametrize("kind", ["plain", "internal"])
def test_slices_give_what_the_scan_gives(kind: str, folder: Path) -> None:
    image, labels, affine = spine({"L2": 90.0})
    overlays = ("internal_calibration",) if kind == "internal" else ()
    path = weights(folder, *overlays)
    network = networks.plain(path, None) if kind == "plain" else networks.internal(path, None)
    assert network is not None
    given = density.as_input(image, affine, labels, "A1", kvp=120.0)
    expected = network.bundle.run(given)["levels"]
    extract = bundles.module(density.NAME, "bmd_bundle.patches").extract
    slices = np.full((1, 4, 3, 32, 32), np.nan, np.float32)
    slices[0, 1] = extract(image, affine, labels == 2, **network.settings).hu
    own = tissues.measure(image, affine, labels)
    hu = [own.air_hu, own.fat_hu, own.muscle_hu, own.blood_hu]
    cohort = cohort_of(
        "A", 1, slices=slices, unread=np.array([["x", "", "x", "x"]]),
        tissues=np.array([[np.nan if one is None else one for one in hu]]),
    )  # fmt: skip
    found = network.read(cohort, in_use.for_scan(None, 120.0).line)
    assert np.isnan(found[0, [0, 2, 3]]).all()
    assert found[0, 1] == pytest.approx(expected["L2"]["bmd_cnn_mg_cm3"], abs=1e-3)


def test_patches_go_through_the_scanners_line(folder: Path) -> None:
    network = networks.plain(weights(folder), None)
    blind = in_use.for_scan(None, 120.0).line
    cohort = cohort_of("A", 2)
    cohort.slices[:] += np.random.default_rng(0).normal(0, 20, cohort.slices.shape)
    moved = cohort_of("A", 2, slices=cohort.slices * 1.40 / 1.33251 + 12.0)
    np.testing.assert_allclose(network.read(moved, LINE), network.read(cohort, blind), atol=1e-3)
    assert network.interval is None


def test_no_weights_of_internal_calibration_are_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bundles, "FOLDER", tmp_path)
    assert networks.internal(None, None) is None


def test_readings_are_those_of_the_calibration_in_use() -> None:
    cohort = cohort_of("C")
    used = in_use.for_scan(LINE, 120.0)
    found = readings.hu_linear(cohort, used)
    np.testing.assert_array_equal(np.isfinite(found.density), cohort.read)
    value, ends = used.hu_linear(float(cohort.trabecular_hu[5, 2]), 1.0)
    assert (found.density[5, 2], found.low[5, 2], found.high[5, 2]) == pytest.approx(
        (value, *ends), rel=1e-6
    )
