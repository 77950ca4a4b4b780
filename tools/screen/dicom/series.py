"""The slices of a series, each at its place in the volume that was measured.

A volume may hold fewer planes than the series has files (copies left out), planes of no file (gaps
filled), or planes that no file lies in (resampled). Only what was used may be referenced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage
from pydicom.valuerep import DSfloat

from tools import bundles, segmentation
from tools.screen.dicom import identity
from tools.screen.dicom.uids import derived_uid
from tools.screen.scan import Scan

TAGS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "Rows", "Columns", "PixelSpacing", "SliceThickness",
    "ImagePositionPatient", "ImageOrientationPatient",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
"""Everything that is read of a slice, but for its pixels and the patient."""

CLASSES = (CTImageStorage, SecondaryCaptureImageStorage)
"""What a single slice of a CT can be; a damaged class is taken for the first."""

SAME_PLANE = 0.25
"""Part of the distance between slices that a file may lie off the plane it stands for: steps may be
uneven by less than half of this, and what lies further off is another plane."""


@dataclass(frozen=True)
class Source:
    """The series as the objects reference it.

    Attributes:
        planes: Index of a plane, the volume's last axis, -> the slice used there.
        slices: The slices used, in the volume's order; all of the series where a plane of the
            volume is none of them.
        elements: What is said of patient and study.
    """

    planes: Mapping[int, Dataset]
    slices: list[Dataset]
    elements: list[pydicom.DataElement]


def read(scan: Scan, keep_identity: bool) -> Source:
    """Read the headers of a series again and place its slices.

    Args:
        scan: The CT.
        keep_identity: Whether optional attributes of the patient are wanted too.

    Raises:
        OSError: If a file cannot be read.
    """
    headers = [(path, _header(path)) for path in scan.case.paths]
    uids = _shared_uids(headers)
    at: dict[int, list[tuple[Path, Dataset]]] = defaultdict(list)
    every = []
    for path, header in headers:
        made = _slice(path, header, uids, scan)
        every.append(made)
        index = _plane(header, scan)
        if index is not None:
            at[index].append((path, made))
    planes = {index: _used(found, scan, index) for index, found in sorted(at.items())}
    first = headers[0][1]
    slices = list(planes.values()) if len(planes) == scan.hu.shape[2] else every
    return Source(planes, slices, identity.elements(first, keep_identity))


def _header(path: Path) -> pydicom.FileDataset:
    names = [*TAGS, *identity.READ]
    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=names)


def _shared_uids(headers: list[tuple[Path, pydicom.FileDataset]]) -> dict[str, str]:
    """UIDs of study, series and frame of reference, made from the slices' own where empty."""
    lowest = min(_instance(path, header) for path, header in headers)
    return {
        tag: next((text for _, one in headers if (text := _text(one, tag))), "")
        or derived_uid(tag, lowest)
        for tag in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    }


def _instance(path: Path, header: pydicom.FileDataset) -> str:
    """SOP instance UID; the file's own where it has none is made from its path."""
    return _common().instance_uid(header) or derived_uid("SOPInstanceUID", str(path.absolute()))


def _slice(path: Path, header: pydicom.FileDataset, uids: Mapping[str, str], scan: Scan) -> Dataset:
    """A slice without its pixels and without its patient."""
    made = Dataset()
    meta = header.file_meta
    stated = (_text(header, "SOPClassUID"), _text(meta, "MediaStorageSOPClassUID"))
    made.SOPClassUID = next((uid for uid in stated if uid in CLASSES), CTImageStorage)
    made.SOPInstanceUID = _instance(path, header)
    for tag, uid in uids.items():
        setattr(made, tag, uid)
    made.Modality = "CT"
    for tag in identity.DEMANDED:
        setattr(made, tag, None)
    made.Rows, made.Columns = scan.hu.shape[1], scan.hu.shape[0]
    for tag, count in (
        ("ImagePositionPatient", 3),
        ("ImageOrientationPatient", 6),
        ("PixelSpacing", 2),
    ):
        numbers = _common().tag_numbers(header, tag, count)
        if numbers is not None:
            setattr(made, tag, [DSfloat(float(one), auto_format=True) for one in numbers])
    thickness = _thickness_mm(header) or float(np.linalg.norm(scan.affine[:3, 2]))
    made.SliceThickness = DSfloat(thickness, auto_format=True)
    if _text(header, "LossyImageCompression") == "01":
        for tag in TAGS[-3:]:
            if _text(header, tag):
                made[tag] = header[tag]
    return made


def _thickness_mm(header: Dataset) -> float | None:
    try:
        value = float(_text(header, "SliceThickness") or 0)
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _plane(header: Dataset, scan: Scan) -> int | None:
    """Index of the volume's plane that a slice lies in; None if it lies in none."""
    common = _common()
    position = common.tag_numbers(header, "ImagePositionPatient", 3)
    orientation = common.tag_numbers(header, "ImageOrientationPatient", 6)
    spacing = common.tag_numbers(header, "PixelSpacing", 2)
    size = (_text(header, "Columns"), _text(header, "Rows"))
    if position is None or orientation is None or spacing is None:
        return None
    if size != tuple(map(str, scan.hu.shape[:2])):
        return None
    to_lps = common.LPS_TO_RAS[:3, :3]
    axes = to_lps @ scan.affine[:3, :3]
    edges = np.linalg.norm(axes, axis=0)
    directions = np.concatenate([axes[:, 0] / edges[0], axes[:, 1] / edges[1]])
    if not np.allclose(orientation, directions, atol=common.SAME_DIRECTION):
        return None
    if not np.allclose(spacing[::-1], edges[:2], rtol=common.SAME_DIRECTION):
        return None
    place = np.linalg.solve(axes, position - to_lps @ scan.affine[:3, 3])
    index = round(float(place[2]))
    beside_mm = float(np.abs(place[:2] * edges[:2]).max())
    most_mm = common.BESIDE_PIXELS * edges[:2].min() + common.UNEVEN_RATIO * edges[2]
    if abs(place[2] - index) > SAME_PLANE or beside_mm > most_mm:
        return None
    return index if 0 <= index < scan.hu.shape[2] else None


def _used(found: list[tuple[Path, Dataset]], scan: Scan, index: int) -> Dataset:
    """Of the slices at one place, the one whose pixels are in the volume."""
    for path, made in found[:-1]:
        hu, _ = _common().read_volume([path])
        if np.array_equal(hu[:, :, 0], scan.hu[:, :, index]):
            return made
    return found[-1][1]


def _text(header: Dataset, tag: str) -> str:
    text: str = _common().tag_text(header, tag)
    return text


@cache
def _common() -> ModuleType:
    """How the bundle reads slices: what it takes for empty, malformed or uneven holds here too."""
    return bundles.module(segmentation.NAME, "lumbar_bundle.common")
