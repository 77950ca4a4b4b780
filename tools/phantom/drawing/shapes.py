"""Signed distances of the shapes anatomy is made of: negative inside, in millimetres.

All take and give tensors that broadcast; lengths are mm. Distances are exact or first-order
(value over gradient), which is what partial volumes near a surface need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

#: Signed distance of a shape, mm, at coordinates u, v, w in mm that broadcast.
Distance = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

#: A point, a step or three factors.
Triple = tuple[float, float, float]

#: Keeps divisions finite on axes and in centres.
TINY = 1e-4


def triple(values: Iterable[float]) -> Triple:
    """Three plain floats of an array or a sequence."""
    first, second, third = values
    return float(first), float(second), float(third)


def superellipse(
    u: torch.Tensor, v: torch.Tensor, a: float | torch.Tensor, b: float | torch.Tensor, power: float
) -> torch.Tensor:
    """First-order distance to |u/a|^p + |v/b|^p = 1.

    Args:
        u: First coordinate, mm.
        v: Second coordinate, mm.
        a: Half-axis along u, mm.
        b: Half-axis along v, mm.
        power: 2 is an ellipse, more is squarer.

    Returns:
        Signed distance, mm, broadcast shape of all arguments.
    """
    x = (u / a).abs() + TINY
    y = (v / b).abs() + TINY
    x_slope = x.pow(power - 1)
    y_slope = y.pow(power - 1)
    rho = (x * x_slope + y * y_slope).pow(1 / power)
    gradient = torch.hypot(x_slope / a, y_slope / b) * rho.pow(1 - power)
    return (rho - 1) / gradient


def ellipsoid(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor, half: Triple) -> torch.Tensor:
    """Scaled distance to an ellipsoid about the origin.

    Exact along the shortest axis, too small elsewhere by at most the ratio of the axes: soft
    organs and small bones bear the wider rim of partial volumes that this gives.

    Args:
        u: First coordinate, mm.
        v: Second coordinate, mm.
        w: Third coordinate, mm.
        half: Half axes, mm.
    """
    squared = (u / half[0]) ** 2 + (v / half[1]) ** 2 + (w / half[2]) ** 2
    return (squared.clamp(min=TINY).sqrt() - 1) * min(half)


def capsule(
    u: torch.Tensor,
    v: torch.Tensor,
    w: torch.Tensor,
    start: Triple,
    end: Triple,
    radii: tuple[float, float],
    flatten: Triple = (1.0, 1.0, 1.0),
) -> torch.Tensor:
    """Distance to a rod with round ends whose radius changes linearly along it.

    Args:
        u: First coordinate, mm.
        v: Second coordinate, mm.
        w: Third coordinate, mm.
        start: One end of the axis, mm.
        end: The other end, mm.
        radii: Radius at the start and at the end, mm.
        flatten: Per-axis factors: 2 along w makes the section twice as high along w.

    Returns:
        Signed distance, mm, broadcast shape of u, v and w; of a flattened rod scaled by its mean
        factor, so exact only where the surface faces an axis with that factor.
    """
    x, y, z = ((part - s) / f for part, s, f in zip((u, v, w), start, flatten, strict=True))
    a, b, c = ((e - s) / f for s, e, f in zip(start, end, flatten, strict=True))
    length2 = max(a * a + b * b + c * c, TINY)
    along = ((x * a + y * b + z * c) / length2).clamp(0, 1)
    gap2 = (x - along * a) ** 2 + (y - along * b) ** 2 + (z - along * c) ** 2
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
