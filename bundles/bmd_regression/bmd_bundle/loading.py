"""A CT and its label map become volumes on one grid, or one line says why not.

The CT is read as in every bundle (`bmd_bundle.common`); here are the label map and the voltage.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import LoadImaged, MapTransform, ResampleToMatch
from pydicom.errors import InvalidDicomError

from bmd_bundle.common import (
    CaseError,
    CheckCTd,
    LoadImageCT,
    LoadImageCTd,
    files_below,
    is_nifti,
)

__all__ = ["CheckCTd", "LoadImageCTd", "LoadImageMaskd", "MatchMaskd", "ReadKvpd"]

logger = logging.getLogger(__name__)

#: Label ids that a map may hold: those of vertebral bodies and of other structures.
MOST_ID = 255
#: Matrices this close are of one grid, mm: files store them with 32 bits.
SAME_GRID_MM = 1e-2


class LoadImageMaskd(LoadImaged):
    """Read label maps; those already in memory are left alone.

    It is a `LoadImaged` because MONAI Label and MONAI Deploy replace those by loaders of their own.

    Args:
        keys: Keys of paths of NIfTI label maps; replaced by uint8 [1, X, Y, Z].

    Raises:
        CaseError: There is none, it cannot be read, or it holds no whole label ids from 0 to 255.
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, reader="NibabelReader", image_only=True, ensure_channel_first=True)
        self.load = LoadImageCT()

    def __call__(self, data: Mapping[Hashable, Any], reader: Any = None) -> dict[Hashable, Any]:
        """Return the data with label maps in place of paths."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            given = changed[key]
            if isinstance(given, str | Path):
                if not str(given):
                    problem = "no label map has the name of this case"
                    mend = "call it CASE.nii.gz or CASE_seg.nii.gz, or give --mask its file"
                    raise CaseError(changed.get("case", "case"), problem, mend)
                if not is_nifti(Path(given)):
                    raise CaseError(given, "is no NIfTI label map", "convert it to .nii.gz")
                given = self.load(given)
            changed[key] = as_ids(given)
        return changed


def as_ids(labels: Any) -> Any:
    """Turn a label map of any number type into uint8, keeping its grid.

    Raises:
        CaseError: It holds something else than whole ids from 0 to 255.
    """
    values = labels if isinstance(labels, torch.Tensor) else torch.as_tensor(np.asarray(labels))
    if values.dtype == torch.uint8:
        return labels
    plain = values.as_tensor() if isinstance(values, MetaTensor) else values
    low, high = float(plain.min()), float(plain.max())
    whole = not plain.is_floating_point() or bool((plain == plain.round()).all())
    if not whole or low < 0 or high > MOST_ID:
        path = getattr(labels, "meta", {}).get("filename_or_obj", "label map")
        problem = f"values {low:g} to {high:g} are no label ids"
        raise CaseError(path, problem, "give the label map, with ids 1 to 4 for L1 to L4")
    return values.to(torch.uint8)


class MatchMaskd(MapTransform):
    """Put a label map on the grid of its CT, where it has another, by the nearest voxel.

    Args:
        keys: Key of the label map, [1, X, Y, Z].
        image_key: Key of the CT.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key
        self.resample = ResampleToMatch(mode="nearest", padding_mode="zeros")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with the label map on the CT's grid."""
        changed = dict(data)
        image = changed[self.image_key]
        for key in self.key_iterator(changed):
            mask = changed[key]
            if tuple(mask.shape) == tuple(image.shape) and _same_grid(mask, image):
                continue
            if not hasattr(mask, "affine") or mask.ndim != image.ndim:
                problem = f"label map {tuple(mask.shape)} is not on the CT's {tuple(image.shape)}"
                raise CaseError(changed.get("case", "case"), problem, "give the map of this CT")
            logger.info("%s: label map put on the CT's grid", changed.get("case", "case"))
            found = self.resample(mask.to(torch.float32), img_dst=image)
            changed[key] = found.to(torch.uint8)
        return changed


def _same_grid(one: Any, other: Any) -> bool:
    """Whether two images have one matrix; one without any lies where the other does."""
    if not (hasattr(one, "affine") and hasattr(other, "affine")):
        return True
    return np.allclose(np.asarray(one.affine), np.asarray(other.affine), atol=SAME_GRID_MM)


class ReadKvpd(MapTransform):
    """Read the tube voltage from a DICOM header where none is given.

    Args:
        keys: Key of the voltage, kV; stays without a value where nothing tells it.
        image_key: Key of the CT's path or paths.
        kvp: Voltage of all cases, kV; None for what each says.
    """

    def __init__(
        self, keys: KeysCollection = "kvp", image_key: str = "image", kvp: float | None = None
    ) -> None:
        super().__init__(keys)
        self.image_key, self.kvp = image_key, kvp

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with the voltage, if it is known."""
        changed = dict(data)
        for key in self.keys:
            if self.kvp is not None:
                changed[key] = float(self.kvp)
            elif changed.get(key) is None and (found := stated_kvp(changed[self.image_key])):
                changed[key] = found
        return changed


def stated_kvp(source: Any) -> float | None:
    """Return what the first file of a DICOM series says about its voltage, kV; None for nothing.

    Args:
        source: Path of a file or folder, or the paths of a series; anything else says nothing.
    """
    paths = [source] if isinstance(source, str | Path) else source
    if not isinstance(paths, list | tuple) or not paths or is_nifti(Path(str(paths[0]))):
        return None
    first = Path(str(paths[0]))
    files = files_below(first) if first.is_dir() else [first]
    for file in files:
        try:
            value = pydicom.dcmread(file, specific_tags=["KVP"]).get("KVP")
            return float(value) if value and float(value) > 0 else None
        except (InvalidDicomError, OSError, EOFError, ValueError, TypeError, KeyError):
            continue
    return None
