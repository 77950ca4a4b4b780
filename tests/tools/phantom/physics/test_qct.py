"""QCT: the inserts' line, the error that marrow fat makes, conversion of minerals."""

import numpy as np
import pytest

from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.materials import ha_insert, marrow, trabecular_bone
from tools.phantom.physics.qct import ha_to_k2hpo4, insert_calibration, k2hpo4_to_ha, qct_ha


@pytest.mark.parametrize("beam", [REFERENCE_BEAM, Beam(80.0), Beam(120.0, 9.0, 32.0)])
def test_insert_reads_its_density(beam: Beam) -> None:
    slope, intercept = insert_calibration(beam)
    assert slope == pytest.approx(beam.ha_slope, rel=1e-6)
    assert intercept == pytest.approx(0.0, abs=1e-6)
    assert qct_ha(beam.hu(ha_insert(137.0)), beam) == pytest.approx(137.0)


@pytest.mark.parametrize(("fat", "reads"), [(0.3, 105.0), (0.5, 97.0), (0.7, 88.0)])
def test_marrow_fat_shifts_the_reading(fat: float, reads: float) -> None:
    # 1 mg/cm3: the reference states whole numbers.
    hu = REFERENCE_BEAM.hu(trabecular_bone(100.0, marrow(fat)))
    assert qct_ha(hu) == pytest.approx(reads, abs=1.0)


@pytest.mark.parametrize(("kvp", "ratio"), [(80.0, 1.31), (100.0, 1.11), (140.0, 0.93)])
def test_trabecular_voxel_follows_voltage(kvp: float, ratio: float) -> None:
    # 3 %: the reference does not state the voxel's density; 130 mg/cm3 is a middle one.
    bone = trabecular_bone(130.0, marrow(0.45))
    assert Beam(kvp).hu(bone) / REFERENCE_BEAM.hu(bone) == pytest.approx(ratio, rel=0.03)


def test_qct_accepts_arrays() -> None:
    hu = np.array([0.0, REFERENCE_BEAM.ha_slope * 100.0])
    np.testing.assert_allclose(qct_ha(hu), [0.0, 100.0], atol=1e-6)


@pytest.mark.parametrize(("k2hpo4", "ha"), [(80.0, 84.68), (120.0, 130.68)])
def test_conversion_equals_faulkner(k2hpo4: float, ha: float) -> None:
    assert k2hpo4_to_ha(k2hpo4) == pytest.approx(ha)
    assert ha_to_k2hpo4(ha) == pytest.approx(k2hpo4)
