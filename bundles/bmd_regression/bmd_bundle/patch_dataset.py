"""A dataset of patches: taken from their CTs once, on all cores, kept on disk and in memory.

Taking a patch costs about a second a scan, training on it a few milliseconds: so the patches are
made before the first epoch, and what could not be made is said then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from monai.data import PersistentDataset
from monai.data.utils import pickle_hashing
from torch.utils.data import DataLoader, Dataset

logger = logging.getLogger(__name__)

#: Batch norm needs two patches to learn from.
LEAST_LEVELS = 2
#: Progress is told about this often.
TOLD = 10


class UnusableError(ValueError):
    """Scans that cannot be used, in one line."""


class PatchDataset(PersistentDataset):
    """Scans of which every one has at least one patch.

    Args:
        data: One record per scan, see `records.measured_scans`.
        transform: Transforms that give a list of items, one for each level. Before the first random
            one, if any, stands `image` [3 L, P, P] with `label` [L], L the number of levels.
        cache_dir: Folder for the patches; safe to delete.
        workers: Processes that take patches, 0 for this one.

    Raises:
        UnusableError: A scan cannot be read, or fewer than two levels are left.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        cache_dir: str | Path,
        workers: int = 0,
    ) -> None:
        super().__init__(data, transform, cache_dir, hash_transform=pickle_hashing)
        self._held: list[Any] = []
        self._fill(workers)
        wanted = sum(len(record.get("density", ())) for record in data)
        kept = [(one, held) for one, held in zip(data, self._held, strict=True) if _levels(held)]
        self.data, self._held = [one for one, _ in kept], [held for _, held in kept]
        self.levels = sum(map(_levels, self._held))
        logger.info(
            "%d patches of %d scans; %d measured levels have none, %d scans have none at all",
            self.levels, len(kept), wanted - self.levels, len(data) - len(kept),
        )  # fmt: skip
        if self.levels < LEAST_LEVELS:
            raise UnusableError(
                f"{self.levels} patches of {len(data)} scans are too few: check that the label "
                "maps are on the grid of their CT and that ids 1 to 4 are whole bodies L1 to L4"
            )

    def _fill(self, workers: int) -> None:
        """Make the patches that the disk does not hold, then take all into memory."""
        problems = []
        for number, problem in enumerate(_made(self, workers), start=1):
            if problem:
                problems.append(problem)
                logger.error(problem)
            if len(self.data) >= TOLD and number % (len(self.data) // TOLD) == 0:
                logger.info("patches of %d of %d scans", number, len(self.data))
        if problems:
            more = f" (and {len(problems) - 1} more, see above)" if len(problems) > 1 else ""
            raise UnusableError(problems[0] + more)
        self._held = [self._cachecheck(item) for item in self.data]

    def _transform(self, index: int) -> Any:
        """Change the patches of scan number `index` at random."""
        return self._post_transform(deepcopy(self._held[index]))


def _levels(held: Mapping[str, Any] | list[Any]) -> int:
    """Count the levels of a scan: one item each where no random transform follows."""
    return len(held) if isinstance(held, list) else len(held["label"])


class _Making(Dataset):
    """Makes the patches of a scan when asked for it; gives what went wrong, or nothing."""

    def __init__(self, owner: PatchDataset) -> None:
        self.owner = owner

    def __len__(self) -> int:
        return len(self.owner.data)

    def __getitem__(self, index: int) -> str:
        item = self.owner.data[index]
        try:
            self.owner._cachecheck(item)
        except Exception as error:  # whatever is wrong with one scan, the others are looked at too
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            first = (str(cause).splitlines() or [""])[0]
            return f"{item['image']}: {first}; mend the record or leave it out"
        return ""


def _made(owner: PatchDataset, workers: int) -> Iterator[str]:
    """Make all patches; gives one text per scan, in order."""
    if workers == 0:
        making = _Making(owner)
        yield from (making[index] for index in range(len(making)))
        return
    loader = DataLoader(
        _Making(owner), batch_size=1, num_workers=workers, collate_fn=_only, prefetch_factor=2
    )
    with torch.random.fork_rng(
        devices=[]
    ):  # the loader draws a seed, which the training would miss
        yield from loader


def _only(batch: list[str]) -> str:
    """Take the one item out of its batch."""
    return batch[0]
