"""Codes in the two objects: standard ones where there are, the rest in a private scheme.

No standard scheme has a code for trabecular density by CT: LOINC knows areal density by DXA only,
DICOM's BMD is a modality.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.coding import Code

from tools.levels import SNOMED_CODES
from tools.report import words
from tools.screen.gate import CODES

SCHEME = "99OSTEOCT"
"""Designator of the private scheme (PS3.16, 8: private ones begin with 99)."""

MANUFACTURER, MODEL = "OsteoCT", "OsteoCT screen"


def scheme() -> CodingSchemeIdentificationItem:
    """Declare the private scheme, for the Coding Scheme Identification Sequence."""
    return CodingSchemeIdentificationItem(
        SCHEME,
        name="OsteoCT codes for opportunistic bone density",
        version="1",
        responsible_organization=MANUFACTURER,
    )


def _own(pairs: Iterable[tuple[str, str]]) -> MappingProxyType[str, Code]:
    return MappingProxyType({value: Code(value, SCHEME, meaning) for value, meaning in pairs})


CONCEPTS = _own(
    {
        "vbmd_ha": "Trabecular volumetric BMD, hydroxyapatite (HA)",
        "vbmd_ha_95_low": "Lower end of the 95 % interval of BMD (HA)",
        "vbmd_ha_95_high": "Upper end of the 95 % interval of BMD (HA)",
        "vbmd_k2hpo4": "Trabecular volumetric BMD, K2HPO4-equivalent",
        "reason": "Why it is refused",
        "warning": "Warning",
        "in_mean": "Whether it counts for the mean",
        "category": "Range of the mean BMD",
        "borderline": "Whether the range is uncertain",
        "intended_use": "Intended use",
    }.items()
)
"""Names of measurements and evaluations, by code value."""

METHODS = _own({"network": "Neural network", "hu_linear": "HU-linear calibration"}.items())
"""How a density was read."""

FINDINGS = _own((code, words.finding(code).title.capitalize()) for code in CODES)
"""Reasons and warnings; the code value is that of report.json."""

CATEGORIES = _own(
    (name, f"In the range called {said} by ACR; no diagnosis")
    for name, said in words.RANGES.items()
)

RESEARCH = Code("research", SCHEME, "Research use only; not a diagnosis")

LEVELS = MappingProxyType(
    {name: Code(value, "SCT", f"{name} vertebra") for name, value in SNOMED_CODES.items()}
)
"""Finding sites."""
