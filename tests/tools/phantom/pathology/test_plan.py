"""Who has what, and that nothing else tells who is fractured."""

from collections import Counter

import numpy as np
import pytest

from tests.tools.phantom import scene
from tests.tools.phantom.pathology.bodies import patient, settings, spine
from tools.phantom import case, field, recipe
from tools.phantom.anatomy.spine import FOOT_TO_HEAD
from tools.phantom.pathology import plan
from tools.phantom.pathology.mimics import MIMICS


def planned(count=400, **changed):
    """Fractures of many patients, without deforming anyone."""
    found, chosen = [], settings(**changed)
    for seed in range(count):
        found += plan._draw_fractures(np.random.default_rng(seed), chosen).items()
    return found


def test_the_standard_recipe_leaves_every_spine_alone():
    standard = recipe.load("standard")["pathology"]
    assert not plan.active(standard)
    assert plan.alteration(np.random.default_rng(0), standard) is None
    assert scene.patient(0).pathology is None


@pytest.mark.parametrize("key", ["fractured", "mimics", "cement", "screws"])
def test_one_probability_turns_the_warp_on_for_everyone(key):
    given = recipe.load("standard")["pathology"] | {key: 1e-9}
    alter = plan.alteration(np.random.default_rng(0), given)
    warped, found = alter(spine())
    named = (found.fractures, found.mimics, found.cement, found.screws)
    assert not any(named)
    assert all(body.warp is not None for body in warped.vertebrae.values())
    assert list(warped.vertebrae) == list(FOOT_TO_HEAD)


def test_flat_levels_are_flat_and_peaks_are_peaks():
    flat = Counter(level for level, _ in planned(1500))
    assert max(flat.values()) < 1.4 * min(flat.values())
    peaks = Counter(level for level, _ in planned(1500, levels="peaks"))
    assert min(peaks["T12"], peaks["L1"]) > 2 * peaks["L4"]
    assert min(peaks["T7"], peaks["T8"]) > 1.7 * peaks["L4"]


def test_no_finding_lies_above_the_highest_level():
    levels = {level for level, _ in planned(300, highest="T10")}
    assert levels == set(FOOT_TO_HEAD[: FOOT_TO_HEAD.index("T10") + 1])


def test_a_quarter_or_more_are_one_sided_within_a_third_of_the_width():
    sides = np.array([abs(fracture.side) / 2 for _, fracture in planned()])
    assert np.mean(sides > 0.15) > 0.25
    assert sides.max() <= 1 / 3


def test_signs_come_with_half_of_the_fractures():
    fractures = [fracture for _, fracture in planned()]
    assert np.mean([fracture.impaction for fracture in fractures]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([fracture.swelling for fracture in fractures]) == pytest.approx(0.5, abs=0.08)


def test_threshold_cases_lie_near_a_limit():
    losses = np.array([fracture.loss for _, fracture in planned(200, threshold=1.0)])
    near_first, near_second = (abs(losses - limit) <= 0.02 for limit in (0.20, 0.25))
    assert np.all(near_first | near_second)
    assert near_first.any()
    assert near_second.any()
    assert (losses < 0.2).any()


@pytest.mark.parametrize(("grade", "low", "high"), [(1, 0.2, 0.25), (2, 0.25, 0.4), (3, 0.4, 0.65)])
def test_grades_keep_clear_of_their_limits(grade, low, high):
    losses = [fracture.loss for _, fracture in planned(200, grades=[grade])]
    assert low + 0.005 <= min(losses)
    assert max(losses) <= high - 0.005


def test_the_same_patient_fractured_or_not_differs_in_nothing_else():
    whole, broken = (patient(4, fractured=share, cement=1e-9) for share in (0.0, 1.0))
    assert broken.pathology.fractures
    assert whole.age == broken.age
    assert whole.density == broken.density
    for level, bone in whole.bones.items():
        assert bone.ha == broken.bones[level].ha
    for level, body in whole.spine.vertebrae.items():
        other = broken.spine.vertebrae[level]
        assert body.disc_height == other.disc_height
        if level not in broken.pathology.fractures:
            assert body.warp.mild.top[0] == other.warp.mild.top[0]


@pytest.mark.parametrize("name", ["abdomen", "lumbar", "sagittal_slab"])
def test_a_scan_is_as_long_whether_or_not_the_spine_became_shorter(name):
    # The length of a whole abdomen told fractured patients with an AUC of 0.57.
    whole, broken = (
        patient(4, fractured=share, grades=[3], highest="T10", cement=1e-9) for share in (0.0, 1.0)
    )
    least = max(broken.pathology.sunk_mm.values())
    assert least > 5.0
    lengths = [
        np.ptp(field.bounds_mm(one, name, np.random.default_rng(1))[:, 2])
        for one in (whole, broken)
    ]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.5)


def test_negatives_get_dense_bands_where_positives_are_impacted():
    negatives, positives = [], []
    given = spine(0)
    for seed in range(20):
        rng = np.random.default_rng([seed, 5])
        _, found = plan.alter(rng, settings(fractured=1e-9, grades=[1]), given)
        negatives.append(len(found.sclerosis))
        rng = np.random.default_rng([seed, 5])
        label = rng.spawn(7)[0]
        label.random()
        plans = plan._draw_fractures(label, settings(grades=[1]))
        positives.append(sum(fracture.impaction for fracture in plans.values()))
    assert negatives == positives
    assert sum(negatives) > 5


@pytest.mark.parametrize("kind", MIMICS)
def test_a_mimic_is_no_fracture(kind):
    for seed in range(3):
        shown = patient(seed, mimics=1.0, mimic_kinds=[kind])
        assert set(shown.pathology.mimics.values()) <= {kind}
        assert not shown.pathology.fractures
        levels = {
            level: {"complete": True} | case.level_truth(shown, level)
            for level in shown.pathology.mimics
        }
        assert all(level["fracture"] is None for level in levels.values())
        truth = case.fracture_truth(shown, levels)
        assert (truth["label"], truth["fractured"]) == (0, False)


def fake_level(grade, complete=True, threshold=False):
    fracture = None if grade is None else {"grade": grade, "threshold": threshold}
    return {"complete": complete, "fracture": fracture, "mimic": None}


@pytest.mark.parametrize(
    ("levels", "label"),
    [
        ({"L1": fake_level(None)}, 0),
        ({"L1": fake_level(0, threshold=True)}, 0),
        ({"L1": fake_level(1)}, 1),
        ({"L1": fake_level(None), "T12": fake_level(3)}, 1),
        ({"T10": fake_level(2, complete=False)}, 0),
        ({}, 0),
    ],
    ids=["whole", "below 20 %", "mild", "one of two", "cut by the field", "nothing in the field"],
)
def test_a_patient_is_fractured_if_a_whole_level_is(levels, label):
    truth = case.fracture_truth(patient(0, cement=1e-9), levels)
    assert truth["label"] == label
    assert truth["fractured"] is bool(label)
