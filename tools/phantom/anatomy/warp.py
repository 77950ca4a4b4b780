"""What a deformed vertebral body must say of itself: the hook between anatomy and pathology."""

from __future__ import annotations

from typing import Protocol

import torch


class BodyWarp(Protocol):
    """Deformation of one body, in the body's frame (u right, v forwards, w to the head, mm).

    `top` and `bottom` are the heights of the undeformed endplates at the same (u, v).
    """

    @property
    def rear_shift(self) -> float:
        """How far the posterior elements move along w with the rear wall, mm."""

    @property
    def reach_mm(self) -> float:
        """How far the deformed body may lie outside of the undeformed one, mm."""

    @property
    def disc_reserve(self) -> float:
        """How much farther than usual the disc below is painted into both bodies, mm."""

    def endplates(
        self, u: torch.Tensor, v: torch.Tensor, top: torch.Tensor, bottom: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Heights of the deformed upper and lower endplate, mm."""

    def origin(
        self,
        u: torch.Tensor,
        v: torch.Tensor,
        w: torch.Tensor,
        top: torch.Tensor,
        bottom: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where in the undeformed body the bone at (u, v, w) came from, mm."""

    def density(
        self,
        u: torch.Tensor,
        v: torch.Tensor,
        w: torch.Tensor,
        top: torch.Tensor,
        bottom: torch.Tensor,
    ) -> torch.Tensor:
        """Factor on the mineral that the bone at (u, v, w) brought from its origin."""

    def tumour(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor | None:
        """Share of the marrow space that soft tissue has replaced, or None without a tumour."""
