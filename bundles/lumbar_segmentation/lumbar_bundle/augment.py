"""Random changes of slices that MONAI has no transform for.

Thick voxels, blotchy noise, cut fields, and a bright vessel before the spine.

All take images as thousands of HU above air (air 0, water 1.024), so that zero is what a scanner
writes outside its field, and give the same unit back.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from lumbar_bundle.classes import BACKGROUND, SACRUM

#: HU that the unit calls zero, and HU per unit.
AIR_HU, UNIT_HU = -1024.0, 1000.0


def between(random: np.random.RandomState, limits: Sequence[float]) -> float:
    """Draw a number between two limits, all equally likely."""
    low, high = limits
    return float(random.uniform(low, high))


class RandThickVoxelsd(RandomizableTransform, MapTransform):
    """Average to larger voxels along one or both axes and interpolate back.

    Args:
        keys: Keys of images [1, Y, Z].
        prob: Share of the slices changed.
        factor_range: Range of the larger voxel over the pixel.
    """

    def __init__(
        self, keys: KeysCollection, prob: float = 0.5, factor_range: Sequence[float] = (1.3, 3.0)
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.factor_range = factor_range

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with coarser images of the same size."""
        changed = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return changed
        factor = between(self.R, self.factor_range)
        both, along_z = self.R.random() < 0.5, self.R.random() < 0.7
        factors = (factor if both or not along_z else 1.0, factor if both or along_z else 1.0)
        for key in self.key_iterator(changed):
            image = changed[key][None]
            size = [
                max(1, round(n / each)) for n, each in zip(image.shape[2:], factors, strict=True)
            ]
            coarse = F.interpolate(image, size=size, mode="area")
            changed[key] = F.interpolate(
                coarse, size=image.shape[2:], mode="bilinear", align_corners=False
            )[0]
        return changed


class RandScanNoised(RandomizableTransform, MapTransform):
    """Add noise that is partly fine and partly blotchy, as soft kernels make it.

    Args:
        keys: Keys of images [1, Y, Z].
        prob: Share of the slices changed.
        most_hu: Largest standard deviation, HU.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.6, most_hu: float = 90.0) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.most_hu = most_hu

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with noisier images, nowhere below air."""
        changed = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return changed
        sd = self.R.uniform(0, self.most_hu) / UNIT_HU
        blend = self.R.random()
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        for key in self.key_iterator(changed):
            image = changed[key]
            rows, columns = image.shape[-2:]
            fine = torch.randn(image.shape, generator=generator)
            small = torch.randn(1, 1, -(-rows // 2), -(-columns // 2), generator=generator)
            # Interpolation halves the variance twice and more; 1.5 makes up for it.
            blotchy = 1.5 * F.interpolate(small, size=(rows, columns), mode="bilinear")[0]
            changed[key] = (image + sd * ((1 - blend) * fine + blend * blotchy)).clamp(min=0)
        return changed


class RandFieldCutd(RandomizableTransform, MapTransform):
    """Blank what lies beyond a random field: above, below, in front or behind.

    The network then cannot tell a level by its place in the image, nor by how far it is from the
    image's end.

    Args:
        keys: Keys of images and channels [1, Y, Z]; all are blanked with 0.
        prob: Share of the slices changed.
        most_z: Largest share of Z blanked at each end.
        most_y: Largest share of Y blanked at each end.
    """

    def __init__(
        self, keys: KeysCollection, prob: float = 0.4, most_z: float = 0.45, most_y: float = 0.2
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.most_z, self.most_y = most_z, most_y

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with blanked margins."""
        changed = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return changed
        # One or both ends in z; now and then the ends in y as well.
        low, high = self.R.uniform(0, self.most_z, 2) * (self.R.random(2) < 0.65)
        back, front = self.R.uniform(0, self.most_y, 2) * (self.R.random(2) < 0.3)
        for key in self.key_iterator(changed):
            part = changed[key].clone()
            rows, columns = part.shape[-2:]
            part[..., : int(low * columns)] = 0
            part[..., columns - int(high * columns) :] = 0
            part[..., : int(back * rows), :] = 0
            part[..., rows - int(front * rows) :, :] = 0
            changed[key] = part
        return changed


class RandBrightVesseld(RandomizableTransform, MapTransform):
    """Paint a band before the bodies as bright as an aorta or cava full of contrast medium.

    Args:
        keys: Keys of images [1, Y, Z]; Y rises to anterior.
        label_key: Key of the channels, which tell where the bodies' front is.
        prob: Share of the slices changed.
        pixel_mm: Pixel size.
        hu_range: Range of the band's value, HU.
        width_mm: Range of its width.
        gap_mm: Range of its distance from the bodies.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        prob: float = 0.2,
        pixel_mm: float = 2.0,
        hu_range: Sequence[float] = (90.0, 400.0),
        width_mm: Sequence[float] = (10.0, 26.0),
        gap_mm: Sequence[float] = (1.0, 12.0),
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.label_key = label_key
        self.pixel_mm = pixel_mm
        self.hu_range, self.width_mm, self.gap_mm = hu_range, width_mm, gap_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with a brighter band; unchanged if no body is in sight."""
        changed = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return changed
        label = changed[self.label_key].as_subclass(torch.Tensor)[0]
        body = (label != BACKGROUND) & (label != SACRUM)
        columns = torch.nonzero(body.any(dim=0)).flatten()
        hu = between(self.R, self.hu_range)
        gap = between(self.R, self.gap_mm) / self.pixel_mm
        width = between(self.R, self.width_mm) / self.pixel_mm
        if len(columns) < 2:
            return changed
        rows = torch.arange(label.shape[0])[:, None]
        front = (body * rows).amax(dim=0).float()
        # The bodies' front is a comb; a running maximum bridges the discs.
        front = F.max_pool1d(front[None, None], 21, stride=1, padding=10)[0, 0]
        start = front + gap
        z = torch.arange(label.shape[1])
        near = (z >= columns[0] - 10) & (z <= columns[-1] + 10)
        band = (rows >= start) & (rows < start + width) & near
        value = (hu - AIR_HU) / UNIT_HU
        for key in self.key_iterator(changed):
            image = changed[key]
            # Only soft tissue brightens: bowel gas and bone stay what they are.
            soft = (image > 0.9) & (image < 1.2) & band[None]
            changed[key] = torch.where(soft, image - 1.06 + value, image)
        return changed
