"""Heights of broken bodies: what was asked, what the truth says, what is read off the label."""

import numpy as np
import pytest
import torch

from tests.tools.phantom.pathology.bodies import KINDS, broken, mild, occupied
from tools.morphometry.body import measure_shape
from tools.morphometry.frame import Occupancy
from tools.phantom.anatomy.vertebra import RIM_ROUNDING_MM, BodyShape
from tools.phantom.pathology.heights import before, grade, losses, norm_losses

GENERATORS = ("warp", "collapse")
GRADES = {1: 0.23, 2: 0.33, 3: 0.50}


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("wanted", "loss"), GRADES.items(), ids="grade {}".format)
def test_a_fracture_loses_what_was_asked(generator, kind, wanted, loss):
    body = broken(kind, loss, generator)
    lost = max(losses(body).values())
    assert lost == pytest.approx(loss, abs=0.002)
    assert grade(lost) == wanted


def read_heights(body):
    """Heights at front, middle and back, read off voxels over the sagittal band, mm."""
    inside, (u, v, _) = occupied(body, (1.2, 0.8, 0.4))
    counts = inside.sum(2) * 0.4
    front = body.depth / 2 - RIM_ROUNDING_MM
    back = -front + body.dent
    near = abs(u) < 0.25 * body.width
    return np.array([
        counts[near][:, abs(v - place) < 2.0].mean() for place in (front - 4, 0.0, back + 4)
    ])  # fmt: skip


def shape_heights(body):
    """The same from the shape's own endplates, averaged over the same places."""
    front = body.depth / 2 - RIM_ROUNDING_MM
    places = (front - 4, 0.0, -front + body.dent + 4)
    u = torch.linspace(-0.25, 0.25, 41)[:, None] * body.width
    heights = []
    for place in places:
        v = torch.linspace(place - 2, place + 2, 21)[None]
        top, bottom = BodyShape(body).endplates(u, v)
        heights.append(float((top - bottom).mean()))
    return np.array(heights)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", GRADES.values(), ids=str)
def test_voxels_have_lost_the_height_that_the_endplates_say(generator, kind, loss):
    body = broken(kind, loss, generator, seed=3)
    then = before(body)
    read = 1 - read_heights(body) / read_heights(then)
    said = 1 - shape_heights(body) / shape_heights(then)
    assert read == pytest.approx(said, abs=0.02)


def measured_loss(body):
    """Largest loss by six-point morphometry of the label, which knows nothing of the phantom."""
    found = []
    for shape in (body, before(body)):
        inside, axes = occupied(shape, (0.6, 0.6, 0.6))
        affine = np.diag([0.6, 0.6, 0.6, 1.0])
        affine[:3, 3] = [axis[0] for axis in axes]
        label = Occupancy(inside.astype(np.float32), affine, False, 0.6)
        points = measure_shape(label, np.array([0.0, 0.0, 1.0]))
        found.append(np.linalg.norm(points.upper - points.lower, axis=1))
    return float((1 - found[0] / found[1]).max())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", GRADES.values(), ids=str)
def test_morphometry_finds_the_loss_in_the_mean(kind, loss):
    # Its smooth surfaces follow broken edges badly: one body in six may be read far off.
    read = [measured_loss(broken(kind, loss, seed=seed)) for seed in range(6)]
    assert np.mean(read) == pytest.approx(loss, abs=0.04)
    assert np.sort(np.abs(np.array(read) - loss))[-2] < 0.10


@pytest.mark.parametrize(
    ("kind", "most", "least"),
    [("wedge", "anterior", "posterior"), ("biconcave", "middle", "anterior")],
)
@pytest.mark.parametrize("generator", GENERATORS)
def test_a_kind_loses_height_where_its_name_says(kind, most, least, generator):
    for seed in range(5):
        lost = losses(broken(kind, 0.35, generator, seed))
        assert lost[most] > 1.4 * lost[least], seed
        if kind == "wedge":
            assert abs(lost["posterior"]) < 0.12


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_biconcave_body_keeps_its_rear_height(generator):
    # Half of the loss reached the rear rim once, and brought the arches behind it together.
    lost = [losses(broken("biconcave", 0.4, generator, seed)) for seed in range(10)]
    assert np.mean([each["posterior"] for each in lost]) < 0.12
    assert np.mean([each["anterior"] for each in lost]) < 0.12


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_crushed_body_is_low_everywhere(generator):
    for seed in range(5):
        assert min(losses(broken("crush", 0.35, generator, seed)).values()) > 0.12, seed


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [-0.6, 0.6])
def test_a_one_sided_fracture_is_deepest_on_its_side(generator, kind, side):
    body = broken(kind, 0.4, generator, side=side)
    at = side * body.width / 2
    there = max(losses(body, at).values())
    assert there == pytest.approx(0.4, abs=0.01)
    assert there > max(losses(body, -at).values()) + 0.08


def test_a_healthy_body_has_lost_nothing_and_keeps_its_norm():
    for seed in range(8):
        body = mild(seed)
        assert set(losses(body).values()) == {0.0}
        assert max(norm_losses(body, "F").values()) < 0.2


@pytest.mark.parametrize(
    ("loss", "wanted"), [(0.199, 0), (0.2, 1), (0.249, 1), (0.25, 2), (0.4, 2), (0.401, 3)]
)
def test_grades_change_at_their_limits(loss, wanted):
    assert grade(loss) == wanted
