"""A dataset of patches: taken from their CTs once, on all cores, kept on disk and in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from bmd_bundle.common import PreparedScans, UnusableError

logger = logging.getLogger(__name__)

#: Batch norm needs two patches to learn from.
LEAST_LEVELS = 2


class PatchDataset(PreparedScans):
    """Scans of which every one has at least one patch.

    Args:
        data: One record per scan, see `records.measured_scans`.
        transform: Transforms that give a list of items, one for each level. Before the first random
            one, if any, stands `image` [3 L, P, P] with `label` [L], L the number of levels.
        cache_dir: Folder for the patches; safe to delete.
        workers: Processes that take patches, 0 for this one.
        items_per_level: Items that a level gives.

    Raises:
        UnusableError: A scan cannot be read, or fewer than two levels are left.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        cache_dir: str | Path,
        workers: int = 0,
        items_per_level: int = 1,
    ) -> None:
        super().__init__(data, transform, cache_dir, workers, made_of="patches")
        self._held: list[Any] = [self._cachecheck(item) for item in self.data]
        wanted = sum(len(record.get("density", ())) for record in data)
        kept = [(one, held) for one, held in zip(data, self._held, strict=True) if _levels(held)]
        self.data, self._held = [one for one, _ in kept], [held for _, held in kept]
        self.levels = sum(map(_levels, self._held))
        logger.info(
            "%d patches of %d scans; %d measured levels have none, %d scans have none at all",
            self.levels, len(kept), wanted - self.levels // items_per_level, len(data) - len(kept),
        )  # fmt: skip
        if self.levels < LEAST_LEVELS:
            raise UnusableError(
                f"{self.levels} patches of {len(data)} scans are too few: check that the label "
                "maps are on the grid of their CT and that ids 1 to 4 are whole bodies L1 to L4"
            )

    def _transform(self, index: int) -> Any:
        """Change the patches of scan number `index` at random."""
        return self._post_transform(deepcopy(self._held[index]))


def _levels(held: Mapping[str, Any] | list[Any]) -> int:
    """Count the levels of a scan: one item each where no random transform follows."""
    return len(held) if isinstance(held, list) else len(held["label"])
