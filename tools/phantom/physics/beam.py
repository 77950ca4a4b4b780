"""The X-ray beam: from a hardened spectrum to Hounsfield units.

A tube spectrum after Kramers passes an aluminium filter and the patient, taken as a depth of
water, and is weighted by the energy that the scintillator absorbs. The attenuation that the
scanner sees is the mean over this spectrum, so HU is linear in volume fractions.

    from tools.phantom.physics.beam import REFERENCE_BEAM
    REFERENCE_BEAM.hu("muscle"), REFERENCE_BEAM.ha_slope
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from tools.phantom.physics.materials import (
    HA_DENSITY_G_CM3,
    MATERIALS,
    Material,
    iodine_solution,
)

ENERGY_MIN_KEV = 15.0
"""Lower end of the spectrum, keV: 9 mm Al passes less than 1e-6 of what is below."""

ENERGY_STEP_KEV = 1.0
"""Width of a spectrum bin, keV; a quarter of it changes no HU slope by more than 0.1 %."""

_ALUMINIUM = Material("aluminium", 2.699, {"Al": 1.0})
_SCINTILLATOR = Material("gadolinium_oxysulphide", 7.3, {"Gd": 0.8308, "O": 0.0845, "S": 0.0847})

EFFECTIVE_ENERGY_RANGE_KEV = (30.0, 140.0)
"""Where an effective energy is looked for, keV; the HA slope falls steadily within it."""

FILTER_RANGE_MM = (0.5, 80.0)
"""Aluminium within which `with_effective_energy` looks for a beam, mm."""


@dataclass(frozen=True)
class Beam:
    """A beam as it acts on a voxel in the middle of the patient.

    Args:
        kvp: tube voltage, kV.
        filter_al_mm: filtration of tube and bow tie as aluminium, mm.
        water_cm: patient on the ray, as water, cm; hardens the beam.
        scintillator_mm: Gd2O2S that absorbs the beam; detected signal is the energy absorbed.
        mono_kev: when given, a single-energy beam and the other values do not act.
    """

    kvp: float = 120.0
    filter_al_mm: float = 9.0
    water_cm: float = 25.0
    scintillator_mm: float = 1.0
    mono_kev: float | None = None

    @classmethod
    def mono(cls, kev: float) -> Beam:
        """Return a single-energy beam of `kev` keV."""
        return cls(kvp=kev, mono_kev=kev)

    @classmethod
    def with_effective_energy(
        cls, kev: float, kvp: float = 120.0, water_cm: float = 25.0, scintillator_mm: float = 1.0
    ) -> Beam:
        """Return the beam whose effective energy for HA is `kev`, by choice of its filter.

        Raises:
            ValueError: no aluminium within `FILTER_RANGE_MM` gives this energy.
        """
        wanted = cls.mono(kev).ha_slope

        def excess(filter_al_mm: float) -> float:
            return cls(kvp, filter_al_mm, water_cm, scintillator_mm).ha_slope - wanted

        if not excess(FILTER_RANGE_MM[0]) >= 0 >= excess(FILTER_RANGE_MM[1]):
            low, high = (
                cls(kvp, mm, water_cm, scintillator_mm).effective_energy_kev
                for mm in FILTER_RANGE_MM
            )
            raise ValueError(
                f"effective energy {kev:g} keV is outside {low:.1f}-{high:.1f} keV, what "
                f"{FILTER_RANGE_MM[0]:g}-{FILTER_RANGE_MM[1]:g} mm Al gives at {kvp:g} kV"
            )
        filter_al_mm = float(brentq(excess, *FILTER_RANGE_MM, xtol=1e-4))
        return cls(kvp, filter_al_mm, water_cm, scintillator_mm)

    def through(self, water_cm: float) -> Beam:
        """Return the same beam in a patient of another size, as cm of water."""
        return replace(self, water_cm=float(water_cm))

    @property
    def energies_kev(self) -> np.ndarray:
        """Bin centres of the spectrum, keV, shape [E]."""
        if self.mono_kev is not None:
            return np.array([self.mono_kev])
        return np.arange(ENERGY_MIN_KEV + ENERGY_STEP_KEV / 2, self.kvp, ENERGY_STEP_KEV)

    @property
    def source_weights(self) -> np.ndarray:
        """Detected share of each bin with nothing but the filter in the beam, shape [E], sum 1."""
        return _source_weights(self)

    @property
    def weights(self) -> np.ndarray:
        """Detected share of each bin behind the patient, shape [E], sum 1."""
        return _weights(self)

    def attenuation(self, material: Material | str) -> float:
        """Return the spectrum-weighted linear attenuation, 1/cm."""
        return _attenuation(self, _material(material))

    def hu(self, material: Material | str) -> float:
        """Return the CT number: 1000 (mu - mu_water) / (mu_water - mu_air), HU."""
        return _hu(self, _material(material))

    @property
    def ha_slope(self) -> float:
        """HU per mg/cm3 of hydroxyapatite that displaces water."""
        return self.hu("hydroxyapatite") / (1000.0 * HA_DENSITY_G_CM3)

    @property
    def iodine_slope(self) -> float:
        """HU per mg/ml of iodine in water."""
        return self.hu(iodine_solution(1.0))

    @property
    def effective_energy_kev(self) -> float:
        """Energy of the single-energy beam with the same HA slope, keV."""
        return _effective_energy_kev(self)


def _material(material: Material | str) -> Material:
    if isinstance(material, Material):
        return material
    try:
        return MATERIALS[material]
    except KeyError:
        raise ValueError(f"unknown material {material!r}; known: {', '.join(MATERIALS)}") from None


@lru_cache(maxsize=1024)
def _source_weights(beam: Beam) -> np.ndarray:
    energies = beam.energies_kev
    if beam.mono_kev is not None:
        return np.ones(1)
    # Kramers: photons per keV fall as (kVp - E) / E; times E is the energy they carry.
    energy_carried = np.clip(beam.kvp - energies, 0.0, None)
    absorbed = 1.0 - np.exp(-_SCINTILLATOR.attenuation(energies) * beam.scintillator_mm / 10.0)
    passed = np.exp(-_ALUMINIUM.attenuation(energies) * beam.filter_al_mm / 10.0)
    weights = energy_carried * absorbed * passed
    return weights / weights.sum()


@lru_cache(maxsize=1024)
def _weights(beam: Beam) -> np.ndarray:
    depth = MATERIALS["water"].attenuation(beam.energies_kev) * beam.water_cm
    weights = _source_weights(beam) * np.exp(-(depth - depth.min()))
    return weights / weights.sum()


@lru_cache(maxsize=65536)
def _attenuation(beam: Beam, material: Material) -> float:
    return float(_weights(beam) @ material.attenuation(beam.energies_kev))


@lru_cache(maxsize=65536)
def _hu(beam: Beam, material: Material) -> float:
    water, air = (_attenuation(beam, MATERIALS[name]) for name in ("water", "air"))
    return 1000.0 * (_attenuation(beam, material) - water) / (water - air)


@lru_cache(maxsize=1024)
def _effective_energy_kev(beam: Beam) -> float:
    if beam.mono_kev is not None:
        return beam.mono_kev
    target = beam.ha_slope
    kev = brentq(lambda e: Beam.mono(e).ha_slope - target, *EFFECTIVE_ENERGY_RANGE_KEV, xtol=1e-3)
    return float(kev)


REFERENCE_BEAM = Beam(120.0, 9.0, 25.0)
"""The 120 kV reference spectrum: defines `qct_ha` and every density target."""


def density_for_hu(material: Material | str, hu: float, beam: Beam = REFERENCE_BEAM) -> Material:
    """Return the material at the density at which it reads `hu` in `beam`.

    Raises:
        ValueError: `hu` is not above -1000, the reading of nothing at all.
    """
    base = _material(material)
    water, air = beam.attenuation("water"), beam.attenuation("air")
    wanted = water + hu / 1000.0 * (water - air)
    if wanted <= 0:
        raise ValueError(f"no density of {base.name} reads {hu:g} HU")
    return base.at_density(base.density_g_cm3 * wanted / beam.attenuation(base))
