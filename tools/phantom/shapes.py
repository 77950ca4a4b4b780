"""Signed distances of the shapes anatomy is made of: negative inside, in millimetres.

All take and give tensors that broadcast; lengths are mm. Distances are exact or first-order
(value over gradient), which is what partial volumes near a surface need.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Distance = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

#: Keeps divisions finite on axes and in centres.
TINY = 1e-4


def superellipse(
    u: torch.Tensor, v: torch.Tensor, a: float | torch.Tensor, b: float | torch.Tensor, power: float
) -> torch.Tensor:
    """First-order distance to |u/a|^p + |v/b|^p = 1.

    Args:
        u: First coordinate.
        v: Second coordinate.
        a: Half-axis along u.
        b: Half-axis along v.
        power: 2 is an ellipse, more is squarer.
    """
    x = (u / a).abs() + TINY
    y = (v / b).abs() + TINY
    x_slope = x.pow(power - 1)
    y_slope = y.pow(power - 1)
    rho = (x * x_slope + y * y_slope).pow(1 / power)
    gradient = torch.hypot(x_slope / a, y_slope / b) * rho.pow(1 - power)
    return (rho - 1) / gradient


def ellipsoid(a: float, b: float, c: float) -> Distance:
    """First-order distance to an ellipsoid of half-axes a, b, c about the origin."""

    def distance(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        squared = (u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2
        slope = (u / a**2) ** 2 + (v / b**2) ** 2 + (w / c**2) ** 2
        rho = squared.clamp(min=TINY).sqrt()
        return rho * (rho - 1) / slope.clamp(min=TINY**2).sqrt()

    return distance


def capsule(
    u: torch.Tensor,
    v: torch.Tensor,
    w: torch.Tensor,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radii: tuple[float, float],
    flatten: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> torch.Tensor:
    """Distance to a rod with round ends whose radius changes linearly along it.

    Args:
        u: First coordinate.
        v: Second coordinate.
        w: Third coordinate.
        start: One end of the axis.
        end: The other end.
        radii: Radius at the start and at the end.
        flatten: Per-axis factors: 2 along w makes the section twice as high along w.
    """
    scaled = [(part - s) / f for part, s, f in zip((u, v, w), start, flatten, strict=True)]
    axis = [(e - s) / f for s, e, f in zip(start, end, flatten, strict=True)]
    length2 = max(sum(part * part for part in axis), TINY)
    along = sum(part * step for part, step in zip(scaled, axis, strict=True)) / length2
    along = along.clamp(0, 1)
    gap2 = sum((part - along * step) ** 2 for part, step in zip(scaled, axis, strict=True))
    radius = radii[0] + (radii[1] - radii[0]) * along
    # The scaled distance is stretched back by a factor between the smallest and the largest.
    return (gap2.sqrt() - radius) * (sum(flatten) / 3)


def smooth_max(a: torch.Tensor, b: torch.Tensor, radius: float) -> torch.Tensor:
    """Intersection with its edge rounded over about `radius` mm."""
    rounding = (radius - (a - b).abs()).clamp_(min=0)
    return torch.maximum(a, b) + rounding * rounding / (4 * radius)


def smooth_min(a: torch.Tensor, b: torch.Tensor, radius: float) -> torch.Tensor:
    """Union with its crease filled over about `radius` mm."""
    rounding = (radius - (a - b).abs()).clamp_(min=0)
    return torch.minimum(a, b) - rounding * rounding / (4 * radius)
