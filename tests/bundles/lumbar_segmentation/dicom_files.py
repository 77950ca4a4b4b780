"""DICOM files as small as they can be, with whatever is wrong with real ones.

paths = write_series(tmp_path, volume, uid="1.2.3")
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
INTERCEPT = -1024


def write_slice(
    path: Path, hu: np.ndarray, uid: str, position: Sequence[float], **tags: Any
) -> None:
    """Write one slice.

    Args:
        path: File.
        hu: Whole HU [rows, columns].
        uid: SeriesInstanceUID.
        position: ImagePositionPatient, LPS mm.
        **tags: Further tags by keyword, in place of the usual ones; None leaves a tag out.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    content = repr((uid, tuple(position), tags))
    meta.MediaStorageSOPInstanceUID = f"2.25.{zlib.crc32(content.encode())}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": uid,
        "PatientName": "Doe^Jane",
        "PatientID": "4711",
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImagePositionPatient": list(position),
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": [2.0, 3.0],
        "SliceThickness": 4.0,
        "Rows": hu.shape[0],
        "Columns": hu.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleIntercept": INTERCEPT,
        "RescaleSlope": 1,
        "PixelData": (hu - INTERCEPT).astype(np.uint16).tobytes(),
    } | tags
    for key, value in values.items():
        if value is not None:
            setattr(file, key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path,
    volume: np.ndarray,
    uid: str = "1.2.3",
    step_mm: Sequence[float] = (0.0, 0.0, 4.0),
    **tags: Any,
) -> list[Path]:
    """Write a series.

    Args:
        folder: Where to.
        volume: Whole HU [slices, rows, columns].
        uid: SeriesInstanceUID.
        step_mm: From slice to slice, LPS mm.
        **tags: As in `write_slice`.

    Returns:
        The files, in the order of the slices; their names are in another one.
    """
    paths = []
    for index, hu in enumerate(volume):
        path = folder / f"{(7 * index) % 101:03d}.dcm"
        position = [10.0 + index * step for step in step_mm]
        write_slice(path, hu, uid, position, **{"InstanceNumber": index + 1} | tags)
        paths.append(path)
    return paths


def body(slices: int = 5, rows: int = 6, columns: int = 8) -> np.ndarray:
    """HU of air and tissue, every voxel different, [slices, rows, columns]."""
    count = slices * rows * columns
    return np.linspace(-1000, 1000, count).astype(np.int32).reshape(slices, rows, columns)
