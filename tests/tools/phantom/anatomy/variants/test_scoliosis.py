"""A structural curve: the asked Cobb angle, bodies turned to the convex side, most at the apex."""

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.morphometry import measure
from tools.phantom import case
from tools.phantom.anatomy.variants.scoliosis import COBB_DEG, coronal_tilt, measured_cobb
from tools.phantom.anatomy.vertebra import posterior_parts
from tools.phantom.field import fine_grid, spine_bounds_mm
from tools.phantom.truth import patient_truth


def bent(seed, **more):
    return scene.varied(seed, scoliosis=1.0, **more)


@pytest.mark.parametrize("seed", range(12))
def test_frames_have_the_asked_cobb_angle(seed):
    shown = bent(seed)
    asked = abs(shown.plan.curve.cobb)
    assert COBB_DEG[0] <= asked <= COBB_DEG[1]
    assert measured_cobb(shown.spine) == pytest.approx(asked, abs=0.5)
    assert patient_truth(shown)["alignment"]["cobb_deg"] == shown.plan.curve.cobb


@pytest.mark.parametrize("seed", range(4))
def test_worn_and_transitional_spines_have_it_too(seed):
    shown = bent(seed, age=75.0, degeneration=1.0, lumbarised_s1=1.0)
    assert measured_cobb(shown.spine) == pytest.approx(abs(shown.plan.curve.cobb), abs=1.0)


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_the_label_map_shows_it(seed):
    """Measured by the morphometry, which takes endplates of T10 to L5 off the map."""
    shown = bent(seed)
    grid = fine_grid(spine_bounds_mm(shown), 1.5, 1.5, 1, np.zeros(3))
    found = measure(case.label(shown, grid).bodies.numpy(), grid.affine)
    levels = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
    tilts = [coronal_tilt(shown.spine.vertebrae[level]) for level in levels]
    assert found.alignment.coronal_cobb == pytest.approx(max(tilts) - min(tilts), abs=5.0)


@pytest.mark.parametrize("seed", range(8))
def test_the_curve_is_convex_where_it_says_and_bodies_turn_there(seed):
    shown = bent(seed)
    curve, bodies = shown.plan.curve, shown.spine.vertebrae
    side = np.sign(curve.cobb)
    levels = list(bodies)
    first = levels.index(curve.low)
    inner = levels[first : first + curve.segments + 1]
    ends = bodies[inner[0]].frame.origin, bodies[inner[-1]].frame.origin
    apex = inner[len(inner) // 2]
    middle = bodies[apex].frame.origin
    share = (middle[2] - ends[0][2]) / (ends[1][2] - ends[0][2])
    chord = ends[0][0] + share * (ends[1][0] - ends[0][0])
    assert side * (middle[0] - chord) > 4
    turns = [side * bodies[level].turn for level in levels]
    assert turns[levels.index(apex)] == pytest.approx(max(turns), rel=0.12)
    assert 4 < max(turns) <= curve.turn + 1e-6
    assert min(turns) >= -1e-9
    # The spinous process points to the concave side, the body is higher on the convex one.
    tip = bodies[apex].frame.to_world(np.array(posterior_parts(bodies[apex])[-1].end))
    assert side * (tip[0] - middle[0]) < -3
    assert side * bodies[apex].lean < 0


@pytest.mark.parametrize("seed", range(8))
def test_the_chest_stands_over_the_pelvis_again(seed):
    shown = bent(seed)
    top = shown.spine.vertebrae["T4"]
    assert abs(coronal_tilt(top)) < 1.0
    assert abs(top.frame.origin[0]) < 30
