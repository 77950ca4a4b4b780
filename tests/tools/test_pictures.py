import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tools.pictures import (
    AIR_HU,
    BONE_WINDOW,
    SOFT_WINDOW,
    PlaneName,
    annotate,
    outlines,
    overlay,
    png,
    view_through,
    window,
)
from tools.volumes import reorient

AFFINE = np.array([[2.0, 0, 0, -20], [0, 2.0, 0, -30], [0, 0, 4.0, -40], [0, 0, 0, 1]])
SHAPE = (21, 31, 21)  # 40 x 60 x 80 mm between the outer voxel centres


def gradient(axis: int) -> np.ndarray:
    """Volume whose value is the RAS+ millimetre along one axis."""
    index = np.indices(SHAPE)[axis]
    return (index * AFFINE[axis, axis] + AFFINE[axis, 3]).astype(np.float32)


@pytest.mark.parametrize(
    ("plane", "size_mm", "across", "along"),
    [
        pytest.param("sagittal", (80, 60), (1, 30, -30), (2, 40, -40), id="sagittal"),
        pytest.param("coronal", (80, 40), (0, 20, -20), (2, 40, -40), id="coronal"),
        pytest.param("axial", (60, 40), (0, 20, -20), (1, 30, -30), id="axial"),
    ],
)
def test_a_view_is_true_to_millimetres_and_directions(
    plane: PlaneName,
    size_mm: tuple[int, int],
    across: tuple[int, float, float],
    along: tuple[int, float, float],
) -> None:
    view = view_through(SHAPE, AFFINE, plane, 0.0, 1.0)
    assert view.shape == (size_mm[0] + 1, size_mm[1] + 1)
    axis, first, last = across
    picture = view.sample(gradient(axis), AFFINE)
    np.testing.assert_allclose(picture[:, 0], first, atol=1e-4)
    np.testing.assert_allclose(picture[:, -1], last, atol=1e-4)
    axis, first, last = along
    picture = view.sample(gradient(axis), AFFINE)
    np.testing.assert_allclose(picture[0], first, atol=1e-4)
    np.testing.assert_allclose(picture[-1], last, atol=1e-4)


@given(codes=st.sampled_from(["RAS", "LPS", "PIR", "ASL", "IRP"]), pixel_mm=st.floats(0.7, 3.0))
def test_the_array_order_does_not_change_the_picture(codes: str, pixel_mm: float) -> None:
    volume = gradient(0) + 3 * gradient(1) - 2 * gradient(2)
    turned, affine = reorient(volume, AFFINE, codes)
    views = [view_through(SHAPE, AFFINE, "sagittal", 3.0, pixel_mm)]
    views.append(view_through(turned.shape, affine, "sagittal", 3.0, pixel_mm))
    assert views[0].shape == views[1].shape
    np.testing.assert_allclose(
        views[0].sample(volume, AFFINE), views[1].sample(turned, affine), atol=1e-2
    )


def test_an_oblique_volume_is_cut_in_the_patient() -> None:
    angle = np.radians(10)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ AFFINE
    world = np.moveaxis(np.indices(SHAPE), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    view = view_through(SHAPE, affine, "sagittal", 0.0, 1.0)
    height = view.sample(world[..., 2].astype(np.float32), affine)
    row, column = 45, 35
    expected = view.top_left_mm + np.array([0, -column, -row])
    assert height[row, column] == pytest.approx(expected[2], abs=1e-3)
    assert height[0, 0] == AIR_HU  # a corner of the picture lies outside the tilted volume


def test_points_land_where_they_are_seen() -> None:
    volume = np.zeros(SHAPE, np.float32)
    volume[5, 20, 13] = 1
    point_mm = AFFINE[:3, :3] @ [5, 20, 13] + AFFINE[:3, 3]
    for plane, axis in (("sagittal", 0), ("coronal", 1), ("axial", 2)):
        view = view_through(SHAPE, AFFINE, plane, point_mm[axis], 1.0)  # type: ignore[arg-type]
        column, row = view.to_pixels(point_mm)
        assert view.sample(volume, AFFINE)[round(row), round(column)] == pytest.approx(1)
        np.testing.assert_allclose(view.to_world(np.array([column, row])), point_mm)


@pytest.mark.parametrize(
    ("hu", "setting", "grey"),
    [
        (-150, BONE_WINDOW, 0),
        (100, BONE_WINDOW, 64),
        (850, BONE_WINDOW, 255),
        (-150, SOFT_WINDOW, 0),
        (250, SOFT_WINDOW, 255),
        (-1024, SOFT_WINDOW, 0),
        (3071, SOFT_WINDOW, 255),
    ],
)
def test_window(hu: float, setting: tuple[float, float], grey: int) -> None:
    assert window(np.array([hu], np.float32), setting)[0] == grey


def test_overlay_colours_only_its_labels() -> None:
    grey = np.full((7, 7), 100, np.uint8)
    labels = np.zeros((7, 7), int)
    labels[1:6, 1:6] = 3
    picture = overlay(grey, labels, {3: (200, 0, 0)}, opacity=0.5)
    assert picture.dtype == np.uint8
    assert tuple(picture[0, 0]) == (100, 100, 100)
    assert tuple(picture[1, 1]) == (200, 0, 0)
    assert tuple(picture[3, 3]) == (150, 50, 50)


def test_outlines_part_touching_labels() -> None:
    labels = np.zeros((5, 8), int)
    labels[:, :4], labels[:, 4:] = 1, 2
    edge = outlines(labels)
    assert edge[2].tolist() == [True, False, False, True, True, False, False, True]


def test_annotation_writes_and_keeps_the_size() -> None:
    view = view_through(SHAPE, AFFINE, "sagittal", 0.0, 0.5)
    blank = np.zeros(view.shape, np.uint8)
    plain = annotate(blank, view)
    named = annotate(blank, view, [("L3", np.zeros(3))])
    column, row = np.rint(view.to_pixels(np.zeros(3))).astype(int)
    region = np.s_[row - 6 : row + 7, column - 8 : column + 9]
    assert plain.shape == (*view.shape, 3)
    assert plain[region].max() == 0
    assert named[region].max() > 200
    bar = plain[view.shape[0] - 8, :, 0] == 255
    assert bar.sum() * view.pixel_mm == pytest.approx(50, abs=1)


def test_png_is_lossless_and_repeatable() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    encoded = png(picture)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded))), picture)
    assert encoded == png(picture)
