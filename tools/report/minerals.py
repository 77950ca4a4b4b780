"""Minerals and categories as the measuring bundle has them: the report knows none of its own.

minerals.category(minerals.to_k2hpo4(98.0))
"""

from __future__ import annotations

from tools import bundles

_calibration = bundles.module("bmd_regression", "bmd_bundle.calibration")


def to_k2hpo4(ha_mg_cm3: float) -> float:
    """Convert an HA density to its K2HPO4-equivalent, mg/cm³ (`bmd_bundle.calibration`)."""
    return float(_calibration.to_k2hpo4(ha_mg_cm3))


def to_ha(k2hpo4_mg_cm3: float) -> float:
    """Convert a K2HPO4-equivalent density to HA, mg/cm³; inverse of `to_k2hpo4`."""
    return float(_calibration.to_ha(k2hpo4_mg_cm3))


def category(k2hpo4_mg_cm3: float) -> str:
    """Name the range of a density: the limits themselves are osteopenia (ACR, S2).

    Args:
        k2hpo4_mg_cm3: Density as K2HPO4, mg/cm³.

    Raises:
        ValueError: If the density is not a number.
    """
    return str(_calibration.category(k2hpo4_mg_cm3))
