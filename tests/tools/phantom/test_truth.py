"""Truth of a level against what is measured on the ideal drawing and in the literature."""

from functools import cache

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.morphometry import measure
from tools.phantom import case, recipe
from tools.phantom.anatomy import trabecular
from tools.phantom.anatomy.bones import Labels, paint_vertebra
from tools.phantom.anatomy.patient import draw_patient
from tools.phantom.anatomy.sizes import LEVEL_SIZES
from tools.phantom.anatomy.slab import SLAB_DEPTH_MM, SLAB_MM
from tools.phantom.anatomy.trabecular import mass_for_reading
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.draw import draw
from tools.phantom.drawing.canvas import Canvas
from tools.phantom.drawing.painting import Paint
from tools.phantom.field import fine_grid, spine_bounds_mm
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.materials import BONE_TISSUE_HA_MG_CM3, MATERIALS
from tools.phantom.physics.qct import qct_ha
from tools.phantom.truth import SILHOUETTE_MM, level_truth, rim_points
from tools.volumes import Grid

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


@cache
def drawn_mineral(seed, level, step_mm=0.7):
    """Mineral read back from a painted vertebra and its upper neighbour.

    They lie in bare marrow, so that HU is linear in mineral in every voxel, however many tissues
    share it. Returns mg HA/cm³ and the labels of bodies and trabecular cores; array axes are the
    body's own: to the right, forwards, to the head. The neighbour's body is left out.
    """
    shown = scene.patient(seed)
    levels = list(shown.spine.vertebrae)
    above = levels[levels.index(level) + 1]
    frame = shown.spine.vertebrae[level].frame
    low, high = np.array([-40.0, -105.0, -28.0]), np.array([40.0, 28.0, 28.0])
    shape = tuple(int(count) for count in np.ceil((high - low) / step_mm))
    affine = np.eye(4)
    affine[:3, :3] = frame.axes * step_mm
    affine[:3, 3] = frame.to_world(low)
    marrow = shown.bones[level].marrow_hu(REFERENCE_BEAM)
    paint = Paint(Canvas(Grid(shape, affine), marrow), REFERENCE_BEAM, shown.tissues)
    labels = Labels.empty(shape)
    for name in (above, level):
        paint_vertebra(paint, shown.spine.vertebrae[name], shown.bones[name], labels)
    full = REFERENCE_BEAM.hu(MATERIALS["bone_tissue"])
    mineral = (paint.canvas.hu.numpy() - marrow) / (full - marrow) * BONE_TISSUE_HA_MG_CM3
    bodies = labels.bodies.numpy()
    mineral[bodies == LABEL_IDS[above]] = 0
    core = labels.trabecular.numpy() == LABEL_IDS[level]
    return mineral, bodies == LABEL_IDS[level], core, step_mm


@pytest.mark.parametrize("level", ["T12", *LUMBAR])
@pytest.mark.parametrize("seed", range(3))
def test_areal_density_is_the_drawing_seen_from_in_front(seed, level):
    """Mean over the body's silhouette of what all voxels on a ray hold; found within 1.5 %."""
    mineral, body, _, step = drawn_mineral(seed, level)
    areal_g_cm2 = mineral.sum(axis=1) * (step / 10) / 1000
    silhouette = body.sum(axis=1) * step > SILHOUETTE_MM
    truth = level_truth(scene.patient(seed), level)["areal_bmd_g_cm2"]
    assert truth == pytest.approx(areal_g_cm2[silhouette].mean(), rel=0.04)


@pytest.mark.parametrize("seed", range(3))
def test_mineral_mass_is_that_of_the_drawing(seed):
    for level in LUMBAR:
        mineral, _, core, step = drawn_mineral(seed, level)
        truth = level_truth(scene.patient(seed), level)
        assert truth["core_ha_mass_mg_cm3"] == pytest.approx(mineral[core].mean(), rel=0.02)
        middle = np.abs((np.arange(core.shape[2])) * step - 28.0) <= SLAB_MM / 2
        # The slab's border lies 1 mm deeper than the core's, in even spongy bone.
        slab = (core & middle).nonzero()
        assert truth["ha_mass_mg_cm3"] == pytest.approx(mineral[slab].mean(), rel=0.03)


@pytest.mark.parametrize("seed", range(6))
def test_the_central_slab_reads_the_density_that_was_drawn(monkeypatch, seed):
    """Each level's density is drawn as a reading; what an ideal QCT reads is that."""
    drawn_readings = []

    def noting(reading, fat, yellow):
        drawn_readings.append(reading)
        return mass_for_reading(reading, fat, yellow)

    monkeypatch.setattr(trabecular, "mass_for_reading", noting)
    population = recipe.load("standard")["population"]
    shown = draw_patient(np.random.default_rng(seed), population, 0.0)
    for level, reading in zip(LEVEL_SIZES, drawn_readings, strict=True):
        if level in LUMBAR:
            found = level_truth(shown, level)["qct_ha_mg_cm3"]
            assert found == pytest.approx(reading, rel=0.01), level


def profile(seed, level):
    """How mineral is spread in a drawn core: ends / middle, back / front, SD / mean."""
    mineral, _, core, _ = drawn_mineral(seed, level, 1.0)

    def share(axis):
        """Place of each voxel between the core's two ends of its own line along an axis."""
        count = core.cumsum(axis=axis) - 0.5
        return count / np.maximum(core.sum(axis=axis, keepdims=True), 1)

    up, forwards = share(2), share(1)
    ends = mineral[core & (np.abs(up - 0.5) > 0.3)].mean()
    middle = mineral[core & (np.abs(up - 0.5) < 0.15)].mean()
    back, front = mineral[core & (forwards < 0.25)], mineral[core & (forwards > 0.75)]
    return ends / middle, back.mean() / front.mean(), mineral[core].std() / mineral[core].mean()


def test_mineral_varies_inside_a_body_by_15_to_25_percent():
    """Denser towards the endplates and behind, as much as quantitative CT of bodies shows."""
    found = np.array([[profile(seed, level) for level in LUMBAR] for seed in range(12)])
    ends, behind, spread = np.moveaxis(found, -1, 0)
    assert 1.05 < ends.mean() < 1.18
    assert ends.max() < 1.25
    assert ends.mean(axis=1).min() > 1.0
    assert 1.05 < behind.mean() < 1.30
    assert 0.14 < spread.mean() < 0.25


def test_the_core_holds_a_little_more_mineral_than_its_central_slab():
    """The slab lies between the denser zones under the endplates and holds the vein."""
    ratios = []
    for seed in range(12):
        for level in LUMBAR:
            truth = level_truth(scene.patient(seed), level)
            ratios.append(truth["core_ha_mass_mg_cm3"] / truth["ha_mass_mg_cm3"])
    assert 1.02 < np.mean(ratios) < 1.07
    assert min(ratios) > 0.97
    assert max(ratios) < 1.10


@pytest.mark.slow
def test_heights_are_those_of_the_label_map():
    """Measured on 1 mm label maps of four patients, T10 to L5, by their own voxels alone."""
    gaps = []
    for seed in range(4):
        shown = scene.patient(seed)
        grid = fine_grid(spine_bounds_mm(shown), 1.0, 1.0, 1, np.zeros(3))
        bodies = measure(case.label(shown, grid).bodies.numpy(), grid.affine).levels
        for level in ("T10", "T11", "T12", *LUMBAR, "L5"):
            found, truth = bodies[level].height_mm, level_truth(shown, level)["height_mm"]
            assert found is not None, f"{level}: {bodies[level].reason}"
            gaps.append([getattr(found, place) - truth[place] for place in truth])
    # A rim found one voxel aside moves a height by more than a millimetre; the mean it does not.
    assert np.abs(gaps).max() < 2.0
    assert (np.abs(np.mean(gaps, axis=0)) < [0.5, 0.25, 0.5]).all()


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


def levels_of(**scan):
    """Truth of the levels that a scan of one patient shows, whole or not."""
    known = case.simulate(scene.quick(**scan), 5, 0).truth["levels"]
    return {name: {**level, "complete": None} for name, level in known.items()}


@pytest.fixture(scope="module")
def plain():
    return levels_of()


@pytest.mark.parametrize(
    "scan",
    [
        {"thickness_mm": [8.0], "orientation": ["PIR"]},
        {"tilt_deg": 12.0, "noise_scale": [2.0, 2.0], "kvp": [100], "kernel": ["sharp"]},
        {"field": "lumbar", "pixel_mm": [2.0, 2.0], "thickness_mm": [8.0]},
    ],
    ids=["thick, turned", "tilted, noisy, 100 kV", "another field"],
)
def test_truth_does_not_depend_on_the_scan(plain, scan):
    """Two scans of one patient give every level that both show the same numbers."""
    other = levels_of(**scan)
    shared = plain.keys() & other.keys()
    assert {"T12", "L1", "L2", "L3", "L4", "L5"} <= shared
    assert {name: plain[name] for name in shared} == {name: other[name] for name in shared}


def test_rim_points_lie_around_both_endplates():
    body = scene.patient(0).spine.vertebrae["L2"]
    u, v, w = ((rim_points(body) - body.frame.origin) @ body.frame.axes).T
    assert len(u) == 32
    assert u.max() == pytest.approx(body.width / 2 * body.flare, rel=0.01)
    assert v.max() == pytest.approx(body.depth / 2 * body.flare, rel=0.01)
    assert w.max() > 0.45 * body.height
    assert w.min() < -0.45 * body.height
