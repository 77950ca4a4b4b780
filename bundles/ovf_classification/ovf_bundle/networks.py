"""S1's network: a ResNet34 looks at every sagittal slice, an aggregator says one logit for the CT.

    network_def: {_target_: ovf_bundle.networks.SliceSequenceNet, encoder: ..., aggregator: ...}

512 numbers a slice -> 32 (the slice's feature) -> 1 (what the slice says alone); the sequence of
features goes to the aggregator (`ovf_bundle.aggregators`).
"""

from __future__ import annotations

import torch
from torch import nn

from ovf_bundle.aggregators import FEATURES

#: Length of what ResNet34 gives for a slice.
ENCODED = 512
#: Edge of a slice, pixels (S1).
PIXELS = 224


class SequenceHead(nn.Module):
    """From the encoder's numbers of each slice to one logit for the CT.

    S1 names batch norm and ReLU "after the FC layers"; here after the first only, since a ReLU
    before the sigmoid would make every probability at least a half.

    Args:
        aggregator: One of `ovf_bundle.aggregators`.
        encoded: Length of what the encoder gives.
        features: Length of a slice's feature.

    Shapes: [B, S, encoded], lengths [B] or None -> [B, 1].
    """

    def __init__(
        self, aggregator: nn.Module, encoded: int = ENCODED, features: int = FEATURES
    ) -> None:
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Linear(encoded, features), nn.BatchNorm1d(features), nn.ReLU()
        )
        self.slice_out = nn.Linear(features, 1)
        self.aggregator = aggregator

    def forward(self, encoded: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Aggregate slices; those from a CT's `lengths` on are padding."""
        batch, count = encoded.shape[0], encoded.shape[1]
        valid = valid_slices(batch, count, lengths, encoded.device)
        if lengths is None:  # also how it is exported: no shape depends on values
            kept: torch.Tensor = self.reduce(encoded.flatten(0, 1))
            features = kept.view(batch, count, kept.shape[1])
        else:  # padding must not reach the batch norm
            kept = self.reduce(encoded[valid])
            features = torch.zeros(
                batch, count, kept.shape[1], dtype=kept.dtype, device=kept.device
            )
            features[valid] = kept
        logits = self.slice_out(features).squeeze(2)
        pooled: torch.Tensor = self.aggregator(features, logits, valid)
        return pooled


class SliceSequenceNet(nn.Module):
    """Slice encoder and sequence head, with the mean image that is taken off every slice.

    Args:
        encoder: Network from [N, C, H, W] to [N, encoded].
        aggregator: One of `ovf_bundle.aggregators`.
        encoded: Length of what the encoder gives.
        features: Length of a slice's feature.
        pixels: Edge of a slice, and of the mean image.

    Shapes: image [B, C, S, H, W], 0 to 1, slices right to left; lengths [B], the number of slices
    of each CT, or None where there is no padding -> [B, 1], a logit.
    """

    def __init__(
        self,
        encoder: nn.Module,
        aggregator: nn.Module,
        encoded: int = ENCODED,
        features: int = FEATURES,
        pixels: int = PIXELS,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = SequenceHead(aggregator, encoded, features)
        # Declared here: TorchScript cannot read the text of an annotation of the class.
        self.mean_image: torch.Tensor
        self.register_buffer("mean_image", torch.zeros(pixels, pixels))

    def encode(self, slices: torch.Tensor) -> torch.Tensor:
        """Take the mean image off slices [N, C, H, W] and encode them, [N, encoded]."""
        encoded: torch.Tensor = self.encoder(slices - self.mean_image)
        return encoded

    def slice_logits(self, image: torch.Tensor) -> torch.Tensor:
        """Say what every slice of [B, C, S, H, W] shows by itself, [B, S]."""
        encoded = self.encode(image.transpose(1, 2).flatten(0, 1))
        logits: torch.Tensor = self.head.slice_out(self.head.reduce(encoded))
        return logits.view(image.shape[0], image.shape[2])

    def forward(self, image: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Read CTs; slices from a CT's `lengths` on are padding and change nothing."""
        batch, count = image.shape[0], image.shape[2]
        slices = image.transpose(1, 2).flatten(0, 1)
        if lengths is None:
            encoded = self.encode(slices)
        else:
            valid = valid_slices(batch, count, lengths, image.device).flatten()
            kept = self.encode(slices[valid])
            encoded = torch.zeros(
                batch * count, kept.shape[1], dtype=kept.dtype, device=kept.device
            )
            encoded[valid] = kept
        logits: torch.Tensor = self.head(encoded.view(batch, count, encoded.shape[1]), lengths)
        return logits


def valid_slices(
    batch: int, count: int, lengths: torch.Tensor | None, device: torch.device
) -> torch.Tensor:
    """Tell slices from padding, [B, S] bool; all are slices without `lengths` [B]."""
    if lengths is None:
        return torch.ones(batch, count, dtype=torch.bool, device=device)
    return torch.arange(count, device=device).unsqueeze(0) < lengths.to(device).view(-1, 1)
