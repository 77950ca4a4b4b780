"""Materials: whole compositions, tabulated attenuation, mixtures that conserve mass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.phantom.physics.materials import (
    BONE_TISSUE_HA_MG_CM3,
    MATERIALS,
    Material,
    bone_cement,
    ha_insert,
    iodine_solution,
    marrow,
    mixture,
    trabecular_bone,
)


@pytest.mark.parametrize("name", MATERIALS)
def test_mass_fractions_sum_to_one(name: str) -> None:
    material = MATERIALS[name]
    assert sum(material.composition.values()) == pytest.approx(1.0, abs=0.002)
    assert material.name == name


@pytest.mark.parametrize(
    ("name", "kev", "cm2_g"),
    [
        # Total with coherent scatter, NIST X-ray mass attenuation tables (Hubbell and Seltzer).
        ("water", 60.0, 0.2059),
        ("water", 80.0, 0.1837),
        ("adipose_icru", 60.0, 0.1974),
        ("adipose_icru", 80.0, 0.1800),
        ("muscle", 60.0, 0.2048),
        ("bone_tissue", 60.0, 0.3148),
        ("bone_tissue", 80.0, 0.2229),
    ],
)
def test_mass_attenuation_equals_nist(name: str, kev: float, cm2_g: float) -> None:
    # 1 %: the Elam tables and the NIST tables differ by up to 0.7 %.
    found = MATERIALS[name].mass_attenuation(np.array([kev]))[0]
    assert found == pytest.approx(cm2_g, rel=0.01)


def test_bone_tissue_holds_the_ha_that_is_stated() -> None:
    bone, ha = MATERIALS["bone_tissue"], MATERIALS["hydroxyapatite"]
    calcium = bone.density_g_cm3 * bone.composition["Ca"]
    assert 1000 * calcium / ha.composition["Ca"] == pytest.approx(BONE_TISSUE_HA_MG_CM3, rel=0.001)


@given(
    share=st.floats(0.0, 1.0),
    names=st.tuples(st.sampled_from(sorted(MATERIALS)), st.sampled_from(sorted(MATERIALS))).filter(
        lambda pair: pair[0] != pair[1]
    ),
)
def test_mixture_attenuates_as_its_volume_parts(share: float, names: tuple[str, str]) -> None:
    one, two = (MATERIALS[name] for name in names)
    mixed = mixture("mixed", {one: share, two: 1.0 - share})
    energies = np.array([50.0, 70.0, 90.0])
    expected = share * one.attenuation(energies) + (1.0 - share) * two.attenuation(energies)
    np.testing.assert_allclose(mixed.attenuation(energies), expected, rtol=1e-9)
    assert mixed.density_g_cm3 == pytest.approx(
        share * one.density_g_cm3 + (1.0 - share) * two.density_g_cm3
    )


def test_insert_holds_its_mineral_mass() -> None:
    insert = ha_insert(200.0)
    calcium = insert.density_g_cm3 * insert.composition["Ca"]
    ha = MATERIALS["hydroxyapatite"].composition["Ca"]
    assert 1000 * calcium / ha == pytest.approx(200.0, rel=1e-6)


def test_solution_and_bone_and_cement_hold_their_mass() -> None:
    solution = iodine_solution(10.0)
    assert solution.density_g_cm3 * solution.composition["I"] == pytest.approx(0.010)
    bone = trabecular_bone(100.0, marrow(0.5))
    calcium = bone.density_g_cm3 * bone.composition["Ca"]
    assert calcium == pytest.approx(0.432 * 100.0 / BONE_TISSUE_HA_MG_CM3, rel=1e-6)
    assert bone_cement(0.3).composition["Ba"] == pytest.approx(0.3 * 0.5884, rel=1e-6)


@pytest.mark.parametrize(
    ("density", "composition", "message"),
    [(1.0, {"H": 0.5}, "sum to"), (0.0, {"H": 1.0}, "not positive")],
)
def test_impossible_material_is_refused(
    density: float, composition: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Material("odd", density, composition)


def test_impossible_mixture_is_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        mixture("odd", {MATERIALS["water"]: 0.5})
