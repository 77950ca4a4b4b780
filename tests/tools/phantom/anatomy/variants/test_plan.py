"""Which variants patients get: asked rates, one at a time, and nothing where nothing is asked."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.tools.phantom import scene
from tools.phantom import case, recipe
from tools.phantom.anatomy.variants.plan import USUAL, draw_plan
from tools.phantom.anatomy.variants.transitional import CASTELLVI

OFF = recipe.load("standard")["anatomy"]
PATIENTS = 1500
HAS = {
    "sacralised_l5": lambda plan: bool(plan.transition and plan.transition.castellvi),
    "lumbarised_s1": lambda plan: bool(plan.transition and not plan.transition.castellvi),
    "lumbar_rib": lambda plan: bool(plan.ribs.lumbar),
    "short_t12_rib": lambda plan: bool(plan.ribs.short),
    "scoliosis": lambda plan: plan.curve is not None,
    "degeneration": lambda plan: plan.degeneration is not None,
}
#: Published rates, `docs/variants.md`.
RATES = {
    "sacralised_l5": 0.075,
    "lumbarised_s1": 0.05,
    "lumbar_rib": 0.036,
    "short_t12_rib": 0.08,
    "scoliosis": 0.08,
    "degeneration": 0.6,
}


def plans(age=60.0, count=PATIENTS, **chances):
    anatomy = OFF | chances
    return [draw_plan(np.random.default_rng([n, 3]), anatomy, "F", age) for n in range(count)]


def test_every_key_of_the_recipe_is_tested():
    assert set(HAS) == set(RATES) == set(OFF)


def test_variants_come_at_the_asked_rates():
    drawn = plans(**RATES)
    for key, has in HAS.items():
        found = sum(map(has, drawn))
        assert binomtest(found, PATIENTS, RATES[key]).pvalue > 1e-3, (key, found)


@pytest.mark.parametrize("key", HAS)
def test_one_key_brings_its_variant_alone_and_moves_no_other_draw(key):
    alone, together = plans(count=40, **{key: 1.0}), plans(count=40, **dict.fromkeys(OFF, 0.5))
    for plan, other in zip(alone, together, strict=True):
        assert [name for name, has in HAS.items() if has(plan)] == [key]
        if HAS[key](other) and key != "lumbarised_s1":
            mine, theirs = plan.as_dict(), other.as_dict()
            shared = [name for name in mine if mine[name] is not None]
            assert all(mine[name] == theirs[name] for name in shared)


def test_off_is_the_usual_anatomy():
    assert set(OFF.values()) == {0.0}
    assert all(plan == USUAL for plan in plans(count=50))


def test_castellvi_types_come_in_published_shares():
    names = [plan.transition.castellvi.strip("ab") for plan in plans(sacralised_l5=1.0)]
    found, whole = Counter(names), sum(CASTELLVI.values())
    for name, share in CASTELLVI.items():
        assert binomtest(found[name], PATIENTS, share / whole).pvalue > 1e-3, (name, found)


def test_type_iv_has_one_joint_and_one_fusion():
    for plan in plans(count=300, sacralised_l5=1.0):
        forms = sorted(plan.transition.sides)
        wanted = {"IIa": ["", "II"], "IIb": ["II", "II"], "IIIa": ["", "III"]} | {
            "IIIb": ["III", "III"],
            "IV": ["II", "III"],
        }
        assert forms == wanted[plan.transition.castellvi]


def test_wear_gets_worse_with_age():
    young, old = (
        [plan.degeneration for plan in plans(age=age, count=200, degeneration=1.0)]
        for age in (35.0, 80.0)
    )
    for before, after in zip(young, old, strict=True):
        assert after.severity >= before.severity
    assert np.mean([len(worn.discs) for worn in old]) > np.mean([len(w.discs) for w in young]) + 1


#: SHA-256 of bodies, cores and posterior elements, and mean and SD of the image, as they were
#: before there were variants.
BEFORE = {
    (0, 0): (
        "b6beeecf930df77f0a02e49d2e9b143facb35121d5973ff2e9dde2084741f612",
        (-193.618, 404.481),
    ),
    (3, 5): (
        "32be8d39c6337986cfab474bf867318d43d1139afc5e3042351087d9ee7b448e",
        (-228.499, 442.016),
    ),
}


@pytest.mark.parametrize(("seed", "index"), BEFORE)
def test_patients_without_variants_are_those_of_before(seed, index):
    shown = case.simulate(recipe.load("quick"), seed, index)
    digest = hashlib.sha256()
    for part in (shown.labels, shown.trabecular, shown.posterior):
        digest.update(part.tobytes())
    labels, moments = BEFORE[seed, index]
    assert digest.hexdigest() == labels
    assert (shown.image.mean(), shown.image.std()) == pytest.approx(moments, abs=0.01)
    assert shown.truth["variants"] == USUAL.as_dict()


def test_a_variant_leaves_the_rest_of_the_patient_as_drawn():
    usual, varied = scene.varied(4), scene.varied(4, lumbar_rib=1.0)
    assert usual.sex == varied.sex
    assert usual.age == varied.age
    assert usual.bones["L3"].ha == varied.bones["L3"].ha
    assert usual.trunk == varied.trunk
