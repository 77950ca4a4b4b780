"""Metal counts for the level it belongs to."""

import numpy as np
import pytest
from scipy import ndimage

from tests.tools.screen.scene import NAMES, STEP_MM, grid, image, instances, places, real_bodies
from tools.screen import bodies, metal

EDGES_MM = (1.5, 1.5, 2.0)
ON = grid(spacing=EDGES_MM)
BODIES = bodies.points_mm(instances(ON), ON.affine, NAMES)


def rod(start, end, radius, on=ON):
    """Voxels within `radius` of a line between two places, mm."""
    at, start, along = places(on), np.array(start), np.array(end) - np.array(start)
    share = np.clip((at - start) @ along / (along @ along), 0, 1)
    return np.linalg.norm(at - start - share[..., None] * along, axis=-1) <= radius


def found(mask, hu=3071.0, on=ON):
    scan = image(on)
    scan[mask] = hu
    points = bodies.points_mm(instances(on), on.affine, NAMES)
    return metal.found(scan, on.affine, points)


def height(level):
    return STEP_MM * NAMES.index(level)


def test_nothing_without_metal():
    assert metal.found(image(ON), ON.affine, BODIES) == frozenset()


@pytest.mark.parametrize(
    "on",
    [ON, grid(spacing=(1.5, 1.5, 2.0), turn_deg=(10.0, -7.0, 12.0), codes_flip=(-1, 1, -1))],
    ids=["straight", "oblique"],
)
def test_a_screw_refuses_its_level_alone(on):
    z = height("L2")
    screw = rod([16, -38, z + 2], [8, 8, z + 4], 2.8, on)
    assert found(screw, on=on) == {"L2"}


def test_screw_blurred_below_2000_hu_is_seen_in_the_core():
    z = height("L3")
    assert found(rod([10, -30, z], [6, 8, z], 2.8), hu=1400.0) == {"L3"}


def test_cement_refuses_its_level_alone():
    z = height("L2")
    assert found(rod([-3, 0, z], [3, 2, z], 5.0), hu=900.0) == {"L2"}


def test_cement_that_the_outline_leaves_out_is_found():
    """The network leaves cement out of a body: dented there, the core held none of it."""
    ball = rod([-3, 4, height("L2")], [3, 4, height("L2")], 8.0)
    scan = image(ON)
    scan[ball] = 1500.0
    dented = np.where(ball, 0, instances(ON))
    points = bodies.points_mm(dented, ON.affine, NAMES)
    assert metal.found(scan, ON.affine, points) == {"L2"}


def test_a_single_slice_has_no_core():
    """Points in one plane span no body: no error, and metal is still counted."""
    flat = {"L3": BODIES["L3"][np.abs(BODIES["L3"][:, 0]) < 1]}
    flat["L3"][:, 0] = 0.0
    scan = image(ON)
    scan[rod([0, 0, height("L3")], [3, 0, height("L3")], 5.0)] = 900.0
    assert metal.measure(scan, ON.affine, flat)["L3"].core_mm3 == 0.0


def test_a_rod_behind_three_bodies_refuses_all_three():
    ends = height("L4") - 10, height("L2") + 10
    assert found(rod([15, -38, ends[0]], [15, -38, ends[1]], 3.0)) == {"L4", "L3", "L2"}


def test_a_cage_between_two_bodies_refuses_both():
    z = (height("L3") + height("L4")) / 2
    assert found(rod([-10, 2, z], [10, 2, z], 3.5)) == {"L4", "L3"}


def test_far_metal_refuses_nothing():
    """14 cm³ of metal in the soft tissue beside L4, farther than 30 mm from any body."""
    far = rod([68, 60, -10], [68, 60, 40], 8.0)
    assert far.sum() * 4.5 > 1000
    assert found(far) == frozenset()


def test_a_clip_is_too_small():
    clip = rod([5, 25, 0], [5, 25, 1], 1.2)
    assert 0 < clip.sum() * 4.5 < metal.LEAST_METAL_MM3
    assert found(clip) == frozenset()


def test_a_bone_island_is_no_cement():
    z = height("L1")
    island = rod([0, 0, z], [0, 0, z + 1], 2.8)
    assert 0 < island.sum() * 4.5 < metal.LEAST_DENSE_MM3
    assert found(island, hu=800.0) == frozenset()


def test_sharp_cortex_is_no_cement():
    scan = image(ON)
    number = instances(ON)
    shell = np.zeros(ON.shape, bool)
    for axis in range(3):
        for step in (-1, 1):
            shell |= (number > 0) & (np.roll(number, step, axis) == 0)
    scan[shell] = 1200
    assert metal.found(scan, ON.affine, BODIES) == frozenset()


def test_without_bodies_nothing_is_judged():
    assert metal.measure(image(ON), ON.affine, {}) == {}


@pytest.fixture(scope="module")
def scene():
    """The drawn scan, where its voxels lie, and how far from L2 each is, mm."""
    outside = instances(ON) != 1 + NAMES.index("L2")
    return image(ON), places(ON), ndimage.distance_transform_edt(outside, EDGES_MM)


def voxels(centres, away, count, at_mm, away_mm=(0.0, 99.0)):
    """The voxels nearest to a place whose distance from L2 lies between two, mm; 4.5 mm³ each."""
    off = np.linalg.norm(centres - at_mm, axis=-1)
    off[(away < away_mm[0]) | (away > away_mm[1])] = np.inf
    return off <= np.partition(off, count - 1, axis=None)[count - 1]


#: Off the grid's planes of symmetry, so that no two voxels are equally far.
BEFORE = [0.11, 30.07, height("L2") + 0.23]
INSIDE = [0.11, 0.07, height("L2") + 0.23]


@pytest.mark.parametrize(
    ("asked", "hu", "refused"),
    [
        pytest.param((12, BEFORE), 2001.0, True, id="54 mm³ of metal"),
        pytest.param((11, BEFORE), 2001.0, False, id="49.5 mm³"),
        pytest.param((12, BEFORE), 2000.0, False, id="2000 HU"),
        pytest.param((12, BEFORE, (28.0, 30.0)), 2001.0, True, id="30 mm away"),
        pytest.param((12, BEFORE, (30.0, 32.0)), 2001.0, False, id="farther"),
        pytest.param((45, INSIDE), 601.0, True, id="202 mm³ of cement"),
        pytest.param((44, INSIDE), 601.0, False, id="198 mm³"),
        pytest.param((45, INSIDE), 600.0, False, id="600 HU"),
        pytest.param((60, [0.11, 0.07, height("L2") + 12.0]), 601.0, False, id="an endplate"),
    ],
)
def test_limits_of_metal_and_cement(asked, hu, refused, scene):
    scan, centres, away = scene
    mask = voxels(centres, away, *asked)
    assert mask.sum() == asked[0]
    dense = metal.found(np.where(mask, hu, scan), ON.affine, BODIES)
    assert dense == ({"L2"} if refused else frozenset())


@pytest.mark.realdata
def test_metal_at_the_hip_refuses_no_level(shared_data):
    hu, affine, points = real_bodies(shared_data)
    assert (hu > metal.METAL_HU).sum() * 27 > 10_000
    assert metal.found(hu, affine, points) == frozenset()
