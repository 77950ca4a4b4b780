"""A mask made of a drawn patient gives that patient's vertebrae back."""

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.tools.phantom.given.people import LEVELS, mask, patient
from tools.levels import LABEL_IDS
from tools.phantom import case, cohort, recipe
from tools.phantom.anatomy.patient import draw_patient
from tools.phantom.drawing.canvas import Frame
from tools.phantom.given import adopt, person
from tools.phantom.given.label_map import interpret
from tools.phantom.given.solid import STEP_MM, frame_grid, signed_distance
from tools.volumes import Grid, reorient, save_nifti


@pytest.fixture(scope="module")
def given():
    whole, _, affine = mask()
    return person.measure(interpret(whole, affine, "verse", "drawn"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    whole, _, affine = mask()
    file = tmp_path_factory.mktemp("map") / "map.nii.gz"
    save_nifti(file, *reorient(whole, affine, "PIR"))
    return file


def dice(one, two):
    return 2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two))


def test_a_ball_of_thick_voxels_becomes_smooth():
    """Stairs of 2 mm voxels would leave 0.6 mm; the volume stays the mask's."""
    affine, radius, centre = np.diag([2.0, 1.0, 1.0, 1.0]), 14.0, np.array([20.3, 20.1, 19.6])
    points = np.moveaxis(np.indices((21, 42, 42)), 0, -1) @ affine[:3, :3]
    inside = np.linalg.norm(points - centre, axis=-1) < radius
    grid, _ = frame_grid(points[inside], Frame(centre))
    distance = signed_distance(inside, affine, grid)
    index = np.moveaxis(np.indices(grid.shape), 0, -1).astype(float)
    truth = np.linalg.norm(grid.to_world(index) - centre, axis=-1) - radius
    near = np.abs(truth) < 1.0
    assert np.sqrt(np.mean((distance - truth)[near] ** 2)) < 0.25
    volume = np.count_nonzero(distance < 0) * STEP_MM**3
    assert volume == pytest.approx(inside.sum() * 2.0, rel=0.02)


@pytest.mark.parametrize("level", LEVELS)
def test_frames_and_sizes_are_those_drawn(given, level):
    found, drawn = given[level], patient().spine.vertebrae[level]
    turned = found.frame.axes.T @ drawn.frame.axes
    assert np.degrees(np.arccos(np.diag(turned))).max() < 4.5
    assert np.linalg.norm(found.frame.origin - drawn.frame.origin) < 2.5
    assert found.depth == pytest.approx(drawn.depth - drawn.dent, abs=2.0)
    assert found.width == pytest.approx(drawn.width * max(1, drawn.flare), abs=2.5)
    assert found.height == pytest.approx(drawn.height, abs=2.0)
    assert found.wedge == pytest.approx(drawn.wedge, abs=4.0)


def test_body_and_arch_are_parted_where_the_drawing_parts_them(given):
    """Drawn again on the mask's own grid, from its surface alone."""
    _, bodies, affine = mask()
    grid = Grid(bodies.shape, affine)
    whole, _, _ = mask()
    index = np.moveaxis(np.indices(grid.shape), 0, -1).astype(float)
    points = torch.from_numpy(grid.to_world(index)).float()
    for level, vertebra in given.items():
        u, v, w = vertebra.frame.local(*points.unbind(-1))
        body = (vertebra.solid.body(u, v, w) < 0).numpy()
        assert dice(body, bodies == LABEL_IDS[level]) > 0.93, level
        both = (vertebra.solid.whole(u, v, w) < 0).numpy()
        assert dice(both, whole == 20 + LEVELS.index(level) + 1) > 0.93, level


def test_a_spine_takes_the_given_vertebrae_in_rigidly(given):
    drawn = patient(9).spine
    spine = adopt.adopt(drawn, given)
    assert list(spine.vertebrae) == list(drawn.vertebrae)
    np.testing.assert_allclose(spine.sacral_frame.origin, 0)
    shifts = [spine.vertebrae[level].frame.origin - given[level].frame.origin for level in LEVELS]
    np.testing.assert_allclose(shifts, [shifts[0]] * len(shifts), atol=1e-6)
    heights = [body.frame.origin[2] for body in spine.vertebrae.values()]
    assert np.all(np.diff(heights) > 10)  # foot to head, none inside another
    for body in spine.vertebrae.values():
        np.testing.assert_allclose(body.frame.axes.T @ body.frame.axes, np.eye(3), atol=1e-6)


def settings(path, **change):
    made = recipe.load("quick")
    made["given_map"] = {"path": str(path), "ids": "verse", "fractured": []} | change
    return made


@pytest.fixture(scope="module")
def scan(path):
    return case.simulate(settings(path, fractured=["L3"]), seed=1, index=0)


def test_a_scan_shows_the_given_bodies(given, scan):
    levels = scan.truth["levels"]
    assert scan.truth["given_map"]["levels"] == list(LEVELS)
    for level in LEVELS:
        assert levels[level]["complete"]
        voxels = np.count_nonzero(scan.labels == LABEL_IDS[level])
        volume = voxels * abs(np.linalg.det(scan.affine[:3, :3]))
        assert volume == pytest.approx(levels[level]["volume_mm3"], rel=0.06)
        assert levels[level]["height_mm"] == pytest.approx(given[level].solid.heights, abs=1e-3)
        assert 10 < levels[level]["qct_ha_mg_cm3"] < 300
    assert scan.truth["fractured"] is True
    assert set(levels["L2"]["height_loss"].values()) == {0.0}


def test_mineral_is_drawn_per_patient(path, scan):
    other = case.simulate(settings(path), seed=1, index=1)
    one, two = (found.truth["levels"]["L3"] for found in (scan, other))
    assert one["volume_mm3"] == pytest.approx(two["volume_mm3"], rel=1e-4)
    assert abs(one["qct_ha_mg_cm3"] - two["qct_ha_mg_cm3"]) > 1
    assert other.truth["fractured"] is False


def test_an_empty_path_changes_nothing():
    population = recipe.load("standard")["population"]
    drawn = [
        draw_patient(np.random.default_rng(2), population, 0.3, given=given).spine.vertebrae["L3"]
        for given in (None, {})
    ]
    np.testing.assert_array_equal(drawn[0].frame.origin, drawn[1].frame.origin)
    assert drawn[0].solid is None


def test_a_cohort_of_what_is_no_spine_does_not_start(tmp_path):
    file = tmp_path / "map.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), file)
    (tmp_path / "mine.yaml").write_text(f"given_map: {{path: {file}}}\n")
    with pytest.raises(ValueError, match="is empty"):
        cohort.phantom(str(tmp_path / "out"), cases=1, recipe=str(tmp_path / "mine.yaml"))
    assert not (tmp_path / "out").exists()


def test_a_fracture_of_a_level_that_is_not_there_is_refused(path):
    with pytest.raises(ValueError, match="fractured: T9 is not whole"):
        case.simulate(settings(path, fractured=["T9"]), seed=1, index=0)


def test_fractures_need_a_sound_body_to_be_told_from(path):
    """Without one the loss was 0, and the body fractured all the same."""
    with pytest.raises(ValueError, match=r"no body beside .* is sound"):
        case.simulate(settings(path, fractured=list(LEVELS)), seed=1, index=0)


def test_a_body_without_a_core_is_refused():
    """Thinned from above until less than twice the core's depth is left."""
    whole, bodies, affine = mask()
    thin = whole.copy()
    middle = int(np.argwhere(bodies == LABEL_IDS["L3"])[:, 2].mean())
    ends = np.ones(whole.shape[2], bool)
    ends[middle - 1 : middle + 1] = False
    thin[(bodies == LABEL_IDS["L3"]) & ends] = 0
    with pytest.raises(ValueError, match=r"L3 (has no trabecular core left|lacks the body)"):
        person.measure(interpret(thin, affine, "verse", "drawn"))
