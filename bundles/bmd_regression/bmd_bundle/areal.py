"""Whole axial slices as MONAI transforms, for areal density (S4): to learn from, and to read.

    - _target_: bmd_bundle.areal.ReadContrastd
    - _target_: bmd_bundle.areal.MeasureSlicesd
      keys: image

Only unenhanced scans at about 120 kV are used: medium in blood and marrow and another voltage both
change what bone reads, and no calibration of volumetric density corrects an areal one.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy

from bmd_bundle import aorta, contrast, tissues
from bmd_bundle.axial import Slices, cut
from bmd_bundle.body_frame import PatchError
from bmd_bundle.common import CaseError, files_below, is_nifti
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.measuring import NOT_FOUND, WRONG_KVP, known_kvp

logger = logging.getLogger(__name__)

#: Why a scan with contrast medium has no slices.
CONTRAST = "contrast"
#: Tube voltages that are used, kV: what is said to be 120.
KVP_RANGE = (115.0, 125.0)


class ReadContrastd(MapTransform):
    """Read from DICOM headers whether contrast medium was given.

    Args:
        keys: Key of the answer: "none", "applied", "unknown"; what a case brings is kept.
        image_key: Key of the CT's path or paths; NIfTI files tell nothing.
    """

    def __init__(self, keys: KeysCollection = "contrast", image_key: str = "image") -> None:
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with what the header says."""
        changed = dict(data)
        for key in self.keys:
            if changed.get(key) is None:
                changed[key] = contrast.of_series(_dicom_files(changed[self.image_key]))
        return changed


def _dicom_files(source: Any) -> list[Path]:
    """Files of a DICOM series; none where a CT is given in another way."""
    if isinstance(source, str | Path):
        path = Path(source)
        if is_nifti(path):
            return []
        return files_below(path) if path.is_dir() else [path]
    several = isinstance(source, list | tuple) and not any(is_nifti(Path(p)) for p in source)
    return [Path(path) for path in source] if several else []


class _SlicesTransform(MapTransform):
    """What learning and reading share: the slices of a scan, or why there are none.

    Args:
        keys: Key of the CT, HU [1, X, Y, Z].
        mask_key: Key of the label map on the same grid, which is removed.
        kvp_key: Key of the tube voltage, kV; without it 120 is assumed.
        contrast_key: Key of what `ReadContrastd` read.
        blood_key: Key of the aorta's blood, HU or None, of a case that brings it; else it is looked
            for. It is removed.
        size: Pixels of a slice, rows and columns, which are equal.
        size_mm: Edge of its field, mm.
        slice_step_mm: Distance of a level's outer slices from the middle one, mm.
        slice_thickness_mm: Height over which a slice is averaged, mm; None for single planes.

    Raises:
        ValueError: `size` is not two equal numbers.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        mask_key: str = "mask",
        kvp_key: str = "kvp",
        contrast_key: str = "contrast",
        blood_key: str = "aorta_hu",
        size: Sequence[int] = (128, 128),
        size_mm: float = 400.0,
        slice_step_mm: float = 6.0,
        slice_thickness_mm: float | None = 5.0,
    ) -> None:
        super().__init__(keys)
        if len(size) != 2 or size[0] != size[1]:
            raise ValueError(f"size {list(size)} must be two equal numbers: slices are square")
        self.mask_key, self.kvp_key = mask_key, kvp_key
        self.contrast_key, self.blood_key = contrast_key, blood_key
        self.slices = Slices(int(size[0]), size_mm, slice_step_mm, slice_thickness_mm)

    def take(self, data: dict[Hashable, Any]) -> dict[str, np.ndarray | str]:
        """Slices of every level, HU [3, P, P], or the reason code why there are none.

        Label map and blood are removed from the data.
        """
        image, mask = data[self.keys[0]], data[self.mask_key]
        hu, labels = convert_to_numpy(image)[0], convert_to_numpy(mask)[0]
        affine = convert_to_numpy(image.affine).astype(float)
        refused = self._refused(hu, affine, labels, data)
        shown = {level for level, number in LEVEL_IDS.items() if refused and number in labels}
        found = {} if refused else cut(hu, affine, labels, self.slices)
        answers: dict[str, np.ndarray | str] = {}
        for level in LEVEL_IDS:
            one = refused if refused and level in shown else found.get(level, NOT_FOUND)
            answers[level] = one.reason if isinstance(one, PatchError) else one
        del data[self.mask_key]
        data.pop(self.blood_key, None)
        return answers

    def _refused(
        self, hu: np.ndarray, affine: np.ndarray, labels: np.ndarray, data: Mapping[Hashable, Any]
    ) -> str | None:
        """Why the whole scan is of no use; None for one that is."""
        kvp = known_kvp(data.get(self.kvp_key))
        if kvp is not None and not KVP_RANGE[0] <= kvp <= KVP_RANGE[1]:
            return WRONG_KVP
        said = data.get(self.contrast_key, "unknown")
        if said != "applied":  # else nothing needs to be looked for
            blood = data[self.blood_key] if self.blood_key in data else _blood(hu, affine, labels)
            said = "applied" if contrast.is_enhanced(said, blood) else said
        return CONTRAST if said == "applied" else None


def _blood(hu: np.ndarray, affine: np.ndarray, labels: np.ndarray) -> float | None:
    """Blood of the aorta, HU; None where it is not found with certainty."""
    bodies = tissues.bodies_mm(labels, affine)
    return aorta.find(hu, affine, bodies).hu_median if bodies else None


class TrainingSlicesd(_SlicesTransform):
    """Take the slices of all levels with a known density; levels without slices are left out.

    Added are, for L levels, slices HU float32 [3 L, P, P] in place of the CT and under `label_key`
    their level's areal density, g/cm² [3 L]: of every slice its own.

    Args:
        keys: Key of the CT.
        density_key: Key of level -> g/cm².
        label_key: Where the densities go.
        **settings: Those of the slices.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        density_key: str = "density",
        label_key: str = "label",
        **settings: Any,
    ) -> None:
        super().__init__(keys, **settings)
        self.density_key, self.label_key = density_key, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with slices in place of the CT."""
        changed = dict(data)
        found = self.take(changed)
        slices, densities = [self._none()], [np.zeros(0)]
        reasons = []
        for level, density in changed[self.density_key].items():
            one = found[level]
            if isinstance(one, str):
                reasons.append(f"{level} {one}")
                continue
            slices.append(one)
            densities.append(np.full(len(one), density))
        if reasons:
            logger.info("%s: left out: %s", changed.get("case", "case"), ", ".join(reasons))
        changed[self.keys[0]] = torch.from_numpy(np.concatenate(slices))
        changed[self.label_key] = torch.from_numpy(np.concatenate(densities)).float()
        return changed

    def _none(self) -> np.ndarray:
        return np.zeros((0, self.slices.pixels, self.slices.pixels), dtype=np.float32)


class MeasureSlicesd(_SlicesTransform):
    """Take the slices of L1 to L4 for the network to read.

    The label map is taken out. Added are

    - under the image's key: slices, HU float32 [N, 1, P, P], level by level, from below up;
    - `reasons`: level -> why it has no slices, "" where it has its three;
    - `kvp`: tube voltage, kV, NaN where it is not known.

    Args:
        keys: Key of the CT.
        calibration: A file of volumetric calibration, which areal density cannot use.
        **settings: Those of the slices.

    Raises:
        CaseError: A calibration was given.
    """

    def __init__(
        self, keys: KeysCollection = "image", calibration: Any = None, **settings: Any
    ) -> None:
        super().__init__(keys, **settings)
        self.calibration = calibration

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with slices."""
        changed = dict(data)
        if self.calibration:
            problem = "areal density has no calibration by tube voltage or site"
            raise CaseError(changed.get("case", "case"), problem, "leave calibration_file out")
        found = self.take(changed)
        kvp = known_kvp(changed.get(self.kvp_key))
        pixels = self.slices.pixels
        stacks = [np.zeros((0, pixels, pixels), dtype=np.float32)]
        stacks += [one for one in found.values() if not isinstance(one, str)]
        return changed | {
            self.keys[0]: torch.from_numpy(np.concatenate(stacks)[:, None]),
            "reasons": {k: one if isinstance(one, str) else "" for k, one in found.items()},
            self.kvp_key: float("nan") if kvp is None else kvp,
        }
