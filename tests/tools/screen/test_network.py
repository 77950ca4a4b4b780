"""`screen` lets the density network read every level, beside HU-linear density."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tools import bundles, density
from tools.__main__ import COMMANDS, INTRO
from tools.cli import main
from tools.report import html, schema
from tools.screen import assemble, chain, network, scan
from tools.screen.settings import MEASURING, Settings, read_calibration

LEVELS = ("L1", "L2", "L3", "L4")
calibration = bundles.module(MEASURING, "bmd_bundle.calibration")
files = bundles.module(MEASURING, "bmd_bundle.calibration_file")
site = bundles.module(MEASURING, "bmd_bundle.site")
SHA = bundles.checksum(bundles.FOLDER / MEASURING / density.INTERNAL.weights)
LINE = calibration.Calibration("ct-7", "HA", 120.0, "CT 7", 1.40, 6.0, 0.04)


def correction(reading, sha):
    return site.Correction(
        "site-7", reading, 1.1, -4.0, "HA", 120.0, 21, sha, 5.0, (20.0, 250.0), 0.03, "CT 7"
    )


@pytest.fixture(scope="module")
def seen(ct, tmp_path_factory):
    """One CT and what was found in it."""
    read = scan.read(scan.find(ct, tmp_path_factory.mktemp("out"))[0])
    return read, chain.measure(read, Settings().segmentation())


def read_by_network(read, found, settings):
    return network.read(read, found.labels, found.aorta, settings.density(), settings)


@pytest.fixture(scope="module")
def reported(seen):
    """Report of that CT with some options."""

    def report(**given):
        settings = Settings(**given)
        reading = read_by_network(*seen, settings)
        content = assemble.report(*seen, settings, settings.segmentation(), reading)
        schema.validate(content)
        return content

    return report


def column(report, key):
    return [report["levels"][name][key] for name in LEVELS]


def test_both_densities_stand_side_by_side(reported, seen):
    report, alone = (
        reported(kvp=120.0),
        assemble.report(*seen, Settings(kvp=120.0), Settings().segmentation()),
    )
    assert column(alone, "bmd_cnn_mg_cm3") == [None] * 4
    for key in ("bmd_hu_linear_mg_cm3", "hu_trabecular", "status"):
        assert column(report, key) == column(alone, key)
    for value, (low, high) in zip(
        column(report, "bmd_cnn_mg_cm3"), column(report, "bmd_interval_95_mg_cm3"), strict=True
    ):
        assert low < value < high
    assert report["patient"]["mean_bmd_mg_cm3"] == pytest.approx(
        np.mean(column(report, "bmd_cnn_mg_cm3")), abs=2e-3
    )
    assert report["software"]["weights"][MEASURING] == SHA
    page = html.write(report, {})
    assert "network" in page
    assert "HU-linear" in page


def test_the_stock_run_reads_the_same_in_the_whole_volume(reported, seen):
    """Only the surroundings of the levels are handed to the network, and the scan's tissues."""
    read, found = seen
    whole = density.as_input(read.hu, read.affine, found.labels, "ct", 120.0)
    levels = density.load(shipped=density.INTERNAL).run(whole)["levels"]
    report = reported(kvp=120.0)
    # The aorta is looked for before every body there, not before L1 to L4 alone: 0.5 HU of blood.
    for key, near in (
        ("bmd_cnn_mg_cm3", 0.1),
        ("bmd_hu_linear_mg_cm3", 2e-3),
        ("hu_trabecular", 2e-3),
    ):
        assert column(report, key) == pytest.approx([levels[n][key] for n in LEVELS], abs=near)


def test_a_scanners_line_is_taken_out_before_the_network_reads(seen):
    """HU of another scale, given with its line, read as those of the reference beam do.

    The scan's tissues then correct nothing: they would take the same error out a second time.
    """
    read, found = seen
    usual = calibration.reference(120.0)
    factor = LINE.slope_hu_per_mg_cm3 / usual.slope_hu_per_mg_cm3
    other = read.image.clone().float()
    other[:] = (other - usual.intercept_hu) * factor + LINE.intercept_hu
    settings = Settings(kvp=120.0, calibration=files.dump(LINE))
    moved = read_by_network(replace(read, image=other), found, settings).densities
    plain = density.load().run(density.as_input(read.hu, read.affine, found.labels, "ct", 120.0))
    expected = [plain["levels"][name]["bmd_cnn_mg_cm3"] for name in LEVELS]
    assert [moved[name][0] for name in LEVELS] == pytest.approx(expected, abs=0.1)


def test_a_sites_correction_of_the_network_moves_its_reading(reported):
    usual = reported(kvp=120.0)
    report = reported(kvp=120.0, calibration=files.dump(correction("cnn", SHA)))
    expected = [1.1 * value - 4.0 for value in column(usual, "bmd_cnn_mg_cm3")]
    assert column(report, "bmd_cnn_mg_cm3") == pytest.approx(expected, abs=2e-3)
    assert column(report, "bmd_hu_linear_mg_cm3") == column(usual, "bmd_hu_linear_mg_cm3")
    assert report["calibration"]["correction"]["reading"] == "cnn"


def test_a_sites_correction_of_hu_linear_density_silences_the_network(reported):
    report = reported(kvp=120.0, calibration=files.dump(correction("hu_linear", None)))
    assert column(report, "bmd_cnn_mg_cm3") == [None] * 4
    assert None not in column(report, "bmd_hu_linear_mg_cm3")
    assert MEASURING not in report["software"]["weights"]


@pytest.mark.parametrize(
    "given", [{"kvp": 60.0}, {"kvp": 100.0, "calibration": files.dump(LINE)}],
    ids=["no reference", "a line of another voltage"],
)  # fmt: skip
def test_where_no_line_holds_nothing_is_read(reported, given):
    report = reported(**given)
    assert column(report, "bmd_cnn_mg_cm3") == [None] * 4
    assert column(report, "status") == ["refused"] * 4


def test_a_level_that_the_network_cannot_read_is_refused(seen):
    """One patient's levels are never means of two readings."""
    settings = Settings(kvp=120.0)
    reading = read_by_network(*seen, settings)
    densities = {name: each for name, each in reading.densities.items() if name != "L3"}
    lacking = replace(reading, densities=densities, refusals={"L3": "no_axial_data"})
    report = assemble.report(*seen, settings, settings.segmentation(), lacking)
    schema.validate(report)
    assert report["levels"]["L3"]["reasons"] == ["no_axial_data"]
    assert report["levels"]["L3"]["bmd_hu_linear_mg_cm3"] is None
    assert report["patient"]["levels_used"] == ["L1", "L2", "L4"]


def test_other_weights_corrections_are_refused_before_any_work(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(files.dump(correction("cnn", "ab" * 32)))
    with pytest.raises(ValueError, match=r"c\.json: .*made with weights abab"):
        read_calibration(path)
    path.write_text(files.dump(correction("cnn", SHA)))
    assert files.loads(read_calibration(path)).reading == "cnn"


@pytest.mark.parametrize("broken", ["missing", "another's"])
def test_weights_without_their_interval_are_one_line(tmp_path, monkeypatch, broken):
    path = tmp_path / "interval.json"
    if broken != "missing":
        shutil.copy(bundles.FOLDER / MEASURING / density.INTERNAL.interval, path)
        content = json.loads(path.read_text()) | {"weights_sha256": "ab" * 32}
        path.write_text(json.dumps(content))
    monkeypatch.setattr(density, "INTERNAL", replace(density.INTERNAL, interval=path))
    with pytest.raises(ValueError, match=r"interval\.json: missing, or made with other weights"):
        Settings().density()


def test_table_and_report_of_a_run_hold_both(ct, tmp_path):
    out = tmp_path / "out"
    assert main(COMMANDS, INTRO, ["screen", str(ct), str(out), "--kvp", "120"]) == 0
    with (out / "results.csv").open() as stream:
        for row in csv.DictReader(stream):
            assert abs(float(row["bmd_cnn_mg_cm3"]) - float(row["bmd_hu_linear_mg_cm3"])) < 30
    report = json.loads((out / "small" / "report.json").read_text())
    assert set(report["software"]["weights"]) == {"lumbar_segmentation", MEASURING}


def test_the_page_says_whose_interval_it_is(reported):
    page = html.write(reported(kvp=120.0), {})
    assert "The density that counts is the network" in page
    assert "what the network errs by on phantoms" in page
    assert "blood read in the same scan corrects it" in page
    known = html.write(reported(kvp=120.0, calibration=files.dump(LINE)), {})
    assert "network&#x27;s" in known
    assert "corrects it" not in known
    alone = html.write(
        reported(kvp=120.0, calibration=files.dump(correction("hu_linear", None))), {}
    )
    assert "network&#x27;s" not in alone
    assert "what the network errs by" not in alone


def test_readings_far_apart_are_warned_of(seen):
    settings = Settings(kvp=120.0)
    reading = read_by_network(*seen, settings)
    raw = dict(reading.raw) | {"L2": reading.raw["L2"] + 30}
    report = assemble.report(*seen, settings, settings.segmentation(), replace(reading, raw=raw))
    assert "heterogeneous" in report["levels"]["L2"]["warnings"]
    assert "heterogeneous" not in report["levels"]["L3"]["warnings"]


def test_a_correction_does_not_make_readings_differ(reported):
    far = correction("cnn", SHA)
    report = reported(kvp=120.0, calibration=files.dump(replace(far, slope=1.4)))
    assert not any("heterogeneous" in level["warnings"] for level in report["levels"].values())


@pytest.mark.parametrize("lost", ["models/interval.json", "models/model.pt"])
def test_a_lost_file_of_the_network_empties_no_finished_folder(ct, tmp_path, monkeypatch, lost):
    """Symptom: the folder was emptied before the file was missed."""
    out = tmp_path / "out"
    words = ["screen", str(ct), str(out), "--kvp", "120"]
    assert main(COMMANDS, INTRO, words) == 0
    before = (out / "small" / "report.json").read_bytes()

    def fail(self):
        raise ValueError(f"{lost}: missing")

    monkeypatch.setattr(Settings, "density", fail)
    assert main(COMMANDS, INTRO, [*words, "--overwrite"]) == 2
    assert (out / "small" / "report.json").read_bytes() == before
