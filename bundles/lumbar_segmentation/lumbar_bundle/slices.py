"""Sagittal slices of a slab: random ones to train on, fixed ones to validate on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable

from lumbar_bundle.classes import BACKGROUND, SACRUM

Slab = Mapping[Hashable, Any]


def slices_with_bodies(label: torch.Tensor) -> np.ndarray:
    """Find the sagittal slices that show a vertebral body.

    Args:
        label: Channels of the network, [1, X, Y, Z].

    Returns:
        Indices along X, rising; all of them if no slice shows a body.
    """
    body = (label != BACKGROUND) & (label != SACRUM)
    held = torch.nonzero(body.flatten(2).any(dim=2)[0]).flatten().cpu().numpy()
    return held if len(held) else np.arange(label.shape[1])


def cut_slice(volume: torch.Tensor, index: int, thickness: int = 1) -> torch.Tensor:
    """Cut one slice, or the mean of several as a thicker reformat shows it.

    Args:
        volume: [C, X, Y, Z].
        index: Middle of the slice along X.
        thickness: Slices averaged; those outside the volume are left out.

    Returns:
        [C, Y, Z], a plain tensor; float32 if averaged.
    """
    first = max(0, index - (thickness - 1) // 2)
    part = volume.as_subclass(torch.Tensor)[:, first : index + thickness // 2 + 1]
    return part[:, 0] if part.shape[1] == 1 else part.float().mean(dim=1)


class SagittalSlicesd(MapTransform):
    """Cut a slab into a few slices at fixed distances from the middle of its bodies.

    Args:
        keys: Keys of volumes [C, X, Y, Z] on one grid.
        label_key: Key of the channels, which tell where the bodies are.
        offsets: Places between the outermost slices with a body, 0 to 1.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        offsets: Sequence[float] = (0.2, 0.5, 0.8),
    ) -> None:
        super().__init__(keys)
        self.label_key = label_key
        self.offsets = tuple(offsets)

    def __call__(self, data: Slab) -> list[dict[Hashable, Any]]:
        """Return one item per slice, holding the keys alone, [C, Y, Z]."""
        held = slices_with_bodies(data[self.label_key])
        places = [round(held[0] + share * (held[-1] - held[0])) for share in self.offsets]
        return [{key: cut_slice(data[key], place) for key in self.keys} for place in places]


class RandSagittalSlicesd(Randomizable, MapTransform):
    """Cut random slices from a slab, most of them through bodies.

    Args:
        keys: Keys of volumes [C, X, Y, Z] on one grid.
        label_key: Key of the channels, which are never averaged.
        num_samples: Slices per slab.
        body_share: Share of slices that show a body; the others come from anywhere in the slab.
        most_thickness: Most slices averaged into one.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        num_samples: int = 4,
        body_share: float = 0.9,
        most_thickness: int = 3,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.label_key = label_key
        self.num_samples = num_samples
        self.body_share = body_share
        self.most_thickness = most_thickness

    def __call__(self, data: Slab) -> list[dict[Hashable, Any]]:
        """Return `num_samples` items that hold the keys alone, [C, Y, Z]."""
        held = slices_with_bodies(data[self.label_key])
        everywhere = np.arange(data[self.label_key].shape[1])
        items = []
        for _ in range(self.num_samples):
            places = held if self.R.random() < self.body_share else everywhere
            place = int(self.R.choice(places))
            thickness = int(self.R.randint(1, self.most_thickness + 1))
            items.append(
                {
                    key: cut_slice(data[key], place, 1 if key == self.label_key else thickness)
                    for key in self.keys
                }
            )
        return items
