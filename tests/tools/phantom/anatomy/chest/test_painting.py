"""A coarse chest as it is painted: labels, tissues, and independence of how it is drawn."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.levels import HEAD_TO_FOOT, LABEL_IDS
from tools.phantom import draw as drawing
from tools.phantom.case import label
from tools.phantom.drawing.canvas import WORLD, Canvas
from tools.phantom.field import bounds_mm, fine_grid
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.volumes import Grid

SEED = 1


@pytest.fixture(scope="module")
def shown():
    return scene.chest_patient(SEED)


@pytest.fixture(scope="module")
def grid(shown):
    corners = bounds_mm(shown, "chest", np.random.default_rng(0))
    return fine_grid(corners, 3.0, 3.0, 1, np.zeros(3))


@pytest.fixture(scope="module")
def chest(shown, grid):
    return drawing.draw(shown, grid, REFERENCE_BEAM)


def hu_at(chest, grid, place):
    return float(chest.hu[tuple(np.round(grid.to_index(place)).astype(int))])


def hu_of(shown, name):
    return REFERENCE_BEAM.hu(shown.tissues[name])


def test_labels_t4_to_t12_are_present_and_ordered_head_to_foot(chest, grid):
    bodies = chest.labels.bodies.numpy()
    found = scene.centroids_mm(bodies, grid.affine)
    names = [level for level in HEAD_TO_FOOT if LABEL_IDS.get(level) in found]
    assert names[:9] == [f"T{number}" for number in range(4, 13)]
    heights = [found[LABEL_IDS[level]][2] for level in names]
    assert (np.diff(heights) < -14).all()
    assert set(np.unique(bodies)) <= {0, *LABEL_IDS.values()}


def test_t1_to_t3_are_painted_without_a_label(shown, chest, grid):
    for level in ("T1", "T2", "T3"):
        origin = shown.chest.spine.vertebrae[level].frame.origin
        at = tuple(np.round(grid.to_index(origin)).astype(int))
        assert float(chest.hu[at]) > 60
        for part in chest.labels.maps():
            assert int(part[at]) == 0


def test_lungs_air_and_blood_read_what_the_beam_says(shown, chest, grid):
    x, y, z = Canvas(grid, 0.0).whole().coordinates(WORLD)
    deep = shown.trunk.lungs(x, y, z) < -12
    aside = ((x - shown.trunk.lean).abs() > 75).expand(deep.shape)
    lung = chest.hu[deep & aside]
    assert float(lung.median()) == pytest.approx(hu_of(shown, "lung"), abs=25)
    trachea = shown.chest.airways.lumina[0].course
    assert hu_at(chest, grid, trachea[len(trachea) // 2]) < -950
    aorta = shown.chest.vessels.aorta.course
    for place in aorta[6:-6]:
        assert hu_at(chest, grid, place) == pytest.approx(hu_of(shown, "blood"), abs=8)
    left_ventricle = shown.chest.heart.frame.point(-17, 6, 14)
    assert hu_at(chest, grid, left_ventricle) == pytest.approx(hu_of(shown, "blood"), abs=8)


def test_nothing_breaks_through_the_skin(shown, chest, grid):
    x, y, z = Canvas(grid, 0.0).whole().coordinates(WORLD)
    skin = shown.trunk.skin(x, y, z)
    above_table = (y > shown.trunk.back + 60).expand(skin.shape)
    assert float(chest.hu[(skin > 6) & above_table].max()) < -990
    for part in chest.labels.maps():
        assert float(skin[part > 0].max()) < -2


def test_the_drawing_does_not_depend_on_its_slabs(shown, chest, grid, monkeypatch):
    """Slab by slab as in one piece: a seam would show where a shape is left out too early."""
    monkeypatch.setattr(drawing, "SLAB_VOXELS", grid.shape[0] * grid.shape[1] * 17)
    parts = drawing.draw(shown, grid, REFERENCE_BEAM)
    gap = (parts.hu - chest.hu).abs()
    assert float((gap > 2).double().mean()) < 1e-5
    for one, other in zip(parts.labels.maps(), chest.labels.maps(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("level", ["T5", "T8", "T11"])
def test_labels_are_those_of_the_spine_alone(shown, level):
    """Chest organs and ribs change no label: they are painted before the vertebrae."""
    origin = shown.spine.vertebrae[level].frame.origin
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    affine[:3, 3] = origin - 30
    near = Grid((41, 41, 41), affine)

    whole = drawing.draw(shown, near, REFERENCE_BEAM).labels
    for one, other in zip(whole.maps(), label(shown, near).maps(), strict=True):
        assert torch.equal(one, other)
    assert (whole.bodies == LABEL_IDS[level]).any()
