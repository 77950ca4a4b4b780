"""`recalibrate`: what it writes, and that the calibration does what the page says."""

import json

import numpy as np
import pytest

from tests.tools.calibration.tables import drawn, rows, write
from tools import bundles
from tools.__main__ import COMMANDS, INTRO
from tools.calibration import fitting
from tools.cli import main

SHA = "ab" * 32
files = bundles.module("bmd_regression", "bmd_bundle.calibration_file")


def run(*words):
    return main(COMMANDS, INTRO, ["recalibrate", *map(str, words)])


@pytest.fixture
def made(tmp_path):
    """A calibration of 40 patients, true line 1.1 x - 6."""
    path = write(tmp_path / "p.csv", rows(*drawn(40)))
    assert run(path, tmp_path / "out", "--scanner", "CT 1") == 0
    return tmp_path / "out"


def test_the_contracts_keys_are_in_the_file(made):
    content = json.loads((made / "calibration.json").read_text())
    assert {"slope", "intercept", "mineral", "n", "kvp", "weights_sha256"} < set(content)
    assert (content["mineral"], content["kvp"], content["n"]) == ("HA", 120.0, 40)
    assert {path.name for path in made.iterdir()} == {
        "calibration.json", "recalibration.json", "recalibration.md"
    }  # fmt: skip


def test_the_correction_is_the_pairs_and_its_interval_theirs(made):
    x, y, patient = drawn(40)
    found = files.load(made / "calibration.json")
    slope, intercept = fitting.deming(x, y)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept), abs=1e-4)
    left = fitting.leave_one_out(x, y, patient) - y
    assert found.residual_sd_mg_cm3 == pytest.approx(np.sqrt(np.mean(left**2)), abs=1e-4)
    assert found.range_mg_cm3 == pytest.approx((x.min(), x.max()), abs=1e-4)
    assert found.slope_error > 0
    assert (found.reading, found.scanner) == ("hu_linear", "CT 1")


def test_before_and_after_are_told_with_intervals(made):
    x, y, patient = drawn(40)
    content = json.loads((made / "recalibration.json").read_text())
    before = fitting.agreement(x - y, patient)
    assert content["before"]["patients"]["bias_mg_cm3"] == pytest.approx(
        before.bias.value, abs=1e-4
    )
    after = content["after_left_out"]["patients"]
    assert abs(after["bias_mg_cm3"]) < abs(before.bias.value) / 5
    assert after["sd_mg_cm3"] < before.sd
    page = (made / "recalibration.md").read_text()
    for words in ("before", "after, patients left out", "95 % confidence", "Research use only"):
        assert words in page


def test_new_patients_are_read_right_by_it(made):
    """A cohort that made no line: mean error near nothing, intervals that hold 95 %."""
    x, y, _ = drawn(400, seed=99)
    found = files.load(made / "calibration.json")
    corrected = np.array([found.correct(one) for one in x])
    assert abs(np.mean(corrected - y)) < 1.0
    ends = [found.interval_95(one, (one - 1, one + 1)) for one in x]
    held = np.mean([low <= one <= high for (low, high), one in zip(ends, y, strict=True)])
    assert 0.92 <= held <= 0.98


@pytest.mark.parametrize(("choice", "slope"), [("offset", 1.0), ("line", None)])
def test_the_choice_can_be_taken_away(tmp_path, choice, slope):
    path = write(tmp_path / "p.csv", rows(*drawn(40)))
    assert run(path, tmp_path / "out", "--correction", choice) == 0
    found = files.load(tmp_path / "out" / "calibration.json")
    assert found.slope == slope or (slope is None and found.slope != 1)


def test_a_name_tells_pairs_apart_and_can_be_given(tmp_path):
    names = []
    for seed in (0, 0, 1):
        path = write(tmp_path / "p.csv", rows(*drawn(12, seed=seed)))
        assert run(path, tmp_path / "out") == 0
        names.append(files.load(tmp_path / "out" / "calibration.json").id)
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("site-hu_linear-120kv-")
    assert run(path, tmp_path / "out", "--name", "our CT") == 0
    assert files.load(tmp_path / "out" / "calibration.json").id == "our CT"


def test_the_weights_are_those_of_the_file_given(tmp_path):
    lines = rows(*drawn(12))
    for line in lines:
        line["bmd_cnn_mg_cm3"] = line.pop("bmd_hu_linear_mg_cm3")
    path = write(tmp_path / "p.csv", lines)
    (tmp_path / "model.pt").write_bytes(b"abc")
    assert run(path, tmp_path / "out", "--weights", tmp_path / "model.pt") == 0
    found = files.load(tmp_path / "out" / "calibration.json")
    assert found.weights_sha256.startswith("ba7816bf8f01cfea")  # of "abc", FIPS 180-2
    assert found.reading == "cnn"


def test_a_pair_of_two_people_is_named(tmp_path):
    x, y, patient = drawn(30)
    y[patient == 4] += 90
    assert run(write(tmp_path / "p.csv", rows(x, y, patient)), tmp_path / "out") == 0
    content = json.loads((tmp_path / "out" / "recalibration.json").read_text())
    assert content["outlying_cases"] == ["P4"]
    assert "P4" in (tmp_path / "out" / "recalibration.md").read_text()


@pytest.mark.parametrize(
    ("change", "words", "says"),
    [
        (lambda x, y: (x, -y + 240), [], "p.csv: readings and references do not agree"),
        (lambda x, y: (x, 2.6 * y), [], "do not agree"),
        (lambda x, y: (x, y), ["--reading", "cnn"], "'bmd_cnn_mg_cm3' holds no reading"),
        (lambda x, y: (x, y), ["--readng", "cnn"], "did you mean '--reading'"),
        (lambda x, y: (x, y), ["--references", "none.csv"], "none.csv: No such file"),
    ],
    ids=["inverse", "steep", "no such reading", "misspelt", "no references"],
)
def test_what_cannot_be_calibrated_is_told_in_one_line(tmp_path, capsys, change, words, says):
    x, y, patient = drawn(20)
    path = write(tmp_path / "p.csv", rows(*change(x, y), patient))
    assert run(path, tmp_path / "out", *words) != 0
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write(tmp_path, capsys):
    path = write(tmp_path / "p.csv", rows(*drawn(12)))
    assert run(path, path) == 2
    assert "names a file" in capsys.readouterr().err
