"""HU-linear density: physics, minerals, intervals, files."""

import math

import numpy as np
import pytest

from bmd_bundle.calibration import (
    CONVERSION,
    KVP_RANGE,
    LIMITS_MG_CM3,
    QUANTILE_95,
    UNKNOWN_NOISE_HU,
    Calibration,
    CalibrationError,
    category,
    errors,
    fat_error,
    interval_95,
    reference,
    to_ha,
    to_k2hpo4,
)
from tools.phantom.physics import qct
from tools.phantom.physics.beam import Beam


@pytest.mark.parametrize("kvp", [80, 85, 90, 100, 107, 110, 115, 120, 125, 130, 140])
def test_the_table_is_the_physics(kvp):
    slope, intercept = qct.insert_calibration(Beam(kvp=float(kvp)))
    found = reference(kvp)
    assert found.slope_hu_per_mg_cm3 == pytest.approx(slope, rel=2e-3)
    assert found.intercept_hu == pytest.approx(intercept, abs=0.01)
    assert (found.mineral, found.kvp) == ("HA", kvp)
    assert found.density(150.0) == pytest.approx(qct.qct_ha(150.0, Beam(kvp=float(kvp))), rel=2e-3)


@pytest.mark.parametrize("kvp", [79.9, 140.1, 0, math.nan])
def test_other_voltages_are_refused(kvp):
    with pytest.raises(CalibrationError, match="80 to 140 kV"):
        reference(kvp)


def test_ids_differ_by_voltage():
    assert reference(100).id != reference(120).id
    assert KVP_RANGE == (80, 140)


@pytest.mark.parametrize("ha", [-10.0, 0.0, 84.68, 130.68, 200.0])
def test_minerals_convert_as_the_phantoms_truth_does(ha):
    assert to_k2hpo4(ha) == pytest.approx(qct.ha_to_k2hpo4(ha))
    assert to_ha(to_k2hpo4(ha)) == pytest.approx(ha)
    assert "Faulkner" in CONVERSION


def test_limits_in_ha_are_those_of_the_architecture():
    assert [round(to_ha(limit), 1) for limit in LIMITS_MG_CM3] == [84.7, 130.7]


@pytest.mark.parametrize(
    ("density", "name"),
    [(-5, "osteoporosis"), (79.99, "osteoporosis"), (80, "osteopenia"), (120, "osteopenia"),
     (120.01, "normal"), (300, "normal")],
)  # fmt: skip
def test_categories_have_their_limits(density, name):
    assert category(density) == name


def test_no_density_has_no_category():
    with pytest.raises(ValueError, match="not a number"):
        category(math.nan)


def test_interval_is_the_sources_in_quadrature():
    line = reference(120)
    sources = errors(100.0, 5.0, line, kvp_known=False)
    assert set(sources) == {"scanner", "water", "noise", "kvp"}
    assert sources["scanner"] == pytest.approx(9.2)
    assert sources["noise"] == pytest.approx(5 / 1.33251)
    assert sources["water"] == pytest.approx(4 / 1.33251)
    # At 100 kV bone reads 15 % more, at 140 kV 10 % less: a uniform spread between the two.
    assert sources["kvp"] == pytest.approx(7.2, abs=0.2)
    low, high = interval_95(100.0, 5.0, line, kvp_known=False)
    half = QUANTILE_95 * math.sqrt(sum(value**2 for value in sources.values()))
    assert (low, high) == pytest.approx((100 - half, 100 + half))


def test_interval_widens_with_noise_and_doubt():
    line = reference(120)
    widths = [
        high - low
        for low, high in (
            interval_95(90.0, 0.0, line),
            interval_95(90.0, 6.0, line),
            interval_95(90.0, 6.0, line, kvp_known=False),
        )
    ]
    assert widths[0] < widths[1] < widths[2]
    own = Calibration("site", "HA", 120.0, "CT 1", 1.3, 0.0, spread=0.03)
    low, high = interval_95(90.0, 0.0, own)
    assert high - low < widths[0] / 2


def test_noise_that_is_not_known_counts_as_much():
    """It counted as none: the levels known worst had the narrowest intervals."""
    from tools.screen.facts import DEFAULT

    line = reference(120)
    assert DEFAULT.standard_error_hu == UNKNOWN_NOISE_HU
    assert errors(90.0, None, line)["noise"] == pytest.approx(UNKNOWN_NOISE_HU / 1.33251)
    assert interval_95(90.0, None, line) == interval_95(90.0, UNKNOWN_NOISE_HU, line)
    assert errors(90.0, 0.0, line)["noise"] == 0


def test_fat_error_is_the_physics():
    """Per 10 points of fat, between 30 and 70 % at 100 mg/cm³ of true mineral."""
    from tools.phantom.physics.beam import REFERENCE_BEAM
    from tools.phantom.physics.materials import BONE_TISSUE_HA_MG_CM3, MATERIALS

    share = 100 / BONE_TISSUE_HA_MG_CM3
    bone, red, yellow = (
        REFERENCE_BEAM.hu(MATERIALS[name])
        for name in ("bone_tissue", "red_marrow", "yellow_marrow")
    )
    reads = [
        qct.qct_ha(share * bone + (1 - share) * (fat * yellow + (1 - fat) * red))
        for fat in (0.3, 0.7)
    ]
    assert fat_error() == pytest.approx((reads[0] - reads[1]) / 4, rel=0.1)


@pytest.mark.parametrize(
    ("kvp", "slope", "intercept"), [(120.0, 1.40, 6.0), (100.0, 1.60, -3.0), (120.0, 1.2, 0.0)]
)
def test_a_network_reads_the_reference_beams_hu(kvp, slope, intercept):
    """The same density gives the same HU, whatever the scanner; numbers and images alike."""
    line = Calibration("ct", "HA", kvp, "CT", slope, intercept)
    density = np.array([[0.0, 50.0], [120.0, 300.0]])
    seen = line.to_reference(slope * density + intercept)
    np.testing.assert_allclose(seen, 1.33251 * density, atol=1e-9)
    assert line.to_reference(slope * 80 + intercept) == pytest.approx(1.33251 * 80)


@pytest.mark.parametrize("kvp", [80.0, 100.0, 120.0, 140.0])
def test_the_reference_is_brought_to_120_kv_alone(kvp):
    """What the network's preprocessing does by slopes: one call serves with a file and without."""
    line = reference(kvp)
    expected = 150.0 * 1.33251 / line.slope_hu_per_mg_cm3
    assert line.to_reference(150.0) == pytest.approx(expected)
    if kvp == 120:
        assert line.to_reference(150.0) == 150.0


@pytest.mark.parametrize("k2hpo4", [-20.0, 0.0, 80.0, 200.0])
def test_a_line_over_k2hpo4_gives_ha_by_the_conversion(k2hpo4):
    line = Calibration("ct", "K2HPO4", 120.0, "CT", 1.55, 2.0)
    hu = 1.55 * k2hpo4 + 2.0
    found = line.as_ha()
    assert found.mineral == "HA"
    assert found.density(hu) == pytest.approx(to_ha(k2hpo4))
    assert found.as_ha() is found


def test_a_lines_own_spreads_make_its_interval():
    line = Calibration("ct", "HA", 120.0, "CT", 1.5, 0.0, spread=0.02, water_sd_hu=3.0)
    assert errors(100.0, 0.0, line) == {"scanner": 2.0, "water": 2.0, "noise": 0.0, "kvp": 0.0}
    low, high = interval_95(100.0, 0.0, line)
    assert (low, high) == pytest.approx((100 - 1.96 * math.sqrt(8), 100 + 1.96 * math.sqrt(8)))


@pytest.mark.parametrize(
    ("change", "says"),
    [({"slope_hu_per_mg_cm3": 0.0}, "slope must be above 0"), ({"mineral": "calcium"}, "neither"),
     ({"intercept_hu": math.nan}, "finite"), ({"spread": -0.1}, "not negative")],
    ids=["no slope", "no mineral", "no number", "no spread"],
)  # fmt: skip
def test_a_line_that_gives_no_density_is_none(change, says):
    usual = {"id": "c", "mineral": "HA", "kvp": 120.0, "scanner": None}
    with pytest.raises(CalibrationError, match=says):
        Calibration(**usual | {"slope_hu_per_mg_cm3": 1.3, "intercept_hu": 0.0} | change)
