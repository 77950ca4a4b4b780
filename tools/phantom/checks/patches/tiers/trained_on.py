"""HU-linear density with the line of another scanner's patients: what blind readings compete with.

S2 trained on one scanner and read the others with it; a line from HU to density, fitted to the
patients of `SCANNER`, is the simplest reading of that kind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.checks.patches.tiers.readings import Values

SCANNER = "A"
"""The scanner that training knows."""

TIER = "A"
"""Name of this reading's tier."""


class Line(NamedTuple):
    """Density = `intercept` + `slope` · HU, mg/cm³ HA."""

    slope: float
    intercept: float


def fit(cohort: Cohort) -> Line:
    """Fit the line by least squares of density over the levels that count and can be read."""
    hu, density = cohort.trabecular_hu[cohort.read], cohort.qct_ha[cohort.read]
    slope, intercept = np.polyfit(hu, density, deg=1)
    return Line(float(slope), float(intercept))


def read(cohort: Cohort, line: Line) -> Values:
    """Read another scanner's patients with the line; it brings no interval."""
    density = np.where(cohort.read, line.intercept + line.slope * cohort.trabecular_hu, np.nan)
    unknown = np.full(density.shape, np.nan)
    return Values(density, unknown, unknown)
