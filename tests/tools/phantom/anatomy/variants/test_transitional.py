"""L6 between L5 and a shorter sacrum; a sacralised L5 on the wings, jointed or fused."""

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom import case, recipe
from tools.phantom.anatomy.variants.plan import draw_plan
from tools.phantom.draw import draw
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.truth import level_truth, patient_truth
from tools.volumes import Grid

L6 = {"lumbarised_s1": 1.0}


def sacralised(castellvi):
    """The first patient with a type of transition."""
    anatomy = recipe.load("standard")["anatomy"] | {"sacralised_l5": 1.0}
    for seed in range(200):
        plan = draw_plan(np.random.default_rng([seed, 3]), anatomy, "F", 50.0)
        if plan.transition.castellvi == castellvi:
            return scene.varied(seed, sacralised_l5=1.0)
    raise AssertionError(castellvi)


def test_l6_lies_between_l5_and_the_sacrum_in_a_drawn_map():
    loaded = recipe.load("quick")
    loaded["anatomy"]["lumbarised_s1"] = 1.0
    bodies, affine, _ = case.draw_labels(loaded, 0, 1, 2.0)
    found = scene.centroids_mm(bodies, affine)
    names = ("T12", "L1", "L2", "L3", "L4", "L5", "L6", "sacrum")
    heights = [found[LABEL_IDS[name]][2] for name in names]
    assert heights == sorted(heights, reverse=True)
    assert min(-np.diff(heights)) > 15
    # About as large as L5, and one piece.
    counts = {name: int((bodies == LABEL_IDS[name]).sum()) for name in ("L5", "L6")}
    assert counts["L6"] == pytest.approx(counts["L5"], rel=0.2)


def test_nobody_else_has_an_l6():
    loaded = recipe.load("quick")
    bodies, _, _ = case.draw_labels(loaded, 0, 1, 3.0)
    assert LABEL_IDS["L6"] not in bodies
    assert "L6" not in scene.varied(1, sacralised_l5=1.0, scoliosis=1.0).spine.vertebrae


@pytest.mark.parametrize("seed", range(3))
def test_discs_lie_above_and_below_l6(seed):
    shown = scene.varied(seed, **L6)
    drawing, grid = drawn(shown)
    for level in ("L5", "L6"):
        body = shown.spine.vertebrae[level]
        middle = body.frame.point(0.0, 0.0, -body.height / 2 - body.disc_height / 2)
        at = tuple(np.round(grid.to_index(middle)).astype(int))
        disc = REFERENCE_BEAM.hu(shown.tissues["disc"])
        assert float(drawing.hu[at]) == pytest.approx(disc, rel=0.3, abs=10), level
        assert int(drawing.labels.bodies[at]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_free_s1_leaves_four_sacral_segments_and_the_lordosis(seed):
    usual, freed = scene.varied(seed), scene.varied(seed, **L6)
    assert len(usual.sacrum.segments) == 5
    assert len(freed.sacrum.segments) == 4
    # The coccyx hangs on the new end as it hung on the old one.
    gaps = [
        np.linalg.norm(
            one.sacrum.coccyx[0][0].origin
            - one.sacrum.segments[-1].frame.point(0, 0, -one.sacrum.segments[-1].height / 2)
        )
        for one in (usual, freed)
    ]
    assert gaps[1] == pytest.approx(gaps[0], abs=1e-6)
    assert freed.spine.alignment.lordosis == pytest.approx(usual.spine.alignment.lordosis, abs=0.01)
    assert list(freed.spine.vertebrae)[:2] == ["L6", "L5"]


def test_truth_knows_l6():
    shown = scene.varied(0, **L6)
    truth = level_truth(shown, "L6")
    assert 20 < truth["height_mm"]["posterior"] < 33
    assert truth["qct_ha_mg_cm3"] == pytest.approx(
        level_truth(shown, "L5")["qct_ha_mg_cm3"], rel=0.15
    )
    assert patient_truth(shown)["variants"]["transitional"]["kind"] == "lumbarised_s1"


def drawn(shown, step=1.0):
    """The lumbosacral junction, in the sacral endplate's frame, ideal."""
    frame = shown.spine.sacral_frame
    affine = np.eye(4)
    affine[:3, :3] = frame.axes * step
    affine[:3, 3] = frame.point(-62.0, -60.0, -34.0)
    size = np.round(np.array([125, 90, 125]) / step).astype(int)
    grid = Grid((int(size[0]), int(size[1]), int(size[2])), affine)
    return draw(shown, grid, REFERENCE_BEAM), grid


@pytest.mark.parametrize("castellvi", ["IIb", "IIIb", "IV"])
def test_processes_meet_the_wings_with_a_joint_or_as_one_bone(castellvi):
    shown = sacralised(castellvi)
    drawing, grid = drawn(shown, 0.6)
    body, up = shown.spine.vertebrae["L5"], shown.spine.sacral_frame.axes[:, 2]
    forms = dict(zip((-1, 1), shown.plan.transition.sides, strict=True))
    assert [side for side, _ in body.processes] == [side for side in (-1, 1) if forms[side]]
    for side, parts in body.processes:
        # Down from the middle of the process' end through the seam.
        depths = np.arange(0.0, 12.0, 0.5)
        places = np.array([body.frame.point(*parts[0].end) - up * depth for depth in depths])
        at = np.round(grid.to_index(places)).astype(int).T
        hu = drawing.hu[tuple(at)].numpy()
        # Both bones are there: the process above, labelled L5, the wing below.
        assert int(drawing.labels.posterior[tuple(at[:, 0])]) == LABEL_IDS["L5"]
        assert int(drawing.labels.bodies[tuple(at[:, -1])]) == LABEL_IDS["sacrum"]
        if forms[side] == "II":  # two cortices with a gap between
            first, last = np.flatnonzero(hu > 450)[[0, -1]]
            assert hu[first : last + 1].min() < 320
        else:  # spongy bone all the way, thinning out
            assert np.diff(hu).max() < 20


@pytest.mark.parametrize("castellvi", ["IIa", "IIIb", "IV"])
def test_labels_of_fused_bones_do_not_overlap(castellvi):
    labels = drawn(sacralised(castellvi))[0].labels
    assert not ((labels.posterior > 0) & (labels.bodies > 0)).any()
    core = labels.trabecular > 0
    assert torch.equal(labels.trabecular[core], labels.bodies[core])


@pytest.mark.parametrize("seed", range(4))
def test_a_sacralised_l5_lies_on_a_rudimentary_disc(seed):
    usual, joined = scene.varied(seed), scene.varied(seed, sacralised_l5=1.0)
    before, after = (one.spine.vertebrae["L5"] for one in (usual, joined))
    assert after.disc_height < 0.6 * before.disc_height
    assert after.flare < before.flare
    assert joined.spine.alignment.lordosis == pytest.approx(usual.spine.alignment.lordosis, abs=0.1)
    # At least 19 mm high, as Castellvi asks.
    assert all(2 * part.radii[1] >= 17 for _, parts in after.processes for part in parts)
