"""Denser and lost bone inside a body: sclerosis under an endplate, lytic and blastic foci."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Sclerosis:
    """A band of dense bone under an endplate.

    Attributes:
        upper: Whether it lies under the upper endplate.
        thickness: Distance over which it fades, mm.
        amount: Mineral at the endplate over the usual, minus 1.
        middle: (x, y) of its densest place, half sizes.
        radius: Its size across, half sizes.
    """

    upper: bool
    thickness: float
    amount: float
    middle: tuple[float, float] = (0.0, 0.0)
    radius: float = 1.2

    def factor(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        w: torch.Tensor,
        plates: tuple[torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        """Factor on the mineral, at least 1."""
        deep = plates[0] - w if self.upper else w - plates[1]
        q = ((x - self.middle[0]) ** 2 + (y - self.middle[1]) ** 2) / self.radius**2
        return 1 + self.amount * torch.exp(-((deep.clamp(min=0) / self.thickness) ** 2) - q)


@dataclass(frozen=True)
class Tumour:
    """A focus with a soft border.

    Attributes:
        center: (u, v, w), mm.
        radii: Half axes, mm.
        mineral: Factor on the mineral in it: 0.05 lytic, 3-6 blastic.
        soft: Share of the marrow space that soft tissue fills in it.
        border: Width of the border, in radii.
    """

    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    mineral: float
    soft: float
    border: float = 0.25

    def share(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Share of the marrow space filled with soft tissue."""
        return self.soft * self._inside(u, v, w)

    def factor(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Factor on the mineral."""
        return 1 + (self.mineral - 1) * self._inside(u, v, w)

    def _inside(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        parts = zip((u, v, w), self.center, self.radii, strict=True)
        away = torch.zeros_like(u + v + w)
        for part, middle, radius in parts:
            away = away + ((part - middle) / radius) ** 2
        return ((1 - away.sqrt()) / self.border + 0.5).clamp(0, 1)
