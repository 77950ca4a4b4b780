"""The slices of a CT go through the network once: the CT's logit, and what every slice says."""

from __future__ import annotations

import time
from typing import Any

import torch
from monai.inferers import Inferer


class SliceInferer(Inferer):
    """Read whole CTs with a `SliceSequenceNet`: [B, C, S, H, W] -> [B, 1 + S], logits.

    The first is the CT's, the others are those of its slices, in their order.

    Attributes:
        seconds: How long the network took for the last CTs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __call__(
        self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """Run the network."""
        image = inputs.as_subclass(torch.Tensor)
        start = time.perf_counter()
        encoded = network.encode(image.transpose(1, 2).flatten(0, 1))
        slices: torch.Tensor = network.head.slice_out(network.head.reduce(encoded))
        scans = (image.shape[0], image.shape[2])
        whole = network.head(encoded.unflatten(0, scans), *args, **kwargs)
        found = torch.cat([whole, slices.view(scans)], dim=1)
        if found.is_cuda:
            torch.cuda.synchronize(found.device)
        self.seconds = time.perf_counter() - start
        return found
