"""Scores against hand-computed values and an independent implementation."""

import math

import numpy as np
import pytest
from monai.metrics import compute_average_surface_distance
from scipy import ndimage
from scipy.spatial import cKDTree

from lumbar_bundle.metrics import (
    Score,
    complete_levels,
    name_is_right,
    refused_scores,
    scan_valid,
    score_levels,
    surface_distance_mm,
)
from tests.bundles.lumbar_segmentation.label_maps import SPACING, box, four_bodies


def test_boxes_moved_by_two_of_ten_voxels() -> None:
    scores = score_levels(four_bodies(2), four_bodies(), SPACING)
    for score in scores.values():
        assert score.present is True
        assert score.dsc == pytest.approx(0.8)
        assert score.ppv == pytest.approx(0.8)
        assert score.sensitivity == pytest.approx(0.8)
        assert score.named_right is True


def test_a_body_half_drawn() -> None:
    reference = four_bodies()
    pred = reference.copy()
    pred[:, 25:, :] = 0
    score = score_levels(pred, reference, SPACING)["L2"]
    assert (score.dsc, score.ppv, score.sensitivity) == pytest.approx((2 / 3, 1.0, 0.5))


def test_equal_maps_are_perfect() -> None:
    scores = score_levels(four_bodies(), four_bodies(), SPACING)
    assert set(scores.values()) == {Score(True, 1.0, 1.0, 1.0, 0.0, True)}
    assert scan_valid(scores) is True


def test_a_refused_level_counts_as_zero() -> None:
    pred = four_bodies()
    pred[pred == 3] = 0
    scores = score_levels(pred, four_bodies(), SPACING)
    assert scores["L3"] == Score(True, dsc=0.0, sensitivity=0.0)
    assert scan_valid(scores) is False


def test_names_off_by_one_are_wrong_and_score_zero() -> None:
    reference = four_bodies()
    pred = np.where(reference > 1, reference - 1, 0).astype(np.uint8)  # L2 called L1 ...
    scores = score_levels(pred, reference, SPACING)
    assert [scores[level].named_right for level in ("L1", "L2", "L3", "L4")] == [
        False, False, False, None,
    ]  # fmt: skip
    assert scores["L1"].dsc == 0.0
    assert scores["L1"].msd_mm is not None
    assert scores["L1"].msd_mm > 10


def test_a_level_that_the_reference_lacks_is_not_counted_but_its_name_is_wrong() -> None:
    reference = four_bodies()
    pred = reference.copy()
    reference[reference == 1] = 7  # what was called L1 is T12
    scores = score_levels(pred, reference, SPACING)
    assert scores["L1"] == Score(False, named_right=False)
    assert scan_valid(scores) is None


def test_a_level_cut_by_the_border_is_not_counted_and_its_name_still_is() -> None:
    reference = four_bodies()[:, :, 8:]  # cuts L4
    scores = score_levels(reference, reference, SPACING)
    assert scores["L4"] == Score(False, named_right=True)
    assert scores["L3"].dsc == 1.0


def test_bodies_of_a_narrow_field_are_complete_though_its_sides_cut_them() -> None:
    slab = four_bodies()[22:28]  # 12 mm
    assert all(complete_levels(slab, SPACING).values())
    assert not any(complete_levels(four_bodies()[22:28], (12.0, 1.0, 1.5)).values())


def test_a_mask_on_no_body_is_named_wrong() -> None:
    reference = four_bodies()
    assert not name_is_right(box((0, 3), (0, 3), (0, 3)), reference, 1)


@pytest.mark.parametrize(("own", "other", "right"), [(6, 4, True), (5, 5, False), (4, 6, False)])
def test_the_larger_share_decides_the_name(own: int, other: int, right: bool) -> None:
    reference = np.zeros((12, 1, 1), dtype=np.uint8)
    reference[:own] = 2
    reference[own : own + other] = 3
    assert name_is_right(np.ones(reference.shape, dtype=bool), reference, 2) is right


def test_the_sacrum_is_no_body() -> None:
    reference = np.full((10, 1, 1), 6, dtype=np.uint8)
    reference[:2] = 4
    assert name_is_right(np.ones(reference.shape, dtype=bool), reference, 4)


def test_maps_of_two_grids_do_not_compare() -> None:
    with pytest.raises(ValueError, match="do not compare"):
        score_levels(four_bodies(), four_bodies()[1:], SPACING)


def surface_mm(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Centres of voxels with a face towards outside, mm: found without erosion."""
    padded = np.pad(mask, 1)
    inside = np.ones(mask.shape, dtype=bool)
    for axis in range(3):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return np.argwhere(mask & ~inside) * spacing


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_surface_distance_is_that_of_nearest_neighbours_and_of_monai(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(2):
        field = ndimage.gaussian_filter(rng.normal(size=(24, 26, 28)), 4)
        field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = -1
        masks.append(field > 0)
    one, other = (surface_mm(mask, SPACING) for mask in masks)
    distances = [cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]]
    expected = np.concatenate(distances).mean()
    assert surface_distance_mm(*masks, SPACING) == pytest.approx(expected, rel=1e-5)
    batch = [mask[None, None] for mask in masks]
    theirs = compute_average_surface_distance(
        *batch, include_background=True, symmetric=True, spacing=SPACING
    )
    assert surface_distance_mm(*masks, SPACING) == pytest.approx(float(theirs), rel=1e-5)


def test_surface_distance_of_discs_in_a_single_slice() -> None:
    y, z = np.mgrid[-40:41, -40:41] * 0.5
    radius = np.hypot(y, z)
    one, other = (radius <= 10)[None], (radius <= 13)[None]
    assert surface_distance_mm(one, other, (3.0, 0.5, 0.5)) == pytest.approx(3.0, abs=0.15)


def test_a_failed_case_scores_zero_where_the_reference_shows_a_level() -> None:
    scores = refused_scores({"L1": True, "L2": False, "L3": None, "L4": True})
    assert scores["L1"] == Score(True, dsc=0.0, sensitivity=0.0)
    assert scores["L2"] == Score(False)
    assert scores["L3"] == Score(None)
    assert scan_valid(scores) is None
    assert scan_valid(refused_scores(dict.fromkeys(scores, True))) is False


def test_a_level_far_from_its_body_keeps_a_finite_distance() -> None:
    reference = four_bodies()
    pred = np.zeros_like(reference)
    pred[box((20, 30), (60, 70), (5, 13))] = 4
    score = score_levels(pred, reference, SPACING)["L4"]
    assert score.msd_mm is not None
    assert math.isfinite(score.msd_mm)
    assert (score.dsc, score.named_right) == (0.0, False)
