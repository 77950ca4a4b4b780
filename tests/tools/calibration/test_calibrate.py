"""`calibrate`: from a CT of the spine phantom to its scanner's line, by what the image shows."""

import json

import numpy as np
import pytest

from tests.tools.phantom.dicom import volumes
from tools import bundles
from tools.__main__ import COMMANDS, INTRO
from tools.calibration import spine_phantom
from tools.calibration.spine_phantom import Measured
from tools.cli import main
from tools.phantom.objects.esp import BODY_SIZES_MM, draw_esp
from tools.phantom.objects.rods import draw_rods
from tools.phantom.objects.scans import scan_esp
from tools.phantom.physics.beam import Beam
from tools.volumes import reorient, save_nifti

files = bundles.module("bmd_regression", "bmd_bundle.calibration_file")

CERTIFICATE = (50.0, 100.0, 200.0)
SPACING = (1.4, 1.4, 2.5)
QUICK = {"pixel_mm": [1.2, 1.4], "thickness_mm": [3.0]}


def affine(shape, spacing=SPACING):
    found = np.diag([*spacing, 1.0])
    found[:3, 3] = -np.array(spacing) * (np.array(shape) - 1) / 2
    return found


@pytest.fixture(scope="module")
def ideal():
    """The phantom without scanner effects at 120 kV, HU and affine."""
    image = draw_esp(Beam(120.0, water_cm=22.4), SPACING)
    return image, affine(image.shape)


@pytest.fixture(scope="module")
def scan_file(ideal, tmp_path_factory):
    path = tmp_path_factory.mktemp("esp") / "esp.nii.gz"
    save_nifti(path, np.round(ideal[0]).astype(np.int16), ideal[1])
    return path


def run(*words):
    return main(COMMANDS, INTRO, ["calibrate", *map(str, words)])


@pytest.mark.parametrize(
    ("kvp", "body_mm"),
    [(120.0, BODY_SIZES_MM[0]), (80.0, BODY_SIZES_MM[1]), (120.0, BODY_SIZES_MM[2])],
    ids=["120 kV, 22 cm", "80 kV, 28 cm", "120 kV, 33 cm"],
)
def test_the_line_without_scanner_effects_is_the_beams(kvp, body_mm):
    """Whatever ring is used, the slope is that of a patient of 25 cm of water."""
    water = np.sqrt(body_mm[0] * body_mm[1]) / 10
    beam = Beam(kvp, water_cm=water)
    image = draw_esp(beam, SPACING, body_mm)
    found = spine_phantom.measure(image, affine(image.shape), CERTIFICATE)
    assert found.object_cm == pytest.approx(water, abs=0.1)
    assert found.object_slope == pytest.approx(beam.ha_slope, rel=0.01)
    assert found.slope == pytest.approx(beam.through(25.0).ha_slope, rel=0.015)
    assert found.intercept == pytest.approx(beam.hu("water_epoxy"), abs=1.0)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("scanner", ["A", "B", "C"])
def test_a_scanners_line_is_found(scanner, seed):
    """Of scans with noise, blur, cupping, veil and rings: slope within 2.5 %, water within 3 HU."""
    made = scan_esp(scanner, seed, asked=QUICK)
    found = spine_phantom.measure(made.image, made.affine, CERTIFICATE)
    assert found.slope == pytest.approx(made.truth["slope_hu_per_mg_cm3"], rel=0.025)
    assert found.intercept == pytest.approx(made.truth["water_hu"], abs=3.0)
    assert found.residual_hu < 2


@pytest.mark.parametrize("codes", ["LPS", "SAR"])
def test_the_arrays_order_does_not_matter(ideal, codes):
    usual = spine_phantom.measure(*ideal, CERTIFICATE)
    turned = spine_phantom.measure(*reorient(*ideal, codes), CERTIFICATE)
    assert turned.hu == pytest.approx(usual.hu, abs=1e-3)


def test_the_table_is_no_part_of_the_phantom(ideal):
    image, at = ideal[0].copy(), ideal[1]
    usual = spine_phantom.measure(image, at, CERTIFICATE)
    image[30:-30, 4:8] = 100.0  # a table that the phantom almost touches
    found = spine_phantom.measure(image, at, CERTIFICATE)
    assert found.hu == pytest.approx(usual.hu, abs=0.5)
    assert found.object_cm == pytest.approx(usual.object_cm, abs=0.1)


def test_a_field_far_longer_than_the_phantom_does_no_harm(ideal):
    usual = spine_phantom.measure(*ideal, CERTIFICATE)
    image = np.pad(ideal[0], ((0, 0), (0, 0), (100, 20)), constant_values=-1000)
    image[30:-30, 2:6] = 100.0  # its table
    found = spine_phantom.measure(image, ideal[1], CERTIFICATE)
    assert found.hu == pytest.approx(usual.hu, abs=0.5)


def test_the_line_by_hand():
    """Inserts at 66, 133 and 267 HU, body 35 cm: one size step, so 8 % steeper at 25 cm."""
    slope, intercept = np.polyfit(CERTIFICATE, (66.0, 133.0, 267.0), 1)
    found = Measured(CERTIFICATE, (66.0, 133.0, 267.0), slope, intercept, 0.3, 35.0)
    assert found.slope == pytest.approx(slope / 0.92)
    free = 3 * 0.3**2 / 1
    assert found.slope_error == pytest.approx(np.sqrt(free / np.var(CERTIFICATE) / 3))
    assert found.spread == pytest.approx(
        np.sqrt((0.08**2) / 12 + 0.0405**2 + (found.slope_error / slope) ** 2)
    )
    assert found.water_sd_hu == pytest.approx(np.hypot(4.0, 2.5))


def test_the_file_holds_what_was_measured(scan_file, tmp_path, capsys):
    assert run(scan_file, tmp_path / "out", "--kvp", 120, "--scanner", "CT 1") == 0
    line = files.load(tmp_path / "out" / "calibration.json")
    told = json.loads((tmp_path / "out" / "spine_phantom.json").read_text())
    assert (line.scanner, line.kvp, line.mineral) == ("CT 1", 120.0, "HA")
    assert line.slope_hu_per_mg_cm3 == told["slope_hu_per_mg_cm3"]
    assert told["object_slope_hu_per_mg_cm3"] > told["slope_hu_per_mg_cm3"]
    assert [line.density(hu) for hu in told["hu"]] == pytest.approx(CERTIFICATE, rel=0.04)
    assert line.spread == pytest.approx(0.0466, abs=0.001)
    said = capsys.readouterr().out
    assert "extension ring" in said
    assert "CT 1, 120 kV" in said


def test_the_plastics_own_hu_are_taken_off(scan_file, tmp_path):
    intercepts = []
    for hu in (0.0, 4.0):
        assert run(scan_file, tmp_path / "out", "--kvp", 120, "--plastic-hu", hu) == 0
        intercepts.append(files.load(tmp_path / "out" / "calibration.json").intercept_hu)
    assert intercepts[0] - intercepts[1] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "does not say its tube voltage; give it with --kvp"),
        (["--kvp", "60"], "kvp 60 lies outside 80 to 140 kV"),
        (["--kvp", "120", "--certificate", "50,100"], "3 inserts found, the certificate lists 2"),
        (["--kvp", "120", "--certificate", "50,100,400"], "check the certificate"),
        (["--kvp", "120", "--certificate", "100"], "at least 2 densities"),
        (["--kvp", "120", "--certificate", "50,50,100"], "lists a density twice"),
        (["--kvp", "120", "--certificate", "50,100,2000"], "from 0 to 800"),
    ],
    ids=["no kV", "no such kV", "two inserts", "other density", "one", "twice", "too dense"],
)  # fmt: skip
def test_what_makes_no_line_is_told_in_one_line(scan_file, tmp_path, capsys, words, says):
    assert run(scan_file, tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_scan_of_something_else_is_refused(tmp_path, capsys):
    rods = draw_rods(spacing_mm=(1.5, 1.5, 3.0))
    water = np.where(rods > -500, 0.0, -1000.0)
    for name, image, says in (
        ("rods", rods, "inserts found|no vertebral body"),
        ("water", water, "no vertebral body found"),
        ("scaled", 0.9 * rods, "air reads -900 HU, not -1000"),
    ):
        path = tmp_path / f"{name}.nii.gz"
        save_nifti(path, image.astype(np.int16), affine(image.shape, (1.5, 1.5, 3.0)))
        assert run(path, tmp_path / "out", "--kvp", 120) == 2
        error = capsys.readouterr().err
        assert any(one in error for one in says.split("|")), (name, error)


def test_a_tilted_scan_is_refused(ideal):
    turn = np.radians(15)
    at = ideal[1].copy()
    at[:3, :3] = [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]] @ (
        at[:3, :3]
    )
    with pytest.raises(ValueError, match="tilted by 15°"):
        spine_phantom.measure(ideal[0], at, CERTIFICATE)


@pytest.mark.parametrize(
    ("said", "words", "says"),
    [
        (120.0, [], None),
        (100.0, ["--kvp", 120], "was made at 100 kV, not 120; leave --kvp out"),
    ],
    ids=["its own voltage", "another voltage given"],
)
def test_a_dicom_series_says_its_own_voltage(ideal, tmp_path, capsys, said, words, says):
    image = np.round(ideal[0]).astype(np.int16)
    volumes.write(tmp_path / "esp", *reorient(image, ideal[1], "LPS"), kvp=said, thickness_mm=2.5)
    code = run(tmp_path / "esp", tmp_path / "out", *words)
    if says:
        assert code == 2
        assert says in capsys.readouterr().err
    else:
        assert code == 0
        assert files.load(tmp_path / "out" / "calibration.json").kvp == said
