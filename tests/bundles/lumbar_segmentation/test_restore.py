"""Levels brought back to the input's own grid."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.ndimage import map_coordinates

from lumbar_bundle.classes import LEVELS
from lumbar_bundle.grids import to_index
from lumbar_bundle.restore import RestoreLevelsd, measure
from tests.bundles.lumbar_segmentation.spine_shapes import (
    ORIENTATIONS,
    grid,
    places,
    stored_as,
    tensor,
)

#: Centres of four ellipsoids, RAS+ mm, and their half axes.
CENTRES = {"L1": (3, 5, 51), "L2": (1, 2, 17), "L3": (-2, 4, -17), "L4": (-4, 9, -51)}
HALF_AXES = np.array([21.0, 16.0, 12.0])


def bodies(points):
    """Ids that reach 4 mm past the bodies' edges, and a body probability, at RAS+ points."""
    names, body = np.zeros(points.shape[:-1], np.uint8), np.zeros(points.shape[:-1], np.float32)
    for level, centre in CENTRES.items():
        radius = np.linalg.norm((points - np.array(centre)) / HALF_AXES, axis=-1)
        outside_mm = (radius - 1) * HALF_AXES.min()
        names[outside_mm < 4] = LEVELS[level]
        body = np.maximum(body, np.clip(0.5 - outside_mm / 4, 0, 1))
    return names, body.astype(np.float32)


@cache
def drawn():
    """Names, body probability and affine of the working grid, which leans by 3 degrees."""
    size, affine = grid((2, 2, 2), (-30, -60, -90), (30, 60, 90), (0, 3, 0))
    return *bodies(places(size, affine)), affine


def working(affine, shape):
    """What naming gives: on the working grid, naming the grid of the input."""
    names, body, grid_affine = drawn()
    meta = {"original_affine": affine, "spatial_shape": np.array(shape), "filename_or_obj": "a"}
    levels = {level: {"status": "measured", "reasons": []} for level in LEVELS}
    return {
        "pred": tensor(names, grid_affine, **meta),
        "body": tensor(body, grid_affine),
        "levels": levels,
    }


@settings(max_examples=25)
@given(
    storage=st.sampled_from(ORIENTATIONS),
    spacing=st.tuples(*[st.floats(0.5, 5)] * 3).filter(lambda edges: np.prod(edges) > 1),
    turn=st.tuples(*[st.floats(-20, 20)] * 3),
)
def test_centroids_return_within_1_mm(storage, spacing, turn):
    shape, affine = grid(spacing, (-45, -45, -90), (45, 55, 90), turn)
    empty, affine = stored_as(np.empty(shape, bool), affine, *storage)
    restored = RestoreLevelsd()(working(affine, empty.shape))
    pred = restored["pred"]
    assert pred.shape == (1, *empty.shape)
    assert pred.dtype == torch.uint8
    np.testing.assert_allclose(pred.affine, affine)
    for level, centre in CENTRES.items():
        found = restored["levels"][level]
        assert np.linalg.norm(np.array(found["centroid_ras_mm"]) - centre) < 1
        assert found["volume_mm3"] == pytest.approx(4 / 3 * np.pi * HALF_AXES.prod(), rel=0.15)
        assert found["status"] == "measured"


@pytest.mark.parametrize("turn", [(0, 0, 0), (9, -7, 4)], ids=["straight", "oblique"])
def test_48_orientations_restore_the_same_voxels(turn):
    shape, affine = grid((1.5, 2.0, 3.0), (-45, -45, -90), (45, 55, 90), turn)
    expected = RestoreLevelsd()(working(affine, shape))["pred"][0].numpy()
    assert set(np.unique(expected)) == {0, 1, 2, 3, 4}
    for order, flips in ORIENTATIONS:
        turned, matrix = stored_as(expected, affine, order, flips)
        found = RestoreLevelsd()(working(matrix, turned.shape))["pred"][0].numpy()
        np.testing.assert_array_equal(found, turned)


def test_every_voxel_has_the_nearest_name_where_the_body_is():
    shape, affine = grid((1.1, 1.7, 2.3), (-45, -45, -90), (45, 55, 90), (6, -5, 11))
    data = working(affine, shape)
    found = RestoreLevelsd()(data)["pred"][0].numpy()
    index = np.moveaxis(to_index(data["pred"].affine.numpy(), places(shape, affine)), -1, 0)
    name = map_coordinates(data["pred"][0].numpy(), index, order=0, mode="constant")
    body = map_coordinates(data["body"][0].numpy(), index, order=1, mode="constant")
    np.testing.assert_array_equal(found, np.where(body >= 0.5, name, 0))


def test_outline_is_as_fine_as_the_input():
    shape, affine = grid((0.7, 0.7, 1.0), (-30, -30, -75), (30, 40, 75))
    found = RestoreLevelsd()(working(affine, shape))["pred"][0].numpy()
    names, body = bodies(places(shape, affine))
    truth = np.where(body >= 0.5, names, 0)
    for number in LEVELS.values():
        a, b = found == number, truth == number
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.985


def test_a_level_outside_the_input_has_no_centroid():
    shape, affine = grid((2, 2, 2), (-45, -45, 0), (45, 55, 90))
    levels = RestoreLevelsd()(working(affine, shape))["levels"]
    assert levels["L4"]["centroid_ras_mm"] is None
    assert levels["L4"]["volume_mm3"] is None
    assert levels["L1"]["volume_mm3"] > 15000


def test_a_single_slice_has_no_volume():
    shape, affine = grid((3, 1, 1), (-1.5, -45, -90), (1.5, 55, 90))
    size, grid_affine = grid((3, 2, 2), (-1.5, -45, -90), (1.5, 55, 90))
    names, body = bodies(places(size, grid_affine))
    meta = {"original_affine": affine, "spatial_shape": np.array(shape)}
    data = {
        "pred": tensor(names, grid_affine, **meta),
        "body": tensor(body, grid_affine),
        "levels": {"L2": {"reasons": []}},
    }
    restored = RestoreLevelsd()(data)
    assert restored["pred"].shape == (1, 1, 100, 180)
    assert restored["levels"]["L2"]["volume_mm3"] is None
    assert restored["levels"]["L2"]["centroid_ras_mm"] == pytest.approx([0, 2, 17], abs=0.5)


def test_nothing_named_is_nothing_drawn():
    data = working(np.eye(4), (9, 8, 7))
    data["pred"] = data["pred"] * 0
    restored = RestoreLevelsd()(data)
    assert restored["pred"].shape == (1, 9, 8, 7)
    assert not restored["pred"].any()
    assert restored["levels"]["L3"]["centroid_ras_mm"] is None


def test_levels_are_not_needed():
    data = working(np.diag([2.0, 2.0, 2.0, 1.0]), (20, 20, 20))
    del data["levels"]
    assert "levels" not in RestoreLevelsd()(data)


def test_the_given_data_are_left_alone():
    data = working(np.diag([2.0, 2.0, 2.0, 1.0]), (20, 20, 20))
    RestoreLevelsd()(data)
    assert data["levels"]["L1"] == {"status": "measured", "reasons": []}
    assert data["pred"].shape == (1, 30, 60, 90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda d: d["pred"].meta.pop("spatial_shape"), "spatial_shape missing", id="shape"
        ),
        pytest.param(
            lambda d: d.update(body=d["body"][:, :-1]), "differ in shape", id="another grid"
        ),
        pytest.param(
            lambda d: d["pred"].meta.update(original_affine=np.zeros((4, 4))),
            "a: its affine cannot be inverted",
            id="affine",
        ),
    ],
)
def test_what_cannot_be_restored_is_refused_in_one_line(change, message):
    data = working(np.eye(4), (9, 8, 7))
    change(data)
    with pytest.raises(ValueError, match=message) as refusal:
        RestoreLevelsd()(data)
    assert "\n" not in str(refusal.value)


def test_measures_of_a_hand_made_map():
    ids = np.zeros((4, 4, 4), np.uint8)
    ids[1:3, 1, 2] = 2
    label = MetaTensor(torch.from_numpy(ids[None]), affine=torch.diag(torch.tensor([2.0, 1, 3, 1])))
    measured = measure(label)
    assert measured["L2"] == {"centroid_ras_mm": [3.0, 1.0, 6.0], "volume_mm3": 12.0}
    assert measured["L1"] == {"centroid_ras_mm": None, "volume_mm3": None}
