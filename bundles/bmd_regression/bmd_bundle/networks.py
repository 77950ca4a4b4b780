"""A network with internal calibration: what air, fat, muscle and blood read corrects its density.

Scanners differ in what they make of one density; the patient's own tissues differ less. Their HU,
read from the same scan, say how far this scan's line is off (internal calibration: Boden 1989,
Radiology 171:555; Michalski 2020, Med Phys 47:6017).
"""

from __future__ import annotations

import torch
from torch import nn

from bmd_bundle.tissue_planes import PLANES

#: Channels of the patch.
SLICES = 3


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
