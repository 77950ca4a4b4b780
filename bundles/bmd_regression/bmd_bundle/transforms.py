"""Trabecular patches as MONAI transforms: from a CT and its label map to what the network reads.

- _target_: bmd_bundle.transforms.TrabecularPatchesd
keys: image
mask_key: mask
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_numpy

from bmd_bundle.augment import RandGrainyNoised, RandMinerald, RandSameScaled
from bmd_bundle.layout import MARGIN_MM, PIXELS, SIZE_MM, SLICE_STEP_MM
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.loading import CheckCTd, LoadImageCTd, LoadImageMaskd, MatchMaskd, ReadKvpd
from bmd_bundle.patches import Patch, PatchError, extract
from bmd_bundle.training_patches import SplitLevelsd, ToReferenceBeamd, TrainingPatchesd

__all__ = [
    "CheckCTd",
    "LoadImageCTd",
    "LoadImageMaskd",
    "MatchMaskd",
    "RandGrainyNoised",
    "RandMinerald",
    "RandSameScaled",
    "ReadKvpd",
    "SplitLevelsd",
    "ToReferenceBeamd",
    "TrabecularPatches",
    "TrabecularPatchesd",
    "TrainingPatchesd",
]


class TrabecularPatches(Transform):
    """Take the trabecular patch of every level in a label map (S2 section 3.3).

    Args:
        size: Pixels of a patch, rows and columns, which are equal.
        size_mm: Edge of a patch, mm; smaller where the body is.
        margin_mm: Least distance to the body's surface, mm.
        slice_step_mm: Distance of the outer slices from the middle one, mm.
        slice_thickness_mm: Height over which a slice is averaged, mm; None for single planes.
        tilt: Whether patches lie parallel to the mean endplate, or in the patient's axial plane.

    Raises:
        ValueError: If `size` is not two equal numbers.
    """

    def __init__(
        self,
        size: Sequence[int] = (PIXELS, PIXELS),
        size_mm: float = SIZE_MM,
        margin_mm: float = MARGIN_MM,
        slice_step_mm: float = SLICE_STEP_MM,
        slice_thickness_mm: float | None = None,
        tilt: bool = True,
    ) -> None:
        if len(size) != 2 or size[0] != size[1]:
            raise ValueError(f"size {list(size)} must be two equal numbers: patches are square")
        self.settings: dict[str, Any] = {
            "size_mm": size_mm,
            "pixels": int(size[0]),
            "margin_mm": margin_mm,
            "slice_step_mm": slice_step_mm,
            "slice_thickness_mm": slice_thickness_mm,
            "tilt": tilt,
        }

    def __call__(  # type: ignore[override]
        self, image: Any, mask: Any
    ) -> dict[str, Patch | PatchError]:
        """Take the patches.

        Args:
            image: CT in HU, MetaTensor [1, X, Y, Z] with the affine to RAS+ mm.
            mask: Label map on the same grid, [1, X, Y, Z]; ids 1 to 4 are L1 to L4.

        Returns:
            Level -> its patch, or why there is none; levels absent from the map are left out.

        Raises:
            ValueError: If the image has no affine, or the two are not of one shape.
        """
        affine = getattr(image, "affine", None)
        if affine is None:
            raise ValueError("the image has no affine: load it with LoadImaged, as a MetaTensor")
        if tuple(image.shape) != tuple(mask.shape) or len(image.shape) != 4 or len(image) != 1:
            raise ValueError(
                f"image {tuple(image.shape)} and mask {tuple(mask.shape)} must both be the same "
                "[1, X, Y, Z]"
            )
        hu, labels = convert_to_numpy(image)[0], convert_to_numpy(mask)[0]
        matrix = convert_to_numpy(affine).astype(float)
        found: dict[str, Patch | PatchError] = {}
        for level, number in LEVEL_IDS.items():
            body = labels == number
            if not body.any():
                continue
            try:
                found[level] = extract(hu, matrix, body, **self.settings)
            except PatchError as error:
                found[level] = error
        return found


class TrabecularPatchesd(MapTransform):
    """Dictionary form of `TrabecularPatches`.

    The image and the label map are taken out, since patches replace them. Added are

    - `patches`: float32 [L, 3, P, P] in HU, one for each level that has one, head to foot;
    - `patch_levels`: their names;
    - `patch_details`: level -> its `Patch`;
    - `patch_refusals`: level -> reason, for levels in the map without a patch.

    Args:
        keys: Key of the image; one.
        mask_key: Key of the label map.
        keep: Whether image and label map stay.
        **settings: Those of `TrabecularPatches`.

    Raises:
        ValueError: If more than one key is given.
    """

    def __init__(
        self,
        keys: str | Sequence[str],
        mask_key: Hashable = "mask",
        keep: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(keys)
        if len(self.keys) != 1:
            raise ValueError(f"keys {list(self.keys)} must be one image")
        self.mask_key = mask_key
        self.keep = keep
        self.patches = TrabecularPatches(**settings)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with the patches of its image."""
        changed = dict(data)
        image_key = self.keys[0]
        found = self.patches(changed[image_key], changed[self.mask_key])
        details = {level: patch for level, patch in found.items() if isinstance(patch, Patch)}
        pixels = self.patches.settings["pixels"]
        stack = np.zeros((len(details), 3, pixels, pixels), dtype=np.float32)
        for number, patch in enumerate(details.values()):
            stack[number] = patch.hu
        if not self.keep:
            del changed[image_key], changed[self.mask_key]
        return changed | {
            "patches": torch.from_numpy(stack),
            "patch_levels": list(details),
            "patch_details": details,
            "patch_refusals": {
                level: error.reason
                for level, error in found.items()
                if isinstance(error, PatchError)
            },
        }
