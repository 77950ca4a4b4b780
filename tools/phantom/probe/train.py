"""A plain U-Net and its training within a budget of wall-clock time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from tqdm import tqdm

from tools.phantom.probe.augment import draw_batch
from tools.phantom.probe.slices import SliceSet

BATCH = 16
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-4
#: Share of the budget in which the learning rate rises to its full value.
WARM_UP = 0.03
CLASSES = 3


@dataclass(frozen=True)
class Training:
    """What was trained, and how.

    Attributes:
        network: The trained network, in evaluation mode.
        steps: Optimiser steps taken.
        epochs: Slices seen over slices there are.
        seconds: Wall-clock time.
        cpu_seconds: Processor time of all threads.
        losses: Mean loss of each tenth of the run.
    """

    network: torch.nn.Module
    steps: int
    epochs: float
    seconds: float
    cpu_seconds: float
    losses: list[float]


def build_network() -> torch.nn.Module:
    """Return MONAI's 2-D U-Net: 5 resolutions, residual units, batch norm, 1.6 M weights."""
    network = UNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=CLASSES,
        channels=(16, 32, 64, 128, 256),
        strides=(2, 2, 2, 2),
        num_res_units=2,
        norm="batch",
    )
    # Half the time of the default layout on CPUs; torch's type hints lack the argument.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def train(
    slices: SliceSet, seed: int, seconds: float, steps: int | None = None, threads: int = 2
) -> Training:
    """Train on augmented crops until the time (or the number of steps) is used up.

    The learning rate follows a half cosine over the budget. Equal seeds give equal batches in
    equal order; how many of them fit in the time is the machine's matter, unless `steps` is set.

    Args:
        slices: Training slices.
        seed: Seeds weights, order and augmentation.
        seconds: Budget of wall-clock time.
        steps: Take exactly this many steps instead.
        threads: Processor threads.

    Returns:
        The network and the run's numbers.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = build_network().train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    loss_of = DiceCELoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
    start, cpu_start = time.monotonic(), time.process_time()
    spent = _clock(start, seconds, steps)
    losses: list[float] = []
    order = torch.empty(0, dtype=torch.int64)
    with tqdm(desc="training", unit="step", mininterval=5) as bar:
        while (done := spent(len(losses))) < 1:
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * _schedule(done)
            while len(order) < BATCH:
                order = torch.cat([order, torch.randperm(len(slices.images), generator=generator)])
            image, label = draw_batch(slices, order[:BATCH], generator)
            order = order[BATCH:]
            logits = network(image.to(memory_format=torch.channels_last))
            loss = loss_of(logits, label)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    tenths = torch.tensor(losses).tensor_split(10)
    return Training(
        network=network.eval(),
        steps=len(losses),
        epochs=len(losses) * BATCH / len(slices.images),
        seconds=time.monotonic() - start,
        cpu_seconds=time.process_time() - cpu_start,
        losses=[round(float(part.mean()), 4) for part in tenths if len(part)],
    )


def _clock(start: float, seconds: float, steps: int | None) -> Callable[[int], float]:
    """Return what tells the share of the budget that is spent after a number of steps."""
    if steps is not None:
        return lambda taken: taken / steps
    return lambda _: (time.monotonic() - start) / seconds


def _schedule(done: float) -> float:
    """Learning rate factor: linear rise, then half a cosine.

    >>> [round(_schedule(done), 2) for done in (0.0, 0.03, 0.515, 1.0)]
    [0.02, 1.0, 0.5, 0.0]
    """
    rise = min(1.0, 0.02 + done / WARM_UP)
    return rise * 0.5 * (1 + math.cos(math.pi * max(0.0, done - WARM_UP) / (1 - WARM_UP)))
