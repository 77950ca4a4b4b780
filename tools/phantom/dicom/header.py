"""The tags of a series, as a scanner writes them: PS3.3 A.3, CT Image IOD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, CTImageStorage

from tools.phantom.dicom import vendor
from tools.phantom.dicom.contrast import is_enhanced
from tools.phantom.dicom.exposure import ROTATION_MS, exposure
from tools.phantom.dicom.geometry import Planes
from tools.phantom.dicom.identity import WORDS, Identity, derived_uid
from tools.phantom.dicom.numbers import decimal_string, decimal_strings

DATE, TIME = "20000101", "120000"
"""Of every examination: nobody was scanned, so there is no day."""

IMPLEMENTATION = "OSTEOCT_PHANTOM"

ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
DERIVED = ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]
"""Image Type of slices as they are scanned, and of slices resampled from them."""

AXIAL_SERIES, REFORMATTED_SERIES = 2, 601
"""Series Number; vendors count reformats from some hundreds."""

REGIONS: Mapping[str, str] = {
    "lumbar": "LSPINE",
    "sagittal_slab": "LSPINE",
    "bodies": "LSPINE",
    "vertebrae": "LSPINE",
    "thoracolumbar": "TLSPINE",
    "trunk_slab": "TLSPINE",
    "chest": "CHEST",
    "chest_abdomen_pelvis": "CHESTABDPELVIS",
    "pelvis": "PELVIS",
}
"""Body Part Examined by field (PS3.16, annex L); others show the abdomen."""

COLLECTION_MM = 500
"""Diameter that the scanner's detector covers, mm (D)."""


def file_meta(syntax: UID, instance: UID) -> FileMetaDataset:
    """Return the file's own header (PS3.10, 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = derived_uid(IMPLEMENTATION)
    meta.ImplementationVersionName = IMPLEMENTATION
    return meta


def series_header(
    identity: Identity, truth: Mapping[str, Any], planes: Planes, size: tuple[int, int]
) -> Dataset:
    """Return every tag that all slices of a series share, but for those about stored numbers.

    Args:
        identity: Which examination.
        truth: Of the case (`docs/recipes.md`).
        planes: Where its slices lie.
        size: Rows and columns.
    """
    tags = Dataset()
    _add_patient(tags, identity, truth)
    _add_study(tags, identity)
    _add_series(tags, identity, truth, planes)
    _add_scan(tags, truth["scan"], planes)
    _add_place(tags, identity, planes, size)
    if truth["scan"].get("circle_mm"):
        tags.ReconstructionDiameter = decimal_string(round(truth["scan"]["circle_mm"], 3))
    if is_enhanced(truth):
        tags.ContrastBolusAgent = "APPLIED"
        tags.ContrastBolusRoute = "IV"
    return tags


def _add_patient(tags: Dataset, identity: Identity, truth: Mapping[str, Any]) -> None:
    tags.SpecificCharacterSet = "ISO_IR 100"
    tags.PatientName = identity.dicom_patient_name
    tags.PatientID = identity.dicom_patient_id
    tags.IssuerOfPatientID = IMPLEMENTATION
    tags.PatientBirthDate = ""
    tags.PatientSex = truth["sex"]
    tags.PatientAge = f"{int(truth['age']):03d}Y"
    tags.PatientComments = WORDS
    tags.QualityControlSubject = "YES"


def _add_study(tags: Dataset, identity: Identity) -> None:
    tags.StudyInstanceUID = identity.uid("study")
    tags.StudyID = str(identity.number)
    tags.StudyDescription = f"CT, {WORDS.lower()}"
    tags.AccessionNumber = ""
    tags.ReferringPhysicianName = ""
    for what in ("Study", "Series", "Acquisition", "Content"):
        setattr(tags, f"{what}Date", DATE)
        setattr(tags, f"{what}Time", TIME)


def _add_series(
    tags: Dataset, identity: Identity, truth: Mapping[str, Any], planes: Planes
) -> None:
    scan = truth["scan"]
    view = "axial" if planes.axial else "reformat"
    kernel = vendor.kernel_name(scan["scanner"], scan["kernel"])
    thickness = thickness_mm(scan, planes)
    tags.Modality = "CT"
    tags.SeriesInstanceUID = identity.uid("series")
    tags.SeriesNumber = AXIAL_SERIES if planes.axial else REFORMATTED_SERIES
    tags.SeriesDescription = f"Digital phantom, {view} {thickness:.1f} mm {kernel}"
    tags.SliceThickness = decimal_string(thickness)
    tags.ProtocolName = "Digital phantom"
    tags.BodyPartExamined = REGIONS.get(scan["field"], "ABDOMEN")
    tags.PatientPosition = "HFS"
    tags.Manufacturer = vendor.manufacturer(scan["scanner"])
    tags.ManufacturerModelName = vendor.MODEL
    tags.InstitutionName = "Digital phantom"
    tags.StationName = f"PHANTOM{scan['scanner']}"
    tags.DeviceSerialNumber = scan["scanner"]
    tags.SoftwareVersions = IMPLEMENTATION
    tags.ImageType = ORIGINAL if planes.axial else DERIVED
    tags.ImageComments = WORDS
    if not planes.axial:
        tags.DerivationDescription = "Multiplanar reformat of axial slices"


def _add_scan(tags: Dataset, scan: Mapping[str, Any], planes: Planes) -> None:
    given = exposure(scan)
    tags.AcquisitionNumber = 1
    tags.ScanOptions = "HELICAL MODE"
    tags.KVP = decimal_string(scan["kvp"])
    tags.XRayTubeCurrent = given.milliamperes
    tags.ExposureTime = ROTATION_MS
    tags.Exposure = given.mas
    tags.CTDIvol = given.dose_mgy
    tags.CTDIPhantomTypeCodeSequence = [_code(codes.DCM.IECBodyDosimetryPhantom)]
    tags.RotationDirection = "CW"
    tags.DataCollectionDiameter = COLLECTION_MM
    tags.GantryDetectorTilt = decimal_string(round(planes.tilt_deg, 3))
    tags.ConvolutionKernel = vendor.kernel_name(scan["scanner"], scan["kernel"])
    center, width = vendor.window(scan["kernel"])
    tags.WindowCenter, tags.WindowWidth = center, width


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def _add_place(tags: Dataset, identity: Identity, planes: Planes, size: tuple[int, int]) -> None:
    tags.FrameOfReferenceUID = identity.uid("frame")
    tags.PositionReferenceIndicator = ""
    tags.Rows, tags.Columns = size
    tags.PixelSpacing = decimal_strings(planes.pixel_mm)
    tags.ImageOrientationPatient = decimal_strings(planes.orientation)
    longest = max(edge * count for edge, count in zip(planes.pixel_mm, size, strict=True))
    tags.ReconstructionDiameter = decimal_string(round(longest, 3))
    if len(planes.positions) > 1:
        tags.SpacingBetweenSlices = decimal_string(planes.interval_mm)


def thickness_mm(scan: Mapping[str, Any], planes: Planes) -> float:
    """Return the thickness of a series' slices, mm.

    That of the reformat where there is one, else the scan's; where an axial scan is stored in
    sagittal or coronal order, slices are as thick as they lie apart.
    """
    reformat = scan.get("reformat")
    if reformat:
        return float(reformat["thickness_mm"])
    return float(scan["thickness_mm"]) if planes.axial else planes.interval_mm
