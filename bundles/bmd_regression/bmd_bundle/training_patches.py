"""Patches with their densities, as the training reads them, and split up at its end."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy

from bmd_bundle.augment import SLICES
from bmd_bundle.body_frame import PatchError
from bmd_bundle.calibration import USUAL_KVP, reference
from bmd_bundle.levels import LEVEL_IDS
from bmd_bundle.patches import sample


class TrainingPatchesd(MapTransform):
    """Take the patches of all levels with a known density; levels without a patch are left out.

    Args:
        keys: Key of the CT, HU [1, X, Y, Z]; it is replaced by patches, HU float32 [3 L, P, P].
        mask_key: Key of the label map on the same grid, which is removed.
        density_key: Key of level -> mg/cm³ HA.
        label_key: Where the densities of the patches go, float32 [L].
        size: Pixels of a patch, rows and columns, which are equal.
        border: Further pixels on each side, for random turns and shifts.
        **settings: `size_mm` and so on, see `bmd_bundle.patches.extract`.

    Raises:
        ValueError: `size` is not two equal numbers; or CT and label map are not of one grid.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mask_key: str = "mask",
        density_key: str = "density",
        label_key: str = "label",
        size: Sequence[int] = (32, 32),
        border: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(keys)
        if len(size) != 2 or size[0] != size[1]:
            raise ValueError(f"size {list(size)} must be two equal numbers: patches are square")
        self.mask_key, self.density_key, self.label_key = mask_key, density_key, label_key
        self.border = border
        self.settings = {**settings, "pixels": int(size[0])}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with patches in place of the CT."""
        changed = dict(data)
        image, mask = changed[self.keys[0]], changed.pop(self.mask_key)
        matrix = convert_to_numpy(image.affine).astype(float)
        own = convert_to_numpy(getattr(mask, "affine", matrix)).astype(float)
        if image.shape != mask.shape or not np.allclose(matrix, own, atol=1e-2):
            raise ValueError("the label map is not on the grid of its CT")
        hu, labels = convert_to_numpy(image)[0], convert_to_numpy(mask)[0]
        edge = self.settings["pixels"] + 2 * self.border
        patches, densities = [np.zeros((0, edge, edge), dtype=np.float32)], []
        for level, density in changed[self.density_key].items():
            body = labels == LEVEL_IDS[level]
            if not body.any():
                continue
            try:
                patches.append(sample(hu, matrix, body, self.border, **self.settings))
            except PatchError:
                continue
            densities.append(density)
        changed[self.keys[0]] = torch.from_numpy(np.concatenate(patches))
        changed[self.label_key] = torch.tensor(densities, dtype=torch.float32)
        return changed


class ToReferenceBeamd(MapTransform):
    """Bring HU of mineral to the reference beam at 120 kV.

    A lower voltage makes the same mineral brighter: HU times slope(120) over slope(kVp). At 120 kV
    nothing changes.

    Args:
        keys: Keys of patches, HU.
        kvp_key: Key of the tube voltage, kV; without it 120 is assumed.
    """

    def __init__(self, keys: KeysCollection, kvp_key: str = "kvp") -> None:
        super().__init__(keys)
        self.kvp_key = kvp_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with HU as at 120 kV."""
        changed = dict(data)
        line = reference(float(changed.get(self.kvp_key, USUAL_KVP)))
        for key in self.key_iterator(changed):
            changed[key] = line.to_reference(changed[key])
        return changed


class SplitLevelsd(MapTransform):
    """Make one item of every level, which holds the keys named here alone.

    Args:
        keys: Keys of patches [3 L, P, P].
        label_key: Key of the targets [L].
        scan_keys: Keys of what belongs to the whole scan and goes with each of its levels.
        slices: Slices that go together with one target: all three of a patch, or each alone.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        scan_keys: Sequence[str] = (),
        slices: int = SLICES,
    ) -> None:
        super().__init__(keys)
        self.label_key, self.scan_keys, self.slices = label_key, tuple(scan_keys), slices

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, Any]]:
        """Return L items: patches [3, P, P] and a target [1]."""
        parts = {key: data[key].split(self.slices) for key in self.keys}
        shared = {key: data[key] for key in self.scan_keys}
        return [
            {key: part[number] for key, part in parts.items()}
            | {self.label_key: target[None]}
            | shared
            for number, target in enumerate(data[self.label_key])
        ]
