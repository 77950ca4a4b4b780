"""Coordinates, boxes, partial volumes and interpolation of the canvas, against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from scipy.spatial.transform import Rotation

from tools.phantom.drawing.canvas import CORNER_SIGNS, WORLD, Canvas, Frame, vec
from tools.volumes import Grid


def grid(shape=(14, 12, 10), spacing=(1.0, 1.5, 2.0), turn=(0, 0, 0), codes=(0, 1, 2), flips=1):
    """A grid about the origin, turned by Euler angles (degrees), its axes swapped and flipped."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing
    affine[:3, :3] = affine[:3, list(codes)] * np.broadcast_to(flips, 3)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


angles = st.tuples(*[st.floats(-180, 180)] * 3)
grids = st.builds(
    grid,
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 5)] * 3),
    turn=angles,
    codes=st.permutations(range(3)),
    flips=st.tuples(*[st.sampled_from([-1, 1])] * 3),
)
frames = st.builds(
    lambda origin, turn: Frame(
        np.array(origin), Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    ),
    st.tuples(*[st.floats(-60, 60)] * 3),
    angles,
)


@given(grid=grids, frame=frames)
@settings(deadline=None)
def test_coordinates_are_the_affine_mapping(grid, frame):
    index = np.stack(np.indices(grid.shape), -1)
    world = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    expected = (world - frame.origin) @ frame.axes
    found = torch.broadcast_tensors(*Canvas(grid, 0.0).whole().coordinates(frame))
    np.testing.assert_allclose(np.stack(found, -1), expected, atol=1e-3)


@given(frame=frames, point=st.tuples(*[st.floats(-80, 80)] * 3))
def test_frames_map_there_and_back(frame, point):
    world = frame.point(*point)
    local = frame.local(*torch.tensor(world))
    np.testing.assert_allclose(local, point, atol=1e-9)
    np.testing.assert_allclose(frame.moved(*point).origin, world)


@given(grid=grids, center=st.tuples(*[st.floats(-15, 15)] * 3), radius=st.floats(0, 6))
@settings(deadline=None)
def test_a_box_holds_every_voxel_within_the_margin(grid, center, radius):
    index = np.stack(np.indices(grid.shape), -1).reshape(-1, 3)
    inside = np.linalg.norm(grid.to_world(index) - center, axis=1) <= radius
    box = Canvas(grid, 0.0).box(np.array(center), radius)
    if box is None:
        assert not inside.any()
        return
    low = np.array([part.start for part in box.slices])
    high = np.array([part.stop for part in box.slices])
    assert ((index[inside] >= low) & (index[inside] < high)).all()
    np.testing.assert_allclose(box.origin, grid.to_world(low), atol=1e-9)


def test_a_hull_holds_its_boxes_and_knows_where_they_lie():
    canvas = Canvas(grid(), 0.0)
    boxes = [canvas.box(vec(-3, 2, 1), 1.0), canvas.box(vec(4, -4, -6), 2.0)]
    hull = canvas.hull(boxes)
    place = torch.arange(canvas.hu.numel()).view(canvas.hu.shape)
    for box in boxes:
        inside = place[hull.slices][box.within(hull)]
        assert torch.equal(inside, place[box.slices])


def test_a_box_beside_the_grid_paints_nothing():
    canvas = Canvas(grid(), -1000.0)
    box = canvas.box(vec(300, 0, 0), 5.0)
    assert box is None
    assert canvas.paint(box, 50.0, lambda x, y, z: x) is None
    assert (canvas.hu == -1000).all()


@pytest.mark.parametrize("turn", [(0, 0, 0), (20, -35, 50)], ids=["straight", "oblique"])
def test_half_space_fills_its_volume(turn):
    canvas = Canvas(grid((20, 20, 20), (1.0, 1.0, 1.0), turn), 0.0)
    normal = np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8])
    volumes = []
    offsets = np.linspace(-0.5, 0.5, 11)
    for offset in offsets:
        canvas.hu.zero_()
        canvas.paint(
            canvas.whole(),
            1.0,
            lambda x, y, z, c=offset: sum(map(torch.mul, (x, y, z), map(float, normal))) - c,
        )
        volumes.append(float(canvas.hu.sum()))
    # The plane through the middle halves the cube, and each step adds the plane's own area.
    assert volumes[5] == pytest.approx(4000, rel=0.005)
    assert np.all(np.diff(volumes) > 0)


@pytest.mark.parametrize("step_mm", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("coarse_mm", [None, 2.5], ids=["every voxel", "interpolated"])
def test_sphere_has_its_volume(step_mm, coarse_mm):
    count = int(30 / step_mm)
    canvas = Canvas(grid((count,) * 3, (step_mm,) * 3, (15, 25, -40)), 0.0)
    sphere = Frame(vec(0.3, -0.4, 0.2))
    box = canvas.box(sphere.origin, 11.0)
    canvas.paint(box, 1.0, lambda u, v, w: (u * u + v * v + w * w).sqrt() - 9.0, sphere, coarse_mm)
    volume = float(canvas.hu.sum()) * step_mm**3
    # Linear interpolation over 2.5 mm pulls the surface of a 9 mm sphere inwards by 0.1 mm.
    tolerance = 0.01 if coarse_mm is None else 0.045
    assert volume == pytest.approx(4 / 3 * np.pi * 9**3, rel=tolerance)


def test_blend_mixes_by_volume():
    canvas = Canvas(grid(), -1000.0)
    box = canvas.whole()
    canvas.blend(box, 200.0, torch.full(box.shape, 0.25))
    torch.testing.assert_close(canvas.hu, torch.full(box.shape, -700.0))
    canvas.blend(box, torch.full(box.shape, 100.0), torch.ones(1, 1, 1))
    torch.testing.assert_close(canvas.hu, torch.full(box.shape, 100.0))


@given(
    shape=st.tuples(*[st.integers(1, 13)] * 3),
    step_mm=st.floats(0.2, 9),
    first=st.tuples(*[st.integers(0, 40)] * 3),
)
@settings(deadline=None)
def test_refine_interpolates_linearly(shape, step_mm, first):
    canvas = Canvas(grid(shape), 0.0, first=first)
    coarse = canvas.whole().coarse(step_mm)
    samples = np.random.default_rng(0).standard_normal(coarse.counts).astype(np.float32)
    found = coarse.refine(torch.from_numpy(samples)).numpy()
    assert found.shape == shape
    # SciPy interpolates at the voxels' places, counted in samples from the first one.
    strides = np.linalg.norm(coarse.steps, axis=0) / canvas.grid.spacing_mm
    lead = (canvas.grid.to_index(coarse.origin)).round()
    places = (np.stack(np.indices(shape), -1) - lead) / strides
    axes = [np.arange(max(count, 2)) for count in coarse.counts]
    padded = np.pad(
        samples, [(0, len(a) - c) for a, c in zip(axes, coarse.counts, strict=True)], mode="edge"
    )
    expected = RegularGridInterpolator(axes, padded)(places)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(step_mm=st.floats(0.4, 12))
@settings(deadline=None, max_examples=30)
def test_coarse_samples_reach_over_the_box_and_are_close_enough(step_mm):
    canvas = Canvas(grid(turn=(10, 5, 30)), 0.0, first=(3, 1, 7))
    box = canvas.whole()
    coarse = box.coarse(step_mm)
    edges = np.linalg.norm(coarse.steps, axis=0)
    assert (edges <= np.maximum(step_mm, canvas.grid.spacing_mm) + 1e-6).all()
    ends = [coarse.origin, coarse.origin + coarse.steps @ (np.array(coarse.counts) - 1)]
    index = canvas.grid.to_index(np.array(ends))
    assert (index[0] <= 1e-6).all()
    assert (index[1] >= np.array(box.shape) - 1 - 1e-6).all()


def test_parts_of_a_drawing_fit_together():
    """A smooth shape sampled coarsely is the same whether it is drawn at once or in slabs."""
    whole = grid((16, 14, 23), (1.2, 1.0, 0.8), (4, -3, 5))

    def shape(x, y, z):
        return ((x / 5) ** 2 + (y / 4) ** 2 + (z / 6) ** 2).sqrt() * 4 - 4

    at_once = Canvas(whole, 0.0)
    at_once.paint(at_once.whole(), 1.0, shape, WORLD, 3.0)
    for low, high in ((0, 9), (9, 10), (10, 23)):
        affine = whole.affine.copy()
        affine[:3, 3] = whole.to_world(vec(0, 0, low))
        part = Canvas(Grid((16, 14, high - low), affine), 0.0, first=(0, 0, low))
        part.paint(part.whole(), 1.0, shape, WORLD, 3.0)
        torch.testing.assert_close(part.hu, at_once.hu[:, :, low:high], atol=1e-5, rtol=0)


def test_corner_signs_are_the_eight_corners():
    assert {tuple(corner) for corner in CORNER_SIGNS} == {
        (a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)
    }
