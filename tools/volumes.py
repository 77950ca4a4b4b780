"""Voxel grids in patient millimetres, and volumes written as NIfTI."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from tools.files import write_content

GZIP_MAGIC = b"\x1f\x8b"

UNREADABLE = (
    OSError, EOFError, zlib.error, ValueError,
    nib.filebasedimages.ImageFileError, nib.wrapstruct.WrapStructError,
)  # fmt: skip
"""What a damaged, truncated or missing file raises in nibabel's hands."""

#: zlib level: level 1 writes a CT four times faster than level 9 for 5 % more bytes.
GZIP_LEVEL = 1


@dataclass(frozen=True)
class Grid:
    """A regular voxel grid, of any orientation, spacing and obliquity.

    Attributes:
        shape: Voxels along the three array axes [X, Y, Z].
        affine: 4x4 matrix from voxel indices (centres) to RAS+ millimetres.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel edge lengths, mm."""
        edges = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(edges[0]), float(edges[1]), float(edges[2])

    @cached_property
    def center_mm(self) -> np.ndarray:
        """RAS+ millimetres of the grid's middle, [3]."""
        return self.to_world((np.array(self.shape) - 1) / 2)

    def corners_mm(self) -> np.ndarray:
        """RAS+ millimetres of the eight corner voxels' centres, [8, 3]."""
        last = [size - 1 for size in self.shape]
        ends = np.array(list(product(*((0, size) for size in last))), dtype=float)
        return self.to_world(ends)

    def to_world(self, index: np.ndarray) -> np.ndarray:
        """Map voxel indices [..., 3] to RAS+ millimetres [..., 3]."""
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points_mm: np.ndarray) -> np.ndarray:
        """Map RAS+ millimetres [..., 3] to (fractional) voxel indices [..., 3]."""
        inverse = np.linalg.inv(self.affine)
        return points_mm @ inverse[:3, :3].T + inverse[:3, 3]


def reorient(array: np.ndarray, affine: np.ndarray, codes: str) -> tuple[np.ndarray, np.ndarray]:
    """Flip and swap array axes so that they point along `codes`, the anatomy untouched.

    Args:
        array: Volume [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        codes: Axis codes such as "RAS" or "LPS".

    Returns:
        The volume in the new axis order, first axis fastest in memory as NIfTI stores it, and its
        affine.
    """
    change = ornt_transform(io_orientation(affine), axcodes2ornt(tuple(codes)))
    turned = np.asfortranarray(nib.orientations.apply_orientation(array, change))
    return turned, affine @ inv_ornt_aff(change, array.shape)


def save_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a gzipped NIfTI whose bytes depend on nothing but its content.

    Args:
        path: File to write, `*.nii.gz`.
        array: Volume [X, Y, Z]; its dtype is kept.
        affine: 4x4 voxel to RAS+ millimetre matrix.

    Raises:
        OSError: If the file cannot be written whole; nothing is left then.
    """
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    raw = image.to_bytes()
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as stream:
        stream.write(raw)
    write_content(path, packed.getvalue())


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume as it is stored: integers where the file holds integers.

    Args:
        path: NIfTI file.

    Returns:
        Values, and the 4x4 voxel to RAS+ millimetre matrix.

    Raises:
        ValueError: It cannot be read; one line that names it.
    """
    try:
        content = path.read_bytes()
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(
                content
            )  # unlike nibabel's reading, checks the sum at its end
        stored = nib.Nifti1Image.from_bytes(content)
        return np.asanyarray(stored.dataobj), np.asarray(stored.affine, dtype=float)
    except UNREADABLE as error:
        cause = getattr(error, "strerror", None) or "damaged, cut short, or no NIfTI"
        raise ValueError(f"{path}: cannot be read as NIfTI ({cause}); give another copy") from error
