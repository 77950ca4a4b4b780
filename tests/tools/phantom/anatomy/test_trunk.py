"""The trunk's outline holds what it should."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.phantom.anatomy.pelvis import femur
from tools.phantom.anatomy.sacrum import alae, crest, rearmost_mm
from tools.phantom.anatomy.trunk import LOW_SPINE

PATIENTS = [scene.patient(seed) for seed in range(12)]
IDS = [f"{shown.sex} {shown.trunk.bmi:.0f} kg/m2" for shown in PATIENTS]


def skin_at(trunk, points):
    return trunk.skin(*torch.tensor(np.asarray(points), dtype=torch.float32).T).numpy()


@pytest.mark.parametrize("shown", PATIENTS, ids=IDS)
def test_bones_lie_under_skin_and_fat(shown):
    trunk, pelvis = shown.trunk, shown.pelvis
    for rod in [*pelvis.parts, *femur(pelvis)]:
        for end, radius in ((rod.start, rod.radii[0]), (rod.end, rod.radii[1])):
            for mirrored in (end, (-end[0], *end[1:])):
                assert skin_at(trunk, [mirrored])[0] + radius < 0
    for level in LOW_SPINE:
        assert skin_at(trunk, [shown.spine.vertebrae[level].frame.origin])[0] < -20, level


@pytest.mark.parametrize("shown", PATIENTS, ids=IDS)
def test_nothing_of_the_sacrum_lies_behind_its_rearmost_point(shown):
    rear = rearmost_mm(shown.sacrum)
    for rod in [*alae(shown.sacrum), *crest(shown.sacrum)]:
        assert rod.start[1] - rod.radii[0] >= rear
        assert rod.end[1] - rod.radii[1] >= rear
    for segment in shown.sacrum.segments:
        assert segment.frame.point(0.0, -segment.above[1] / 2, 0.0)[1] > rear
    assert shown.trunk.back < rear - shown.trunk.fat[2]


@pytest.mark.parametrize("shown", PATIENTS[:6], ids=IDS[:6])
def test_corners_hold_the_skin(shown):
    """No point beside the box is inside the trunk."""
    trunk = shown.trunk
    low, high = trunk.corners_mm(-150.0, 250.0).min(0), trunk.corners_mm(-150.0, 250.0).max(0)
    points = np.random.default_rng(0).uniform(low - 60, high + 60, (20_000, 3))
    points[:, 2] = points[:, 2].clip(-150, 250)
    beside = ((points[:, :2] < low[:2]) | (points[:, :2] > high[:2])).any(1)
    assert beside.sum() > 1000
    assert (skin_at(trunk, points[beside]) > 0).all()


@pytest.mark.parametrize("shown", PATIENTS[:6], ids=IDS[:6])
def test_held_points_lie_deep_enough_and_others_stay(shown):
    trunk = shown.trunk
    middle = [trunk.lean, trunk.back + trunk.half_depth, 60.0]
    spread = np.array([1.2 * trunk.half_width, 1.2 * trunk.half_depth, 90.0])
    points = middle + np.random.default_rng(1).uniform(-1, 1, (500, 3)) * spread
    before, moved = skin_at(trunk, points), trunk.held(points, 25.0)
    after = skin_at(trunk, moved)
    assert (after < -24).all()
    deep = before < -25
    assert deep.any()
    np.testing.assert_array_equal(moved[deep], points[deep])
    np.testing.assert_array_equal(moved[:, 2], points[:, 2])


@pytest.mark.parametrize("shown", PATIENTS, ids=IDS)
def test_layers_lie_inside_each_other(shown):
    trunk = shown.trunk
    rng = np.random.default_rng(2)
    low, high = trunk.corners_mm(-120.0, 220.0).min(0), trunk.corners_mm(-120.0, 220.0).max(0)
    x, y, z = torch.tensor(rng.uniform(low, high, (5000, 3)), dtype=torch.float32).T
    skin, wall, cavity = trunk.skin(x, y, z), trunk.wall_outside(x, y, z), trunk.cavity(x, y, z)
    lungs = trunk.lungs(x, y, z)
    assert (skin[wall < 0] < 0).all()
    assert (wall[cavity < -3] < 0).all()
    assert (cavity[lungs < 0] < 0).all()
    assert 18 < trunk.water_equivalent_cm() < 42
