"""What is painted around and inside deformed bodies, and the truth of a whole scan."""

import json

import numpy as np
import pytest

from tests.tools.phantom import scene
from tests.tools.phantom.pathology.bodies import patient
from tools.levels import LABEL_IDS
from tools.phantom import case
from tools.phantom.anatomy.slab import SLAB_DEPTH_MM, SLAB_MM
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.draw import draw
from tools.phantom.drawing.canvas import Canvas
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.qct import qct_ha
from tools.phantom.truth import level_truth
from tools.volumes import Grid


def around(shown, level, half_mm=32.0, step_mm=1.0):
    """Grid about a body, along its own frame, and the drawing on it."""
    body = shown.spine.vertebrae[level]
    count = int(2 * half_mm / step_mm) + 1
    affine = np.eye(4)
    affine[:3, :3] = body.frame.axes * step_mm
    affine[:3, 3] = body.frame.point(-half_mm, -half_mm, -half_mm)
    grid = Grid((count, count, count), affine)
    return grid, draw(shown, grid, REFERENCE_BEAM)


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
@pytest.mark.parametrize("generator", ["warp", "collapse"])
def test_truth_of_a_broken_level_is_what_the_drawing_reads(kind, generator):
    shown = patient(1, fractured=1.0, kinds=[kind], generator=generator, highest="L1", impaction=1)
    level = next(iter(shown.pathology.fractures))
    grid, drawing = around(shown, level)
    body, truth = shown.spine.vertebrae[level], level_truth(shown, level)
    u, v, w = Canvas(grid, 0.0).whole().coordinates(body.frame)
    distance = BodyShape(body).distance(u, v, w)
    slab = (distance < -SLAB_DEPTH_MM) & (w.abs() <= SLAB_MM / 2)
    assert qct_ha(float(drawing.hu[slab].mean())) == pytest.approx(truth["qct_ha_mg_cm3"], abs=3)
    label = drawing.labels.bodies == LABEL_IDS[level]
    assert float(label.sum()) == pytest.approx(truth["volume_mm3"], rel=0.02)
    places = np.argwhere(label.numpy()).mean(0)
    assert grid.to_world(places) == pytest.approx(np.array(truth["centroid_ras_mm"]), abs=0.4)
    assert truth["fracture"]["kind"] == kind
    assert truth["fracture"]["generator"] == generator


def test_a_lytic_focus_reads_as_soft_tissue_and_holds_no_mineral():
    shown = patient(2, mimics=1.0, mimic_kinds=["lytic"], highest="L1")
    level = next(iter(shown.pathology.mimics))
    body = shown.spine.vertebrae[level]
    grid, drawing = around(shown, level)
    focus = body.warp.tumours[0]
    place = np.round(grid.to_index(body.frame.point(*focus.center)[None])[0]).astype(int)
    assert 20 < float(drawing.hu[tuple(place)]) < 110


@pytest.mark.parametrize("kind", ["block", "limbus", "burst", "pathologic", "hemivertebra"])
def test_deformed_spines_draw_every_level(kind):
    shown = patient(3, mimics=1.0, mimic_kinds=[kind], highest="T12")
    grid = scene.lumbar_grid(shown, 2.0)
    found = np.unique(draw(shown, grid, REFERENCE_BEAM).labels.bodies.numpy())
    assert {LABEL_IDS[f"L{number}"] for number in range(1, 6)} <= set(found.tolist())


def test_cement_and_screws_are_drawn_where_the_truth_says():
    shown = patient(5, cement=1.0, screws=1.0, highest="L1")
    filled = shown.pathology.cement[0].level
    grid, drawing = around(shown, filled)
    inside = drawing.labels.trabecular == LABEL_IDS[filled]
    assert float(drawing.hu[inside].max()) > 1000
    assert "cement" in level_truth(shown, filled)["implants"]
    held = shown.pathology.screws.levels
    assert len(held) >= 2
    for level in held:
        assert "screws" in level_truth(shown, level)["implants"]
        grid, drawing = around(shown, level)
        body = shown.spine.vertebrae[level]
        for head, tip in shown.pathology.screws.courses(body):
            middle = body.frame.point(*((head + tip) / 2))
            place = np.round(grid.to_index(middle[None])[0]).astype(int)
            assert float(drawing.hu[tuple(place)]) > 3000


def test_a_scan_with_pathology_is_the_same_twice_and_says_what_it_holds():
    chosen = scene.quick() | {
        "pathology": scene.quick()["pathology"] | {"fractured": 1.0, "highest": "L1", "mimics": 1.0}
    }
    first, second = (case.simulate(chosen, 7, 0) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert first.truth == second.truth
    json.dumps(first.truth)
    assert first.truth["label"] == int(first.truth["fractured"]) == 1
    broken = [level for level in first.truth["levels"].values() if level["fracture"]]
    assert broken
    assert all(max(level["height_loss"].values()) > 0.05 for level in broken)
