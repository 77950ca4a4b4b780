"""DICOM files told apart by series, as archives hold them: with empty UIDs, localizers, copies.

Only headers are read; `dicom` reads and checks the slices of one series.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from lumbar_bundle.common import UID_DIGITS

#: Endings that promise DICOM: such a file is reported when it is none, others are passed over.
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
#: Tags that tell series apart; nothing else is read until a case is loaded.
GROUPING_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "AcquisitionNumber", "ImageType", "Rows", "Columns", "PixelSpacing", "ImageOrientationPatient",
)  # fmt: skip
#: Table of contents of a medium; holds no image.
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
#: Difference of direction cosines within one series: rounding, not another plane.
SAME_DIRECTION = 1e-3


@dataclass
class Series:
    """Files that belong together, not yet in order.

    Attributes:
        header: Header of the first file, grouping tags only.
        paths: The files.
        uids: SOP instance UIDs, from the file meta where the tag is empty, of those that have one.
    """

    header: pydicom.Dataset
    paths: list[Path] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """`series-` and 10 hexadecimal digits of the SHA-256 of the SeriesInstanceUID.

        Where that is empty, of the lowest SOPInstanceUID; where that is empty too, of the path.
        """
        uid = text(self.header, "SeriesInstanceUID") or min(self.uids, default="")
        return hashed_name(uid or str(self.paths[0].absolute()))


def hashed_name(uid: str) -> str:
    """Name a series after a hash of its UID, which names no patient.

    Examples:
        >>> hashed_name("1.2.3")
        'series-c47f5b18b8'
    """
    # A path may hold bytes that are no UTF-8.
    data = uid.encode("utf-8", "surrogateescape")
    return f"series-{hashlib.sha256(data).hexdigest()[:UID_DIGITS]}"


def text(header: pydicom.Dataset, tag: str) -> str:
    """Return a tag as text; empty where it is missing or empty."""
    value = header.get(tag)
    return "" if value is None else str(value).strip()


def numbers(header: pydicom.Dataset, tag: str, count: int) -> np.ndarray | None:
    """Return a tag of `count` finite numbers; None where it is missing, empty or malformed."""
    try:
        value = np.array([float(part) for part in header.get(tag) or []])
    except (TypeError, ValueError):
        return None
    return value if value.shape == (count,) and np.isfinite(value).all() else None


def is_localizer(header: pydicom.Dataset) -> bool:
    """Tell a scout view, which is a projection, from a slice."""
    return "LOCALIZER" in text(header, "ImageType").upper()


def read_header(path: Path) -> pydicom.Dataset | None:
    """Read what tells series apart; None if the file is no DICOM image."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(GROUPING_TAGS))
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, NotImplementedError):
        return None
    media = header.file_meta.get("MediaStorageSOPClassUID", "")
    return None if MEDIA_DIRECTORY in (media, text(header, "SOPClassUID")) else header


def instance_uid(header: pydicom.Dataset) -> str:
    """SOP instance UID; the file meta's where the tag is empty, empty where both are."""
    meta = str(header.file_meta.get("MediaStorageSOPInstanceUID", "") or "")
    return text(header, "SOPInstanceUID") or meta


def group(paths: Sequence[Path]) -> tuple[list[Series], list[Path]]:
    """Sort files into series of one plane and one size.

    Args:
        paths: Files of any kind.

    Returns:
        The series in the order of their first file, and the files that are no DICOM images.
    """
    found: dict[tuple, list[Series]] = {}
    others = []
    for path in paths:
        header = read_header(path)
        if header is None:
            others.append(path)
            continue
        uid = text(header, "SeriesInstanceUID")
        # Without a UID the folder, the frame of reference and the acquisition hold it together.
        frame = (text(header, "FrameOfReferenceUID"), text(header, "AcquisitionNumber"))
        key = (uid,) if uid else ("", str(path.parent), *frame)
        same = found.setdefault(key, [])
        series = next((s for s in same if same_plane(s.header, header)), None)
        if series is None:
            series = Series(header)
            same.append(series)
        own = instance_uid(header)
        if own and own in series.uids:
            continue  # the same image stored twice
        series.paths.append(path)
        series.uids += [own] if own else []
    return [series for same in found.values() for series in same], others


def same_plane(first: pydicom.Dataset, second: pydicom.Dataset) -> bool:
    """Tell whether two slices have one size, one orientation and one kind."""
    if is_localizer(first) != is_localizer(second):
        return False
    if any(text(first, tag) != text(second, tag) for tag in ("Rows", "Columns")):
        return False
    for tag, count in (("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        one, other = numbers(first, tag, count), numbers(second, tag, count)
        if one is None or other is None:
            if one is not other:
                return False
        elif not np.allclose(one, other, atol=SAME_DIRECTION):
            return False
    return True
