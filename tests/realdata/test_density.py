"""What the shipped density network reads in the real CTs, with the masks that came with them.

There is no QCT of these patients: only the slope, the order and the distance from HU-linear density
can be checked.
"""

import numpy as np
import pytest

from bmd_bundle.calibration import reference
from tests.realdata.test_patches import BODIES, crop, lumbar, patches_of  # noqa: F401 - fixtures
from tools import bundles, density
from tools.levels import LABEL_IDS

pytestmark = pytest.mark.realdata

CNN, LINEAR = "bmd_cnn_mg_cm3", "bmd_hu_linear_mg_cm3"
SHIFTS = (-40.0, 0.0, 40.0, 80.0)


def levels_of(image, labels, affine, name):
    given = density.as_input(image, affine, labels, name, kvp=120.0)
    return density.load().run(given)["levels"]


@pytest.fixture(scope="module")
def read(lumbar):  # noqa: F811
    """Levels of the lumbar CT by HU added to its bodies."""
    image, own, affine = lumbar
    labels = np.zeros(own.shape, np.uint8)
    for level, number in BODIES.items():
        labels[own == number] = LABEL_IDS[level]
    return {
        shift: levels_of(image + shift * (labels > 0), labels, affine, "lumbar") for shift in SHIFTS
    }


@pytest.fixture(scope="module")
def third(crop):  # noqa: F811
    """L3 of the crop."""
    image, body, _, affine = crop
    return levels_of(image, body.astype(np.uint8) * LABEL_IDS["L3"], affine, "crop")["L3"]


@pytest.mark.parametrize("level", BODIES)
@pytest.mark.parametrize("shift", [shift for shift in SHIFTS if shift])
def test_hu_added_to_bodies_move_the_network_by_the_slope(read, level, shift):
    slope = (
        bundles.module("bmd_regression", "bmd_bundle.calibration")
        .reference(120)
        .slope_hu_per_mg_cm3
    )
    moved = read[shift][level][CNN] - read[0.0][level][CNN]
    assert moved == pytest.approx(shift / slope, rel=0.15)


@pytest.mark.parametrize("level", BODIES)
def test_more_hu_never_read_less(read, level):
    assert (np.diff([read[shift][level][CNN] for shift in SHIFTS]) > 0).all()


def test_the_sparse_l3_reads_far_below_the_other(read, third):
    assert third[CNN] < 80
    assert read[0.0]["L3"][CNN] - third[CNN] >= 30


@pytest.mark.parametrize("level", BODIES)
def test_both_readings_agree_in_the_lumbar_ct(read, level):
    found = read[0.0][level]
    print(level, round(found[CNN], 1), round(found[LINEAR], 1), found["bmd_interval_95_mg_cm3"])
    assert abs(found[CNN] - found[LINEAR]) <= 10


def test_the_dense_spot_of_l1_is_no_density(read, lumbar):  # noqa: F811
    """The network read it: 95 mg/cm³ where bone around it has 72."""
    spot = patches_of(*lumbar)["L1"]
    held = (spot.mean_hu - spot.trabecular_hu) / reference().slope_hu_per_mg_cm3
    assert held > 15
    assert read[0.0]["L1"][CNN] == pytest.approx(read[0.0]["L1"][LINEAR], abs=6)


def test_both_readings_agree_in_the_crop(third):
    print(round(third[CNN], 1), round(third[LINEAR], 1))
    assert abs(third[CNN] - third[LINEAR]) <= 10
