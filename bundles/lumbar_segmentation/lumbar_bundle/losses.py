"""Loss that asks first for the outline of every body and then for its level.

On scans of other vendors a network that had to learn the levels as rival classes left bodies out
whose level it doubted. So bodies are learnt as one class, and levels only among the body's voxels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from monai.losses import DiceCELoss
from torch import nn

from lumbar_bundle.classes import BACKGROUND, BODY_CHANNELS, SACRUM


class BodyAndLevelLoss(nn.Module):
    """Dice and cross-entropy of background / body / sacrum, plus cross-entropy of the level.

    Args:
        level_weight: Weight of the level's cross-entropy, which counts in true bodies only.

    Shapes: logits [B, 10, H, W] (channels of `lumbar_bundle.classes`) and true channels
    [B, 1, H, W] -> a number.
    """

    def __init__(self, level_weight: float = 0.5) -> None:
        super().__init__()
        self.level_weight = level_weight
        self.outline = DiceCELoss(
            softmax=True, to_onehot_y=True, include_background=False, batch=True
        )

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch."""
        target = target.as_subclass(torch.Tensor).long()
        logits = logits.as_subclass(torch.Tensor)
        body = list(BODY_CHANNELS)
        levels = logits[:, body]
        # The logarithm of a sum of exponentials makes the sum of the softmax over the bodies.
        merged = torch.stack(
            [logits[:, BACKGROUND], torch.logsumexp(levels, dim=1), logits[:, SACRUM]], dim=1
        )
        kind = torch.zeros_like(target)
        kind[target == SACRUM] = 2
        order = torch.zeros_like(target)
        for position, channel in enumerate(body):
            inside = target == channel
            kind[inside] = 1
            order[inside] = position
        inside = kind[:, 0] == 1
        level = F.cross_entropy(levels, order[:, 0], reduction="none")
        level = (level * inside).sum() / inside.sum().clamp(min=1)
        return self.outline(merged, kind) + self.level_weight * level
