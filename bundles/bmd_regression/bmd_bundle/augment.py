"""Random changes of training patches that keep HU and density consistent.

Patches are images [3 L, P, P] in HU at the reference beam, three slices for each of L levels, with
their densities [L], mg/cm³ HA.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.networks.layers import GaussianFilter
from monai.transforms import MapTransform, RandomizableTransform

from bmd_bundle.calibration import reference

#: Slices per level.
SLICES = 3


class RandMinerald(RandomizableTransform, MapTransform):
    """Add mineral to a patch and to its density at once, level by level.

    Trabecular bone with `d` mg/cm³ more of hydroxyapatite reads `slope * d` HU more everywhere:
    this is what the slope of a calibration means. So the network learns the physical slope over the
    whole range of densities, also where the training patients have none.

    Args:
        keys: Key of the patches, HU [3 L, P, P] at the reference beam.
        label_key: Key of the densities, mg/cm³ HA [L].
        prob: Share of the scans changed.
        most_mg_cm3: Most that is added or taken away, mg/cm³; all changes are equally likely.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        prob: float = 0.8,
        most_mg_cm3: float = 80.0,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.label_key = label_key
        self.most = most_mg_cm3
        self.slope = reference().slope_hu_per_mg_cm3

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with denser or emptier bone."""
        changed = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return changed
        label = changed[self.label_key]
        added = torch.as_tensor(self.R.uniform(-self.most, self.most, len(label))).to(label)
        changed[self.label_key] = label + added
        per_slice = added.repeat_interleave(SLICES)[:, None, None]
        for key in self.key_iterator(changed):
            changed[key] = changed[key] + self.slope * per_slice
        return changed


class RandSameScaled(RandomizableTransform, MapTransform):
    """Replace what the levels of a scan err by in common with a small random error.

    A scanner's offset and slope and the patient's size move all levels of a scan alike, by far more
    than levels differ, and no patch tells them: to the network they are noise of the target, in
    which the little that a patch does tell drowns. The levels' common error is the mean over them
    of a patch's mean HU less what the reference line expects of its density. Only where densities
    are truly known, as in phantoms; scanners are for a calibration to take out.

    Args:
        keys: Key of the patches, HU [3 L, P, P] at the reference beam.
        label_key: Key of the densities, mg/cm³ HA [L].
        usual_hu: Common error that patches have on average, which stays, HU.
        sd_hu: Spread of the error that comes in place of the scan's own, HU.
        least_levels: Scans of fewer levels stay as they are: of one level nothing would be left.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        usual_hu: float = 0.0,
        sd_hu: float = 2.0,
        least_levels: int = 3,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, 1.0)
        self.label_key, self.usual_hu, self.sd_hu = label_key, usual_hu, sd_hu
        self.least_levels = least_levels
        self.line = reference()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with patches of one scale."""
        changed = dict(data)
        error = self.usual_hu + float(self.R.normal(0.0, self.sd_hu))
        label = torch.as_tensor(changed[self.label_key]).double()
        if len(label) < self.least_levels:
            return changed
        expected = self.line.slope_hu_per_mg_cm3 * label + self.line.intercept_hu
        for key in self.key_iterator(changed):
            read = changed[key].double().unflatten(0, (len(label), SLICES)).mean((1, 2, 3))
            changed[key] = changed[key] + float(error - (read - expected).mean())
        return changed


class RandGrainyNoised(RandomizableTransform, MapTransform):
    """Add noise between white and coarse-grained, as sharp and soft kernels make it.

    Args:
        keys: Keys of images [C, P, P], HU.
        prob: Share of the scans changed.
        most_hu: Largest standard deviation, HU.
        most_grain: Largest standard deviation of the Gaussian that blurs it, pixels.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.5,
        most_hu: float = 40.0,
        most_grain: float = 1.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.most_hu, self.most_grain = most_hu, most_grain

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with noisier images."""
        changed = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return changed
        sd, grain = self.R.uniform(0, self.most_hu), self.R.uniform(0, self.most_grain)
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        blur = GaussianFilter(2, float(max(grain, 0.1)), approx="sampled")
        for key in self.key_iterator(changed):
            image = changed[key]
            noise = blur(torch.randn(image.shape, generator=generator)[None])[0]
            changed[key] = image + float(sd) / noise.std() * noise
        return changed
