"""Batch norm for a regression of absolute values: its statistics are settled before the end.

In training mode a batch norm subtracts the batch's own mean. Of patches whose mean HU is the very
thing to be told, 64 have a mean that is uncertain by an eighth of their spread, some 7 mg/cm³. Once
the statistics are running averages instead, training and evaluation are the same function, and the
last epochs fit that one. S1 freezes them likewise after its first stage.
"""

from __future__ import annotations

import math
from typing import Any

from ignite.engine import Engine, Events
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class SettledNorms:
    """Ignite handler that lets batch norms use their running statistics from an epoch on.

    Their weights go on learning.

    Args:
        network: The network.
        share: Share of the epochs after which the statistics are settled; 1 means never.

    Raises:
        ValueError: `share` is not within 0 and 1.
    """

    def __init__(self, network: nn.Module, share: float = 0.7) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share is from 0 to 1, not {share}")
        self.network, self.share = network, share

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Settle the statistics when their epoch has come."""
        if engine.state.epoch <= math.ceil(self.share * (engine.state.max_epochs or 0)):
            return
        settle(self.network)


def settle(network: nn.Module) -> None:
    """Let every batch norm use its running statistics, even when the network is told to train."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            stay: Any = module
            # The trainer calls `network.train()` at every step, which would undo it.
            stay.train = _Stay(module)


class _Stay:
    """Takes the place of a settled module's `train`."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, mode: bool = True) -> nn.Module:
        return self.module
