"""The worst that can happen to counting from the sacrum, made on purpose: it holds L5.

A network that takes L5 for sacrum, and every other body for the one below it, gives outlines in
which each count from the sacrum is one too low and all votes agree with it. Only the shape of what
is called sacrum can tell.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch.nn import functional

from tools import bundles, segmentation

CLOSING = 7
"""Width of the closing that fills the disc L5/S1, pixels of 2 mm: discs are up to 14 mm high."""

SURE = 20.0
"""How far the logit of what is filled in stands above all others."""


class SwallowedL5(torch.nn.Module):
    """A network whose sacrum holds L5, all other bodies named one level too low.

    Args:
        network: Gives logits [B, C, H, W] of `lumbar_bundle.classes`.
        disc: Whether the disc L5/S1 is taken for sacrum, too.
    """

    def __init__(self, network: torch.nn.Module, disc: bool) -> None:
        super().__init__()
        self.network, self.disc = network, disc
        self.names = bundles.module(segmentation.NAME, "lumbar_bundle.classes")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of the wrong names, [B, C, H, W]."""
        logits = self.network(image)
        bodies, sacrum = list(self.names.CHAIN_CHANNELS), self.names.SACRUM
        wrong = logits.clone()
        wrong[:, sacrum] = torch.logsumexp(logits[:, [sacrum, bodies[0]]], dim=1)
        wrong[:, bodies[:-1]] = logits[:, bodies[1:]]
        # The uppermost channel stands for many bodies, the lowest of which changes its name.
        wrong[:, bodies[-2:]] -= math.log(2)
        if self.disc:
            inside = (wrong.softmax(1)[:, [sacrum]] > 0.5).float()
            grown = functional.max_pool2d(inside, CLOSING, 1, CLOSING // 2)
            closed = -functional.max_pool2d(-grown, CLOSING, 1, CLOSING // 2)
            filled = (closed[:, 0] > inside[:, 0]) & (wrong.argmax(1) == self.names.BACKGROUND)
            wrong[:, sacrum] = torch.where(filled, wrong.amax(1) + SURE, wrong[:, sacrum])
        return wrong


def swallow(bundle: bundles.Bundle, disc: bool) -> bundles.Bundle:
    """Return the segmentation bundle with its network made wrong."""
    return replace(bundle, network=SwallowedL5(bundle.network, disc).eval())
