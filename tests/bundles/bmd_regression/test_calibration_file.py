"""Calibration files of both kinds: their content survives, what is no calibration is refused."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmd_bundle import calibration_file
from bmd_bundle.calibration import Calibration, CalibrationError, reference
from bmd_bundle.site import Correction

SCANNER = Calibration("ct-7", "HA", 120.0, "CT 7", 1.36, -3.0, spread=0.04, water_sd_hu=5.0)
SITE = Correction(
    "site-7", "cnn", 1.04, -2.5, "HA", 100.0, 34, "ab" * 32, 5.5, (40.0, 210.0), 0.03, "CT 7"
)
CONTRACT = {"slope": 1.04, "intercept": -2.5, "mineral": "HA", "n": 34, "kvp": 120}


def content(of):
    return json.loads(calibration_file.dump(of))


@pytest.mark.parametrize(
    "made",
    [SCANNER, Calibration("k", "K2HPO4", 120.0, None, 1.55, 0.0), reference(80), SITE,
     Correction("s", "hu_linear", 1.0, 4.0, "K2HPO4", 120.0, 10, None)],
    ids=["scanner", "K2HPO4", "reference", "network's site", "HU-linear site"],
)  # fmt: skip
def test_a_calibration_survives_its_file(tmp_path, made):
    (tmp_path / "c.json").write_text(calibration_file.dump(made))
    assert calibration_file.load(tmp_path / "c.json") == made


@given(
    slope=st.floats(0.6, 1.9), intercept=st.floats(-99, 99), n=st.integers(10, 10**6),
    kvp=st.sampled_from([80.0, 100.0, 120.0, 140.0]), spread=st.floats(0, 50),
)  # fmt: skip
def test_any_correction_survives_its_text(slope, intercept, n, kvp, spread):
    made = Correction("s", "hu_linear", slope, intercept, "HA", kvp, n, None, spread)
    assert calibration_file.loads(calibration_file.dump(made)) == made


def test_a_scanners_file_of_before_is_read():
    """Files without kind, spread and scanner were all there was."""
    text = json.dumps({"id": "old", "mineral": "HA", "kvp": 120, "slope_hu_per_mg_cm3": 1.3,
                       "intercept_hu": 0})  # fmt: skip
    assert calibration_file.loads(text) == Calibration("old", "HA", 120.0, None, 1.3, 0.0)


@pytest.mark.parametrize(("sha", "reading"), [("cd" * 32, "cnn"), (None, "hu_linear")])
def test_the_contracts_six_keys_are_enough_for_a_site(sha, reading):
    found = calibration_file.loads(json.dumps(CONTRACT | {"weights_sha256": sha}))
    assert (found.slope, found.intercept, found.reading) == (1.04, -2.5, reading)
    assert found.residual_sd_mg_cm3 is None


@pytest.mark.parametrize(
    ("made", "change", "says"),
    [
        (SCANNER, {"slope_hu_per_mg_cm3": 0}, "slope must be above 0"),
        (SCANNER, {"slope_hu_per_mg_cm3": "1.3"}, "slope_hu_per_mg_cm3 is '1.3', not a number"),
        (SCANNER, {"slope_hu_per_mg_cm3": 0.75}, "is it mg/cm³ per HU"),
        (SCANNER, {"slope_hu_per_mg_cm3": 2.4}, "cannot be right at 120 kV"),
        (SCANNER, {"intercept_hu": True}, "intercept_hu is True, not a number"),
        (SCANNER, {"intercept_hu": 80}, "more than 50 HU from 0"),
        (SCANNER, {"mineral": "calcium"}, "neither HA nor K2HPO4"),
        (SCANNER, {"spread": -0.1}, "not negative"),
        (SCANNER, {"spread": 0.9}, "above 0.5"),
        (SCANNER, {"water_sd_hu": 99}, "water_sd_hu 99 is above"),
        (SCANNER, {"kvp": 70}, "kvp 70 lies outside 80 to 140"),
        (SCANNER, {"sprad": 0.1}, "unknown key 'sprad' .* did you mean 'spread'"),
        (SCANNER, {"id": ""}, "id is '', not a text"),
        (SCANNER, {"kind": "scaner"}, "kind 'scaner' is none of scanner, site"),
        (SCANNER, {"kind": "site"}, "unknown key 'slope_hu_per_.* site; it knows id, reading"),
        (SITE, {"slope": 3}, "slope 3 lies outside 0.5 to 2"),
        (SITE, {"slope": None}, "slope is None, not a number"),
        (SITE, {"intercept": 500}, "intercept 500 mg/cm³ is above"),
        (SITE, {"mineral": "Ca"}, "neither HA nor K2HPO4"),
        (SITE, {"reading": "dxa"}, "none of cnn, hu_linear"),
        (SITE, {"n": 9}, "n 9 is below 10 patients"),
        (SITE, {"n": 34.5}, "n is 34.5, not a whole number"),
        (SITE, {"weights_sha256": None}, "weights_sha256 names the weights"),
        (SITE, {"weights_sha256": "abc"}, "no SHA-256"),
        (SITE, {"reading": "hu_linear"}, "is null for hu_linear"),
        (SITE, {"range_mg_cm3": [1]}, "range_mg_cm3 is .*, not two numbers"),
        (SITE, {"range_mg_cm3": [90, 40]}, "lowest and the highest"),
        (SITE, {"residual_sd_mg_cm3": -1}, "not be negative"),
        (SITE, {"slop": 1}, "unknown key 'slop' .* did you mean 'slope'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_file_that_is_no_calibration_is_refused(tmp_path, made, change, says):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content(made) | change))
    with pytest.raises(CalibrationError, match=says) as caught:
        calibration_file.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[1, 2]", "holds no JSON object"),
        ('{"slope": NaN}', "NaN is no number"),
        ('{"slope": 1, "slope": 2}', "'slope' stands twice"),
        ('{"slope": 1}', "lacks intercept, mineral, kvp, n, weights_sha256"),
        (None, "cannot be read .No such file"),
        (b"\xff\xfe", "it is no text"),
    ],
    ids=["cut off", "list", "NaN", "twice", "lacking", "absent", "bytes"],
)
def test_an_unreadable_file_is_named(tmp_path, text, says):
    path = tmp_path / "c.json"
    if isinstance(text, bytes):
        path.write_bytes(text)
    elif text is not None:
        path.write_text(text)
    with pytest.raises(CalibrationError, match=says) as caught:
        calibration_file.load(path)
    assert str(path) in str(caught.value)


def test_no_number_that_is_none_can_be_made():
    with pytest.raises(CalibrationError, match="finite"):
        Correction("s", "hu_linear", math.inf, 0.0, "HA", 120.0, 20, None)
