"""Where the slices of a volume lie, in DICOM's words (PS3.3, C.7.6.2).

DICOM counts millimetres in LPS+, a volume here in RAS+. The array [X, Y, Z] is stored as it is: X
runs along the rows of a slice, Y along its columns, and slice number k is [:, :, k], whichever
way the axes point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import nibabel as nib
import numpy as np

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])

MOST_SKEW = 1e-4
"""Cosine between rows and columns from which they are no right angle: DICOM knows only those."""

LEAST_TILT_DEG = 0.01
"""Smaller angles between table and slices are rounding, degrees."""


@dataclass(frozen=True)
class Planes:
    """The slices of a volume, LPS+ millimetres.

    Attributes:
        orientation: Direction cosines of the rows, then of the columns, [6].
        positions: Centre of the first pixel of every slice, [N, 3].
        pixel_mm: Distance of rows and distance of columns.
        interval_mm: Distance of neighbouring slices, across them.
        tilt_deg: Angle between the slices' normal and the way from slice to slice; not 0 on a
            tilted gantry.
        axial: Whether slices follow each other head to foot or foot to head, as they are scanned.
    """

    orientation: np.ndarray
    positions: np.ndarray
    pixel_mm: tuple[float, float]
    interval_mm: float
    tilt_deg: float
    axial: bool


def planes(shape: tuple[int, ...], affine: np.ndarray) -> Planes:
    """Place the slices [:, :, k] of a volume.

    Args:
        shape: Voxels [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetres: oblique, flipped, and sheared along Z if need be.

    Raises:
        ValueError: If the first two axes are not at right angles, which no DICOM slice can be.
    """
    axes = RAS_TO_LPS @ affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    row, column = axes[:, 0] / lengths[0], axes[:, 1] / lengths[1]
    if abs(row @ column) > MOST_SKEW:
        angle = math.degrees(math.acos(float(row @ column)))
        raise ValueError(f"rows and columns meet at {angle:.2f} degrees; DICOM slices at 90 only")
    normal = np.cross(row, column)
    across = abs(float(normal @ axes[:, 2]))
    beside = axes[:, 2] - (normal @ axes[:, 2]) * normal
    tilt = math.degrees(math.atan2(float(np.linalg.norm(beside)), across))
    # The sign is that of the shift along the columns: the gantry turns about the rows.
    sign = -1.0 if column @ beside < 0 else 1.0
    origin = RAS_TO_LPS @ affine[:3, 3]
    return Planes(
        orientation=np.concatenate([row, column]),
        positions=origin + np.arange(shape[2])[:, None] * axes[:, 2],
        pixel_mm=(float(lengths[1]), float(lengths[0])),
        interval_mm=across,
        tilt_deg=sign * tilt if tilt > LEAST_TILT_DEG else 0.0,
        axial=nib.aff2axcodes(affine)[2] in ("S", "I"),
    )
