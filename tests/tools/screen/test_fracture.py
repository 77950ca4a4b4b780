"""The fracture network in a screening: levels looked at, and the level of the evidence."""

import numpy as np
import pytest

from tools.screen import fracture

#: Three slices 3 mm apart at x = 3, 0, -3 mm.
PLACE = np.array([[-3.0, 0, 0, 3], [0, 0, -1, 100], [0, -1, 0, 100], [0, 0, 0, 1]])


def body(name: str | None, x: float, complete: bool = True) -> dict:
    return {"name": name, "complete": complete, "centroid_ras_mm": [x, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param([body("L2", 0), body("L1", 0)], ["L1", "L2"], id="head to foot"),
        pytest.param([body("L1", 0, False)], [], id="cut off by the scan"),
        pytest.param([body(None, 0)], [], id="without a name"),
        pytest.param([body("L1", 12.9), body("L2", -12.9)], ["L1", "L2"], id="just cut"),
        pytest.param([body("L1", 13.1), body("L2", -13.1)], [], id="just beside"),
    ],
)
def test_levels_covered_are_those_that_slices_cut_near_the_middle(chain, expected) -> None:
    assert fracture.covered(chain, PLACE[None], 3) == expected


def test_of_a_long_scan_any_part_may_cover_a_level() -> None:
    other = PLACE.copy()
    other[0, 3] = 103.0
    places = np.stack([other, PLACE])
    assert fracture.covered([body("L1", 0), body("T9", 100)], places, 6) == ["T9", "L1"]


@pytest.mark.parametrize(
    ("point", "level"),
    [
        pytest.param([0, 0, 0], "L1", id="inside"),
        pytest.param([0, 0, -20], "L1", id="in the disc above"),
        pytest.param([0, 0, -60], None, id="far from every body"),
        pytest.param([0, 0, 80], None, id="on a body without a name"),
    ],
)
def test_the_level_at_a_point(point, level) -> None:
    cube = np.stack(np.meshgrid(*[np.arange(-10.0, 11)] * 3), axis=-1).reshape(-1, 3)
    bodies = {"L1": cube, "L2": cube + [0, 0, -200.0], "#3": cube + [0, 0, 80.0]}
    assert fracture.level_at(np.array(point, dtype=float), bodies) == level


def test_no_bodies_name_no_level() -> None:
    assert fracture.level_at(np.zeros(3), {}) is None
