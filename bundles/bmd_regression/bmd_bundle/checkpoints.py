"""Stopped training goes on as if it had not stopped: all state in one file, one seed per epoch."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from monai.handlers import CheckpointLoader
from monai.transforms import Randomizable

#: What `CheckpointSaver` calls the checkpoints it writes at the end of an epoch.
_EPOCH = re.compile(r"_epoch=(\d+)\.pt$")


def newest(folder: str) -> str | None:
    """Find the checkpoint with the highest epoch.

    Args:
        folder: Folder of checkpoints; may not exist yet.

    Returns:
        Path of the checkpoint, or None if there is none.
    """
    found = {
        int(match.group(1)): path
        for path in Path(folder).glob("*.pt")
        if (match := _EPOCH.search(path.name))
    }
    return str(found[max(found)]) if found else None


class ResumableCheckpoints:
    """Ignite handler that writes all state after each epoch and, if asked to, starts from it.

    The trainer's own state belongs to it, which a config cannot name inside the trainer's handlers.

    Args:
        folder: Folder of the checkpoints.
        state: What to save by name: network, optimiser, scheduler …
        resume: Whether to go on from the newest checkpoint, if there is one.
        interval: Epochs between checkpoints.
        kept: Checkpoints kept, the newest ones.
        device: Device to load to.
    """

    def __init__(
        self,
        folder: str,
        state: Mapping[str, Any],
        resume: bool = False,
        interval: int = 1,
        kept: int = 2,
        device: torch.device | str = "cpu",
    ) -> None:
        self.folder, self.state, self.resume = folder, dict(state), resume
        self.interval, self.kept, self.device = interval, kept, device

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        whole = {**self.state, "trainer": engine}
        if self.resume and (path := newest(self.folder)) is not None:
            # MONAI's type hint is narrower than what torch takes.
            device: Any = self.device
            CheckpointLoader(path, whole, map_location=device).attach(engine)
        # MONAI's CheckpointSaver writes under the final name: killed meanwhile, it leaves a torso.
        saver = Checkpoint(
            whole,
            DiskSaver(self.folder, require_empty=False, atomic=True),
            filename_prefix="checkpoint",
            filename_pattern="{filename_prefix}_epoch={global_step}.pt",
            global_step_transform=lambda trainer, _: trainer.state.epoch,
            n_saved=self.kept,
        )
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), saver)


class EpochSeed:
    """Ignite handler that seeds everything random anew at the start of each epoch.

    Epoch n is then the same whether the epochs before it were run just now or before a stop. It
    holds for loading without workers; workers get their seeds from the same numbers, but which
    worker loads what may differ.

    Args:
        seed: The run's seed.
        transform: Random transform of the training data, usually a `Compose`.
    """

    def __init__(self, seed: int, transform: Any = None) -> None:
        self.seed = seed
        self.transform = transform

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed torch, NumPy, Python and the transform by seed, epoch and process."""
        # Processes that train together must not all draw the same changes.
        parts = [self.seed, engine.state.epoch, idist.get_rank()]
        number = int(np.random.SeedSequence(parts).generate_state(1)[0])
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002 - third-party transforms draw from it
        random.seed(number)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed=number)
