"""A case becomes one volume in HU, or one line that says why not."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor, NibabelReader
from monai.transforms import LoadImaged, MapTransform, Transform

from lumbar_bundle.cases import CaseError
from lumbar_bundle.dicom import read_volume
from lumbar_bundle.inputs import files_below, is_nifti
from lumbar_bundle.series import group

#: NumPy's kinds of numbers that a CT is stored in; colours and complex numbers are others.
NUMBER_KINDS = "iuf"
#: HU of air outside the reconstruction; scanners pad with values down to -3024.
PADDING_HU = -1024
#: No CT value lies above what 16 bits hold, metal included.
MOST_HU = 32767
#: HU that every CT shows something below: fat, skin or air. Scaled images start at 0 (or -1).
LEAST_HU_SEEN = -20
#: Largest value of images scaled to 0..1 and to 8 bits.
UNIT_RANGE, BYTE_RANGE = 1.0, 255.0
#: Voxel edges of CT volumes and reformats, mm; others mean a wrong unit or a lost header.
LEAST_EDGE_MM, MOST_EDGE_MM = 0.05, 100.0


class LoadImageCT(Transform):
    """Read a NIfTI file, a DICOM file, the files of a DICOM series, or a folder with one series.

    Stored integers stay int16 where that is exact: a CT of 512 x 512 x 600 voxels is 315 MB.
    """

    def __call__(self, source: str | Path | Sequence[str | Path]) -> MetaTensor:
        """Read one case.

        Args:
            source: Path, or the paths of one DICOM series.

        Returns:
            HU [1, X, Y, Z], int16 or float32, affine to RAS+ millimetres; meta data hold
            `filename_or_obj`, `original_affine` and `spatial_shape`.

        Raises:
            CaseError: If it cannot be read or is not one volume.
        """
        paths = [Path(source)] if isinstance(source, str | Path) else [Path(p) for p in source]
        if len(paths) == 1 and is_nifti(paths[0]):
            array, affine = self._read_nifti(paths[0])
        else:
            array, affine = read_volume(_one_series(paths))
        meta = {
            "filename_or_obj": str(paths[0]),
            "original_affine": affine.copy(),
            "spatial_shape": np.array(array.shape),
            "original_channel_dim": 0,
            "space": "RAS",
        }
        return MetaTensor(torch.from_numpy(array[None]), affine=torch.tensor(affine), meta=meta)

    @staticmethod
    def _read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Read a NIfTI file with MONAI; array [X, Y, Z] and affine."""
        if not path.exists():
            raise CaseError(path, "does not exist", "give the path again")
        reader = NibabelReader(squeeze_non_spatial_dims=False)
        try:
            image: Any = reader.read(path)
            stored = image.get_data_dtype()
            if stored.kind not in NUMBER_KINDS:
                problem = (
                    f"holds {'colours' if stored.names else 'complex numbers'}, not CT numbers"
                )
                raise CaseError(path, problem, "give the CT in HU, as the scanner wrote it")
            array, _ = reader.get_data(image)
        except CaseError:
            raise
        except (OSError, EOFError, ValueError, RuntimeError, zlib.error) as error:
            problem = "is no readable NIfTI file or is cut off"
            raise CaseError(path, problem, "copy or convert it again") from error
        except nib.filebasedimages.ImageFileError as error:
            problem = "is no NIfTI file"
            raise CaseError(path, problem, "copy or convert it again") from error
        if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
            problem = "says not how the patient lies (sform and qform code are 0)"
            raise CaseError(path, problem, "convert it again from DICOM with dcm2niix")
        if array.ndim == 2:
            array = array[:, :, None]
        while array.ndim > 3 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim != 3 or min(array.shape) == 0:
            problem = f"shape {array.shape} is not one volume"
            raise CaseError(path, problem, "give a single 3-D volume with one channel")
        return np.ascontiguousarray(_compact(array)), np.asarray(image.affine, dtype=float)


def _one_series(paths: list[Path]) -> list[Path]:
    """Look into a folder; several series in it are not one case."""
    if len(paths) > 1 or not paths[0].is_dir():
        return paths
    series, _ = group(files_below(paths[0]))
    if len(series) != 1:
        problem = f"holds {len(series)} DICOM series"
        raise CaseError(paths[0], problem, "give a folder with exactly one")
    return series[0].paths


def _compact(array: np.ndarray) -> np.ndarray:
    """Keep integers that fit in 16 bits as such, everything else as float32."""
    if array.dtype == np.int16:
        return array
    limits = np.iinfo(np.int16)
    whole = np.issubdtype(array.dtype, np.integer)
    if whole and array.min() >= limits.min and array.max() <= limits.max:
        return array.astype(np.int16)
    return array.astype(np.float32)


class LoadImageCTd(LoadImaged):
    """Dictionary form of `LoadImageCT`; volumes already in memory are left alone.

    It is a `LoadImaged` because MONAI Label and MONAI Deploy replace those by loaders of their own.

    Args:
        keys: Keys of paths.
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, reader="NibabelReader", image_only=True, ensure_channel_first=True)
        self.load = LoadImageCT()

    def __call__(self, data: Mapping[Hashable, Any], reader: Any = None) -> dict[Hashable, Any]:
        """Return the data with volumes in place of paths."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            if not isinstance(changed[key], torch.Tensor | np.ndarray):
                changed[key] = self.load(changed[key])
        return changed


class CheckCT(Transform):
    """Refuse what is no CT volume in HU, and cut padding off at air."""

    def __call__(self, image: MetaTensor) -> MetaTensor:
        """Check one volume.

        Args:
            image: HU [1, X, Y, Z] with affine.

        Returns:
            The same volume, with no value below -1024 HU.

        Raises:
            CaseError: If it has several channels or another dimension, if its affine places it
                nowhere, or if its values are not HU.
        """
        path = image.meta.get("filename_or_obj", "image")
        if image.ndim != 4 or image.shape[0] != 1:
            problem = f"shape {tuple(image.shape)} is not one volume with one channel"
            raise CaseError(path, problem, "give a single CT volume")
        _check_affine(path, np.asarray(image.affine, dtype=float))
        # NumPy, because torch copies a volume whose first axis is the fastest, as readers give it.
        values = image.as_tensor().cpu().numpy()
        low, high = float(values.min()), float(values.max())
        problem = _value_problem(low, high)
        if problem:
            raise CaseError(path, problem, "give the CT in HU, as the scanner wrote it")
        if low < PADDING_HU:
            return image.clamp(min=PADDING_HU)  # type: ignore[return-value]
        return image


def _check_affine(path: Any, affine: np.ndarray) -> None:
    mend = "convert it again from DICOM"
    if not np.isfinite(affine).all():
        raise CaseError(path, "its affine is not finite", mend)
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if edges.min() < LEAST_EDGE_MM or edges.max() > MOST_EDGE_MM:
        size = " x ".join(f"{edge:.3g}" for edge in edges)
        raise CaseError(path, f"its voxels measure {size} mm", mend)
    if abs(np.linalg.det(affine[:3, :3] / edges)) < LEAST_EDGE_MM:
        raise CaseError(path, "its affine has no volume", mend)


def _value_problem(low: float, high: float) -> str:
    """Say why a range of values cannot be that of a CT in HU; empty if it can.

    Examples:
        >>> _value_problem(-1024.0, 1800.0)
        ''
        >>> _value_problem(0.0, 1.0)
        'values 0 to 1 look scaled to 0..1'
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return "some values are not finite (NaN or infinity)"
    if low == high:
        return f"every voxel is {low:g}"
    span = f"values {low:g} to {high:g}"
    if low >= -UNIT_RANGE and high <= UNIT_RANGE:
        return f"{span} look scaled to 0..1"
    if low >= 0 and high <= BYTE_RANGE:
        return f"{span} look scaled to 0..255"
    if low >= LEAST_HU_SEEN:
        return f"{span} hold nothing lighter than water: the intercept (-1024) seems missing"
    if high > MOST_HU:
        return f"{span} are no CT numbers"
    return ""


class CheckCTd(MapTransform):
    """Dictionary form of `CheckCT`."""

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)
        self.check = CheckCT()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with checked volumes."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = self.check(changed[key])
        return changed
