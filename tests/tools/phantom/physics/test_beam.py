"""The beam against the reference table, single-energy formula and published phantom readings."""

import numpy as np
import pytest

from tools.phantom.physics.beam import ENERGY_STEP_KEV, REFERENCE_BEAM, Beam, density_for_hu
from tools.phantom.physics.materials import MATERIALS, ha_insert


@pytest.mark.parametrize(
    ("kvp", "water_cm", "slope"),
    [
        (80.0, 25.0, 1.87),
        (100.0, 25.0, 1.53),
        (120.0, 25.0, 1.33),
        (140.0, 25.0, 1.21),
        (120.0, 20.0, 1.39),
        (120.0, 30.0, 1.28),
    ],
)
def test_ha_slope_equals_reference_table(kvp: float, water_cm: float, slope: float) -> None:
    # 1.5 %: the table is rounded to 0.01 and its detector is not stated.
    assert Beam(kvp, water_cm=water_cm).ha_slope == pytest.approx(slope, rel=0.015)


@pytest.mark.parametrize(
    ("kvp", "low", "high"), [(80, 55, 57), (100, 62, 65), (120, 67, 71), (140, 72, 76)]
)
def test_effective_energy_is_in_reference_range(kvp: float, low: float, high: float) -> None:
    assert low <= Beam(kvp).effective_energy_kev <= high


@pytest.mark.parametrize(
    ("kvp", "adipose", "iodine"), [(80, -97, 42), (100, -85, 32), (120, -77, 26), (140, -73, 22)]
)
def test_fat_and_iodine_equal_reference_table(kvp: float, adipose: float, iodine: float) -> None:
    # 1 HU and 0.6 HU per mg/ml: rounding of the table.
    beam = Beam(kvp)
    assert beam.hu("adipose_icru") == pytest.approx(adipose, abs=1.0)
    assert beam.iodine_slope == pytest.approx(iodine, abs=0.6)


@pytest.mark.parametrize(
    ("kev", "slope"),
    [(55.0, 1.92), (60.0, 1.66), (65.0, 1.46), (68.0, 1.36), (70.0, 1.31), (75.0, 1.19)],
)
def test_single_energy_slope_equals_formula(kev: float, slope: float) -> None:
    energy = np.array([kev])
    ha = MATERIALS["hydroxyapatite"].mass_attenuation(energy)[0]
    formula = ha / MATERIALS["water"].attenuation(energy)[0] - 1.0 / 3.16
    # 0.2 %: HU are scaled by water minus air, the formula by water alone (0.12 %).
    assert Beam.mono(kev).ha_slope == pytest.approx(formula, rel=0.002)
    assert formula == pytest.approx(slope, abs=0.006)


PUBLISHED_SLOPES = [
    # 130 HU discriminates 100 mg/cm3 HA at 120 kVp (Eur Radiol 2022, 10.1007/s00330-022-08642-5).
    (120.0, 130.0 / 100.0),
    # HA inserts on a dual-source scanner read 1 / 0.88 (100 kV) and 1 / 0.63 (70 kV) of their
    # HU at 120 kV ("Coronary artery calcium scoring at lower tube voltages", 2021, abstract).
    (100.0, 1.30 / 0.88),
    (70.0, 1.30 / 0.63),
    # 177 HU at 80 kV stands for 130 HU at 120 kV (calcium scoring thresholds; recalled).
    (80.0, 1.30 * 177.0 / 130.0),
    # Calcium reads 1.47 times more at 80 than at 140 kV (Eur Radiol Exp 2019,
    # 10.1186/s41747-019-0125-2, table 1).
    (140.0, 1.30 * 177.0 / 130.0 / 1.47),
]


@pytest.mark.parametrize(("kvp", "slope"), PUBLISHED_SLOPES)
def test_ha_slope_is_near_published_phantoms(kvp: float, slope: float) -> None:
    assert Beam(kvp).ha_slope == pytest.approx(slope, rel=0.10)


def test_slope_falls_with_voltage_size_and_filter() -> None:
    assert [Beam(kvp).ha_slope for kvp in (80, 100, 120, 140)] == sorted(
        (Beam(kvp).ha_slope for kvp in (80, 100, 120, 140)), reverse=True
    )
    change = REFERENCE_BEAM.through(30.0).ha_slope / REFERENCE_BEAM.through(20.0).ha_slope
    assert change == pytest.approx(0.92, abs=0.015)  # -8 % from 20 to 30 cm
    assert Beam(filter_al_mm=15.0).ha_slope < REFERENCE_BEAM.ha_slope


@pytest.mark.parametrize("beam", [REFERENCE_BEAM, Beam(80.0), Beam.mono(70.0)])
def test_water_is_zero_and_air_minus_thousand(beam: Beam) -> None:
    assert beam.hu("water") == pytest.approx(0.0, abs=1e-9)
    assert beam.hu("air") == pytest.approx(-1000.0)


def test_hu_is_linear_in_volume_fractions() -> None:
    base, pure = REFERENCE_BEAM.hu("water"), REFERENCE_BEAM.hu("hydroxyapatite")
    share = 0.100 / 3.16
    expected = share * pure + (1.0 - share) * base
    assert REFERENCE_BEAM.hu(ha_insert(100.0)) == pytest.approx(expected)


@pytest.mark.parametrize("kev", [66.0, 69.0, 72.0])
def test_beam_of_wanted_energy_has_it(kev: float) -> None:
    assert Beam.with_effective_energy(kev).effective_energy_kev == pytest.approx(kev, abs=0.01)


@pytest.mark.parametrize(("kev", "water_cm", "scintillator_mm"), [(64.0, 25, 0.5), (70.0, 20, 1.5)])
def test_beam_of_an_effective_energy_keeps_its_detector_and_body(
    kev: float, water_cm: float, scintillator_mm: float
) -> None:
    beam = Beam.with_effective_energy(kev, water_cm=water_cm, scintillator_mm=scintillator_mm)
    assert (beam.water_cm, beam.scintillator_mm) == (water_cm, scintillator_mm)
    assert beam.effective_energy_kev == pytest.approx(kev, abs=0.01)


def test_unreachable_energy_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        Beam.with_effective_energy(110.0)


def test_unknown_material_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown material 'bonne'"):
        REFERENCE_BEAM.hu("bonne")


@pytest.mark.parametrize(("name", "hu"), [("fat", -107.0), ("muscle", 50.0), ("lung", -850.0)])
def test_density_for_hu_reads_what_was_asked(name: str, hu: float) -> None:
    assert REFERENCE_BEAM.hu(density_for_hu(name, hu)) == pytest.approx(hu)


def test_density_below_vacuum_is_refused() -> None:
    with pytest.raises(ValueError, match="no density of fat"):
        density_for_hu("fat", -1100.0)


def test_spectrum_bin_is_fine_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = Beam(119.0).ha_slope
    monkeypatch.setattr("tools.phantom.physics.beam.ENERGY_STEP_KEV", ENERGY_STEP_KEV / 4)
    fine = Beam(119.0, scintillator_mm=1.0 + 1e-12).ha_slope  # another key of the cache
    assert coarse == pytest.approx(fine, rel=0.001)
