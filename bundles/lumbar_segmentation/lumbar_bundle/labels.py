"""Label maps with ids become maps of the network's channels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import MapTransform

from lumbar_bundle.classes import to_classes


class ToClassesd(MapTransform):
    """Map label ids 0-16 to the network's channels (`lumbar_bundle.classes.to_classes`)."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with channels, uint8, in place of ids."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = to_classes(changed[key])
        return changed
