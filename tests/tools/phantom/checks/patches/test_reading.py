"""What the bench keeps of a patient is what the bundle reads, with the truth beside it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.bundles.bmd_regression.abdomen import Abdomen
from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.phantom import recipe
from tools.phantom.case import Case
from tools.phantom.checks.patches import reading
from tools.phantom.checks.patches.reading import PLANES_MM, TISSUES, Settings, read_case

TRUTH = {
    "complete": True,
    "qct_ha_mg_cm3": 112.5,
    "ha_mass_mg_cm3": 109.0,
    "marrow_fat": 0.4,
    "fracture": None,
}


def case(levels: dict[str, Any], **grid: Any) -> Case:
    image, affine, labels = Abdomen(noise=6.0).draw(**{"spacing": (1.5, 1.5, 2.0), **grid})
    scan = {"kvp": 100.0, "water_offset_hu": 2.5}
    truth = {"age": 61.5, "sex": "F", "scan": scan, "levels": levels}
    empty = np.zeros_like(labels)
    return Case(image.round().astype(np.int16), labels, empty, empty, affine, truth)


@pytest.fixture(scope="module")
def drawn() -> Case:
    levels = {level: dict(TRUTH) for level in MEASURED_LEVELS}
    levels["L2"] |= {"complete": False}
    levels["L3"] |= {"fracture": {"grade": 2}}
    return case(levels | {"L5": TRUTH}, turn_deg=(5.0, -4.0, 6.0))


@pytest.fixture(scope="module")
def found(drawn: Case) -> dict[str, Any]:
    return read_case(drawn, Settings())


def test_readings_are_the_bundles_own(drawn: Case, found: dict[str, Any]) -> None:
    extract = bundles.module("bmd_regression", "bmd_bundle.patches").extract
    patch = extract(drawn.image, drawn.affine, drawn.labels == LABEL_IDS["L4"])
    for name in reading.NUMBERS:
        assert found[name][3] == pytest.approx(getattr(patch, name), rel=1e-5), name
    middle = PLANES_MM.index(0.0)
    # The network's three slices are three of the cube's planes.
    np.testing.assert_allclose(found["cube"][3, middle - 1 : middle + 2], patch.hu, atol=0.13)


def test_a_slab_can_be_made_of_the_cubes_planes(drawn: Case) -> None:
    """Wherever the patch's own slices lie, the planes are 1 mm apart about the same middle."""
    settings = Settings(slice_step_mm=3.0)
    extract = bundles.module("bmd_regression", "bmd_bundle.patches").extract
    mask = drawn.labels == LABEL_IDS["L4"]
    patch = extract(drawn.image, drawn.affine, mask, slice_step_mm=3.0)
    cube = read_case(drawn, settings)["cube"][3]
    planes = [PLANES_MM.index(at) for at in (-3.0, 0.0, 3.0)]
    np.testing.assert_allclose(cube[planes], patch.hu, atol=0.13)


def test_tissues_are_the_bundles_own(drawn: Case, found: dict[str, Any]) -> None:
    measure = bundles.module("bmd_regression", "bmd_bundle.tissues").measure
    expected = measure(drawn.image, drawn.affine, drawn.labels)
    np.testing.assert_allclose(
        found["tissues"], [getattr(expected, name) for name in TISSUES], rtol=1e-6
    )


def test_truth_stands_beside_the_readings(found: dict[str, Any]) -> None:
    np.testing.assert_allclose(found["qct_ha"], 112.5)
    np.testing.assert_allclose(found["ha_mass"], 109.0)
    assert list(found["fracture"]) == [0, 0, 2, 0]
    assert (found["kvp"], found["age"], found["sex"]) == (100.0, 61.5, "F")
    assert json.loads(str(found["scan"]))["water_offset_hu"] == 2.5


def test_a_level_that_is_cut_is_no_number(found: dict[str, Any]) -> None:
    assert list(found["reason"]) == ["", "touches_border", "", ""]
    assert np.isnan(found["cube"][1]).all()
    assert np.isnan(found["trabecular_hu"][1])


def test_a_level_that_the_bundle_refuses_keeps_its_reason() -> None:
    scan = case({"L4": TRUTH})
    scan.labels[scan.labels == 4] = 0
    scan.labels[20:23, 60:63, 8:10] = 4  # a crumb
    found = read_case(scan, Settings())
    assert found["reason"][3] == "patch_outside_body"
    assert list(found["reason"][:3]) == ["touches_border"] * 3


def test_planes_beyond_the_scan_are_no_numbers(drawn: Case) -> None:
    extract = bundles.module("bmd_regression", "bmd_bundle.patches").extract
    patch = extract(drawn.image, drawn.affine, drawn.labels == LABEL_IDS["L4"])
    top = int((np.linalg.inv(drawn.affine) @ [*patch.centre_mm, 1.0])[2]) + 2
    cube = reading._cube(drawn.image[:, :, :top], drawn.affine, patch)
    whole = reading._cube(drawn.image, drawn.affine, patch)
    assert np.isfinite(whole).all()
    assert np.isfinite(cube[0]).all()
    assert np.isnan(cube[-1]).all()


@pytest.mark.slow
def test_a_drawn_patient() -> None:
    settings = recipe.load("scanners")
    settings["scan"] |= {
        "pixel_mm": [1.5, 1.5],
        "thickness_mm": [3.0],
        "interval_ratio": [1.0, 1.0],
    }
    found = reading.read_patient(settings, 3, 1, "R", paired=True)
    again = reading.read_patient(settings, 3, 1, "A", paired=True)
    np.testing.assert_array_equal(found["qct_ha"], again["qct_ha"])
    slope = found["trabecular_hu"] / found["qct_ha"]
    assert ((slope > 1.0) & (slope < 1.8)).all()
    assert settings["scan"]["field"] == "lumbar"  # the caller's recipe stays as it was
