import numpy as np
import pytest
import torch

from tools.phantom.probe.augment import window
from tools.phantom.probe.predict import keep_spine, predict_volume
from tools.phantom.probe.score import below_top, bootstrap, compare, near_midline, score_scan
from tools.phantom.real import Scan
from tools.volumes import Grid

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


def _scan() -> Scan:
    """Return a scan of bodies 19, 20 and 21 from the top, each 2 voxels beside the last."""
    bodies = np.zeros((40, 20, 40), np.uint8)
    for place, level in enumerate((21, 20, 19)):
        bodies[10 + 2 * place : 20 + 2 * place, 5:15, 5 + 10 * place : 13 + 10 * place] = level
    return Scan("boxes", np.where(bodies > 0, 400, 30).astype(np.float32), AFFINE, bodies)


class _Threshold(torch.nn.Module):
    """Calls all above 200 HU a body."""

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        body = (grey > float(window(torch.tensor(200.0)))).float() * 20
        return torch.cat([10 - body, body - 10, torch.full_like(body, -20.0)], dim=1)


def test_a_right_network_scores_nearly_one_after_both_resamplings() -> None:
    scan = _scan()
    found = predict_volume(_Threshold(), scan.image, scan.affine)
    result = score_scan(scan, found)
    assert result["whole"]["dsc"] > 0.97
    assert result["central_20mm"]["dsc"] > 0.97
    assert min(result["sensitivity_by_id"].values()) > 0.97


def test_overlap_against_numbers_by_hand() -> None:
    reference = np.zeros((2, 4, 1), bool)
    predicted = reference.copy()
    reference[0, :2] = predicted[0, 1:4] = True
    counted = np.ones_like(reference)
    counted[0, 3] = False
    result = compare(predicted, reference, counted)
    assert result["dsc"] == pytest.approx(2 * 1 / (2 + 2))
    assert result["slices"] == 1
    assert result["ci95"] == pytest.approx([0.5, 0.5])


def test_bootstrap_interval_narrows_with_more_slices() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(60, 100, 400), np.full(400, 100), np.full(400, 100)], axis=1)
    low, high = bootstrap(rows) or [0, 0]
    few_low, few_high = bootstrap(rows[:10]) or [0, 0]
    assert low < rows[:, 0].mean() / 100 < high
    assert high - low < (few_high - few_low) / 3


def test_nothing_above_the_highest_body_counts() -> None:
    counted = below_top(_scan())
    assert counted[:, :, :32].mean() > 0.95
    assert not counted[10:30, :, 36:].any()
    assert counted[_scan().bodies > 0].all()


def test_a_body_without_reference_above_the_highest_costs_nothing() -> None:
    scan = _scan()
    above = scan.bodies > 0
    above[14:24, 5:15, 37:40] = True
    beside = scan.bodies > 0
    beside[26:36, 5:15, 5:8] = True
    assert score_scan(scan, above)["whole"]["dsc"] == 1.0
    assert score_scan(scan, beside)["whole"]["dsc"] < 0.95


def test_the_midline_follows_the_bodies() -> None:
    scan = _scan()
    near = near_midline(scan)
    # Centroids at index 14.5, 16.5 and 18.5; 10 mm are 3.3 voxels.
    for z, first, last in ((8, 12, 17), (18, 14, 19), (28, 16, 21)):
        assert np.flatnonzero(near[:, 10, z]).tolist() == list(range(first, last + 1))


def test_specks_and_hips_are_dropped() -> None:
    found = np.zeros((60, 30, 30), bool)
    found[28:38, 10:20, 5:25] = True  # a spine
    spine = found.copy()
    found[0:8, 10:20, 5:25] = True  # a hip, 60 mm to the side, smaller
    found[30, 2:4, 2:4] = True  # a speck in the slab
    assert np.array_equal(keep_spine(found, Grid((60, 30, 30), AFFINE)), spine)
    assert not keep_spine(np.zeros_like(found), Grid((60, 30, 30), AFFINE)).any()
