"""A case's image written as a folder of slices, one file each."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import CTImageStorage

from tools.files import write_content
from tools.phantom.dicom.encoding import Encoding
from tools.phantom.dicom.geometry import Planes, planes
from tools.phantom.dicom.header import file_meta, series_header
from tools.phantom.dicom.identity import Identity
from tools.phantom.dicom.numbers import decimal_string, decimal_strings
from tools.phantom.dicom.pixels import Storage, choose, reconstructed_circle
from tools.phantom.dicom.syntaxes import SYNTAXES

ENDING = ".dcm"


def write_series(
    folder: Path,
    image: np.ndarray,
    affine: np.ndarray,
    truth: Mapping[str, Any],
    identity: Identity,
    encoding: Encoding,
) -> dict[str, Any]:
    """Write a volume as a CT series.

    Args:
        folder: Where; whatever it holds is taken away first. Its own folder must exist.
        image: HU [X, Y, Z], int16; slice k is [:, :, k].
        affine: 4x4 voxel to RAS+ millimetres.
        truth: Of the case.
        identity: Which examination it is.
        encoding: How it is stored.

    Returns:
        What the truth says of it: `transfer_syntax`, `padded`, `patient_id` and the UIDs of study
        and series.

    Raises:
        OSError: If a file cannot be written; each is whole or missing.
        ValueError: If DICOM cannot hold the volume.
    """
    places = planes(image.shape, affine)
    storage = _storage(image, truth["scan"], places, encoding)
    header = series_header(identity, truth, places, (image.shape[1], image.shape[0]))
    _add_numbers(header, storage)
    _empty(folder)
    for name, content in _files(header, image, storage, places, identity, encoding):
        write_content(folder / name, content)
    return {
        "transfer_syntax": encoding.syntax,
        "padded": storage.padding is not None,
        "patient_id": identity.dicom_patient_id,
        "study_uid": str(identity.uid("study")),
        "series_uid": str(identity.uid("series")),
    }


def _storage(
    image: np.ndarray, scan: Mapping[str, Any], places: Planes, encoding: Encoding
) -> Storage:
    """Choose how HU are stored; slices as they are scanned may be padded, but only once."""
    padding_hu = scan.get("padding_hu") if places.axial else None
    circle = None
    if encoding.padded and places.axial and padding_hu is None:
        circle = reconstructed_circle((image.shape[0], image.shape[1]), places.pixel_mm[::-1])
    whole_words = SYNTAXES[encoding.syntax].whole_words
    return choose(int(image.min()), int(image.max()), circle, padding_hu, whole_words)


def _add_numbers(header: Dataset, storage: Storage) -> None:
    """Add the tags that say what the stored numbers mean."""
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = 16
    header.BitsStored = storage.bits
    header.HighBit = storage.bits - 1
    header.PixelRepresentation = int(storage.signed)
    header.RescaleIntercept = storage.intercept
    header.RescaleSlope = 1
    header.RescaleType = "HU"
    header.LossyImageCompression = "00"
    if storage.padding is not None:
        header.PixelPaddingValue = storage.padding


def _empty(folder: Path) -> None:
    """Make a folder, or take every file out of it: what an earlier run left is not this series."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()


def _files(
    header: Dataset,
    image: np.ndarray,
    storage: Storage,
    places: Planes,
    identity: Identity,
    encoding: Encoding,
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every slice's file."""
    syntax = SYNTAXES[encoding.syntax]
    for index, position in enumerate(places.positions):
        instance = identity.uid("image", index + 1)
        tags = Dataset()
        tags.update(header)
        tags.SOPClassUID = CTImageStorage
        tags.SOPInstanceUID = instance
        tags.InstanceNumber = index + 1
        tags.ImagePositionPatient = decimal_strings(position)
        if places.axial:
            tags.SliceLocation = decimal_string(round(float(position[2]), 3))
        tags.PixelData = syntax.encode(storage.numbers(image[:, :, index]).T)
        tags["PixelData"].VR = "OB" if syntax.compress else "OW"
        tags["PixelData"].is_undefined_length = syntax.compress is not None
        whole = FileDataset(
            "", tags, preamble=b"\0" * 128, file_meta=file_meta(syntax.uid, instance)
        )
        content = io.BytesIO()
        dcmwrite(content, whole, enforce_file_format=True)
        yield f"{index + 1:04d}{ENDING}", content.getvalue()
