"""The middle of the spinal canal from right to left."""

import numpy as np
import pytest

from ovf_bundle.canal import canal_points
from ovf_bundle.cutting import to_patient_order
from tests.bundles.lumbar_segmentation.spine_shapes import Spine, case

FIELD = {"low": (-60, -80, -75), "high": (60, 60, 75)}


def points_of(data):
    image = data["image"]
    return canal_points(*to_patient_order(image[0].numpy(), image.affine.numpy()))


@pytest.mark.parametrize(
    ("spine", "kwargs"),
    [
        pytest.param(Spine(), {"spacing": (2, 2, 2)}, id="2 mm"),
        pytest.param(Spine(), {"spacing": (1.5, 1.5, 5)}, id="thick"),
        pytest.param(Spine(), {"spacing": (4, 2, 2)}, id="sagittal stack"),
        pytest.param(Spine(), {"turn": (8, -10, 5)}, id="oblique grid"),
        pytest.param(Spine(lean=0.2), {}, id="leaning"),
        pytest.param(Spine(trabecular_hu=60), {}, id="bodies are holes too"),
    ],
)
def test_the_canal_is_found(spine, kwargs):
    found = points_of(case(spine, **{**FIELD, **kwargs}))
    assert np.ptp(found[:, 2]) > 60
    beside = found[:, 0] - spine.canal(found[:, 2])[0]
    assert abs(np.median(beside)) < 2
    assert np.abs(beside).max() < 8


def test_nothing_is_found_where_no_spine_is():
    noise = np.random.default_rng(0).normal(40, 60, (40, 40, 40))
    assert points_of_array(noise).shape == (0, 3)
    assert points_of_array(np.full((4, 4, 4), 40.0)).shape == (0, 3)


def points_of_array(array):
    return canal_points(*to_patient_order(array, np.diag([3.0, 3.0, 3.0, 1.0])))
