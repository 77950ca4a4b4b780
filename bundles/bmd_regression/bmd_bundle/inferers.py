"""All patches of a scan go through the network at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import SimpleInferer


class PatchInferer(SimpleInferer):
    """Read the patches of whole scans: [B, L, C, P, P] -> [B, L, 1].

    A scan without a single patch gives [B, 0, 1]; patches [B, C, P, P] give [B, 1].
    """

    def __call__(
        self,
        inputs: torch.Tensor,
        network: Callable[..., torch.Tensor],
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Run the network on every patch."""
        if inputs.ndim == 4:
            return super().__call__(inputs, network, *args, **kwargs)
        scans, levels = inputs.shape[:2]
        if scans * levels == 0:
            return inputs.new_zeros((scans, levels, 1))
        found = super().__call__(inputs.flatten(0, 1), network, *args, **kwargs)
        return found.unflatten(0, (scans, levels))
