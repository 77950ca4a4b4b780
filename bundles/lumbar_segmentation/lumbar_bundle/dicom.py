"""The slices of one DICOM series become a volume, checked for gaps, or one line says why not.

What real archives hold decides the checks: other modalities, slices lost on the way, files cut off,
gantry tilt, reformats of a single slice. DICOM PS3.3, C.7.6.2 (image plane), C.8.2.1 (CT image).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from lumbar_bundle.cases import CaseError
from lumbar_bundle.series import is_localizer, numbers, same_plane, text

#: A step between slices this much longer than the usual one means that a slice is missing.
GAP_RATIO = 1.5
#: Smaller deviations from even steps are rounding of the positions.
UNEVEN_RATIO = 0.1
#: Part of a pixel by which a slice may lie beside the line through the first and last one.
BESIDE_PIXELS = 0.5
#: Units of rescaled values that are HU; US (unspecified) is what older scanners write.
HU_TYPES = ("", "HU", "US", "HU_MOD")
#: Thickness assumed for a single slice that states none, mm.
DEFAULT_THICKNESS_MM = 1.0
#: LPS, the axes of DICOM, to RAS, the axes of NIfTI.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_volume(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read the slices of one series into a volume.

    Args:
        paths: Files of one series, in any order.

    Returns:
        HU, int16 where that is exact, otherwise float32, [X, Y, Z] with X along the rows of the
        slices, Y along their columns and Z from slice to slice, and the 4x4 matrix from voxel
        indices to RAS+ millimetres.

    Raises:
        CaseError: If the files are no CT slices, differ, or do not follow each other evenly.
    """
    slices = sorted((_read_place(path) for path in paths), key=lambda item: item.along_mm)
    first, last = slices[0], slices[-1]
    for item in slices[1:]:
        if not same_plane(first.header, item.header):
            problem = f"lies in another plane than {first.path.name} or has another size"
            raise CaseError(item.path, problem, "give each series by itself")
    if len(slices) == 1:
        step = first.normal * _single_thickness_mm(first.header)
    else:
        _check_steps(slices)
        step = (last.position - first.position) / (len(slices) - 1)
    row, column = first.orientation[:3], first.orientation[3:]
    row_mm, column_mm = first.spacing  # distance of rows, distance of columns
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * column_mm, column * row_mm, step], axis=1)
    affine[:3, 3] = first.position
    return _stack(slices), LPS_TO_RAS @ affine


@dataclass
class _Slice:
    """Where one slice lies, in LPS millimetres."""

    path: Path
    header: pydicom.Dataset
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def along_mm(self) -> float:
        """Place along the normal, mm."""
        return float(self.position @ self.normal)


def _stack(slices: Sequence[_Slice]) -> np.ndarray:
    """Decode the slices straight into their volume [X, Y, Z]: memory holds the scan once."""
    volume = np.empty((0, 0, 0), dtype=np.int16)
    for index, item in enumerate(slices):
        pixels = _read_pixels(item.path)
        if index == 0:
            volume = np.empty((*pixels.shape[::-1], len(slices)), dtype=pixels.dtype, order="F")
        elif volume.dtype != pixels.dtype:
            volume = volume.astype(np.float32)
        volume[:, :, index] = pixels.T
    return volume


def _read_file(path: Path, pixels: bool) -> pydicom.FileDataset:
    """Read a DICOM file, with or without its pixels."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except FileNotFoundError:
        raise CaseError(
            path,
            "does not exist",
            "give the path again; in a list, paths start from its own folder",
        ) from None
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError) as error:
        problem = "is neither NIfTI nor readable DICOM, or is cut off"
        raise CaseError(path, problem, "copy it again from the archive") from error


def _read_place(path: Path) -> _Slice:
    """Read where a slice lies; see `read_volume`."""
    header = _read_file(path, pixels=False)
    _check_header(path, header)
    position = numbers(header, "ImagePositionPatient", 3)
    orientation = numbers(header, "ImageOrientationPatient", 6)
    spacing = numbers(header, "PixelSpacing", 2)
    if position is None or orientation is None or spacing is None or spacing.min() <= 0:
        problem = "says not where it lies (position, orientation or pixel spacing missing)"
        raise CaseError(path, problem, "leave it out, it is no slice of a volume")
    return _Slice(path, header, position, orientation, spacing)


def _check_header(path: Path, header: pydicom.Dataset) -> None:
    """Refuse what is no CT slice."""
    modality = text(header, "Modality")
    if modality != "CT":
        problem = f"its modality is {modality or 'missing'}, not CT"
        raise CaseError(path, problem, "leave this series out")
    if is_localizer(header):
        problem = "is a localizer (scout view), not a slice"
        raise CaseError(path, problem, "leave this series out")
    if int(header.get("NumberOfFrames") or 1) > 1:
        problem = "holds several frames (enhanced CT)"
        raise CaseError(path, problem, "convert it to NIfTI with dcm2niix")
    if int(header.get("SamplesPerPixel") or 1) != 1:
        problem = "is a colour picture, not CT numbers"
        raise CaseError(path, problem, "give the original series")
    unit = text(header, "RescaleType").upper()
    if unit not in HU_TYPES:
        problem = f"its values are {unit}, not HU"
        raise CaseError(path, problem, "give the plain CT series")
    if header.get("RescaleIntercept") is None:
        problem = "has no RescaleIntercept, so its values are not HU"
        raise CaseError(path, problem, "give the original series")


def _read_pixels(path: Path) -> np.ndarray:
    """Decode a slice to HU [rows, columns], int16 where that is exact, otherwise float32."""
    header = _read_file(path, pixels=True)
    try:
        stored = header.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        name = getattr(getattr(header.file_meta, "TransferSyntaxUID", None), "name", "unknown")
        problem = f"its pixels cannot be decoded ({name})"
        mend = "copy it again, or install python-gdcm for rare compressions"
        raise CaseError(path, problem, mend) from error
    except (AttributeError, ValueError, EOFError, OSError, KeyError) as error:
        problem = "its pixels are missing or cut off"
        raise CaseError(path, problem, "copy it again from the archive") from error
    slope = float(header.get("RescaleSlope") or 1.0)
    intercept = float(header.get("RescaleIntercept") or 0.0)
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise CaseError(path, "its rescale slope is not finite", "give the original series")
    if slope == 1.0 and intercept.is_integer():
        whole = stored.astype(np.int32) + int(intercept)
        limits = np.iinfo(np.int16)
        if whole.size and limits.min <= whole.min() and whole.max() <= limits.max:
            return whole.astype(np.int16)
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _single_thickness_mm(header: pydicom.Dataset) -> float:
    """Extent of a lone slice across its plane, mm."""
    for tag in ("SliceThickness", "SpacingBetweenSlices"):
        try:
            value = float(header.get(tag) or 0)
        except (TypeError, ValueError):
            continue
        if value > 0 and math.isfinite(value):
            return value
    return DEFAULT_THICKNESS_MM


def _check_steps(slices: Sequence[_Slice]) -> None:
    """Refuse slices that lie on each other, leave gaps or wander off sideways."""
    steps = np.diff([item.along_mm for item in slices])
    usual = float(np.median(steps))
    if steps.min() <= UNEVEN_RATIO * usual or usual <= 0:
        where = int(np.argmin(steps))
        problem = f"two slices lie at one place ({slices[where].along_mm:.1f} mm)"
        raise CaseError(slices[where + 1].path, problem, "give one reconstruction by itself")
    if steps.max() > GAP_RATIO * usual:
        where = int(np.argmax(steps))
        problem = (
            f"slices are missing before it ({steps[where]:.2f} mm from the one before, usually "
            f"{usual:.2f} mm)"
        )
        raise CaseError(slices[where + 1].path, problem, "export the whole series again")
    if np.abs(steps - usual).max() > UNEVEN_RATIO * usual:
        problem = f"slices lie {steps.min():.2f} to {steps.max():.2f} mm apart"
        raise CaseError(slices[0].path, problem, "reconstruct the series with even steps")
    positions = np.array([item.position for item in slices])
    line = np.linspace(positions[0], positions[-1], len(slices))
    beside = np.linalg.norm(positions - line, axis=1).max()
    if beside > BESIDE_PIXELS * min(slices[0].spacing) + UNEVEN_RATIO * usual:
        problem = f"slices lie up to {beside:.1f} mm beside one line"
        raise CaseError(slices[0].path, problem, "give one acquisition by itself")
