"""`screen --calibration`: a scanner's line or a site's correction reaches report and table."""

import csv
import json

import pytest

from tools import bundles
from tools.__main__ import COMMANDS, INTRO
from tools.cli import main
from tools.report import html, schema
from tools.screen import assemble, chain, scan
from tools.screen.settings import Settings, read_calibration

LEVELS = ("L1", "L2", "L3", "L4")
SHA = "ab" * 32
calibration = bundles.module("bmd_regression", "bmd_bundle.calibration")
files = bundles.module("bmd_regression", "bmd_bundle.calibration_file")
site = bundles.module("bmd_regression", "bmd_bundle.site")

LINE = calibration.Calibration("ct-7", "HA", 120.0, "CT 7", 1.40, 6.0, 0.04)
SITE = site.Correction(
    "site-7", "hu_linear", 1.1, -4.0, "HA", 120.0, 21, None, 5.0, (20.0, 250.0), 0.03, "CT 7"
)


def run(*words):
    return main(COMMANDS, INTRO, ["screen", *map(str, words)])


@pytest.fixture(scope="module")
def measured(ct, tmp_path_factory):
    """One CT, measured once; what it is made of depends on the settings."""
    read = scan.read(scan.find(ct, tmp_path_factory.mktemp("out"))[0])
    segmentation = Settings().segmentation()
    found = chain.measure(read, segmentation)
    return lambda **options: assemble.report(read, found, Settings(**options), segmentation)


def densities(report):
    return [report["levels"][name]["bmd_hu_linear_mg_cm3"] for name in LEVELS]


def hus(report):
    return [report["levels"][name]["hu_trabecular"] for name in LEVELS]


def widths(report):
    ends = [report["levels"][name]["bmd_interval_95_mg_cm3"] for name in LEVELS]
    return [high - low for low, high in ends]


def test_a_scanners_line_turns_hu_into_density(measured):
    usual, report = measured(kvp=120.0), measured(kvp=120.0, calibration=files.dump(LINE))
    schema.validate(report)
    assert hus(report) == hus(usual)
    expected = [(hu - 6.0) / 1.40 for hu in hus(usual)]
    assert densities(report) == pytest.approx(expected, abs=2e-3)
    assert all(one < other for one, other in zip(widths(report), widths(usual), strict=True))
    block = {"id": "ct-7", "mineral": "HA", "kvp": 120.0, "scanner": "CT 7", "kind": "scanner"}
    assert report["calibration"] == block | {"correction": None}
    page = html.write(report, {})
    assert "ct-7: HA, 120 kV, scanner CT 7" in page
    assert "the spread that the scanner&#x27;s own line states" in page


def test_a_line_over_k2hpo4_gives_the_same_densities(measured):
    """1 mg/cm³ K2HPO4 is 1.15 HA; 0 is -7.32."""
    other = calibration.Calibration("k", "K2HPO4", 120.0, "CT 7", 1.40 * 1.15, 6.0 - 1.40 * 7.32)
    one, two = (measured(kvp=120.0, calibration=files.dump(line)) for line in (LINE, other))
    assert densities(two) == pytest.approx(densities(one), abs=2e-3)
    assert two["calibration"]["mineral"] == "HA"


def test_a_sites_correction_moves_the_reading_and_its_interval(measured):
    usual, report = measured(kvp=120.0), measured(kvp=120.0, calibration=files.dump(SITE))
    schema.validate(report)
    expected = [1.1 * density - 4.0 for density in densities(usual)]
    assert densities(report) == pytest.approx(expected, abs=2e-3)
    mean = report["patient"]["mean_bmd_mg_cm3"]
    assert mean == pytest.approx(1.1 * usual["patient"]["mean_bmd_mg_cm3"] - 4.0, abs=2e-3)
    assert min(widths(report)) > 2 * 2.0859 * 5.0  # t(0.975, 20) times the pairs' error
    assert max(widths(report)) < 2 * 15
    assert report["calibration"]["correction"] == {
        "reading": "hu_linear", "slope": 1.1, "intercept_mg_cm3": -4.0, "n": 21
    }  # fmt: skip
    page = html.write(report, {})
    assert "HU-linear density × 1.100 − 4.0 mg/cm³, from 21 patients" in page
    assert "the error that the site&#x27;s own pairs show" in page


def test_an_unknown_voltage_is_taken_as_the_usual_and_widens(measured):
    known, unknown = (measured(kvp=kvp, calibration=files.dump(SITE)) for kvp in (120.0, None))
    assert densities(unknown) == densities(known)
    assert all(one > other for one, other in zip(widths(unknown), widths(known), strict=True))
    assert "kvp_unknown" in unknown["qc"]["warnings"]


@pytest.mark.parametrize("given", [LINE, SITE], ids=["scanner", "site"])
def test_another_voltage_is_refused_never_calibrated(measured, given):
    report = measured(kvp=100.0, calibration=files.dump(given))
    schema.validate(report)
    for level in report["levels"].values():
        assert (level["status"], level["reasons"]) == ("refused", ["kvp_out_of_range"])
    assert densities(report) == [None] * 4
    assert report["calibration"] is None
    assert "is not that of the calibration given" in html.write(report, {})


def test_results_tell_which_calibration_made_them(ct, tmp_path):
    path, out = tmp_path / "c.json", tmp_path / "out"
    path.write_text(files.dump(SITE))
    assert run(ct, out, "--kvp", 120, "--calibration", path) == 0
    with (out / "results.csv").open() as stream:
        assert {row["calibration"] for row in csv.DictReader(stream)} == {"site-7"}
    content = json.loads((out / "run.json").read_text())
    assert content["arguments"]["calibration"] == str(path)
    finished = (out / "small" / "case.json").read_bytes()
    path.write_text(json.dumps(json.loads(path.read_text())))  # the same, spelt otherwise
    assert run(ct, out, "--kvp", 120, "--calibration", path) == 0
    assert (out / "small" / "case.json").read_bytes() == finished
    path.write_text(path.read_text().replace("-4.0", "-3.0"))
    assert run(ct, out, "--kvp", 120, "--calibration", path) == 0
    assert (out / "small" / "case.json").read_bytes() != finished


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        (files.dump(SITE).replace('"slope"', '"slop"'), "unknown key 'slop'"),
        (None, "cannot be read (No such file or directory)"),
        (json.dumps({"slope": 1.1, "intercept": 0, "mineral": "HA", "n": 12, "kvp": 120,
                     "weights_sha256": SHA}), "was made with weights abab"),
    ],
    ids=["cut off", "misspelt", "absent", "a network's"],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_before_any_work(ct, tmp_path, capsys, text, says):
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    assert run(ct, tmp_path / "out", "--calibration", path) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "c.json" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_only_content_counts(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(files.dump(LINE))
    before = read_calibration(path)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=8))
    assert read_calibration(path) == before
