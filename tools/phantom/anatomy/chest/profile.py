"""Smooth courses along the body's axis: a length as a function of z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

#: Step of the table that a course is read from, mm: fine against every curve of the chest.
STEP_MM = 2.0


@dataclass(frozen=True)
class Profile:
    """A length along z, tabulated; constant beyond both ends.

    Attributes:
        start: z of the first value, mm.
        values: mm, `STEP_MM` apart, [N].
    """

    start: float
    values: np.ndarray

    @staticmethod
    def through(heights: Sequence[float], values: Sequence[float]) -> Profile:
        """Lay a monotone curve through points.

        Args:
            heights: z, mm, in any order.
            values: mm.
        """
        order = np.argsort(heights)
        z, y = np.asarray(heights, float)[order], np.asarray(values, float)[order]
        table = np.arange(z[0], z[-1] + STEP_MM, STEP_MM)
        return Profile(float(z[0]), PchipInterpolator(z, y)(table.clip(max=z[-1])))

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Value at heights z, mm."""
        table = torch.tensor(self.values, dtype=torch.float32, device=z.device)
        place = ((z.float() - self.start) / STEP_MM).clamp(0, len(table) - 1.001)
        low = place.floor().long()
        return torch.lerp(table[low], table[low + 1], place - low)

    def at(self, z: float) -> float:
        """Value at one height, mm."""
        return float(self(torch.tensor(float(z))))

    def along(self, z: np.ndarray) -> list[float]:
        """Values at many heights at once, mm: `at` takes a hundred times as long."""
        values: list[float] = self(torch.from_numpy(z)).tolist()
        return values
