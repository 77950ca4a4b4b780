"""The side view of a sacrum: it bends forwards; with L5 on it, it bends back or has a gap."""

import numpy as np
import pytest

from lumbar_bundle.sacral_shape import SacralShape
from lumbar_bundle.sacrum import LEAST_DIP, LEAST_TURN_DEG

DOWN, FORWARD = np.array([0.0, 0.0, -1.0]), np.array([0.0, 1.0, 0.0])
STEP_MM = 2.0


def column(leans, heights, depths, gap=(0.0, 0.0)):
    """Voxels of a column of blocks, from its upper end at 0 down.

    Args:
        leans: Forward lean of each block, degrees.
        heights: Of each, mm.
        depths: Of each, mm.
        gap: From and to, mm below the upper end: left out.
    """
    points, middle, below = [], 0.0, 0.0
    for lean, height, depth in zip(leans, heights, depths, strict=True):
        for _ in range(int(height / STEP_MM)):
            if not gap[0] <= below < gap[1]:
                for y in np.arange(middle - depth / 2, middle + depth / 2 + 0.1, STEP_MM):
                    points += [(x, y, -below - STEP_MM / 2) for x in (-4.0, 0.0, 4.0)]
            below += STEP_MM
            middle += STEP_MM * np.tan(np.radians(lean))
    return np.array(points)


@pytest.mark.parametrize("turn", [5.0, 15.0, 30.0])
def test_a_sacrum_bends_forwards_by_its_turn(turn):
    shape = SacralShape.of(column([0, turn], [30, 42], [34, 22]), DOWN, FORWARD, 0.0)
    assert shape.turn_deg == pytest.approx(turn, abs=1.5)
    assert shape.turn_deg >= LEAST_TURN_DEG
    assert shape.dip >= LEAST_DIP
    assert shape.shown_mm == pytest.approx(72)


def test_with_l5_on_it_the_promontory_turns_it_back():
    """L5 and its disc, 36 mm, then S1 leaning back by 17 degrees."""
    shape = SacralShape.of(column([0, -17], [34, 38], [34, 30]), DOWN, FORWARD, 0.0)
    assert shape.turn_deg == pytest.approx(-17, abs=1.5)
    assert shape.turn_deg < LEAST_TURN_DEG


def test_an_open_disc_is_a_gap():
    points = column([0, 10], [36, 36], [34, 30], gap=(28.0, 36.0))
    assert SacralShape.of(points, DOWN, FORWARD, 0.0).dip < LEAST_DIP


def test_the_canals_roof_is_no_part_of_the_body():
    body = column([0, 15], [30, 42], [34, 22])
    roof = column([0, 15], [30, 42], [6, 6]) - [0, 34, 0]
    with_roof = SacralShape.of(np.vstack([body, roof]), DOWN, FORWARD, 0.0)
    alone = SacralShape.of(body, DOWN, FORWARD, 0.0)
    assert with_roof == alone


def test_a_speck_before_the_sacrum_does_not_hide_it():
    """A few voxels of bowel called sacrum, in front of it, were taken for its front wall."""
    body = column([0, 15], [30, 42], [34, 22])
    speck = column([0], [20], [4]) + [0, 38, -28]
    with_speck = SacralShape.of(np.vstack([body, speck]), DOWN, FORWARD, 0.0)
    assert with_speck == SacralShape.of(body, DOWN, FORWARD, 0.0)


@pytest.mark.parametrize("height", [30, 56, 66])
def test_what_shows_too_little_has_no_turn(height):
    shape = SacralShape.of(column([0, 15], [30, height - 28], [34, 22])[:], DOWN, FORWARD, 0.0)
    assert shape.shown_mm < 72
    assert np.isnan(shape.turn_deg)


def test_it_does_not_depend_on_where_the_patient_leans():
    """Turned about the left-right axis with its directions, the side view stays."""
    points = column([0, 15], [30, 42], [34, 22])
    angle = np.radians(40)
    turn = np.array([
        [1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]
    ])  # fmt: skip
    moved = SacralShape.of(points @ turn.T, turn @ DOWN, turn @ FORWARD, 0.0)
    straight = SacralShape.of(points, DOWN, FORWARD, 0.0)
    assert moved.turn_deg == pytest.approx(straight.turn_deg, abs=0.5)
    assert moved.dip == pytest.approx(straight.dip, abs=0.02)


def test_nothing_shows_nothing():
    shape = SacralShape.of(np.zeros((0, 3)), DOWN, FORWARD, 0.0)
    assert (shape.shown_mm, shape.dip) == (0.0, 1.0)
    assert np.isnan(shape.turn_deg)
