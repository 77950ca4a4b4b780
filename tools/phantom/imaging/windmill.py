"""The windmill: how helical interpolation shifts the place of a slice about the axis of rotation.

Rays of one slice are measured by detector rows above and below it in turn, so places about the axis
are seen a little above or below. The pattern turns with the table's feed; it shows where the body
changes along z (ribs, ends of a vertebra) and leaves even places alone.
"""

from __future__ import annotations

import math

import torch

BLADES = 6
"""Vanes of the windmill over a full turn (D: one per few detector rows that a ray crosses)."""

WINDMILL_FEED_MM = 24.0
"""Table feed over which the windmill turns once, mm (D)."""

WINDMILL_CORE_MM = 25.0
"""Distance from the axis of rotation at which the windmill has risen to 63 %, mm (D)."""

SLOPE_STEP_MM = 0.25
"""Slices moved by so much up and down give the slope of the body along z, mm (D)."""


def windmill_shift(
    windmill_mm: float, x_mm: torch.Tensor, y_mm: torch.Tensor, z_mm: torch.Tensor
) -> torch.Tensor:
    """Shift of the slice position by helical interpolation, mm, [Z, X, Y].

    Args:
        windmill_mm: Amplitude, mm.
        x_mm: Distance from the axis of rotation, mm, [X].
        y_mm: Likewise, [Y].
        z_mm: Place of the slices, mm, [Z].
    """
    angle = torch.atan2(y_mm[None, :], x_mm[:, None])
    radius = torch.hypot(x_mm[:, None], y_mm[None, :])
    rise = windmill_mm * (1 - torch.exp(-radius / WINDMILL_CORE_MM))
    turn = 2 * math.pi * z_mm / WINDMILL_FEED_MM
    return rise * torch.cos(BLADES * angle + turn[:, None, None])
