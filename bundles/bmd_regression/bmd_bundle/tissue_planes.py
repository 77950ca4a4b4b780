"""HU of a scan's own tissues, as constant planes beside a patch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from bmd_bundle.calibration import USUAL_KVP

#: Planes in the order in which they follow the patch, with the HU that each tissue has at 120 kV:
#: air outside the patient; fat, muscle and unenhanced blood (ICRU 44 compositions, phantom's
#: physics). They only centre the numbers; what counts is learnt.
TISSUE_HU = {"air": -1000.0, "fat": -100.0, "muscle": 55.0, "blood": 45.0}
PLANES = (*TISSUE_HU, "kvp")
#: HU and kV of one unit of the planes.
UNIT_HU, UNIT_KV = 10.0, 20.0


def vector(hu: Sequence[float | None], kvp: float | None) -> torch.Tensor:
    """Standardise the tissues of a scan.

    Args:
        hu: HU of air, fat, muscle and blood; None where one was not found.
        kvp: Tube voltage, kV; None, not known, as 120.

    Returns:
        float32 [5]; 0 where a tissue was not found.

    Examples:
        >>> vector([-1000.0, -110.0, None, 50.0], 100.0).tolist()
        [0.0, -1.0, 0.0, 0.5, -1.0]
    """
    pairs = zip(hu, TISSUE_HU.values(), strict=True)
    values = [0.0 if found is None else (found - usual) / UNIT_HU for found, usual in pairs]
    return torch.tensor([*values, ((kvp or USUAL_KVP) - USUAL_KVP) / UNIT_KV])


class AddTissuePlanesd(MapTransform):
    """Put the tissues behind the slices of patches, [..., 3, P, P] -> [..., 3 + 5, P, P].

    Args:
        keys: Keys of patches.
        tissues_key: Key of the tissues, [5], as `vector` gives them; taken out.
    """

    def __init__(self, keys: KeysCollection, tissues_key: str = "tissues") -> None:
        super().__init__(keys)
        self.tissues_key = tissues_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with wider patches."""
        changed = dict(data)
        tissues = torch.as_tensor(changed.pop(self.tissues_key))
        for key in self.key_iterator(changed):
            patch = torch.as_tensor(changed[key])
            shape = (*patch.shape[:-3], len(PLANES), *patch.shape[-2:])
            planes = tissues.to(patch)[:, None, None].expand(shape)
            changed[key] = torch.cat([patch, planes], dim=-3)
        return changed
