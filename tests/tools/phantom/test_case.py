"""Cases: reproducible, the same in every orientation, labels where the truth says."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom import case
from tools.phantom.imaging.scanner import SCANNERS
from tools.volumes import reorient

ORIENTATIONS = ("LPS", "LAS", "RPS", "LPI", "PIR", "ASL")
VOLUMES = ("image", "labels", "trabecular", "posterior")


def canonical(shown, name):
    """A volume as nibabel shows it after its own reorientation to RAS."""
    volume = nib.as_closest_canonical(nib.Nifti1Image(getattr(shown, name), shown.affine))
    return np.asanyarray(volume.dataobj), volume.affine


@pytest.fixture(scope="module")
def straight():
    """A patient whose slices are 2 mm cubes of labels, stored in RAS."""
    return case.simulate(isotropic("RAS"), seed=3, index=1)


def isotropic(codes, **scan):
    return scene.quick(
        **{"pixel_mm": [2.0, 2.0], "thickness_mm": [2.0], "orientation": [codes], "tilt_deg": 6.0}
        | scan
    )


def test_a_case_is_a_function_of_its_arguments():
    """In the narrowest field; the widest is drawn twice by the tests of orientations."""
    small = isotropic("RAS", field="vertebrae")
    first, again = (case.simulate(small, seed=3, index=1) for _ in range(2))
    for name in (*VOLUMES, "affine"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert again.truth == first.truth
    for seed, index in ((4, 1), (3, 2)):
        other = case.simulate(small, seed, index)
        assert other.truth["levels"] != first.truth["levels"]


@pytest.fixture(scope="module", params=ORIENTATIONS)
def turned(request):
    """The same patient and scan in another orientation."""
    return request.param, case.simulate(isotropic(request.param), seed=3, index=1)


def test_orientation_changes_only_how_a_scan_is_stored(straight, turned):
    codes, stored = turned
    # An oblique grid has the axis codes of the axes that it is nearest to.
    assert "".join(nib.aff2axcodes(stored.affine)) == codes
    for name in VOLUMES:
        array, affine = canonical(stored, name)
        expected, expected_affine = canonical(straight, name)
        np.testing.assert_array_equal(array, expected, err_msg=name)
        np.testing.assert_allclose(affine, expected_affine, atol=1e-9)
    assert stored.truth["levels"] == straight.truth["levels"]
    assert stored.truth["scan"]["orientation"] == codes


def complete_levels(shown):
    return {level: truth for level, truth in shown.truth["levels"].items() if truth["complete"]}


def assert_labels_lie_where_the_truth_says(shown, within_mm=1.0, volume_share=0.06):
    found = scene.centroids_mm(shown.labels, shown.affine)
    voxel_mm3 = abs(np.linalg.det(shown.affine[:3, :3]))
    for level, truth in complete_levels(shown).items():
        label = LABEL_IDS[level]
        assert np.linalg.norm(found[label] - truth["centroid_ras_mm"]) < within_mm, level
        volume = (shown.labels == label).sum() * voxel_mm3
        assert volume == pytest.approx(truth["volume_mm3"], rel=volume_share), level


def test_labels_lie_where_the_truth_says_in_every_orientation(turned):
    _, stored = turned
    assert {"L1", "L2", "L3", "L4", "L5"} <= set(complete_levels(stored))
    assert_labels_lie_where_the_truth_says(stored)


@pytest.mark.parametrize("tilt_deg", [0.0, pytest.param(3.0, marks=pytest.mark.slow), 15.0])
@pytest.mark.parametrize("field", ["sagittal_slab", "lumbar"])
def test_labels_lie_where_the_truth_says_on_oblique_grids(tilt_deg, field):
    scan = isotropic("PIR", tilt_deg=tilt_deg, field=field)
    shown = case.simulate(scan, seed=6, index=0)
    assert len(complete_levels(shown)) >= 3
    assert_labels_lie_where_the_truth_says(shown)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_the_number_of_fine_slices_does_not_move_labels(monkeypatch, steps):
    """Even and odd numbers of fine slices per slice put labels at the slices' centres."""
    monkeypatch.setattr(case, "fine_step_mm", lambda protocol: protocol.interval_mm / steps)
    shown = case.simulate(isotropic("LPS", thickness_mm=[4.0]), seed=3, index=1)
    assert len(complete_levels(shown)) >= 5
    # A body 18 mm high holds four or five slices of 4 mm: counting them errs by up to half a slice.
    assert_labels_lie_where_the_truth_says(shown, volume_share=2.0 / 18.0)


def test_label_maps_agree_with_each_other(straight):
    bodies, core, posterior = straight.labels, straight.trabecular, straight.posterior
    inside = core > 0
    np.testing.assert_array_equal(core[inside], bodies[inside])
    for level in ("T12", "L1", "L2", "L3", "L4", "L5", "sacrum"):
        label = LABEL_IDS[level]
        assert 0 < (core == label).sum() < (bodies == label).sum()
        assert (posterior == label).any()
    assert not ((posterior > 0) & (bodies > 0)).any()
    assert straight.image.dtype == np.int16
    assert all(getattr(straight, name).dtype == np.uint8 for name in VOLUMES[1:])
    assert all(getattr(straight, name).shape == bodies.shape for name in VOLUMES)


def test_the_image_shows_bone_where_the_labels_are(straight):
    image = straight.image.astype(float)
    shell = (straight.labels > 0) & (straight.trabecular == 0)
    outside = straight.labels == 0
    assert image[shell].mean() > image[straight.trabecular > 0].mean() > image[outside].mean()


def test_partly_shown_levels_are_named_but_not_complete():
    """The ends of a slab cut through bodies at times; their truth says so."""
    seen = []
    for index in range(8):
        # The narrow field cuts through bodies above and below, too, and is drawn in half the time.
        scan = isotropic(
            "RAS",
            field="sagittal_slab" if index < 3 else "vertebrae",
            pixel_mm=[3.0, 3.0],
            thickness_mm=[3.0],
        )
        shown = case.simulate(scan, 8, index)
        found = {int(value) for value in np.unique(shown.labels)}
        named = {LABEL_IDS[level] for level in shown.truth["levels"]}
        assert named == found - {0, LABEL_IDS["sacrum"]}
        faces = [np.take(shown.labels, end, axis) for axis in range(3) for end in (0, -1)]
        at_face = {int(value) for face in faces for value in np.unique(face)}
        for level, truth in shown.truth["levels"].items():
            volume = (shown.labels == LABEL_IDS[level]).sum() * 27
            if volume < 0.85 * truth["volume_mm3"]:
                assert not truth["complete"], level
            if not truth["complete"]:
                assert LABEL_IDS[level] in at_face, level
            seen.append(truth["complete"])
    assert True in seen
    assert False in seen


def test_paired_scanners_see_the_same_patient(monkeypatch):
    monkeypatch.setitem(SCANNERS, "B", replace(SCANNERS["A"], name="B"))
    scan = scene.quick(field="vertebrae")

    def levels(scanner, paired):
        truth = case.simulate(scan, 1, 0, scanner, paired).truth
        assert truth["scanner"] == scanner
        return {level: known["qct_ha_mg_cm3"] for level, known in truth["levels"].items()}

    def shared(first, second):
        return [first[level] == second[level] for level in first.keys() & second.keys()]

    assert all(shared(levels("A", True), levels("B", True)))
    assert not any(shared(levels("A", False), levels("B", False)))


def test_an_unknown_scanner_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"unknown scanner 'X'; known: A"):
        case.simulate(scene.quick(), 0, 0, scanner="X")


def test_labels_alone_are_those_of_the_scan(straight):
    """`draw_labels` shows the patient of scanner A's cohort, bodies only."""
    bodies, affine, about = case.draw_labels(isotropic("RAS"), 3, 1, spacing_mm=2.0)
    truth = straight.truth
    assert about == {"sex": truth["sex"], "age": pytest.approx(truth["age"], abs=0.06)}
    found = scene.centroids_mm(bodies, affine)
    for level, truth in straight.truth["levels"].items():
        if truth["complete"] and level in ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"):
            gap = found[LABEL_IDS[level]] - truth["centroid_ras_mm"]
            assert np.linalg.norm(gap) < 1.0, level


def test_truth_is_json_ready_and_sensible(straight):
    truth = straight.truth
    assert truth["sex"] in ("F", "M")
    assert 18 <= truth["age"] <= 95
    assert truth["fractured"] is False
    for level, known in truth["levels"].items():
        assert known["height_loss"] == {"anterior": 0.0, "middle": 0.0, "posterior": 0.0}, level
        assert 0.5 < known["areal_bmd_g_cm2"] < 1.4, level
        assert 0 < known["ha_mass_mg_cm3"] < 350


def test_reorient_is_undone_by_its_inverse(straight):
    array, affine = reorient(straight.labels, straight.affine, "PIR")
    back, back_affine = reorient(array, affine, "RAS")
    np.testing.assert_array_equal(back, straight.labels)
    np.testing.assert_allclose(back_affine, straight.affine, atol=1e-9)
