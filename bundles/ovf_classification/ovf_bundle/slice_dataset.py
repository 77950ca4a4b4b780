"""Scans of which each gives its sagittal slices: taken from the CT once, kept on disk."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from ovf_bundle.common import PreparedScans as SliceDataset
from ovf_bundle.common import UnusableError

__all__ = ["CountSlicesd", "RandSlicesd", "SliceDataset", "UnusableError"]

#: Slices are counted along this axis of an image [C, S, H, W].
AXIS = 1


class CountSlicesd(MapTransform):
    """Note how many slices an image has, before images of a batch are padded to one length.

    Args:
        keys: Key of the image [C, S, H, W].
        count_key: Where the number goes, an integer tensor [].
    """

    def __init__(self, keys: KeysCollection, count_key: str = "lengths") -> None:
        super().__init__(keys)
        self.count_key = count_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Count."""
        changed = dict(data)
        changed[self.count_key] = torch.tensor(changed[self.keys[0]].shape[AXIS])
        return changed


class RandSlicesd(RandomizableTransform, MapTransform):
    """Keep some of the slices of a scan, in their order.

    Args:
        keys: Images [C, S, H, W] with the same slices.
        least: Fewest kept.
        most: Most kept; a scan with fewer slices keeps all it has.
        neighbours: Whether those kept lie side by side, as in a narrower choice; else any are.
        places_key: Key of the matrices of the parts of a long scan, [parts, 4, 4]; of each part the
            same slices are kept. Without it there is one part.

    Raises:
        ValueError: `least` is not from 1 to `most`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        least: int = 3,
        most: int = 9,
        neighbours: bool = True,
        places_key: str = "places",
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob=1.0)
        if not 1 <= least <= most:
            raise ValueError(f"least {least} and most {most} slices: 1 <= least <= most")
        self.least, self.most, self.neighbours = least, most, neighbours
        self.places_key = places_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Choose slices."""
        changed = dict(data)
        self.randomize(None)
        parts = len(changed[self.places_key]) if self.places_key in changed else 1
        count = changed[self.keys[0]].shape[AXIS] // parts
        wanted = min(count, int(self.R.randint(self.least, self.most + 1)))
        if self.neighbours:
            first = int(self.R.randint(count - wanted + 1))
            kept = list(range(first, first + wanted))
        else:
            kept = sorted(self.R.choice(count, wanted, replace=False).tolist())
        kept = [part * count + one for part in range(parts) for one in kept]
        for key in self.key_iterator(changed):
            changed[key] = changed[key][:, kept]
        return changed
