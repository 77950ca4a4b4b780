"""The spine above a deformed body: no gap, and the curve as before."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from tests.tools.phantom.pathology.bodies import settings, spine
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.pathology import plan
from tools.phantom.pathology.restack import _pitch, moved_rims, restack
from tools.phantom.pathology.warp import LayeredWarp


def altered(seed, **changed):
    return plan.alter(np.random.default_rng([seed, 9]), settings(**changed), spine(seed))


def test_undeformed_bodies_stay_where_they_are():
    given = spine(0)
    plain = {
        level: replace(body, warp=LayeredWarp(body.width / 2, body.depth / 2))
        for level, body in given.vertebrae.items()
    }
    found = restack(given, plain)
    for level, body in given.vertebrae.items():
        assert found.vertebrae[level].frame.origin == pytest.approx(body.frame.origin, abs=1e-6)
        assert found.vertebrae[level].frame.axes == pytest.approx(body.frame.axes, abs=1e-9)
    assert found.alignment.lordosis == pytest.approx(given.alignment.lordosis)


def rim_gap(lower, upper):
    """Distance between the facing rims' planes in the middle of the disc, along the disc, mm."""
    angle = torch.linspace(0, 2 * np.pi, 25)[:-1]
    rims = []
    for body, end in ((lower, 0), (upper, 1)):
        u = 0.86 * body.width / 2 * torch.cos(angle)
        v = 0.86 * body.depth / 2 * torch.sin(angle)
        w = BodyShape(body).endplates(u, v)[end]
        rims.append(body.frame.to_world(torch.stack([u, v, w], 1).double().numpy()))
    return float((rims[1].mean(0) - rims[0].mean(0)) @ upper.frame.axes[:, 2])


@pytest.mark.parametrize("seed", range(4))
def test_discs_keep_their_height_in_the_middle(seed):
    before = spine(seed)
    after, _ = altered(seed, fractured=1.0, grades=[3])
    levels = list(before.vertebrae)
    for low, high in pairwise(levels):
        was = rim_gap(before.vertebrae[low], before.vertebrae[high])
        now = rim_gap(after.vertebrae[low], after.vertebrae[high])
        # It grows where its rear edge would close, and never by much.
        assert -0.6 < now - was < 1.6, (low, high)


@pytest.mark.parametrize("seed", range(4))
def test_the_fracture_shortens_the_spine_and_gives_its_angle_back(seed):
    healthy, _ = altered(seed, fractured=0.0, cement=1e-9, highest="T12")
    broken, found = altered(seed, fractured=1.0, grades=[3], kinds=["wedge"], highest="T12")
    assert found.fractures
    tops = [
        _pitch(each.vertebrae["T4"], moved_rims(each.vertebrae["T4"])) for each in (healthy, broken)
    ]
    assert tops[1] == pytest.approx(tops[0], abs=1.0)
    heights = [each.vertebrae["T4"].frame.origin[2] for each in (healthy, broken)]
    assert heights[1] < heights[0] - 1.5


@pytest.mark.slow
def test_curves_of_the_same_spines_hardly_shift_when_they_break():
    rows = {}
    for fractured in (1e-9, 1.0):
        found = []
        for seed in range(50):
            shown, _ = altered(seed, fractured=fractured, levels="peaks")
            pitch = {
                level: _pitch(shown.vertebrae[level], moved_rims(shown.vertebrae[level]))
                for level in ("T4", "T12")
            }
            found.append((shown.alignment.lordosis, pitch["T4"] - pitch["T12"]))
        rows[fractured] = np.array(found)
    shift = rows[1.0].mean(0) - rows[1e-9].mean(0)
    # An endplate of a broken T12 or T4 itself ends these angles: the shift is small, not nothing.
    assert np.abs(shift).max() < 2.0
    for column, name in enumerate(("lordosis", "kyphosis")):
        assert ks_2samp(rows[1e-9][:, column], rows[1.0][:, column]).statistic < 0.2, name
