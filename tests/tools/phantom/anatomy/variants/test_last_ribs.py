"""Ribs on L1 only when asked; twelfth ribs cut to their drawn length."""

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.phantom.anatomy.variants.last_ribs import cut_short
from tools.phantom.anatomy.vertebra import posterior_parts
from tools.phantom.truth import patient_truth


def length_mm(course):
    return float(np.linalg.norm(np.diff(course, axis=0), axis=1).sum())


def ribs(shown, level):
    return {rib.side: rib for rib in shown.ribs if rib.level == level}


@pytest.mark.parametrize("seed", range(5))
def test_ribs_on_l1_only_when_asked(seed):
    usual, ribbed = scene.varied(seed), scene.varied(seed, lumbar_rib=1.0)
    assert not ribs(usual, "L1")
    assert len(ribs(usual, "T12")) == 2
    found = ribs(ribbed, "L1")
    assert {side: pytest.approx(mm, rel=0.1) for side, mm in ribbed.plan.ribs.lumbar} == {
        side: length_mm(rib.course) for side, rib in found.items()
    }
    body = ribbed.spine.vertebrae["L1"]
    for side, rib in found.items():
        # It begins beside the stump of the process, and runs outwards and down.
        parts = dict(body.processes)[side]
        gap = np.linalg.norm(rib.course[0] - body.frame.to_world(np.array(parts[0].end)))
        assert 3 < gap < 8
        assert side * (rib.course[-1, 0] - rib.course[0, 0]) > 10
        assert rib.course[-1, 2] < rib.course[0, 2]
    assert len(posterior_parts(body)) == len(posterior_parts(usual.spine.vertebrae["L1"]))


@pytest.mark.parametrize("seed", range(8))
def test_short_twelfth_ribs_have_their_drawn_length_or_none(seed):
    shown = scene.varied(seed, short_t12_rib=1.0)
    found = ribs(shown, "T12")
    for side, wanted in shown.plan.ribs.short:
        assert wanted <= 38
        if wanted:
            assert length_mm(found[side].course) == pytest.approx(wanted, abs=0.01)
        else:
            assert side not in found
    usual = ribs(scene.varied(seed), "T12")
    for side in {-1, 1} - {side for side, _ in shown.plan.ribs.short}:
        assert np.array_equal(found[side].course, usual[side].course)
    named = patient_truth(shown)["variants"]["t12_rib_mm"]
    assert set(named) == {"left" if side < 0 else "right" for side, _ in shown.plan.ribs.short}


def test_a_course_is_cut_along_its_length():
    course = np.array([[0.0, 0, 0], [3, 4, 0], [3, 4, 10]])
    assert cut_short(course, 7.0).tolist() == [[0, 0, 0], [3, 4, 0], [3, 4, 2]]
    assert cut_short(course, 99.0).tolist() == course.tolist()
