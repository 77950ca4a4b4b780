"""Sagittal reformats: where they lie, what they average, what is labelled on them."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom.case import simulate
from tools.phantom.reformat import MOST_TURN_DEG, OUTSIDE_HU, Reformat, average, plan, scanned
from tools.volumes import Grid


def box(shape=(60, 80, 50), spacing=(1.0, 1.0, 2.0), origin=(-30.0, -40.0, -50.0)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return Grid(shape, affine)


def planned(seed, single=False):
    scan = box((400, 300, 150), (1.0, 1.0, 2.0), (-200.0, -150.0, -60.0))
    spine = scene.patient().spine
    return plan(scan, spine, 0.8, single, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(12))
def test_slices_are_sagittal_to_a_degree_and_hold_the_spine(seed):
    view = planned(seed)
    right = view.grid.affine[:3, 0] / view.grid.spacing_mm[0]
    off = np.degrees(np.arccos(min(1.0, right[0])))
    assert off <= MOST_TURN_DEG * np.sqrt(2)
    assert (off == 0) == (view.turn_deg == (0.0, 0.0))
    assert 3 <= view.thickness_mm <= 5
    assert 0.8 * view.thickness_mm <= view.grid.spacing_mm[0] + 1e-9
    assert view.grid.spacing_mm[1:] == pytest.approx((0.8, 0.8))
    assert view.codes in ("PIL", "PIR")
    middle = np.mean(
        [scene.patient().spine.vertebrae[f"L{n}"].frame.origin for n in range(1, 6)], 0
    )
    index = view.grid.to_index(middle)
    assert (index > 0).all()
    assert (index < np.array(view.grid.shape) - 1).all()
    width = view.grid.shape[0] * view.grid.spacing_mm[0]
    assert 50 < width <= 84


def test_half_of_the_stacks_are_turned():
    turned = [planned(seed).turn_deg != (0.0, 0.0) for seed in range(60)]
    assert 18 <= sum(turned) <= 42


@pytest.mark.parametrize("seed", range(5))
def test_a_single_slice_cuts_the_middle_of_the_spine(seed):
    view = planned(seed, single=True)
    assert view.grid.shape[0] == 1
    middle = np.mean(
        [scene.patient().spine.vertebrae[f"L{n}"].frame.origin[0] for n in range(1, 6)]
    )
    assert abs(view.grid.center_mm[0] - middle) <= 3.0 + 1e-9
    assert view.as_dict()["thickness_mm"] == view.thickness_mm


def view_of(grid, thickness):
    return Reformat(grid, "PIR", thickness, (0.0, 0.0))


def test_a_pixel_is_the_mean_over_the_thickness():
    scan = box()
    ramp = scan.to_world(np.stack(np.meshgrid(*map(np.arange, scan.shape), indexing="ij"), -1))
    image = torch.from_numpy(ramp @ np.array([3.0, -2.0, 5.0])).float()
    grid = box((4, 30, 40), (5.0, 1.5, 1.5), (-7.0, -20.0, -30.0))
    found = average(image, scan, view_of(grid, 5.0))
    points = grid.to_world(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1))
    np.testing.assert_allclose(found, points @ np.array([3.0, -2.0, 5.0]), atol=2e-3)


@pytest.mark.parametrize(("thickness", "expected"), [(3.0, 1 / 3), (5.0, 1 / 5)])
def test_a_sheet_of_a_millimetre_fades_with_the_thickness(thickness, expected):
    scan = box()
    image = torch.zeros(scan.shape)
    image[30] = 1000.0  # x = 0
    grid = box((3, 20, 20), (4.0, 2.0, 2.0), (-4.0, -20.0, -20.0))
    found = average(image, scan, view_of(grid, thickness))
    np.testing.assert_allclose(found[1], 1000.0 * expected, rtol=1e-4)
    np.testing.assert_allclose(found[[0, 2]], 0.0, atol=1e-3)


def test_noise_falls_with_the_root_of_the_thickness():
    scan = box()
    image = torch.from_numpy(np.random.default_rng(0).normal(0, 30, scan.shape)).float()
    grid = box((5, 60, 40), (4.0, 1.0, 2.0), (-9.5, -30.0, -40.0))
    assert float(average(image, scan, view_of(grid, 4.0)).std()) == pytest.approx(15, rel=0.05)


def test_beyond_the_scan_is_air_without_labels():
    scan = box()
    grid = box((2, 120, 40), (4.0, 1.0, 2.0), (0.0, -60.0, -40.0))
    found = average(torch.zeros(scan.shape), scan, view_of(grid, 4.0))
    inside = scanned(scan, grid)
    y = grid.affine[1, 3] + np.arange(120)
    np.testing.assert_array_equal(inside[0, :, 0], (y >= -40.5) & (y <= 39.5))
    assert (found[:, :18] == OUTSIDE_HU).all()
    assert (found[:, 21:99].abs() < 1e-3).all()


@pytest.fixture(scope="module")
def made():
    axial = simulate(scene.quick(thickness_mm=[2.0]), 3, 0)
    return axial, simulate(scene.quick(thickness_mm=[2.0], reformat="sagittal"), 3, 0)


def test_reformat_shows_the_same_patient(made):
    axial, sagittal = made
    assert sagittal.image.shape == sagittal.labels.shape == sagittal.trabecular.shape
    assert sagittal.truth["scan"]["orientation"] in ("PIL", "PIR")
    assert axial.truth["scan"]["reformat"] is None
    for level, content in sagittal.truth["levels"].items():
        expected = axial.truth["levels"][level]
        assert content == expected | {"complete": content["complete"]}
        if not content["complete"]:
            continue
        assert expected["complete"]
        values = []
        for case in made:
            voxel_mm3 = abs(np.linalg.det(case.affine[:3, :3]))
            body = case.labels == LABEL_IDS[level]
            core = case.trabecular == LABEL_IDS[level]
            values.append((body.sum() * voxel_mm3, case.image[core].mean()))
            center = np.argwhere(body).mean(0) @ case.affine[:3, :3].T + case.affine[:3, 3]
            np.testing.assert_allclose(center, content["centroid_ras_mm"], atol=0.8)
        (volume, hu), (other_volume, other_hu) = values
        assert other_volume == pytest.approx(volume, rel=0.06)
        assert other_hu == pytest.approx(hu, abs=12)


def test_labels_end_where_the_scan_does(made):
    axial, sagittal = made
    labelled = np.argwhere(sagittal.labels > 0) @ sagittal.affine[:3, :3].T + sagittal.affine[:3, 3]
    scan = Grid(axial.image.shape, axial.affine)
    index = scan.to_index(labelled)
    assert (index >= -0.51).all()
    assert (index <= np.array(scan.shape) - 0.49).all()


def test_a_single_slice_measures_no_level():
    single = simulate(scene.quick(reformat="sagittal_single"), 3, 0)
    assert single.image.shape[2] == 1
    assert {"L2", "L3", "L4"} <= single.truth["levels"].keys()
    assert not any(level["complete"] for level in single.truth["levels"].values())
