"""The canal curve, S2's literal recipe and the smooth line."""

import doctest

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage

from lumbar_bundle import smoothing
from lumbar_bundle.foramen import (
    Coarse,
    ForamenCurve,
    ForamenCurved,
    Holes,
    best_chain,
    canal_curve,
)
from lumbar_bundle.grids import to_ras, to_world
from lumbar_bundle.midsagittal import foramen_s2
from lumbar_bundle.smoothing import smooth_line
from tests.bundles.lumbar_segmentation.spine_shapes import Spine, case, tensor
from tests.tools.phantom.scene import quick
from tools.phantom.case import simulate


def distance_mm(curve, spine):
    """In-plane distance of every point of a curve from the canal's true centre."""
    return np.hypot(*(curve[:, :2].T - np.array(spine.canal(curve[:, 2]))))


@pytest.mark.parametrize(
    ("spine", "kwargs"),
    [
        pytest.param(Spine(), {"spacing": (1, 1, 1)}, id="thin"),
        pytest.param(Spine(), {"spacing": (1, 1, 5)}, id="thick"),
        pytest.param(Spine(), {"spacing": (3, 3, 3)}, id="coarse"),
        pytest.param(Spine(), {"spacing": (4, 1, 1)}, id="sagittal"),
        pytest.param(Spine(), {"turn": (8, -10, 5)}, id="oblique grid"),
        pytest.param(Spine(lean=0.25), {}, id="leaning"),
        pytest.param(Spine(trabecular_hu=60), {"spacing": (1, 1, 2)}, id="bodies are holes too"),
    ],
)
def test_curve_follows_the_canal(spine, kwargs):
    curve = ForamenCurve()(case(spine, **kwargs)["image"]).numpy()
    assert curve[0, 2] < -60
    assert curve[-1, 2] > 60
    np.testing.assert_allclose(np.diff(curve[:, 2]), 3, atol=1e-3)
    error = distance_mm(curve, spine)
    assert np.median(error) < 1
    assert error.max() < 3


def test_curve_survives_noise():
    data = case(spacing=(1, 1, 2))
    noise = torch.from_numpy(np.random.default_rng(2).normal(0, 90, data["image"].shape))
    curve = ForamenCurve()(data["image"] + noise.float()).numpy()
    assert np.ptp(curve[:, 2]) > 120
    assert (distance_mm(curve, Spine()) < 4).mean() > 0.95


def test_literal_recipe_needs_thin_slices():
    thin = foramen_s2(*volume_of(case(spacing=(1, 1, 1))))
    thick = foramen_s2(*volume_of(case(spacing=(3, 3, 6))))
    assert 10 < len(thin) < 200, "the arch is closed on some slices only"
    assert np.median(distance_mm(thin, Spine())) < 4
    assert len(thick) <= 3, "of 33 slices"


def test_literal_recipe_without_a_hole():
    assert foramen_s2(np.full((9, 9, 9), 40.0), np.eye(4)).shape == (0, 3)


def volume_of(data):
    return data["image"][0].numpy(), data["image"].affine.numpy()


@pytest.mark.parametrize(
    "hu",
    [
        pytest.param(np.full((40, 40, 40), 40), id="constant"),
        pytest.param(np.full((40, 40, 40), 900), id="bone everywhere"),
        pytest.param(np.random.default_rng(0).normal(100, 200, (40, 40, 40)), id="noise"),
        pytest.param(np.full((1, 40, 40), 40), id="one slice"),
        pytest.param(np.full((2, 1, 3), 200), id="few voxels"),
    ],
)
def test_no_canal_no_curve(hu):
    curve = canal_curve(Coarse(hu.astype(np.float32), np.diag([2.0, 2.0, 3.0, 1.0])))
    assert curve.shape == (0, 3)


def test_curve_goes_under_its_key():
    found = ForamenCurved("image", curve_key="canal")(case())
    assert found["canal"].dtype == torch.float32
    assert found["canal"].shape[1] == 3


def test_curve_of_a_volume_with_nan_is_refused():
    image = case()["image"]
    image[0, 10, 10, 10] = np.nan
    with pytest.raises(ValueError, match=r"spine\.nii\.gz: holds values that are not finite"):
        ForamenCurve()(image)


def test_chain_prefers_what_continues_to_what_stands_alone():
    z = np.arange(0, 90, 3.0)
    canal = np.column_stack([0.05 * z, -0.1 * z, z])
    bowel = canal[10:14] + [4.0, 60.0, 0.0]
    holes = Holes(np.concatenate([bowel, canal]), np.array([0.9] * len(bowel) + [0.5] * len(canal)))
    np.testing.assert_allclose(best_chain(holes), canal)


def test_chain_bridges_a_vertebra():
    z = np.concatenate([np.arange(0, 45, 3.0), np.arange(84, 150, 3.0)])
    canal = np.column_stack([np.zeros_like(z), np.zeros_like(z), z])
    np.testing.assert_allclose(best_chain(Holes(canal, np.full(len(z), 0.6))), canal)


def test_smooth_line_agrees_with_a_dense_solution():
    rng = np.random.default_rng(3)
    places, values = np.arange(0, 20, 2), rng.normal(size=(10, 2))
    line = smooth_line(places, values, 20, 2 * np.pi, 1e9)
    second = np.diff(np.eye(20), 2, axis=0)
    at = np.eye(20)[places]
    expected = np.linalg.solve(at.T @ at + second.T @ second + 1e-9 * np.eye(20), at.T @ values)
    np.testing.assert_allclose(line, expected, atol=1e-8)


def test_the_documented_example_holds():
    assert doctest.testmod(smoothing) == (0, 2)


def test_smooth_line_ignores_outliers():
    z = np.arange(40)
    truth = np.column_stack([0.2 * z, 3 * np.sin(z / 12)])
    values = truth.copy()
    values[[7, 20, 21]] += 30
    line = smooth_line(z, values, 40, 13, 4.0)
    assert np.abs(line - truth).max() < 0.5


@pytest.mark.parametrize("index", [0, 1])
def test_curve_of_a_phantom_lies_in_the_canal_of_its_mask(index):
    """Reference: the hole of the drawn vertebrae after a maximum over 12 mm up and down."""
    drawn = simulate(quick(), seed=5, index=index)
    affine = drawn.affine
    curve = ForamenCurve()(tensor(np.asarray(drawn.image, np.float32), affine)).numpy()
    bones = (np.asarray(drawn.posterior) > 0) | np.isin(drawn.labels, (1, 2, 3, 4, 5, 7, 8))
    reference = canal_of_mask(bones, affine)
    levels = to_world(affine, np.argwhere(np.isin(drawn.labels, (1, 2, 3, 4))))[:, 2]
    lumbar = (reference[:, 2] > levels.min()) & (reference[:, 2] < levels.max())
    reference = reference[lumbar]
    assert len(reference) > 15
    found = np.column_stack([np.interp(reference[:, 2], curve[:, 2], curve[:, i]) for i in (0, 1)])
    assert (np.hypot(*(found - reference[:, :2]).T) < 4).mean() >= 0.95


def canal_of_mask(bones, affine):
    """Centre of the largest hole of every axial slice of a mask, RAS+ mm [N, 3]."""
    view, ras = to_ras(bones, affine)
    run = 2 * round(12 / np.linalg.norm(ras[:3, 2])) + 1
    view = ndimage.maximum_filter1d(view.astype(np.uint8), run, axis=2) > 0
    centres = []
    for z in range(view.shape[2]):
        hole = ndimage.binary_fill_holes(view[:, :, z]) & ~view[:, :, z]
        parts, count = ndimage.label(hole)
        if count:
            largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
            centres.append([*ndimage.center_of_mass(parts == largest), z])
    return nib.affines.apply_affine(ras, np.array(centres))
