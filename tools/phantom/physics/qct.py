"""Quantitative CT: mineral density from HU, as a scan with an HA phantom in the field reads it.

`qct_ha` is the reference of every density target: what an ideal, noise-free QCT at the 120 kV
reference spectrum reads. Marrow fat makes it differ from the mineral mass that is there.

    from tools.phantom.physics.qct import qct_ha
    qct_ha(133.0)  # about 100 mg/cm3
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np

from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.materials import ha_insert

INSERTS_MG_CM3 = (0.0, 50.0, 100.0, 150.0, 200.0)
"""HA inserts in water that calibrate a scan, mg/cm3; the range of trabecular bone."""

FAULKNER_SLOPE = 1.15
"""HA per K2HPO4, from Faulkner et al. 1993; conversions are phantom-specific."""

FAULKNER_INTERCEPT_MG_CM3 = -7.32
"""Offset of Faulkner's conversion, mg/cm3 HA."""

Values = TypeVar("Values", float, np.ndarray)


@lru_cache(maxsize=1024)
def insert_calibration(beam: Beam = REFERENCE_BEAM) -> tuple[float, float]:
    """Fit HU over the inserts' density.

    Returns:
        Slope in HU per mg/cm3 and intercept in HU.
    """
    hu = [beam.hu(ha_insert(density)) for density in INSERTS_MG_CM3]
    slope, intercept = np.polyfit(INSERTS_MG_CM3, hu, deg=1)
    return float(slope), float(intercept)


def qct_ha(hu: Values, beam: Beam = REFERENCE_BEAM) -> Values:
    """Return the HA density, mg/cm3, that QCT reads at `hu`: (HU - intercept) / slope."""
    slope, intercept = insert_calibration(beam)
    return (hu - intercept) / slope


def k2hpo4_to_ha(k2hpo4_mg_cm3: Values) -> Values:
    """Convert a K2HPO4-equivalent density to HA, mg/cm3 (Faulkner 1993).

    >>> round(k2hpo4_to_ha(80.0), 1), round(k2hpo4_to_ha(120.0), 1)
    (84.7, 130.7)
    """
    return FAULKNER_SLOPE * k2hpo4_mg_cm3 + FAULKNER_INTERCEPT_MG_CM3


def ha_to_k2hpo4(ha_mg_cm3: Values) -> Values:
    """Convert an HA density to its K2HPO4-equivalent, mg/cm3; inverse of `k2hpo4_to_ha`."""
    return (ha_mg_cm3 - FAULKNER_INTERCEPT_MG_CM3) / FAULKNER_SLOPE
