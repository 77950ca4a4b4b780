"""Whose examination it is, and what of it an object says.

An object belongs to the source's study, so the standard demands what files it there: the
attributes of types 1 and 2 of the Patient and General Study modules (PS3.3, C.7.1.1 and C.7.2.1),
with the source's values where it has them. Everything else about the patient is optional and left
out, unless it is asked for.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterable, Sequence

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

DEMANDED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Of type 2: empty where the source does not say. The one of type 1 is the study's UID."""

DEIDENTIFIED = (
    "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
)  # fmt: skip
"""Say that no patient can be told from the source: they hold for what is made of it, too."""

OPTIONAL = (
    "IssuerOfPatientID", "TypeOfPatientID", "IssuerOfPatientIDQualifiersSequence",
    "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthTime", "EthnicGroup",
    "PatientComments", "QualityControlSubject",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
    "IssuerOfAccessionNumberSequence", "StudyDescription", "ProcedureCodeSequence",
    "PhysiciansOfRecord", "ReferencedStudySequence",
    "AdmittingDiagnosesDescription", "PatientAge", "PatientSize", "PatientWeight", "AdmissionID",
)  # fmt: skip
"""Of type 3, or of modules that an object may lack: kept only where the user asks for it."""

SEXES = ("M", "F", "O")
"""What Patient's Sex may say; anything else is left empty."""

READ = (*DEMANDED, *DEIDENTIFIED, *OPTIONAL, "SpecificCharacterSet")
"""Tags that `elements` looks at."""


def elements(source: pydicom.Dataset, keep: bool) -> list[DataElement]:
    """Collect what an object says of patient and study; nothing of it is logged.

    Args:
        source: Header of a slice.
        keep: Whether optional attributes are wanted too.

    Returns:
        Legal elements; those of type 2 are empty where the source's are missing or malformed.
    """
    # pydicom's warnings would show a malformed name or date of birth.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {name: _element(source, name) for name in DEMANDED}
        sex = found["PatientSex"]
        if sex is not None and sex.value not in SEXES:
            found["PatientSex"] = None
        made = [element or _empty(name) for name, element in found.items()]
        return [*made, *_present(source, (*DEIDENTIFIED, *(OPTIONAL if keep else ())))]


def _present(source: pydicom.Dataset, names: Sequence[str]) -> Iterable[DataElement]:
    for name in names:
        element = _element(source, name)
        if element is not None and not element.is_empty:
            yield element


def _empty(keyword: str) -> DataElement:
    return DataElement(keyword, dictionary_VR(keyword), None)


def _element(source: pydicom.Dataset, keyword: str) -> DataElement | None:
    """Copy an element; None where it is missing, or no legal one of its kind."""
    try:
        value = copy.deepcopy(source[keyword].value)
        made = DataElement(
            keyword,
            dictionary_VR(keyword),
            value,
            validation_mode=pydicom.config.RAISE,
        )
        alone = pydicom.Dataset()
        alone.SpecificCharacterSet = "ISO_IR 192"
        alone.add(made)
        pydicom.dcmwrite(io.BytesIO(), alone, implicit_vr=False, little_endian=True)
    except Exception:  # a malformed tag raises whatever its bytes lead to
        return None
    return made
