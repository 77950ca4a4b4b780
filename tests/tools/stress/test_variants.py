"""Changes of a CT: image and reference stay together, and what shows is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.phantom.real import Scan
from tools.stress import variants
from tools.stress.sample import (
    body_points_mm,
    cropped_affine,
    cut_field,
    grid_of,
    sacrum_below,
    superior_axis,
)
from tools.stress.slices import Reformat, cut_slices
from tools.stress.variants import Change, apply
from tools.volumes import reorient

_spec = importlib.util.spec_from_file_location("scene", Path(__file__).with_name("scene.py"))
scene = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scene)


@pytest.fixture(scope="module")
def scan():
    return scene.boxes()


def centroids(labels, affine):
    return {level: points.mean(axis=0) for level, points in body_points_mm(labels, affine).items()}


def marks_agree(sample, tolerance=0.02):
    """Whether the image carries each body's own mark where the labels say it is, but for rims."""
    inner = ndimage.grey_erosion(sample.labels, size=(3, 3, 3))
    inside = inner > 0
    assert inside.sum() > 200
    expected = 300 + inner[inside].astype(float)
    return np.mean(np.abs(sample.image[inside] - expected) < 1.01) > 1 - tolerance


def test_nothing_changed_is_the_ct_itself(scan):
    sample = apply(scan, Change())
    np.testing.assert_array_equal(sample.image, scan.image)
    np.testing.assert_array_equal(sample.labels, scan.bodies)
    np.testing.assert_allclose(sample.affine, scan.affine)
    assert sample.complete == set(MEASURED_LEVELS)
    assert sample.sacrum == "part"  # the field ends 82 mm below L5


@pytest.mark.parametrize("regrid", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turning_moves_image_and_labels_alike(scan, axis, regrid):
    turn = tuple(12.0 if other == axis else 0.0 for other in range(3))
    sample = apply(scan, Change(rotation_deg=turn, regrid=regrid))
    assert marks_agree(sample)
    old, new = centroids(scan.bodies, scan.affine), centroids(sample.labels, sample.affine)
    middle = scan.grid.center_mm
    angle = np.deg2rad(12.0)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    for level in ("L1", "L3", "L5"):
        away = old[level] - middle
        expected = away.copy()
        expected[first] = np.cos(angle) * away[first] - np.sin(angle) * away[second]
        expected[second] = np.sin(angle) * away[first] + np.cos(angle) * away[second]
        np.testing.assert_allclose(new[level] - middle, expected, atol=0.6)
    oblique = np.abs(sample.affine[:3, :3] - np.diag(np.diag(sample.affine[:3, :3]))).max() > 0.1
    assert oblique is not regrid


def test_blank_corners_of_a_turned_grid_are_air(scan):
    sample = apply(scan, Change(rotation_deg=(15.0, 0.0, 0.0), regrid=True))
    assert sample.image[15, 0, -1] == -1024 or sample.image[15, -1, -1] == -1024
    assert sample.image.shape == scan.image.shape


@pytest.mark.parametrize(
    "spacing", [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (4.0, 4.0, 4.0), (1.5, 1.5, 5.0)]
)
def test_resampling_keeps_places_volumes_and_marks(scan, spacing):
    sample = apply(scan, Change(spacing_mm=spacing))
    np.testing.assert_allclose(sample.grid.spacing_mm, spacing)
    old, new = centroids(scan.bodies, scan.affine), centroids(sample.labels, sample.affine)
    for level in MEASURED_LEVELS:
        np.testing.assert_allclose(new[level], old[level], atol=0.75 * max(spacing) / 2)
        was = (scan.bodies == LABEL_IDS[level]).sum() * 27.0
        now = (sample.labels == LABEL_IDS[level]).sum() * np.prod(spacing)
        assert now == pytest.approx(was, rel=0.25)


def test_fields_of_a_resampled_ct_have_the_same_corner(scan):
    sample = apply(scan, Change(spacing_mm=(5.0, 1.0, 2.0)))
    corners = [grid.to_world(np.full(3, -0.5)) for grid in (scan.grid, sample.grid)]
    np.testing.assert_allclose(*corners, atol=1e-9)


def test_mirroring_exchanges_right_and_left_only(scan):
    lopsided = scan.image.copy()
    lopsided[:10] += 50
    mirrored = apply(Scan("m", lopsided, scan.affine, scan.bodies), Change(mirrored=True))
    np.testing.assert_array_equal(mirrored.image, lopsided[::-1])
    np.testing.assert_array_equal(mirrored.labels, scan.bodies[::-1])
    np.testing.assert_allclose(mirrored.affine, scan.affine)


def test_noise_and_scale_touch_values_only_and_repeat(scan):
    change = Change(noise_hu=20.0, hu_factor=1.1, seed=5)
    first, again = apply(scan, change), apply(scan, change)
    np.testing.assert_array_equal(first.image, again.image)
    difference = first.image - 1.1 * scan.image
    assert difference.std() == pytest.approx(20.0, rel=0.02)
    assert abs(difference.mean()) < 0.2
    other = apply(scan, Change(noise_hu=20.0, hu_factor=1.1, seed=6))
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(
    ("top", "bottom", "complete", "touched"),
    [
        ("L2 through", "", {"L3", "L4"}, "L2"),
        ("L2 beside", "", {"L2", "L3", "L4"}, None),
        ("", "L3 through", {"L1", "L2"}, "L3"),
        ("", "L3 beside", {"L1", "L2", "L3"}, None),
        ("L1 through", "L4 beside", {"L2", "L3", "L4"}, "L1"),
        ("", "sacrum through", {"L1", "L2", "L3", "L4"}, None),
    ],
)
def test_cuts_end_the_field_where_they_say(scan, top, bottom, complete, touched):
    for codes in ("RAS", "PIR"):
        image, affine = reorient(scan.image, scan.affine, codes)
        labels, _ = reorient(scan.bodies, scan.affine, codes)
        sample = apply(Scan("s", image, affine, labels), Change(top=top, bottom=bottom))
        assert sample.complete == complete
        if codes == "RAS":
            ends = set(np.unique(sample.labels[..., [0, -1]])) - {0}
            assert ends == ({LABEL_IDS[touched]} if touched else set())


def test_a_cut_keeps_the_world(scan):
    points = body_points_mm(scan.bodies, scan.affine)
    box = cut_field(points, scan.grid, bottom="L4 beside")
    affine = cropped_affine(scan.affine, box)
    kept = centroids(scan.bodies[box], affine)
    np.testing.assert_allclose(kept["L3"], points["L3"].mean(axis=0))


@pytest.mark.parametrize("cut", ["L9 through", "L1", "L1 above"])
def test_a_cut_that_cannot_be_is_refused(scan, cut):
    points = body_points_mm(scan.bodies, scan.affine)
    with pytest.raises(ValueError, match="no field can be cut"):
        cut_field(points, scan.grid, top=cut)
    with pytest.raises(ValueError, match="nothing is left"):
        cut_field(points, scan.grid, top="L4 through", bottom="L1 through")


def test_the_sacrum_shows_as_far_as_the_field_goes_down(scan):
    l5 = centroids(scan.bodies, scan.affine)["L5"]
    caudal = np.array([0.0, 0.0, -1.0])
    for depth, expected in ((100.0, "whole"), (60.0, "part"), (20.0, "none")):
        affine = scan.affine.copy()
        affine[2, 3] = l5[2] - depth
        assert sacrum_below(l5, grid_of(scan.image, affine), caudal) == expected


def test_superior_axis_of_any_order(scan):
    for codes, expected in (("RAS", (2, True)), ("PIR", (1, False)), ("SLA", (0, True))):
        assert superior_axis(reorient(scan.image, scan.affine, codes)[1]) == expected


# What is drawn


def test_the_draw_repeats_and_begins_with_one_change_at_a_time():
    drawn = variants.draw(120, 3)
    assert drawn == variants.draw(120, 3)
    assert drawn[100:] != variants.draw(120, 4)[100:]
    assert len(drawn) == 120
    assert drawn[: len(variants.systematic())] == variants.systematic()
    assert len(variants.draw(5, 0)) == 5


def test_the_draw_covers_what_it_should():
    drawn = variants.draw(150, 0)
    for level in ("L1", "L2", "L3", "L4", "L5"):
        assert any(change.top.startswith(level) for change in drawn)
        assert any(change.bottom.startswith(level) for change in drawn)
    turns = np.array([change.rotation_deg for change in drawn])
    assert turns.min(axis=0).max() <= -14
    assert turns.max(axis=0).min() >= 14
    assert np.abs(turns).max() <= 15
    edges = np.array([change.spacing_mm for change in drawn if change.spacing_mm])
    assert (edges.min(), edges.max()) == (1.0, 5.0)
    factors = [change.hu_factor for change in drawn]
    assert (min(factors), max(factors)) == (0.9, 1.1)
    assert {change.mirrored for change in drawn} == {True, False}
    assert {change.regrid for change in drawn} == {True, False}


def test_every_variant_of_a_spine_can_be_made(scan):
    coarse = [change for change in variants.draw(120, 0) if change.spacing_mm is None]
    assert len(coarse) > 60
    for change in coarse:
        assert apply(scan, change).image.size


# Slices


@pytest.mark.parametrize(("count", "step"), [(1, 4.0), (3, 5.0), (9, 4.0)])
def test_slices_are_cut_where_the_bodies_are(scan, count, step):
    sample = cut_slices(scan, Reformat(count, step))
    assert sample.image.shape[0] == count
    np.testing.assert_allclose(sample.grid.spacing_mm, (step, 1.0, 1.0))
    assert sample.complete == set(MEASURED_LEVELS)
    middle = sample.grid.center_mm[0]
    wanted = np.mean([place[0] for place in centroids(scan.bodies, scan.affine).values()])
    assert middle == pytest.approx(wanted, abs=1e-6)
    flat = ndimage.grey_erosion(sample.labels, size=(1, 5, 5))
    assert np.abs(sample.image[flat > 0] - (300.0 + flat[flat > 0])).max() < 3


def test_slices_beside_the_bodies_show_none(scan):
    sample = cut_slices(scan, Reformat(1, 4.0, offset_mm=40.0))
    assert sample.complete == set()
    assert not sample.labels.any()


def test_stored_order_of_slices_changes_nothing_in_the_world(scan):
    straight = cut_slices(scan, Reformat(3, 4.0))
    turned = cut_slices(scan, Reformat(3, 4.0, codes="PIR"))
    assert turned.image.shape == (*straight.image.shape[1:], 3)
    for level, place in centroids(straight.labels, straight.affine).items():
        np.testing.assert_allclose(centroids(turned.labels, turned.affine)[level], place)


def test_a_slice_cut_through_a_level_does_not_show_it_whole(scan):
    sample = cut_slices(scan, Reformat(1, 4.0, top="L2 through"))
    assert sample.complete == {"L3", "L4"}
