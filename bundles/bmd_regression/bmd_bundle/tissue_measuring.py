"""The scan's own tissues as a transform: `tissues.measure` before the CT is taken out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy

from bmd_bundle import tissues
from bmd_bundle.measuring import known_kvp
from bmd_bundle.tissue_planes import vector


class MeasureTissuesd(MapTransform):
    """Measure air, fat, muscle and blood of a CT; a case that brings its tissues keeps them.

    A CT cut out of a larger scan lacks the air beside the patient and the fat under the skin.

    Args:
        keys: Key of the CT, HU [1, X, Y, Z] with affine.
        mask_key: Key of the label map on the same grid.
        kvp_key: Key of the tube voltage, kV.
        tissues_key: Where the standardised tissues go, float32 [5].
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        mask_key: str = "mask",
        kvp_key: str = "kvp",
        tissues_key: str = "tissues",
    ) -> None:
        super().__init__(keys)
        self.mask_key, self.kvp_key, self.tissues_key = mask_key, kvp_key, tissues_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with the tissues."""
        if self.tissues_key in data:
            return dict(data)
        image = data[self.keys[0]]
        hu, labels = convert_to_numpy(image)[0], convert_to_numpy(data[self.mask_key])[0]
        found = tissues.measure(hu, convert_to_numpy(image.affine).astype(float), labels)
        kvp = known_kvp(data.get(self.kvp_key))
        return {**data, self.tissues_key: vector(found.values(), kvp)}
