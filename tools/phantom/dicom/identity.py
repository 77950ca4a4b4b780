"""Who was scanned and which series it is: identifiers that are made up, unique and repeatable."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID

UID_ROOT = "2.25"
"""Root of UIDs that are a UUID written as a decimal number (PS3.5, B.2): nobody has to register."""

NAMESPACE = uuid.UUID("7c0f4f4e-6a55-5d0b-9a52-3a1c5f0d7e21")
"""Namespace of all UUIDs of the phantom, drawn once at random."""

WORDS = "Digital phantom, no patient"
"""What every image says of itself, so that nobody takes it for a person's."""

COHORT_DIGITS = 8
"""Hexadecimal digits that tell the patients of two cohorts apart."""


def derived_uid(*parts: object) -> UID:
    """Return the UID that belongs to a list of parts, always the same.

    >>> derived_uid("a", 1) == derived_uid("a", 1) != derived_uid("a", 2)
    True
    """
    name = json.dumps([str(part) for part in parts])
    return UID(f"{UID_ROOT}.{uuid.uuid5(NAMESPACE, name).int}")


@dataclass(frozen=True)
class Identity:
    """One examination with one series.

    Attributes:
        case: Name of the case, "A0001".
        patient_id: Name of the patient in the cohort, "A-0001".
        number: The patient's number, from 1.
        cohort: Short digest of the cohort's recipe and seed.
        fingerprint: Of everything the images depend on: other images, other UIDs.
    """

    case: str
    patient_id: str
    number: int
    cohort: str
    fingerprint: str

    @property
    def dicom_patient_id(self) -> str:
        """Patient ID, which no other cohort uses."""
        return f"PHANTOM-{self.cohort}-{self.patient_id}"

    @property
    def dicom_patient_name(self) -> str:
        """Patient's Name."""
        return f"PHANTOM^{self.patient_id}"

    def uid(self, what: str, number: int = 0) -> UID:
        """Return the UID of the `study`, the `series`, the `frame` of reference or an `image`."""
        return derived_uid(self.fingerprint, what, number)


def cohort_digest(recipe: Mapping[str, Any], seed: int) -> str:
    """Digest a cohort's recipe and seed to a few hexadecimal digits."""
    content = json.dumps([recipe, seed], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:COHORT_DIGITS]
