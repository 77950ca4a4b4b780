"""Where scans lie in a patient."""

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.phantom import case
from tools.phantom.field import bounds_mm, fine_grid, slice_grid, spine_bounds_mm
from tools.phantom.truth import rim_points


def bounds(field, seed=0):
    return bounds_mm(scene.patient(seed), field, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(6))
def test_abdomen_reaches_from_t10_to_the_symphysis_and_shows_the_whole_width(seed):
    shown = scene.patient(seed)
    low, high = bounds("abdomen", seed)
    vertebrae = shown.spine.vertebrae
    assert low[2] < shown.pelvis.symphysis[2] - 15
    assert vertebrae["T10"].frame.origin[2] < high[2] < vertebrae["T6"].frame.origin[2]
    x, y, _ = fine_grid(np.array([low, high]), 8.0, 8.0, 1, np.zeros(3)).corners_mm().T
    assert x.min() < shown.trunk.lean - shown.trunk.half_width
    assert y.min() < shown.trunk.back
    assert y.max() > shown.trunk.back + 2 * shown.trunk.half_depth


@pytest.mark.parametrize("seed", range(6))
def test_lumbar_and_slab_hold_the_lumbar_spine(seed):
    vertebrae = scene.patient(seed).spine.vertebrae
    for field in ("lumbar", "sagittal_slab"):
        low, high = bounds(field, seed)
        assert low[2] < vertebrae["L5"].frame.origin[2] - 20
        assert high[2] > vertebrae["L1"].frame.origin[2] + 20
    low, high = bounds("sagittal_slab", seed)
    assert high[0] - low[0] == pytest.approx(70)
    assert low[0] < vertebrae["L3"].frame.origin[0] < high[0]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("field", "complete", "unseen"),
    [
        ("chest", ["T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12"], ["L3", "L4", "L5"]),
        ("chest_abdomen_pelvis", [*scene.THORACIC, *scene.LUMBAR], []),
        ("thoracolumbar", ["T8", "T9", "T10", "T11", "T12", *scene.LUMBAR], []),
        ("abdomen_upper", ["L1", "L2"], ["L5", "T4", "T5"]),
        ("pelvis", [], ["L1", "L2", "T12"]),
    ],
)
def test_fields_with_a_chest_show_their_levels(field, complete, unseen, seed):
    """Ends of the field against both rims of every body; nothing is painted."""
    shown = scene.chest_patient(seed)
    low, high = bounds_mm(shown, field, np.random.default_rng(seed))
    for level in complete:
        points = rim_points(shown.spine.vertebrae[level])
        assert (points > low).all(), level
        assert (points < high).all(), level
    for level in unseen:
        z = rim_points(shown.spine.vertebrae[level])[:, 2]
        assert z.min() > high[2] or z.max() < low[2], level
    if "chest" in field:
        assert high[2] > shown.trunk.apex[2]
    else:
        assert high[2] < shown.trunk.apex[2]
    if field in ("pelvis", "chest_abdomen_pelvis"):
        assert low[2] < shown.pelvis.symphysis[2] - 15
    # The whole width, arms and breasts with it.
    assert low[0] < shown.trunk.lean - shown.trunk.extent_mm()[0] - 10
    assert high[1] > shown.trunk.extent_mm()[1] + 10


@pytest.mark.parametrize("field", ["heart", "chest"])
def test_an_unknown_field_or_one_without_its_chest_is_refused_with_the_known_ones(field):
    with pytest.raises(
        ValueError, match=rf"'{field}'.*known: abdomen, lumbar, sagittal_slab, bodies, vertebrae"
    ):
        bounds(field)


@pytest.mark.parametrize("field", ["bodies", "vertebrae"])
def test_narrow_fields_hold_the_measured_bodies_complete(field):
    """Turned by up to 6 degrees too, as the recipes do."""
    for index in range(3):
        shown = case.simulate(scene.quick(field=field), 5, index)
        levels = shown.truth["levels"]
        assert all(levels[level]["complete"] for level in ("L1", "L2", "L3", "L4"))


@pytest.mark.parametrize("seed", range(6))
def test_bodies_hold_l1_to_l4_with_room_and_what_calibrates(seed):
    """Bodies with room for kernel and profile, psoas, the aorta's middle, and air behind."""
    shown = scene.patient(seed)
    low, high = bounds("bodies", seed)
    for level in ("L1", "L2", "L3", "L4"):
        points = rim_points(shown.spine.vertebrae[level])
        assert (points - 10 > low).all(), level
        assert (points + 10 < high).all(), level
    assert low[1] < shown.trunk.back - 10
    aorta = shown.vessels.aorta
    beside = (aorta[:, 2] > low[2] + 20) & (aorta[:, 2] < high[2] - 20)
    assert beside.any()
    assert (aorta[beside][:, :2] > low[:2]).all()
    assert (aorta[beside][:, :2] < high[:2]).all()


@pytest.mark.parametrize("turn", [(0, 0, 0), (5, -8, 12)])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_fine_grid_is_centred_and_holds_whole_slices(turn, steps):
    corners = np.array([[-40.0, -60.0, -100.0], [50.0, 70.0, 33.0]])
    grid = fine_grid(corners, 1.7, 0.8, steps, np.array(turn))
    assert grid.shape[2] % steps == 0
    np.testing.assert_allclose(grid.spacing_mm, (1.7, 1.7, 0.8))
    np.testing.assert_allclose(grid.center_mm, corners.mean(0), atol=1e-9)
    extent = np.array(grid.shape) * grid.spacing_mm
    assert (extent >= corners[1] - corners[0] - 1e-9).all()
    assert (extent < corners[1] - corners[0] + np.array([1.7, 1.7, 0.8 * steps]) + 1e-9).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_slices_lie_in_the_middle_of_their_fine_ones(steps):
    fine = fine_grid(np.array([[0.0, 0, 0], [9, 9, 24]]), 1.5, 0.5, steps, np.array([3, 2, 1]))
    slices = slice_grid(fine, steps)
    assert slices.shape == (fine.shape[0], fine.shape[1], fine.shape[2] // steps)
    for number in (0, slices.shape[2] - 1):
        parts = [fine.to_world(np.array([2, 3, number * steps + k])) for k in range(steps)]
        np.testing.assert_allclose(
            slices.to_world(np.array([2, 3, number])), np.mean(parts, 0), atol=1e-9
        )


@pytest.mark.parametrize("seed", range(40))
def test_spine_bounds_hold_every_body(seed):
    """Both rims of every body with room for the voxels that hold them, and every segment."""
    shown = scene.patient(seed)
    low, high = spine_bounds_mm(shown)
    for level in ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"):
        points = rim_points(shown.spine.vertebrae[level])
        assert (points - 2 > low).all(), level
        assert (points + 2 < high).all(), level
    for segment in shown.sacrum.segments:
        assert (segment.frame.origin > low).all()
        assert (segment.frame.origin < high).all()
