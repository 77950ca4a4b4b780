"""Truncated scans: where they end, and what their truth then says."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom import case, truncation
from tools.phantom.truncation import LEAST_KEPT_MM, Truncation, truncate
from tools.volumes import Grid

FIELD = np.array([[-200.0, -120.0, -150.0], [200.0, 140.0, 300.0]])


def cut(kind, seed=0):
    return truncate(np.random.default_rng(seed), [kind], FIELD, scene.patient(0))


def grid(pixel_mm=2.0, size=100):
    affine = np.diag([pixel_mm, pixel_mm, 5.0, 1.0])
    return Grid((size, size, 20), affine)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("kind", "moves_low", "moves_high"),
    [
        ("none", False, False),
        ("above", False, True),
        ("below", True, False),
        ("both", True, True),
        ("circle", False, False),
    ],
)
def test_only_the_named_ends_move(kind, moves_low, moves_high, seed):
    low, high = cut(kind, seed).corners_mm[:, 2]
    assert (low > FIELD[0, 2]) == moves_low
    assert (high < FIELD[1, 2]) == moves_high
    assert high - low >= LEAST_KEPT_MM - 1e-6


def test_half_of_the_scans_cut_below_end_at_the_sacrum():
    ends = np.array([cut("below", seed).corners_mm[0, 2] for seed in range(300)])
    assert 0.5 < np.mean((ends > -45) & (ends < 60)) < 0.85  # half, and some of the others
    assert ends.min() < -100
    assert ends.max() > 150


def test_kinds_are_drawn_as_often_as_they_are_named():
    kinds = [
        truncate(np.random.default_rng(n), ["none", "none", "circle"], FIELD, scene.patient(0)).kind
        for n in range(300)
    ]
    assert 160 < kinds.count("none") < 240


@pytest.mark.parametrize("seed", range(20))
def test_a_circle_is_a_square_of_its_diameter_smaller_than_the_field(seed):
    drawn = cut("circle", seed)
    size = drawn.corners_mm[1] - drawn.corners_mm[0]
    assert size[0] == pytest.approx(size[1]) == pytest.approx(2 * drawn.radius_mm)
    assert 200 <= size[0] <= 260  # the field is 260 mm deep
    assert size[2] == pytest.approx(450)
    assert drawn.padding_hu in (None, -1024, -2000, -3024)


def test_the_circle_touches_the_middle_of_the_sides():
    shown = Truncation("circle", FIELD, 100.0, -2000).shown(grid())
    assert shown[50, 0]
    assert shown[0, 50]
    assert not shown[0, 0]
    assert not shown[14, 14]  # 100 mm * (1 - 1/sqrt(2)) = 29 mm, pixel 14.6
    assert shown[15, 15]
    assert float(shown.double().mean()) == pytest.approx(np.pi / 4, abs=0.01)


@pytest.mark.parametrize(
    ("index", "inside", "in_square"),
    [
        ((50, 50, 10), True, True),
        ((2, 50, 10), True, True),
        ((10, 10, 10), False, True),
        ((50, 50, -0.6), False, False),
        ((50, 50, 19.6), False, False),
        ((-0.6, 50, 5), False, False),
    ],
)
def test_a_body_is_complete_only_inside_circle_and_ends(index, inside, in_square):
    places = np.array([[50, 50, 5], index])
    assert Truncation("circle", FIELD, 100.0, -1024).holds(places, grid()) == inside
    assert Truncation("circle", FIELD, 100.0, None).holds(places, grid()) == in_square
    assert Truncation("none", FIELD).shown(grid()) is None


@pytest.mark.parametrize("kind", ["above", "below", "both", "circle"])
def test_the_truth_of_a_cut_scan_is_that_of_what_it_shows(kind):
    """Level by level: complete means that no voxel of the body is missing."""
    recipe = scene.quick(truncate=[kind], field="lumbar", tilt_deg=0.0, orientation=["RAS"])
    for index in range(2):
        shown = case.simulate(recipe, 1, index)
        scan, levels = shown.truth["scan"], shown.truth["levels"]
        assert scan["truncate"] == kind
        seen = {LABEL_IDS[level] for level in levels}
        assert set(np.unique(shown.labels)) - {0, LABEL_IDS["sacrum"]} == seen
        voxel = abs(np.linalg.det(shown.affine[:3, :3]))
        for level, truth in levels.items():
            share = (shown.labels == LABEL_IDS[level]).sum() * voxel / truth["volume_mm3"]
            if truth["complete"]:
                assert share == pytest.approx(1, abs=0.12), level
            else:
                assert share < 1.1, level
        if scan["padding_hu"] is not None:
            corner = shown.image[0, 0]
            assert (corner == scan["padding_hu"]).all()
            assert not shown.labels[0, 0].any()
            outside = shown.image == scan["padding_hu"]
            assert not shown.labels[outside].any()


def test_padding_appears_nowhere_inside_the_circle(monkeypatch):
    monkeypatch.setattr(truncation, "PADDING_HU", (-3024,))
    recipe = scene.quick(truncate=["circle"], field="lumbar", noise_scale=[0, 0])
    shown = case.simulate(recipe, 3, 0)
    share = float((shown.image == -3024).mean())
    assert share == pytest.approx(1 - np.pi / 4, abs=0.03)
    assert shown.image[shown.image != -3024].min() > -1100


def test_padded_maps_share_the_device_and_type_of_the_scan():
    volumes = [torch.zeros((100, 100, 20), dtype=torch.int16), torch.ones((100, 100, 20))]
    image, labels = case._cut(volumes, Truncation("circle", FIELD, 100.0, -3024), grid())
    assert image.dtype == torch.int16
    assert float(labels.mean()) == pytest.approx(np.pi / 4, abs=0.01)
