"""The real CT files that the phantom is held against, read onto RAS grids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import itk
import nibabel as nib
import numpy as np

from tools.volumes import Grid, reorient

#: Where the files lie: beside the repository, never in it.
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LUMBAR_CT = DATA / "lumbar_ct_3mm" / "ct.nii.gz"
LUMBAR_BODIES = DATA / "lumbar_ct_3mm" / "vertebral_bodies.nii.gz"
L3_CROP = DATA / "l3_crop"
THORAX_CT = DATA / "thorax_ct_1p5mm" / "ct.nii.gz"
UPPER_ABDOMEN = DATA / "upper_abdomen_dicom"

#: Ids in `subregions.nii.gz` of the L3 crop: border and interior of vertebral bodies.
BODY_BORDER, BODY_INTERIOR = 49, 50


@dataclass(frozen=True)
class Scan:
    """A CT on a RAS grid.

    Attributes:
        name: Short name.
        image: HU, float32 [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        bodies: Ids of vertebral bodies, int [X, Y, Z]; None where no reference exists.
    """

    name: str
    image: np.ndarray
    affine: np.ndarray
    bodies: np.ndarray | None = None

    @property
    def grid(self) -> Grid:
        """The scan's voxel grid."""
        return Grid((self.image.shape[0], self.image.shape[1], self.image.shape[2]), self.affine)


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a NIfTI volume in RAS order: array [X, Y, Z] and its affine."""
    stored = nib.Nifti1Image.from_filename(path)
    return reorient(np.asanyarray(stored.dataobj), stored.affine, "RAS")


def read_dicom(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a folder of DICOM slices of one series (its tags may be empty) in RAS order.

    Raises:
        FileNotFoundError: If the folder holds no `*.dcm`.
    """
    paths = sorted(folder.glob("*.dcm"))
    if not paths:
        raise FileNotFoundError(f"no .dcm file in {folder}")
    headers = [itk.imread(str(path), itk.F) for path in paths]
    # Sorted by position, not by name: names need not follow the patient's axis.
    headers.sort(key=lambda header: float(header.GetOrigin()[2]))
    first, last = (np.array(headers[i].GetOrigin()) for i in (0, -1))
    axes = np.array(itk.array_from_matrix(headers[0].GetDirection()))
    spacing = np.array(headers[0].GetSpacing())
    affine = np.eye(4)
    affine[:3, :2] = axes[:, :2] * spacing[:2]
    affine[:3, 2] = (last - first) / max(1, len(headers) - 1)
    affine[:3, 3] = first
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # DICOM is LPS+
    volume = np.stack([itk.array_from_image(header)[0].T for header in headers], axis=-1)
    return reorient(volume, affine, "RAS")


def lumbar(ct: Path = LUMBAR_CT, bodies: Path = LUMBAR_BODIES) -> Scan:
    """Read the lumbar CT with its body masks (19 = T12, 20-24 = L1-L5)."""
    image, affine = read_nifti(ct)
    return Scan("lumbar_ct_3mm", image.astype(np.float32), affine, read_nifti(bodies)[0])


def l3_crop(folder: Path = L3_CROP) -> Scan:
    """Read the crop around L3; bodies carry the ids of `vertebrae.nii.gz` (21-23 = L2-L4)."""
    image, affine = read_nifti(folder / "ct.nii.gz")
    levels, _ = read_nifti(folder / "vertebrae.nii.gz")
    parts, _ = read_nifti(folder / "subregions.nii.gz")
    body = np.isin(parts, (BODY_BORDER, BODY_INTERIOR))
    return Scan("l3_crop", image.astype(np.float32), affine, np.where(body, levels, 0))


def thorax(path: Path = THORAX_CT) -> Scan:
    """Read the contrast-enhanced chest CT; it has no body masks."""
    image, affine = read_nifti(path)
    return Scan("thorax_ct_1p5mm", image.astype(np.float32), affine)


def upper_abdomen(folder: Path = UPPER_ABDOMEN) -> Scan:
    """Read the contrast-enhanced upper abdomen, 20 JPEG2000 slices; it has no body masks."""
    image, affine = read_dicom(folder)
    return Scan("upper_abdomen_dicom", image.astype(np.float32), affine)
