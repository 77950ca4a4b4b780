"""A second way to break a body, for held-out sets: blocks hinge, balls indent, layers collapse.

Nothing is shared with `fracture` but what both must state: the endplates' fall is piecewise (a
hinge, a ball's dent, removed layers) under a free-form lattice, the bone is squeezed in layers
anywhere in the body rather than under the endplate, and the whole body barrels instead of its wall
folding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.pathology.fields import Field, Scaled
from tools.phantom.pathology.fracture import Fracture
from tools.phantom.pathology.heights import sized
from tools.phantom.pathology.rear import settled
from tools.phantom.pathology.warp import Layer, LayeredWarp, Plates, linear

#: Control points of the lattice along each axis, and their SD, mm (design).
LATTICE = 7
LATTICE_MM = (0.3, 0.8)
#: Softness of a hinge, half depths.
HINGE_SOFT = 0.06
#: Collapsed layers: how many, where (share of the height from the bottom), half thickness.
LAYERS = (1, 3)
LAYER_AT, LAYER_HALF = (0.3, 0.85), (0.10, 0.22)
#: Relative widening at mid height per fraction of height lost (design).
BARREL = (0.05, 0.25)


@dataclass(frozen=True)
class Hinge:
    """The front block turns down about a line across the body, as a rigid piece.

    Attributes:
        at: y of the line.
        skew: Change of it per half width.
        sideways: Share by which the depth changes per half width.
    """

    at: float
    skew: float
    sideways: float

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth per mm at the front edge."""
        ahead = (y - self.at - self.skew * x) / HINGE_SOFT
        fall = HINGE_SOFT * torch.nn.functional.softplus(ahead) / (1 - self.at)
        return fall * (1 + self.sideways * x).clamp(min=0.1)


@dataclass(frozen=True)
class Ball:
    """The dent of a ball pressed into the endplate, over an even sinking.

    Attributes:
        middle: (x, y) of its deepest place.
        radius: Of the dent, half sizes.
        even: Share of the depth that the whole endplate sinks.
    """

    middle: tuple[float, float]
    radius: float
    even: float

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth per mm in its middle."""
        q = ((x - self.middle[0]) ** 2 + (y - self.middle[1]) ** 2) / self.radius**2
        return self.even + (1 - self.even) * (1 - q).clamp(min=0).sqrt() * (1 - q).clamp(min=0)


@dataclass(frozen=True)
class Slump:
    """Layers removed: an even fall that is a little less behind and on one side."""

    forwards: float
    sideways: float

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth per mm in the middle."""
        return (1 + self.forwards * y).clamp(min=0) * (1 + self.sideways * x).clamp(min=0.1)


@dataclass(frozen=True)
class Lattice:
    """Free-form displacement: cubic B-splines on a lattice of control points.

    Attributes:
        heights: Displacements of the control points over [-1.5, 1.5]², mm, [N, N].
    """

    heights: np.ndarray

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        rows, columns = _weights(x), _weights(y)
        total = torch.zeros_like(x + y)
        for row, weight in enumerate(rows):
            for column, other in enumerate(columns):
                total = total + float(self.heights[row, column]) * weight * other
        return total


def _weights(t: torch.Tensor) -> list[torch.Tensor]:
    """Cubic B-spline weight of every control point at t."""
    place = (t + 1.5) / 3 * (LATTICE - 1)
    weights = []
    for number in range(LATTICE):
        away = (place - number).abs()
        near = 2 / 3 - away**2 + away**3 / 2
        far = (2 - away).clamp(min=0) ** 3 / 6
        weights.append(torch.where(away < 1, near, far))
    return weights


@dataclass(frozen=True)
class CollapsedWarp(LayeredWarp):
    """A body whose layers collapsed.

    Attributes:
        layers: (middle, half thickness) of each, in shares of the height from the bottom.
        barrel: Relative widening at mid height.
    """

    layers: tuple[tuple[float, float], ...] = ()
    barrel: float = 0.0

    def _surplus(self, w: torch.Tensor, mild: Plates, now: Plates) -> torch.Tensor:
        share, high, lost = _column(w, mild, now)
        peaks = [
            (1 + torch.cos(np.pi * ((share - at) / half).clamp(-1, 1))) / (2 * half)
            for at, half in self.layers
        ]
        return lost / high * torch.stack(peaks).mean(0)

    def _unsqueezed(self, w: torch.Tensor, mild: Plates, now: Plates) -> torch.Tensor:
        if self.band is None or mild is now:
            return linear(w, now, mild)
        share, high, lost = _column(w, mild, now)
        done = []
        for at, half in self.layers:
            t = ((share - at + half) / (2 * half)).clamp(0, 1)
            done.append(t - torch.sin(2 * np.pi * t) / (2 * np.pi))
        inside = mild[1] + share * high + lost * torch.stack(done).mean(0)
        return inside + (w - torch.minimum(torch.maximum(w, now[1]), now[0]))

    def _walls(
        self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor, now: Plates
    ) -> tuple[torch.Tensor, torch.Tensor]:
        share = ((w - now[1]) / (now[0] - now[1]).clamp(min=1e-3)).clamp(0, 1)
        wide = 1 + self.barrel * torch.sin(np.pi * share)
        return u / wide, v / wide

    def without_deep(self) -> LayeredWarp:
        """The same body before it broke."""
        return LayeredWarp(self.half_width, self.half_depth, mild=self.mild)


def _column(
    w: torch.Tensor, mild: Plates, now: Plates
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Share of the height at w, the column's height, and what it lost, mm."""
    high = (now[0] - now[1]).clamp(min=1e-3)
    share = ((w - now[1]) / high).clamp(0, 1)
    return share, high, mild[0] - mild[1] - high


def collapse_body(rng: np.random.Generator, body: Vertebra, fracture: Fracture) -> Vertebra:
    """Fracture a body; arguments as of `fracture.break_body`."""
    plain = body.warp
    assert isinstance(plain, LayeredWarp)
    upper = float(rng.uniform(0.3, 0.9))
    tops, bottoms = _profile(rng, fracture), _profile(rng, fracture)
    uneven = [_lattice(rng), _lattice(rng)]
    count = int(rng.integers(LAYERS[0], LAYERS[1] + 1))
    layers = []
    for _ in range(count):
        half = float(rng.uniform(*LAYER_HALF))
        at = float(rng.uniform(*LAYER_AT))
        layers.append((float(np.clip(at, half, 1 - half)), half))
    barrel = float(rng.uniform(*BARREL)) * fracture.loss

    def make(size_mm: float) -> Vertebra:
        layer = Layer(
            (uneven[0], Scaled(tops, upper * size_mm)),
            (uneven[1], Scaled(bottoms, (1 - upper) * size_mm)),
        )
        warp = CollapsedWarp(
            plain.half_width,
            plain.half_depth,
            mild=plain.mild,
            deep=layer,
            band=1.0 if fracture.impaction else None,
            layers=tuple(layers),
            barrel=barrel,
        )
        return replace(body, warp=warp)

    return settled(sized(make, fracture.loss, fracture.side * body.width / 2))


def _profile(rng: np.random.Generator, fracture: Fracture) -> Field:
    """Shape of the loss over an endplate."""
    one_sided = abs(fracture.side) > 0.2
    sideways = float(np.sign(fracture.side) * rng.uniform(0.4, 0.8)) if one_sided else 0.0
    if fracture.kind == "wedge":
        return Hinge(float(rng.uniform(-0.6, 0.0)), float(rng.normal(0, 0.15)), sideways)
    if fracture.kind == "biconcave":
        middle = (fracture.side, float(rng.uniform(-0.1, 0.1)))
        return Ball(middle, float(rng.uniform(0.75, 0.95)), float(rng.uniform(0.0, 0.15)))
    return Slump(float(rng.uniform(0.0, 0.15)), sideways)


def _lattice(rng: np.random.Generator) -> Field:
    size = float(rng.uniform(*LATTICE_MM))
    return Lattice(rng.normal(0, size, (LATTICE, LATTICE)))
