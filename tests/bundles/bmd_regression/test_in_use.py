"""The calibration of a scan: which one applies, to which reading, and when none may."""

import pytest

from bmd_bundle.calibration import Calibration, CalibrationError, interval_95, reference
from bmd_bundle.in_use import WrongVoltageError, WrongWeightsError, check_weights, for_scan
from bmd_bundle.site import Correction

SHA = "ab" * 32
SCANNER = Calibration("ct-7", "HA", 120.0, "CT 7", 1.40, 6.0, spread=0.04)


def site(reading="hu_linear", kvp=120.0, **changes):
    sha = SHA if reading == "cnn" else None
    return Correction("s", reading, 1.1, -4.0, "HA", kvp, 21, sha, 5.0, (40.0, 200.0), **changes)


def test_without_a_file_it_is_the_reference_at_the_scans_voltage():
    used = for_scan(None, 100.0)
    assert used.line == reference(100)
    expected = reference(100).density(150.0)
    interval = interval_95(expected, 2.0, reference(100))
    assert used.hu_linear(150.0, 2.0) == (expected, interval)
    assert used.cnn(90.0, (80.0, 100.0)) == (90.0, (80.0, 100.0))
    assert used.block() == {"id": "reference-100kv-1", "mineral": "HA", "kvp": 100.0,
                            "scanner": None, "kind": "reference", "correction": None}  # fmt: skip


def test_a_scanners_line_reads_hu_and_leaves_the_network_alone():
    used = for_scan(SCANNER, 120.0)
    density, (low, high) = used.hu_linear(146.0, 2.0)
    assert density == pytest.approx(100.0)
    assert (low, high) == interval_95(density, 2.0, SCANNER)
    assert used.line.to_reference(146.0) == pytest.approx(133.251)
    assert used.cnn(90.0, (80.0, 100.0)) == (90.0, (80.0, 100.0))
    assert (used.block()["kind"], used.block()["scanner"]) == ("scanner", "CT 7")


@pytest.mark.parametrize("reading", ["cnn", "hu_linear"])
def test_a_site_corrects_the_reading_it_names_and_no_other(reading):
    used = for_scan(site(reading), 120.0)
    raw = reference(120).density(133.251)
    linear, network = used.hu_linear(133.251, 0.0), used.cnn(100.0, (90.0, 110.0), 0.0)
    before = (raw, interval_95(raw, 0.0, reference(120)))
    half = 2.0859634 * 5.0  # t(0.975, 20)
    after = pytest.approx((106.0 - half, 106.0 + half), abs=1e-4)
    if reading == "cnn":
        assert linear == before
        assert (network[0], network[1]) == (pytest.approx(106.0), after)
    else:
        assert network == (100.0, (90.0, 110.0))
        assert (linear[0], linear[1]) == (pytest.approx(106.0), after)
    found = used.block()
    assert (found["kind"], found["id"], found["kvp"]) == ("site", "s", 120.0)
    assert found["correction"] == {"reading": reading, "slope": 1.1, "intercept_mg_cm3": -4.0,
                                   "n": 21}  # fmt: skip


def test_an_unknown_voltage_widens():
    widths = []
    for kvp in (120.0, None):
        _, (low, high) = for_scan(site(), kvp).hu_linear(133.0, 1.0)
        widths.append(high - low)
    assert widths[0] < widths[1]


@pytest.mark.parametrize("given", [SCANNER, site(), site("cnn")], ids=["scanner", "site", "cnn"])
@pytest.mark.parametrize(
    ("kvp", "same"),
    [(120.0, True), (120.4, True), (None, True), (100.0, False), (121.0, False), (60.0, False)],
)
def test_another_voltage_is_never_calibrated(given, kvp, same):
    if same:
        assert for_scan(given, kvp).given
        return
    with pytest.raises(WrongVoltageError, match=f"made at 120 kV, .* is {kvp:g} kV"):
        for_scan(given, kvp)


def test_an_unknown_voltage_is_taken_as_the_usual():
    with pytest.raises(WrongVoltageError, match="not known and taken as 120 kV"):
        for_scan(site(kvp=100.0), None)


@pytest.mark.parametrize("kvp", [60.0, 150.0])
def test_there_is_no_reference_outside_its_range(kvp):
    with pytest.raises(CalibrationError, match="80 to 140"):
        for_scan(None, kvp)


@pytest.mark.parametrize(
    ("given", "sha", "says"),
    [
        (None, SHA, None),
        (SCANNER, SHA, None),
        (site(), SHA, None),
        (site("cnn"), SHA, None),
        (site("cnn"), "cd" * 32, "was made with weights abababababab, in use are cdcdcdcdcdcd"),
    ],
    ids=["none", "scanner", "HU-linear", "its weights", "other weights"],
)
def test_a_correction_holds_for_its_weights_alone(given, sha, says):
    if says is None:
        check_weights(given, sha)
        return
    with pytest.raises(WrongWeightsError, match=says):
        check_weights(given, sha)
