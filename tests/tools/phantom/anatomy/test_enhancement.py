"""Contrast medium: published enhancement, and a truth that does not feel it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.phantom import case
from tools.phantom.anatomy.enhancement import ENHANCEMENT, enhance, with_iodine
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam

#: What tissues read at 120 kV, HU, least and most over patients.
READINGS = {
    "arterial": {"artery": (240, 360), "vein": (25, 120), "kidney": (80, 200), "liver": (40, 105)},
    "portal": {"artery": (120, 190), "vein": (105, 190), "kidney": (130, 240), "liver": (70, 155)},
}


@pytest.mark.parametrize("phase", READINGS)
def test_tissues_read_what_reports_say(phase):
    unenhanced = scene.patient()
    found = [enhance(unenhanced, phase, np.random.default_rng(seed))[0] for seed in range(40)]
    for tissue, (low, high) in READINGS[phase].items():
        hu = [REFERENCE_BEAM.hu(patient.tissues[tissue]) for patient in found]
        assert low < min(hu), tissue
        assert max(hu) < high, tissue
        assert np.std(hu) > 3, tissue


@pytest.mark.parametrize(("phase", "mean"), [("arterial", 14.0), ("portal", 18.0)])
def test_l1_rises_as_published(phase, mean):
    """Pompe 2015: +14 HU arterial, +18 HU portal; red marrow takes up iodine, fat does not."""
    patients = [scene.patient(seed) for seed in range(4)]
    rises = []
    for number in range(60):
        before = patients[number % 4]
        after, truth = enhance(before, phase, np.random.default_rng(number))
        bones = [each.bones["L1"] for each in (before, after)]
        marrow = [bone.marrow_hu(REFERENCE_BEAM) for bone in bones]
        rise = (marrow[1] - marrow[0]) * 0.53 * 0.9 / (1 - bones[0].fat)
        assert rise == pytest.approx(truth["rise_hu"]["marrow"], abs=0.1)
        assert 8 - 0.1 <= rise <= 24 + 0.1
        rises.append(rise)
    assert np.mean(rises) == pytest.approx(mean, abs=1.0)


def test_none_leaves_the_patient_alone():
    patient = scene.patient()
    same, truth = enhance(patient, "none", np.random.default_rng(0))
    assert same is patient
    assert truth == {"phase": "none", "rise_hu": {}}
    with pytest.raises(ValueError, match=r"'venous'; known: none, arterial, portal"):
        enhance(patient, "venous", np.random.default_rng(0))


@pytest.mark.parametrize("rise", [1.0, 15.0, 110.0, 260.0])
def test_iodine_raises_by_what_was_asked_and_by_more_at_a_lower_voltage(rise):
    blood = scene.patient().tissues["blood"]
    mixed = with_iodine(blood, rise)
    assert REFERENCE_BEAM.hu(mixed) - REFERENCE_BEAM.hu(blood) == pytest.approx(rise, rel=0.01)
    beam = Beam(80.0)
    # 42 / 26 HU per mg/ml.
    assert (beam.hu(mixed) - beam.hu(blood)) / rise == pytest.approx(1.63, abs=0.06)


def test_the_image_shows_the_phase_and_the_truth_keeps_the_density():
    scan = {"field": "bodies", "noise_scale": [0, 0], "tilt_deg": 0.0}  # with the aorta's middle
    plain, shown = (
        case.simulate(scene.quick(**scan, contrast=[phase]), 2, 1) for phase in ("none", "portal")
    )
    assert plain.truth["levels"] == shown.truth["levels"]
    assert plain.truth["scan"]["contrast"]["phase"] == "none"
    assert shown.truth["scan"]["contrast"]["phase"] == "portal"
    assert set(ENHANCEMENT["portal"]) < set(shown.truth["scan"]["contrast"]["rise_hu"])
    core = plain.trabecular == 3
    rise = (shown.image.astype(float) - plain.image)[core].mean()
    assert 4 < rise < 24
    np.testing.assert_array_equal(plain.labels, shown.labels)
    assert (shown.image.astype(float) - plain.image).max() > 70
