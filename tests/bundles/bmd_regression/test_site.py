"""A site's correction: the line, its mineral, and what the interval holds; numbers by hand."""

import math

import pytest
from scipy import stats

from bmd_bundle.calibration import to_ha
from bmd_bundle.site import Correction


def correction(**changes):
    usual = {"id": "s", "reading": "hu_linear", "slope": 1.1, "intercept": -4.0, "mineral": "HA"}
    usual |= {"kvp": 120.0, "n": 21, "weights_sha256": None, "residual_sd_mg_cm3": 5.0}
    return Correction(**usual | {"range_mg_cm3": (60.0, 160.0), "slope_error": 0.03} | changes)


@pytest.mark.parametrize(("reading", "density"), [(0, -4), (100, 106), (50, 51)])
def test_the_line(reading, density):
    assert correction().correct(reading) == pytest.approx(density)


@pytest.mark.parametrize(
    ("reading", "noise", "kvp", "sources"),
    [
        (100.0, 0.0, 0.0, ()),
        (100.0, 2.0, 0.0, (1.96 * 1.1 * 2.0,)),
        (100.0, 2.0, 3.0, (1.96 * 1.1 * 2.0, 1.96 * 1.1 * 3.0)),
        (160.0, 0.0, 0.0, ()),
        (200.0, 0.0, 0.0, (1.96 * 0.03 * 40.0,)),
        (20.0, 0.0, 0.0, (1.96 * 0.03 * 40.0,)),
    ],
    ids=["pairs alone", "noise", "voltage", "at the end", "above the pairs", "below the pairs"],
)
def test_the_interval_is_the_pairs_error_and_what_this_scan_adds(reading, noise, kvp, sources):
    own = stats.t(df=20).isf(0.025) * 5.0
    half = math.sqrt(own**2 + sum(one**2 for one in sources))
    found = correction().interval_95(reading, (0.0, 0.0), noise, kvp)
    middle = 1.1 * reading - 4.0
    assert found == pytest.approx((middle - half, middle + half))


def test_without_the_pairs_error_the_interval_moves_along():
    found = correction(residual_sd_mg_cm3=None).interval_95(100.0, (90.0, 110.0), 2.0)
    assert found == pytest.approx((95.0, 117.0))


@pytest.mark.parametrize("reading", [0.0, 70.0, 180.0])
def test_a_correction_to_k2hpo4_gives_ha_by_the_conversion(reading):
    made = correction(mineral="K2HPO4", slope=0.9)
    found = made.as_ha()
    assert found.mineral == "HA"
    assert found.correct(reading) == pytest.approx(to_ha(made.correct(reading)))
    assert found.residual_sd_mg_cm3 == pytest.approx(1.15 * 5.0)
    assert found.as_ha() is found
