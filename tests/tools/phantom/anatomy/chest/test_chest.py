"""The drawn chest, on courses and distances alone: nothing is painted here."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom.anatomy.chest.cage import CARTILAGE_MM
from tools.phantom.anatomy.chest.pose import bent, spinous_tip
from tools.phantom.anatomy.ribs import HALF_HEIGHT_MM
from tools.phantom.anatomy.vertebra import BodyShape

PATIENTS = range(20)
THORACIC = tuple(f"T{number}" for number in range(1, 13))


@cache
def spine(seed):
    return scene.chest_patient(seed).chest.spine


def tensors(points):
    return torch.tensor(np.atleast_2d(points), dtype=torch.float32).T


def depth_in(body, points):
    """Signed distance of points, RAS+ mm [N, 3], to a body's surface."""
    local = (points - body.frame.origin) @ body.frame.axes
    return BodyShape(body).distance(*tensors(local)).numpy()


@pytest.mark.parametrize("seed", PATIENTS)
def test_spinous_processes_lie_under_10_to_40_mm_of_muscle_fat_and_skin(seed):
    """T8's once lay 34 mm in front of the back's fat, and 60 mm under the skin."""
    trunk = scene.chest_patient(seed).trunk
    for level in THORACIC:
        tip = spinous_tip(spine(seed).vertebrae[level])
        cover = tip[1] - float(trunk.back_at(torch.tensor(tip[2])))
        assert 10 <= cover <= 40, level


@pytest.mark.parametrize("seed", PATIENTS)
def test_every_vertebra_lies_under_the_skin_and(seed):
    trunk = scene.chest_patient(seed).trunk
    for level in THORACIC:
        tip = spinous_tip(spine(seed).vertebrae[level])
        assert float(trunk.skin(*tensors(tip))) < -5, level


@pytest.mark.parametrize("seed", PATIENTS)
def test_ribs_start_at_their_own_level_and_end_at_t12(seed):
    ribs = scene.chest_patient(seed).ribs
    assert sorted((rib.level, rib.side) for rib in ribs) == sorted(
        (level, side) for level in THORACIC for side in (-1, 1)
    )
    for rib in ribs:
        gaps = {
            level: float(depth_in(spine(seed).vertebrae[level], rib.course[:1])[0])
            for level in THORACIC
        }
        assert min(gaps, key=gaps.get) == rib.level
        assert abs(gaps[rib.level]) < 8  # the head, 5.6 mm high, reaches the body
        assert rib.side * (rib.course[0, 0] - spine(seed).vertebrae[rib.level].frame.origin[0]) > 0


@pytest.mark.parametrize("seed", PATIENTS)
def test_ribs_and_cartilages_cross_no_body(seed):
    shown = scene.chest_patient(seed)
    courses = [rib.course[1:] for rib in shown.ribs] + shown.chest.cage.cartilages
    for course in courses:
        fine = np.concatenate([np.linspace(a, b, 8) for a, b in pairwise(course)])
        for level in (*THORACIC, "L1", "L2"):
            assert depth_in(spine(seed).vertebrae[level], fine).min() > HALF_HEIGHT_MM, level


@pytest.mark.parametrize("seed", PATIENTS)
def test_ribs_sink_forwards_in_order_and_lie_under_the_skin(seed):
    shown = scene.chest_patient(seed)
    for side in (-1, 1):
        own = [rib for rib in shown.ribs if rib.side == side and rib.level not in ("T11", "T12")]
        tips = [rib.course[-1, 2] for rib in own]
        assert (np.diff(tips) < 0).all()
    for rib in shown.ribs:
        assert rib.course[-1, 2] < rib.course[1, 2] + 1
        assert float(shown.trunk.skin(*tensors(rib.course)).max()) < -HALF_HEIGHT_MM
    for course in shown.chest.cage.cartilages:
        assert float(shown.trunk.skin(*tensors(course)).max()) < -CARTILAGE_MM


@pytest.mark.parametrize("seed", PATIENTS)
def test_the_aorta_runs_without_a_step_from_the_heart_to_its_bifurcation(seed):
    shown = scene.chest_patient(seed)
    upper, lower = shown.chest.vessels.aorta, shown.vessels
    np.testing.assert_allclose(upper.course[-1], lower.aorta[5], atol=1e-6)  # T12, head to foot
    assert upper.radii[-1] == pytest.approx(lower.aorta_radius)
    steps = np.linalg.norm(np.diff(upper.course, axis=0), axis=1)
    assert steps.max() < 2 * min(upper.radii)
    assert (np.abs(np.diff(upper.radii)) < 0.2 * steps).all()
    # The arch passes over the left main bronchus, the ascending part lies right of the descending.
    top = int(upper.course[:, 2].argmax())
    assert 0 < top < len(upper.course) - 8
    assert upper.course[2, 0] > upper.course[len(upper.course) // 2, 0]


@pytest.mark.parametrize("seed", PATIENTS)
def test_great_vessels_and_airways_stay_out_of_the_bodies(seed):
    chest = scene.chest_patient(seed).chest
    tubes = [chest.vessels.aorta, *chest.vessels.others, *chest.airways.lumina]
    for tube in tubes:
        for level in THORACIC:
            gaps = depth_in(spine(seed).vertebrae[level], tube.course) - np.array(tube.radii)
            assert gaps.min() > -4, level  # the descending aorta touches the spine


@pytest.mark.parametrize("seed", PATIENTS)
def test_the_arch_passes_the_trachea_on_its_left(seed):
    """It once ran through it."""
    chest = scene.chest_patient(seed).chest
    aorta, trachea = chest.vessels.aorta, chest.airways.lumina[0]
    gaps = np.linalg.norm(trachea.course[:, None] - aorta.course[None], axis=2)
    gaps -= np.array(trachea.radii)[:, None] + np.array(aorta.radii)[None]
    assert gaps.min() > -3.0  # mm: walls may touch
    x, y, z = aorta.course.T
    behind = (y < trachea.course[8, 1]) & (z > trachea.course[-1, 2])
    assert behind.any()
    assert (x[behind] < trachea.course[8, 0] - 12).all()


@pytest.mark.parametrize("seed", PATIENTS)
def test_the_upper_bodies_stand_on_t4_and_are_smaller(seed):
    vertebrae = spine(seed).vertebrae
    assert list(vertebrae)[-4:] == ["T4", "T3", "T2", "T1"]
    for below, above in pairwise(("T4", "T3", "T2", "T1")):
        gap = vertebrae[above].frame.origin - vertebrae[below].frame.origin
        assert 14 < np.linalg.norm(gap) < 26
        assert vertebrae[above].depth < vertebrae[below].depth
        assert above not in LABEL_IDS
        # Walls face each other: no body reaches into the next.
        rim = vertebrae[above].frame.point(0, 0, -vertebrae[above].height / 2)
        assert depth_in(vertebrae[below], rim[None])[0] > 1


def test_bending_moves_only_what_lies_above_and_adds_up():
    straight = scene.patient(0).spine
    turned = bent(straight, 20.0)
    for level in ("L5", "L4"):
        np.testing.assert_allclose(
            turned.vertebrae[level].frame.origin, straight.vertebrae[level].frame.origin
        )
    for level, degrees in (("L3", 2.4), ("L1", 11.0), ("T10", 20.0), ("T4", 20.0)):
        before, after = (s.vertebrae[level].frame.axes for s in (straight, turned))
        angle = np.degrees(np.arccos((np.trace(before.T @ after) - 1) / 2))
        assert angle == pytest.approx(degrees, abs=0.2), level
        assert after[1, 2] < before[1, 2]  # the head goes backwards
    more = turned.alignment.lordosis - straight.alignment.lordosis
    assert more == pytest.approx(20.0 * (0.12 + 0.18 + 0.25 + 0.25))
    assert bent(straight, 0.0).alignment == straight.alignment


def test_a_patient_without_a_chest_is_the_same_whether_others_have_one():
    with_chest, without = scene.chest_patient(3), scene.patient(3)
    assert without.chest is None
    assert (with_chest.sex, with_chest.age, with_chest.density) == (
        without.sex,
        without.age,
        without.density,
    )
    for level, body in without.spine.vertebrae.items():
        assert with_chest.spine.vertebrae[level].height == body.height
        assert with_chest.bones[level].ha == without.bones[level].ha
