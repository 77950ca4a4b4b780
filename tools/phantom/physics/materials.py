"""Materials of the phantom: elemental composition, density and attenuation.

Compositions are mass fractions of ICRU Report 44 (1989), as tabulated by Woodard and White (Br J
Radiol 1986) and by NIST for its X-ray attenuation tables, unless a material's comment names
another source.
Attenuation is the total mass attenuation coefficient (photoelectric, incoherent and coherent
scatter) of `xraydb`, which serves the Elam, Ravel and Sieber (2002) tables.

    from tools.phantom.physics.materials import MATERIALS
    MATERIALS["muscle"].attenuation(numpy.array([70.0]))  # 1/cm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import xraydb

HA_DENSITY_G_CM3 = 3.16
"""Density of pure hydroxyapatite, g/cm3; the value used by makers of HA inserts."""

BONE_TISSUE_HA_MG_CM3 = 1083.0
"""HA in fully mineralised bone tissue, mg/cm3: 1.92 g/cm3 * 22.5 % Ca / 39.9 % Ca in HA."""

IODINE_DENSITY_G_CM3 = 4.93
"""Density of solid iodine, g/cm3; sets the little volume that dissolved iodine displaces."""


@dataclass(frozen=True)
class Material:
    """A homogeneous material.

    Args:
        name: short identifier, also the key in `MATERIALS`.
        density_g_cm3: mass density, g/cm3.
        composition: mass fraction of each element, by chemical symbol; sums to 1.

    Raises:
        ValueError: the fractions do not sum to 1 within 0.5 %, or the density is not positive.
    """

    name: str
    density_g_cm3: float
    composition: Mapping[str, float] = field(hash=False)

    def __post_init__(self) -> None:
        """Check that the composition is whole and the density physical."""
        total = sum(self.composition.values())
        if abs(total - 1.0) > 0.005:
            raise ValueError(f"{self.name}: mass fractions sum to {total:.4f}, not 1")
        if self.density_g_cm3 <= 0:
            raise ValueError(f"{self.name}: density {self.density_g_cm3} g/cm3 is not positive")

    def mass_attenuation(self, energies_kev: np.ndarray) -> np.ndarray:
        """Return the total mass attenuation coefficient, cm2/g, for each energy in keV."""
        energies = np.asarray(energies_kev, dtype=np.float64)
        total = np.zeros(energies.shape)
        for element, fraction in self.composition.items():
            total += fraction * _element_attenuation(element, energies.tobytes()).reshape(
                energies.shape
            )
        return total / sum(self.composition.values())

    def attenuation(self, energies_kev: np.ndarray) -> np.ndarray:
        """Return the linear attenuation coefficient, 1/cm, for each energy in keV."""
        return self.density_g_cm3 * self.mass_attenuation(energies_kev)

    def at_density(self, g_cm3: float) -> Material:
        """Return the same material at another density, g/cm3."""
        return replace(self, density_g_cm3=float(g_cm3))


@lru_cache(maxsize=4096)
def _element_attenuation(element: str, energies_kev: bytes) -> np.ndarray:
    """Mass attenuation of one element, cm2/g; float64 energies as bytes, so that they cache."""
    energies_ev = np.frombuffer(energies_kev, dtype=np.float64) * 1000.0
    return np.asarray(xraydb.mu_elam(element, energies_ev), dtype=np.float64)


def mixture(name: str, parts: Mapping[Material, float]) -> Material:
    """Mix materials by volume.

    Args:
        name: name of the mixture.
        parts: volume fraction of each material; fractions sum to 1.

    Returns:
        The material whose mass and attenuation are the sums of its parts.

    Raises:
        ValueError: the fractions do not sum to 1 within 1e-6, or one is negative.
    """
    fractions = list(parts.values())
    if min(fractions) < 0 or abs(sum(fractions) - 1.0) > 1e-6:
        raise ValueError(f"{name}: volume fractions {fractions} must be >= 0 and sum to 1")
    density = sum(f * m.density_g_cm3 for m, f in parts.items())
    composition: dict[str, float] = {}
    for material, fraction in parts.items():
        whole = sum(material.composition.values())
        for element, share in material.composition.items():
            mass = fraction * material.density_g_cm3 * share / whole / density
            composition[element] = composition.get(element, 0.0) + mass
    return Material(name, density, composition)


def ha_insert(mg_cm3: float, matrix: Material | None = None) -> Material:
    """Return a calibration insert: hydroxyapatite that displaces its matrix.

    Args:
        mg_cm3: mass of hydroxyapatite per volume of insert, mg/cm3.
        matrix: what the mineral is embedded in; water when omitted.
    """
    base = MATERIALS["water"] if matrix is None else matrix
    volume = mg_cm3 / 1000.0 / HA_DENSITY_G_CM3
    parts = {MATERIALS["hydroxyapatite"]: volume, base: 1.0 - volume}
    return mixture(f"ha_{mg_cm3:g}_in_{base.name}", parts)


def iodine_solution(mg_ml: float, solvent: Material | None = None) -> Material:
    """Return iodinated water, blood or bowel content.

    Args:
        mg_ml: mass of iodine per volume, mg/ml.
        solvent: the liquid; water when omitted.
    """
    base = MATERIALS["water"] if solvent is None else solvent
    iodine = Material("iodine", IODINE_DENSITY_G_CM3, {"I": 1.0})
    volume = mg_ml / 1000.0 / IODINE_DENSITY_G_CM3
    return mixture(f"iodine_{mg_ml:g}_in_{base.name}", {iodine: volume, base: 1.0 - volume})


def bone_cement(barium_sulphate: float = 0.10) -> Material:
    """Return PMMA bone cement with barium sulphate.

    Args:
        barium_sulphate: mass fraction; commercial cements hold 0.09 to 0.30. Cement that has
            spread between trabeculae is a volume mixture of this and marrow.
    """
    volume = barium_sulphate / _BARIUM_SULPHATE.density_g_cm3
    resin = (1.0 - barium_sulphate) / MATERIALS["pmma"].density_g_cm3
    share = volume / (volume + resin)
    return mixture("cement", {_BARIUM_SULPHATE: share, MATERIALS["pmma"]: 1.0 - share})


def marrow(fat_fraction: float, yellow_density_g_cm3: float | None = None) -> Material:
    """Return bone marrow with a given volume fraction of yellow marrow.

    Args:
        fat_fraction: volume of yellow marrow per volume of marrow, 0 to 1.
        yellow_density_g_cm3: density of yellow marrow; the tabulated 0.98 when omitted.
    """
    yellow = MATERIALS["yellow_marrow"]
    if yellow_density_g_cm3 is not None:
        yellow = yellow.at_density(yellow_density_g_cm3)
    parts = {yellow: fat_fraction, MATERIALS["red_marrow"]: 1.0 - fat_fraction}
    return mixture(f"marrow_{fat_fraction:g}", parts)


def trabecular_bone(ha_mg_cm3: float, marrow_material: Material) -> Material:
    """Return trabecular bone: mineralised tissue of a given HA content, the rest marrow.

    Args:
        ha_mg_cm3: mass of HA per volume, mg/cm3; BV/TV is this over 1083.
        marrow_material: what fills the space between the trabeculae.
    """
    bone = ha_mg_cm3 / BONE_TISSUE_HA_MG_CM3
    parts = {MATERIALS["bone_tissue"]: bone, marrow_material: 1.0 - bone}
    return mixture(f"trabecular_{ha_mg_cm3:g}_in_{marrow_material.name}", parts)


def _fractions(**percent: float) -> dict[str, float]:
    return {element: value / 100.0 for element, value in percent.items()}


_ADIPOSE = _fractions(H=11.4, C=59.8, N=0.7, O=27.8, Na=0.1, S=0.1, Cl=0.1)
_MUSCLE = _fractions(H=10.2, C=14.3, N=3.4, O=71.0, Na=0.1, P=0.2, S=0.3, Cl=0.1, K=0.4)
_LUNG = _fractions(H=10.3, C=10.5, N=3.1, O=74.9, Na=0.2, P=0.2, S=0.3, Cl=0.3, K=0.2)
_BARIUM_SULPHATE = Material("barium_sulphate", 4.5, {"Ba": 0.5884, "S": 0.1374, "O": 0.2742})

_LIST = (
    # NIST dry air near sea level.
    Material("air", 0.001205, _fractions(C=0.0124, N=75.5268, O=23.1781, Ar=1.2827)),
    Material("water", 1.0, {"H": 0.111894, "O": 0.888106}),
    # ICRU-44 lung tissue, inflated to the density that reads about -850 HU.
    Material("lung", 0.15, _LUNG),
    # ICRU-44 adipose tissue at 0.93 g/cm3: subcutaneous fat reads about -100 HU, ICRU's 0.95 -77.
    Material("fat", 0.93, _ADIPOSE),
    Material("adipose_icru", 0.95, _ADIPOSE),
    Material("muscle", 1.05, _MUSCLE),
    Material(
        "soft_tissue",
        1.06,
        _fractions(H=10.2, C=14.3, N=3.4, O=70.8, Na=0.2, P=0.3, S=0.3, Cl=0.2, K=0.3),
    ),
    Material(
        "red_marrow",
        1.03,
        _fractions(H=10.5, C=41.4, N=3.4, O=43.9, P=0.1, S=0.2, Cl=0.2, K=0.2, Fe=0.1),
    ),
    Material(
        "yellow_marrow", 0.98, _fractions(H=11.5, C=64.4, N=0.7, O=23.1, Na=0.1, S=0.1, Cl=0.1)
    ),
    # ICRU-44 cortical bone, taken as fully mineralised bone tissue.
    Material(
        "bone_tissue",
        1.92,
        _fractions(H=3.4, C=15.5, N=4.2, O=43.5, Na=0.1, Mg=0.2, P=10.3, S=0.3, Ca=22.5),
    ),
    Material(
        "blood",
        1.06,
        _fractions(H=10.2, C=11.0, N=3.3, O=74.5, Na=0.1, P=0.1, S=0.2, Cl=0.3, K=0.2, Fe=0.1),
    ),
    Material(
        "liver",
        1.06,
        _fractions(H=10.2, C=13.9, N=3.0, O=71.6, Na=0.2, P=0.3, S=0.3, Cl=0.2, K=0.3),
    ),
    Material(
        "kidney",
        1.05,
        _fractions(H=10.3, C=13.2, N=3.0, O=72.4, Na=0.2, P=0.2, S=0.2, Cl=0.2, K=0.2, Ca=0.1),
    ),
    Material(
        "spleen",
        1.06,
        _fractions(H=10.3, C=11.3, N=3.2, O=74.1, Na=0.1, P=0.3, S=0.2, Cl=0.2, K=0.3),
    ),
    # ICRU-44 cartilage; the nucleus holds more water, so lead the density by the HU wanted.
    Material(
        "disc",
        1.10,
        _fractions(H=9.6, C=9.9, N=2.2, O=74.4, Na=0.5, P=2.2, S=0.9, Cl=0.3),
    ),
    Material(
        "skin",
        1.09,
        _fractions(H=10.0, C=20.4, N=4.2, O=64.5, Na=0.2, P=0.1, S=0.2, Cl=0.3, K=0.1),
    ),
    # ICRU-44 gastrointestinal tract.
    Material(
        "bowel",
        1.03,
        _fractions(H=10.6, C=11.5, N=2.2, O=75.1, Na=0.1, P=0.1, S=0.1, Cl=0.2, K=0.1),
    ),
    # Our design: water with 9 g/l sodium chloride and traces of protein.
    Material("csf", 1.007, {"H": 0.1108, "O": 0.8798, "Na": 0.0035, "Cl": 0.0044, "C": 0.0015}),
    # Ca10(PO4)6(OH)2.
    Material(
        "hydroxyapatite",
        HA_DENSITY_G_CM3,
        {"H": 0.002007, "O": 0.414070, "P": 0.184987, "Ca": 0.398936},
    ),
    # ASTM F136 implant alloy, Ti-6Al-4V.
    Material("titanium", 4.43, {"Ti": 0.90, "Al": 0.06, "V": 0.04}),
    Material("pmma", 1.18, {"H": 0.0805, "C": 0.5999, "O": 0.3196}),
    # Epoxy with calcium carbonate and hollow spheres: the composition that Constantinou, Attix
    # and Paliwal (Med Phys 1982) gave for the RMI "Solid Water"; density set to read 0 HU
    # at 120 kV, within what makers of this plastic state (1.02 to 1.04).
    Material(
        "water_epoxy",
        1.0216,
        _fractions(H=8.09, C=67.22, N=2.40, O=19.84, Cl=0.13, Ca=2.32),
    ),
    # Our design, after table tops of carbon skins on a polymethacrylimide foam.
    Material("table_skin", 1.60, {"C": 0.92, "H": 0.02, "O": 0.06}),
    Material("table_foam", 0.075, {"C": 0.555, "H": 0.075, "N": 0.09, "O": 0.28}),
)

MATERIALS: dict[str, Material] = {material.name: material for material in _LIST}
"""Every named material at its standard density."""

MATERIALS["cement"] = bone_cement()
