"""Shells thinner than a voxel, unions of pieces, and tubes."""

import numpy as np
import pytest
import torch

from tools.phantom.drawing.canvas import WORLD, Canvas, Frame, vec
from tools.phantom.drawing.painting import Paint, Piece, paint_shell, paint_union, union_distance
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.materials import MATERIALS
from tools.volumes import Grid


def canvas_about_origin(count, step_mm):
    affine = np.diag([step_mm, step_mm, step_mm, 1.0])
    affine[:3, 3] = -step_mm * (count - 1) / 2
    return Canvas(Grid((count,) * 3, affine), 0.0)


def ball(center, radius):
    x0, y0, z0 = map(float, center)

    def distance(x, y, z):
        return ((x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2).sqrt() - radius

    return Piece(np.array([center]), radius, distance)


@pytest.mark.parametrize("step_mm", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("thickness_mm", [0.35, 1.0])
def test_a_thin_shell_keeps_its_volume(step_mm, thickness_mm):
    radius, volumes = 12.0, []
    for shift in np.random.default_rng(0).uniform(-0.5, 0.5, (12, 3)) * step_mm:
        canvas = canvas_about_origin(int(36 / step_mm), step_mm)
        x, y, z = canvas.whole().coordinates(Frame(shift))
        distance = (x * x + y * y + z * z).sqrt() - radius
        paint_shell(canvas, canvas.whole(), distance, thickness_mm, 1.0, 0.0)
        volumes.append(float(canvas.hu.sum()) * step_mm**3)
    exact = 4 / 3 * np.pi * (radius**3 - (radius - thickness_mm) ** 3)
    assert np.mean(volumes) == pytest.approx(exact, rel=0.01)


def test_a_shell_mixes_shell_inside_and_background():
    canvas = canvas_about_origin(8, 1.0)
    x, _, _ = canvas.whole().coordinates()
    canvas.hu.fill_(-100.0)
    paint_shell(canvas, canvas.whole(), (x + 0.0).expand(8, 8, 8), 0.4, 1000.0, 50.0)
    # Voxels centred at x = -0.5 hold 0.4 of shell and 0.6 of inside: the surface is at x = 0.
    assert float(canvas.hu[3, 0, 0]) == pytest.approx(0.4 * 1000 + 0.6 * 50)
    assert float(canvas.hu[4, 0, 0]) == -100.0
    assert float(canvas.hu[2, 0, 0]) == 50.0


def test_a_union_is_the_nearest_piece_and_fills_creases():
    canvas = canvas_about_origin(41, 1.0)
    pieces = [ball((-5, 0, 0), 6.0), ball((5, 0, 0), 6.0)]
    box, distance = union_distance(canvas, WORLD, pieces, 2.0)
    x, y, z = box.coordinates()
    sharp = torch.minimum(*(piece.distance(x, y, z) for piece in pieces))
    near = sharp.abs() < 2.5
    gain = (sharp - distance)[near]
    assert float(gain.min()) >= -1e-4
    assert float(gain.max()) == pytest.approx(0.5, abs=0.05)  # a quarter of the rounding
    far_from_crease = near & (x.abs() > 4)
    torch.testing.assert_close(distance[far_from_crease], sharp[far_from_crease])


def test_pieces_outside_the_grid_are_left_out():
    canvas = canvas_about_origin(20, 1.0)
    assert union_distance(canvas, WORLD, [ball((90, 0, 0), 5.0)], 2.0) is None
    assert paint_union(canvas, WORLD, [ball((90, 0, 0), 5.0)], 2.0, 1.0, 500.0, 100.0) is None
    assert not canvas.hu.any()
    drawn = paint_union(
        canvas, WORLD, [ball((0, 0, 0), 5.0), ball((90, 0, 0), 5.0)], 2.0, 1.0, 500.0, 100.0
    )
    assert drawn is not None
    assert float(canvas.hu[10, 10, 10]) == pytest.approx(100.0)


def test_a_tube_has_its_volume_and_hu():
    canvas = canvas_about_origin(50, 1.0)
    paint = Paint(canvas, REFERENCE_BEAM, {})
    course = np.array([vec(-15, 0, 0), vec(0, 3, 0), vec(15, 0, 4)])
    paint.tube(course, (4.0, 4.0, 4.0), 1.0, coarse_mm=None)
    length = np.linalg.norm(np.diff(course, axis=0), axis=1).sum()
    exact = np.pi * 16 * length + 4 / 3 * np.pi * 64
    assert float(canvas.hu.sum()) == pytest.approx(exact, rel=0.02)
    assert float(canvas.hu.max()) == pytest.approx(1.0)


def test_a_ball_is_filled_with_its_tissue():
    canvas = canvas_about_origin(30, 1.0)
    paint = Paint(canvas, REFERENCE_BEAM, {})
    paint.ball(vec(0.4, 0, 0), 8.0, "muscle")
    muscle = REFERENCE_BEAM.hu("muscle")
    assert float(canvas.hu[15, 15, 15]) == pytest.approx(muscle, rel=1e-5)
    assert float(canvas.hu.sum()) == pytest.approx(4 / 3 * np.pi * 512 * muscle, rel=0.05)


def test_tissues_of_the_patient_go_before_the_general_ones():
    beam = REFERENCE_BEAM
    paint = Paint(canvas_about_origin(2, 1.0), beam, {"muscle": MATERIALS["water"]})
    assert paint.hu("muscle") == pytest.approx(0.0, abs=1e-6)
    assert paint.hu("blood") == beam.hu("blood")
