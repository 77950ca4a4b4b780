"""The shipped network, and one with internal calibration.

The shipped one adds to the line of the reference beam what a DenseNet sees in the patch beyond its
mean. In internal calibration what air, fat, muscle and blood read corrects the density:
scanners differ in what they make of one density, the patient's own tissues differ less, and their
HU in the same scan say how far this scan's line is off (Boden 1989, Radiology 171:555; Michalski
2020, Med Phys 47:6017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import DenseNet121
from torch import nn

from bmd_bundle.calibration import reference
from bmd_bundle.tissue_planes import PLANES

#: Channels of the patch.
SLICES = 3


class LineDenseNet121(DenseNet121):
    """The reference beam's line through a patch's mean, and a DenseNet-121 for what it leaves.

    Mean HU and density are one line by physics. Learnt from examples it is a few mg/cm³ off here
    and there, which is as much as all that texture can add; given, its slope is exact at every
    density, and the network has only the rest to learn. It starts at the line itself.

    Args:
        hu_window: HU that the input's 0 and 1 stand for.
        density_mean: Density that the output's 0 stands for, mg/cm³ HA.
        density_sd: Density for each unit of the output, mg/cm³ HA.
        **settings: Those of MONAI's DenseNet121.

    Shapes: [B, C, P, P], 0 to 1 -> [B, 1], standardised density.
    """

    def __init__(
        self,
        hu_window: Sequence[float] = (-150.0, 850.0),
        density_mean: float = 120.0,
        density_sd: float = 50.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        line, (low, high) = reference(), hu_window
        self.slope = (high - low) / line.slope_hu_per_mg_cm3 / density_sd
        self.intercept = (line.density(low) - density_mean) / density_sd
        for parameter in self.class_layers.get_submodule("out").parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Read patches."""
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        rest: torch.Tensor = self.class_layers(self.features(x - mean))
        return self.slope * mean.flatten(1) + self.intercept + rest


class TissueCalibrated(nn.Module):
    """A backbone that reads the patch, and a linear head that corrects its reading by the tissues.

    The head sees the tissues' deviations `t` and `t` times the backbone's reading: an offset and a
    slope of the scan. It starts at no correction, and a tissue that was not found (0) gives none.

    Args:
        backbone: Network from [B, 3, P, P] to [B, 1].

    Shapes: [B, 3 + 5, P, P], the last five planes constant (`bmd_bundle.tissue_planes`) -> [B, 1].
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.slices = SLICES  # TorchScript knows no constants of a module
        self.head = nn.Linear(2 * len(PLANES), 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Read patches with the planes of their scan's tissues."""
        density = self.backbone(image[:, : self.slices])
        tissues = image[:, self.slices :].mean(dim=(2, 3))
        correction: torch.Tensor = self.head(torch.cat([tissues, tissues * density], dim=1))
        return density + correction


def load_backbone(network: TissueCalibrated, path: str, frozen: bool = True) -> None:
    """Start a network's backbone from the shipped weights.

    Args:
        network: The network.
        path: Plain state dict of the backbone.
        frozen: Whether the backbone stays as it is; only the head learns then.

    Raises:
        OSError: The file cannot be read.
        RuntimeError: The weights are those of another network.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.backbone.load_state_dict(state)
    network.backbone.requires_grad_(not frozen)
