"""A scan's scale is read from the air beside the patient."""

import re

import nibabel as nib
import numpy as np
import pytest

from tools.screen import scale, scan
from tools.volumes import save_nifti

AFFINE = np.diag([2.0, 2.0, 4.0, 1.0])


def trunk(air=-1000.0, noise=12.0, lungs=False):
    """An oval patient of fat and muscle on a table of air, int16, [170, 140, 40] at 2 x 2 x 4."""
    x, y, _ = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (170, 140, 40)), indexing="ij")
    radius = np.hypot(x / 70, y / 50)
    hu = np.where(radius < 1, np.where(radius < 0.85, 45.0, -100.0), air)
    if lungs:
        hu[(np.hypot((np.abs(x) - 30) / 25, y / 30) < 1)] = -850
    return (hu + np.random.default_rng(0).normal(0, noise, hu.shape)).astype(np.int16)


def said_hu(problem):
    """The reading of air that a problem names."""
    assert problem is not None
    return float(re.search(r"reads (-\d+) HU", problem)[1])


@pytest.mark.parametrize("air", [-1027.0, -1000.0, -973.0])
def test_air_is_read(air):
    hu = trunk(air)
    assert scale.air_hu(hu, AFFINE) == pytest.approx(air, abs=2)
    assert scale.problem(hu, AFFINE) is None


@pytest.mark.parametrize("air", [-1100.0, -1033.0, -967.0, -800.0])
def test_wrong_air_is_named(air):
    found = scale.problem(trunk(air), AFFINE)
    assert said_hu(found) == pytest.approx(air, abs=2)


def test_any_orientation():
    hu = trunk(-940.0).transpose(2, 0, 1)[:, ::-1]
    turned = np.zeros((4, 4))
    turned[2, 0], turned[0, 1], turned[1, 2], turned[3, 3] = 4.0, -2.0, 2.0, 1.0
    assert scale.air_hu(hu, turned) == pytest.approx(-940, abs=2)


def test_volume_without_its_intercept():
    assert "fat" in scale.problem(trunk() + 1024, AFFINE)
    assert "fat" in scale.problem((trunk().astype(float) + 1000) / 2000, AFFINE)


@pytest.mark.parametrize(
    ("slope", "intercept", "air"),
    [
        pytest.param(1.0, 0.0, None, id="HU"),
        pytest.param(1.0, -28.0, None, id="28 HU low"),
        pytest.param(1.0, -50.0, -1050.0, id="50 HU low"),
        pytest.param(2.0, 0.0, -2000.0, id="doubled"),
    ],
)
def test_a_scale_that_is_too_low_is_seen_though_values_are_cut_off(slope, intercept, air, tmp_path):
    """Symptom: cut off at -1024, air of any scale that was too low read right, and doubled HU
    gave a density."""
    save_nifti(tmp_path / "ct.nii.gz", trunk() * slope + intercept, AFFINE)
    read = scan.read(*scan.find(tmp_path / "ct.nii.gz", tmp_path / "out"))
    assert read.hu.min() >= -1024
    if air is None:
        assert read.scale_problem is None
    else:
        assert said_hu(read.scale_problem) == pytest.approx(air, abs=10)


def test_the_rim_of_padding_is_no_air():
    """Resampling blends padding with air; a tenth of the dark region, it would be its darkest."""
    hu = trunk(lungs=True)
    hu[:16, :, :20] = np.linspace(-3024, -1100, 16)[:, None, None]
    hu[:16, :, 20:] = -3024
    assert scale.air_hu(hu, AFFINE) == pytest.approx(-1000, abs=2)
    assert scale.problem(hu, AFFINE) is None


@pytest.mark.parametrize("filling", [-3024, -2000, -1024])
def test_filling_of_the_corners_is_no_air(filling):
    hu = trunk(-930.0)
    x, y = (np.arange(n) - (n - 1) / 2 for n in (170, 140))
    hu[np.hypot(x[:, None], y[None]) > 84] = filling
    assert scale.air_hu(hu, AFFINE) == pytest.approx(-930, abs=2)


def test_air_clipped_to_a_constant():
    hu = np.maximum(trunk(-1000.0, noise=0.0), -1000)
    assert scale.air_hu(hu, AFFINE) == -1000


def test_field_filled_all_around_shows_no_air():
    hu = trunk()
    hu[hu < -600] = -2000
    assert scale.air_hu(hu, AFFINE) is None
    assert scale.problem(hu, AFFINE) is None


def test_lungs_are_no_reference():
    """Air is read though lungs are there; a crop to the lungs has none."""
    hu = trunk(lungs=True)
    assert scale.air_hu(hu, AFFINE) == pytest.approx(-1000, abs=2)
    noisy = np.random.default_rng(1).normal(-850, 70, (60, 60, 20))
    assert scale.air_hu(noisy, AFFINE) is None


def test_crop_inside_the_patient_shows_no_air():
    crop = trunk()[60:110, 50:90]
    assert scale.air_hu(crop, AFFINE) is None
    crop[20:, 20:, :] = -100  # fat
    assert scale.problem(crop, AFFINE) is None


@pytest.mark.realdata
def test_scales_of_the_real_scans(shared_data):
    found = {}
    for name in ("lumbar_ct_3mm", "thorax_ct_1p5mm", "l3_crop"):
        path = shared_data / name / "ct.nii.gz"
        if not path.is_file():
            pytest.skip(f"{path} is absent")
        ct = nib.load(path)
        assert scale.problem(np.asarray(ct.dataobj), ct.affine) is None
        found[name] = scale.air_hu(np.asarray(ct.dataobj), ct.affine)
    assert found["lumbar_ct_3mm"] == pytest.approx(-1000, abs=30)
    assert found["l3_crop"] is None


@pytest.mark.parametrize("foam", [0.0, 0.5, 0.8])
def test_a_tables_foam_is_not_taken_for_air(foam):
    """A slab about the spine shows more table than air; it was refused for its scale."""
    rng = np.random.default_rng(0)
    image = np.full((60, 100, 60), 40.0)
    image[:, :40] = -1000.0
    image[:, 2 : 2 + round(38 * foam)] = -930.0
    image[:, 60:] = -105.0
    image += rng.normal(0, 15, image.shape)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    air = scale.air_hu(image, affine)
    if foam != 0.5:  # half and half is too uneven to tell
        assert air == pytest.approx(-1000, abs=12)
    assert scale.problem(image, affine) is None
