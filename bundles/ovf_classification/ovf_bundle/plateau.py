"""S1's learning rate: lowered when the loss of the validation scans stops falling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Loss
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau


class LowerOnPlateau:
    """Ignite handler of the trainer that steps its scheduler after every validation.

    Args:
        lr_scheduler: Sees the mean binary cross-entropy of the validation scans.
        evaluator: Validates; its outputs hold probabilities under "pred".
    """

    def __init__(self, lr_scheduler: ReduceLROnPlateau, evaluator: Engine) -> None:
        self.lr_scheduler, self.evaluator = lr_scheduler, evaluator

    def attach(self, engine: Engine) -> None:
        """Register with the evaluator; `engine`, the trainer, needs nothing."""
        Loss(nn.BCELoss(), output_transform=stacked).attach(self.evaluator, "val_loss")
        self.evaluator.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Step the scheduler."""
        self.lr_scheduler.step(engine.state.metrics["val_loss"])


def stacked(output: Sequence[dict[str, Any]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn the outputs of a batch, one dictionary a scan, into probabilities and labels [B, 1]."""
    pred, label = (torch.stack([one[key].float() for one in output]) for key in ("pred", "label"))
    return pred, label
