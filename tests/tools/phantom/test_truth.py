"""Truth of a level against what is measured on the ideal drawing and in the literature."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom.anatomy.slab import SLAB_DEPTH_MM, SLAB_MM
from tools.phantom.anatomy.trabecular import mass_for_reading
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.draw import draw
from tools.phantom.drawing.canvas import Canvas
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.materials import MATERIALS
from tools.phantom.physics.qct import qct_ha
from tools.phantom.truth import level_truth, rim_points

LUMBAR = ("L1", "L2", "L3", "L4")


@pytest.fixture(scope="module", params=[0, 7])
def drawn(request):
    """A patient's lumbar spine at 1 mm on an oblique grid, ideal."""
    shown = scene.patient(request.param)
    grid = scene.lumbar_grid(shown, 1.0, 35.0, (3, -4, 2))
    return shown, grid, draw(shown, grid, REFERENCE_BEAM)


@pytest.mark.parametrize("level", LUMBAR)
def test_qct_density_is_what_the_ideal_drawing_reads(drawn, level):
    shown, grid, drawing = drawn
    body = shown.spine.vertebrae[level]
    box = Canvas(grid, 0.0).box(body.frame.origin, 35.0)
    u, v, w = box.coordinates(body.frame)
    distance = BodyShape(body).distance(u, v, w)
    hu = drawing.hu[box.slices]
    truth = level_truth(shown, level)
    slab = (distance < -SLAB_DEPTH_MM) & (w.abs() <= SLAB_MM / 2)
    assert qct_ha(float(hu[slab].mean())) == pytest.approx(truth["qct_ha_mg_cm3"], abs=1.5)
    core = drawing.labels.trabecular == LABEL_IDS[level]
    reading = qct_ha(float(drawing.hu[core].mean()))
    assert reading == pytest.approx(truth["core_qct_ha_mg_cm3"], abs=1.5)


@pytest.mark.parametrize("level", LUMBAR)
def test_heights_are_those_of_the_label_map(drawn, level):
    """Columns of label voxels in the mid-sagittal plane, counted along the body's own axis."""
    shown, _, _ = drawn
    body = shown.spine.vertebrae[level]
    truth = level_truth(shown, level)["height_mm"]
    step = 0.1
    half = body.depth / 2
    places = {"anterior": half - 2.0, "middle": 0.0, "posterior": -half + body.dent + 2.0}
    w = torch.arange(-30, 30, step)[None, :]
    for name, v in places.items():
        distance = BodyShape(body).distance(torch.zeros(1, 1), torch.full((1, 1), v), w)
        height = float((distance < 0).sum()) * step
        assert height == pytest.approx(truth[name], abs=0.5), name


@pytest.mark.parametrize("seed", range(8))
def test_sizes_and_densities_are_human(seed):
    shown = scene.patient(seed)
    for level in LUMBAR:
        truth = level_truth(shown, level)
        assert 0.5 < truth["areal_bmd_g_cm2"] < 1.4
        assert 12_000 < truth["volume_mm3"] < 60_000
        assert all(18 < height < 36 for height in truth["height_mm"].values())
        assert truth["height_mm"]["middle"] < max(truth["height_mm"].values())
        assert truth["height_loss"] == {"anterior": 0.0, "middle": 0.0, "posterior": 0.0}


def test_areal_density_rises_with_mineral():
    """Between patients, areal and volumetric density go together, as DXA and QCT do."""
    pairs = []
    for seed in range(16):
        truth = level_truth(scene.patient(seed), "L3")
        pairs.append((truth["ha_mass_mg_cm3"], truth["areal_bmd_g_cm2"]))
    mass, areal = np.array(pairs).T
    assert np.corrcoef(mass, areal)[0, 1] > 0.6


def test_reading_depends_on_marrow_fat_as_published():
    """True HA 100 with 30 / 50 / 70 % of fat marrow reads about 105 / 97 / 88."""
    for fat, reading in ((0.3, 105.0), (0.5, 97.0), (0.7, 88.0)):
        mass = mass_for_reading(reading, fat, MATERIALS["yellow_marrow"])
        assert mass == pytest.approx(100.0, abs=1.5)


def test_truth_does_not_depend_on_the_scan():
    """It is integrated in the vertebra's own frame; the mean of a body is its mass."""
    shown = scene.patient(2)
    for level in LUMBAR:
        truth, bone = level_truth(shown, level), shown.bones[level]
        assert truth["core_ha_mass_mg_cm3"] == pytest.approx(bone.ha, rel=0.15)
        assert truth["marrow_fat"] == bone.fat


def test_rim_points_lie_around_both_endplates():
    body = scene.patient(0).spine.vertebrae["L2"]
    u, v, w = ((rim_points(body) - body.frame.origin) @ body.frame.axes).T
    assert len(u) == 32
    assert u.max() == pytest.approx(body.width / 2 * body.flare, rel=0.01)
    assert v.max() == pytest.approx(body.depth / 2 * body.flare, rel=0.01)
    assert w.max() > 0.45 * body.height
    assert w.min() < -0.45 * body.height
