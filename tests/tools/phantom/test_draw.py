"""The ideal drawing: tissues read what the beam says, labels lie inside the skin."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import protocols, scene
from tools.levels import LABEL_IDS
from tools.phantom.draw import draw
from tools.phantom.drawing.canvas import WORLD, Canvas
from tools.phantom.field import bounds_mm, fine_grid
from tools.phantom.imaging.scanner import acquire
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.volumes import reorient

BEAMS = {80: Beam(80.0, 9.0, 25.0), 120: REFERENCE_BEAM, 140: Beam(140.0, 9.0, 32.0)}


@pytest.fixture(scope="module", params=[0, 9])
def shown(request):
    return scene.patient(request.param)


@pytest.fixture(scope="module")
def abdomen(shown):
    """A coarse drawing of the whole field, its grid and coordinates."""
    grid = fine_grid(
        bounds_mm(shown, "abdomen", np.random.default_rng(0)), 3.0, 4.0, 1, np.zeros(3)
    )
    drawing = draw(shown, grid, REFERENCE_BEAM)
    return drawing, grid, Canvas(grid, 0.0).whole()


@pytest.fixture(scope="module")
def fine():
    """A fine drawing of L2 and L3, its grid and the patient."""
    shown = scene.patient(0)
    grid = scene.lumbar_grid(shown, 1.0)
    drawing = draw(shown, grid, REFERENCE_BEAM)
    return drawing, grid, shown


def hu_of(shown, name, beam=REFERENCE_BEAM):
    return beam.hu(shown.tissues[name])


def test_air_fat_and_wall_read_what_the_beam_says(shown, abdomen):
    drawing, _, box = abdomen
    x, y, z = box.coordinates(WORLD)
    skin = shown.trunk.skin(x, y, z)
    front = (y > shown.trunk.back + shown.trunk.half_depth).expand(skin.shape)
    assert drawing.hu[(skin > 6) & front].eq(REFERENCE_BEAM.hu("air")).all()
    wall, cavity = shown.trunk.wall_outside(x, y, z), shown.trunk.cavity(x, y, z)
    fat = drawing.hu[(skin < -5) & (wall > 3) & front]
    assert float(fat.median()) == pytest.approx(hu_of(shown, "subcutaneous_fat"), abs=3)
    # Above the hips and below the ribs the wall holds nothing but muscle.
    waist = (z > 60) & (z < 100)
    muscle = drawing.hu[(wall < -3) & (cavity > 3) & waist & front]
    assert len(muscle) > 100
    assert float(muscle.median()) == pytest.approx(hu_of(shown, "muscle"), abs=4)


def test_labels_lie_inside_the_skin(shown, abdomen):
    drawing, _, box = abdomen
    skin = shown.trunk.skin(*box.coordinates(WORLD)).expand(drawing.hu.shape)
    for part in drawing.labels.maps():
        assert float(skin[part > 0].max()) < -2


@pytest.mark.parametrize("seed", [1, 2, 13, 16, 23])
def test_nothing_breaks_through_the_skin(seed):
    """Sacrum, hips, ribs and the caval vein of lean people once did."""
    lean = scene.patient(seed)
    grid = fine_grid(bounds_mm(lean, "abdomen", np.random.default_rng(0)), 5.0, 5.0, 1, np.zeros(3))
    drawing = draw(lean, grid, REFERENCE_BEAM)
    x, y, z = Canvas(grid, 0.0).whole().coordinates(WORLD)
    skin = lean.trunk.skin(x, y, z)
    above_table = (y > lean.trunk.back + 60).expand(skin.shape)
    assert float(drawing.hu[(skin > 6) & above_table].max()) < -990
    for part in drawing.labels.maps():
        assert float(skin[part > 0].max()) < -2


def test_labels_of_body_core_and_posterior_elements_agree(abdomen):
    labels = abdomen[0].labels
    core = labels.trabecular > 0
    assert torch.equal(labels.trabecular[core], labels.bodies[core])
    assert not ((labels.posterior > 0) & (labels.bodies > 0)).any()
    assert {int(value) for value in labels.bodies.unique()} >= {*range(10)}


@pytest.mark.parametrize("kvp", BEAMS)
def test_thecal_sac_and_canal_fat_read_what_the_beam_says(kvp):
    shown, beam, dark = scene.patient(0), BEAMS[kvp], 8.0
    grid = scene.lumbar_grid(shown, 2.0)
    drawing = draw(shown, grid, beam, dark_canal_hu=dark)
    for level in ("L1", "L3"):
        body = shown.spine.vertebrae[level]
        middle = body.frame.point(0.0, -body.depth / 2 - body.canal_depth / 2, 0.0)
        at = tuple(np.round(grid.to_index(middle)).astype(int))
        assert float(drawing.hu[at]) == pytest.approx(hu_of(shown, "sac", beam) - dark, abs=1)


@pytest.mark.parametrize("kvp", BEAMS)
def test_trabecular_core_is_a_mixture_of_bone_and_marrow(kvp):
    shown, beam = scene.patient(0), BEAMS[kvp]
    drawing = draw(shown, scene.lumbar_grid(shown, 2.0), beam)
    for level in ("L1", "L2", "L3", "L4"):
        bone = shown.bones[level]
        core = drawing.hu[drawing.labels.trabecular == LABEL_IDS[level]]
        expected = float(bone.hu(torch.ones(1), beam))
        # Mineral varies inside the body about its mean; the core has a little more or less.
        assert float(core.mean()) == pytest.approx(expected, abs=0.12 * abs(expected) + 6), level


def test_a_pixel_is_drawn_alike_in_every_orientation():
    shown = scene.patient(1)
    plain = scene.lumbar_grid(shown, 3.0, turn=(4, -6, 3))
    expected = draw(shown, plain, REFERENCE_BEAM).hu.numpy()
    turned, affine = reorient(expected, plain.affine, "PIR")
    again = draw(shown, type(plain)(turned.shape, affine), REFERENCE_BEAM).hu.numpy()
    # Smooth shapes are interpolated between samples whose places depend on the grid's corner.
    gap = np.abs(again - turned)
    assert np.median(gap) < 0.5
    assert np.mean(gap > 30) < 0.02


def test_slabs_do_not_show(monkeypatch):
    """Drawn in slabs or at once, the image is the same."""
    shown = scene.patient(1)
    grid = scene.lumbar_grid(shown, 3.0)
    at_once = draw(shown, grid, REFERENCE_BEAM)
    monkeypatch.setattr("tools.phantom.draw.SLAB_VOXELS", 7 * grid.shape[0] * grid.shape[1])
    in_slabs = draw(shown, grid, REFERENCE_BEAM)
    torch.testing.assert_close(in_slabs.hu, at_once.hu, atol=0.05, rtol=0)
    for one, other in zip(in_slabs.labels.maps(), at_once.labels.maps(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("thickness_mm", [1.0, 3.0])
def test_a_soft_kernel_leaves_the_core_as_it_is(fine, thickness_mm):
    """Sharpness and slice thickness change the core's mean by less than 3 HU, noise left out."""
    drawing, grid, shown = fine
    protocol = protocols.protocol(
        kernel=protocols.SOFT, pixel_mm=1.0, thickness_mm=thickness_mm, interval_mm=1.0
    )
    image = acquire(drawing.hu, protocol, 1.0, protocols.seeded(), water_cm=25.0)
    x, y, z = Canvas(grid, 0.0).whole().coordinates(WORLD)
    for level in ("L1", "L2", "L3", "L4"):
        body = shown.spine.vertebrae[level]
        _, _, w = body.frame.local(x, y, z)
        middle = (drawing.labels.trabecular == LABEL_IDS[level]) & (w.abs() < 5)
        assert int(middle.sum()) > 3000
        ideal, seen = float(drawing.hu[middle].mean()), float(image[middle].mean())
        assert seen == pytest.approx(ideal, abs=3), level
