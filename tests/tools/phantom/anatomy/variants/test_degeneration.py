"""Osteophytes on the rims, dense endplates, gas: outside the true body, which is measured alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom import case
from tools.phantom.anatomy.bones import Labels, paint_vertebra
from tools.phantom.anatomy.variants.growth_shapes import with_spurs
from tools.phantom.anatomy.variants.growths import Gas, Spur, Wear
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.draw import draw
from tools.phantom.drawing.canvas import Canvas
from tools.phantom.drawing.painting import Paint
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.truth import level_truth
from tools.volumes import Grid

WORN = {"degeneration": 1.0, "age": 80.0}
CLAW = Spur(+1, 0.0, 20.0, 8.0, 2.0)


def body(level="L3", seed=0):
    return scene.patient(seed).spine.vertebrae[level]


def local_grid(vertebra, step=0.7):
    low = np.array([-42.0, -36.0, -26.0])
    affine = np.eye(4)
    affine[:3, :3] = vertebra.frame.axes * step
    affine[:3, 3] = vertebra.frame.to_world(low)
    return Grid(tuple(int(part) for part in np.ceil(-2 * low / step)), affine)


def labelled(vertebra, seed=0):
    shown = scene.patient(seed)
    grid = local_grid(vertebra)
    labels = Labels.empty(grid.shape)
    paint = Paint(Canvas(grid, 0.0), REFERENCE_BEAM, shown.tissues)
    paint_vertebra(paint, vertebra, shown.bones[vertebra.level], labels)
    return labels, paint.canvas.hu


@pytest.mark.parametrize(
    "spur",
    [
        CLAW,
        CLAW._replace(end=-1, bearing=60.0),
        CLAW._replace(rise=-2.5, bearing=-70.0),
        CLAW._replace(length=3.0, rise=4.0),
    ],
    ids=["claw in front", "lower rim aside", "traction spur", "syndesmophyte"],
)
def test_osteophytes_grow_out_of_the_old_body(spur):
    usual = body()
    old, _ = labelled(usual)
    new, hu = labelled(replace(usual, wear=Wear((spur,))))
    before, after = old.bodies.numpy() > 0, new.bodies.numpy() > 0
    added = after & ~before
    assert not (before & ~after).any()
    assert added.sum() * 0.7**3 > 40  # mm³
    # One piece with the body.
    _, pieces = ndimage.label(after)
    assert pieces == 1
    # Bone, and no part of the trabecular core, which is the true body's.
    assert float(hu[torch.tensor(added)].mean()) > 150
    assert torch.equal(old.trabecular, new.trabecular)


def test_osteophytes_are_as_long_as_they_say_and_lie_where_they_say():
    vertebra = replace(body(), wear=Wear((CLAW,)))
    shape = BodyShape(vertebra)
    v = torch.linspace(0, 40, 801)
    for bearing, length in ((0.0, 8.0), (20.0, 8.0 * np.exp(-0.5)), (150.0, 0.0)):
        angle = np.radians(bearing)
        x = v * float(np.sin(angle)) * vertebra.width / vertebra.depth
        y = v * float(np.cos(angle))
        out, top = shape.outline(x, y, v * 0), shape.endplates(x, y)[0]
        found = torch.stack(
            [
                with_spurs(vertebra, shape.distance(x, y, top + up), x, y, top + up)
                for up in np.arange(-6.0, 4.0, 0.5)
            ]
        )
        reach = float(shape.outline(x, y, top)[(found < 0).any(0)].max())
        assert reach == pytest.approx(length, abs=0.6), bearing
        assert out.shape == v.shape


@settings(max_examples=25, deadline=None)
@given(
    end=st.sampled_from([-1, 1]),
    bearing=st.floats(-90, 90),
    spread=st.floats(12, 25),
    length=st.floats(0.8, 12),
    rise=st.floats(-2.5, 5),
)
def test_a_spur_takes_nothing_away_and_stays_near_its_rim(end, bearing, spread, length, rise):
    vertebra = replace(body(), wear=Wear((Spur(end, bearing, spread, length, rise),)))
    axes = (torch.linspace(-reach, reach, 21) for reach in (36.0, 30.0, 22.0))
    u, v, w = torch.meshgrid(*axes, indexing="ij")
    shape = BodyShape(vertebra)
    true = shape.distance(u, v, w)
    whole = with_spurs(vertebra, true, u, v, w)
    assert (whole <= true + 1e-4).all()
    grown = (whole < 0) & (true >= 0.5)
    assert bool((shape.outline(u, v, w)[grown] <= length + 1.0).all())
    # Only at its own end of the body.
    assert bool((end * w[grown] > -vertebra.height / 4).all())


@pytest.mark.parametrize("seed", range(4))
def test_truth_measures_the_true_body(seed):
    shown = scene.varied(seed, **WORN)
    for level in ("L1", "L2", "L3", "L4"):
        vertebra = shown.spine.vertebrae[level]
        bare = replace(vertebra, wear=None)
        assert BodyShape(vertebra).heights_mm() == BodyShape(bare).heights_mm()
        truth = level_truth(shown, level)
        bodies = shown.spine.vertebrae | {level: bare}
        bald = replace(shown, spine=replace(shown.spine, vertebrae=bodies))
        without = level_truth(bald, level)
        assert truth["volume_mm3"] == without["volume_mm3"]
        # Sclerosis stays out of the central slab, where density is defined.
        assert truth["qct_ha_mg_cm3"] == pytest.approx(without["qct_ha_mg_cm3"], rel=0.02)


def test_gas_is_black_in_the_disc_and_nowhere_in_bone():
    shown = scene.patient(0)
    vertebra = shown.spine.vertebrae["L3"]
    gas = Wear(gas=(Gas((0.0, 0.0, 0.0), (9.0, 7.0, 1.5)),))
    bodies = shown.spine.vertebrae | {"L3": replace(vertebra, wear=gas)}
    worn = replace(shown, spine=replace(shown.spine, vertebrae=bodies))
    grid = scene.lumbar_grid(shown, 1.0, 20.0)
    before, after = draw(shown, grid, REFERENCE_BEAM), draw(worn, grid, REFERENCE_BEAM)
    middle = vertebra.frame.point(0, 0, -vertebra.height / 2 - vertebra.disc_height / 2)
    at = tuple(np.round(grid.to_index(middle)).astype(int))
    assert float(after.hu[at]) < -600
    changed = (after.hu - before.hu).abs() > 1
    assert not (changed & (after.labels.trabecular > 0)).any()
    assert 100 < int(changed.sum()) < 2500


def test_discs_get_lower_and_rims_stay_apart():
    for seed in range(6):
        usual, worn = scene.varied(seed, age=80.0), scene.varied(seed, **WORN)
        for level in worn.plan.degeneration.discs:
            before, after = (one.spine.vertebrae[level] for one in (usual, worn))
            assert after.disc_height <= before.disc_height
            gap = after.disc_height - np.tan(np.radians(abs(worn.spine.alignment.discs[level]))) * (
                after.depth / 2
            )
            assert gap > 0.3 or after.disc_height < 1.3
        forwards = worn.spine.alignment.slope - worn.spine.alignment.lordosis
        assert forwards < 16


def test_l4_slides_less_than_a_quarter_on_l5():
    slid = [p for p in (scene.varied(seed, **WORN) for seed in range(40)) if slip_mm(p)]
    assert slid
    for shown in slid:
        l4, l5 = (shown.spine.vertebrae[level] for level in ("L4", "L5"))
        assert 0.05 < slip_mm(shown) / l5.depth < 0.25
        # The rear walls stand that far apart along L5's endplate.
        upper = l5.frame.point(0, -l5.depth / 2, l5.height / 2)
        lower = l4.frame.point(0, -l4.depth / 2, -l4.height / 2)
        step = float((l5.frame.axes.T @ (lower - upper))[1])
        assert step == pytest.approx(slip_mm(shown), abs=3.0)


def slip_mm(shown):
    return shown.spine.vertebrae["L4"].slip


def test_worn_bodies_carry_their_own_labels():
    shown = scene.varied(3, **WORN)
    grid = scene.lumbar_grid(shown, 1.5)
    bodies = case.label(shown, grid).bodies.numpy()
    for level in ("L1", "L2", "L3", "L4", "L5"):
        _, pieces = ndimage.label(bodies == LABEL_IDS[level])
        assert pieces == 1, level
