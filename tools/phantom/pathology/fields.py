"""How deep an endplate lies under its undeformed place: smooth fields over a body's cross-section.

A field is a function of x = u / half width (right +1) and y = v / half depth (front +1) and gives
millimetres, positive into the body. Fields add up; the body's own shape stays underneath.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

#: Depth of an endplate, mm, over normalised x and y that broadcast.
Field = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def smoothstep(t: torch.Tensor) -> torch.Tensor:
    """0 below 0, 1 above 1, without corners between."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Scaled:
    """A field times a factor."""

    field: Field
    factor: float

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        return self.factor * self.field(x, y)


@dataclass(frozen=True)
class Plane:
    """A shift and tilt of the whole endplate.

    Attributes:
        shift: mm in the middle.
        forwards: mm more at the front wall.
        rightwards: mm more at the right wall.
    """

    shift: float
    forwards: float = 0.0
    rightwards: float = 0.0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        return self.shift + self.forwards * y + self.rightwards * x


@dataclass(frozen=True)
class Slide:
    """A slide towards the front that ends in a plateau, deepest at one side's distance.

    Attributes:
        start: y where it begins.
        full: y from which it is full.
        side: x where it is deepest.
        fall: Share of the depth that is lost at 1.3 half widths from there.
        base: Share of the depth that the rear wall loses.
    """

    start: float
    full: float
    side: float = 0.0
    fall: float = 0.0
    base: float = 0.0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth per mm of the field's size."""
        ramp = smoothstep((y - self.start) / (self.full - self.start))
        across = 1 - self.fall * smoothstep((x - self.side).abs() / 1.3)
        return (self.base + (1 - self.base) * ramp) * across


@dataclass(frozen=True)
class Dish:
    """A hollow with a round bottom over a sunken rim.

    Attributes:
        middle: (x, y) of its deepest place.
        radii: Its half axes in x and y.
        rim: Share of the depth that remains outside of it.
        power: Below 1 a flat bottom, above 1 a pointed one.
    """

    middle: tuple[float, float]
    radii: tuple[float, float]
    rim: float = 0.0
    power: float = 1.0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth per mm of the field's size."""
        q = ((x - self.middle[0]) / self.radii[0]) ** 2
        q = q + ((y - self.middle[1]) / self.radii[1]) ** 2
        # The second smoothing ends the hollow without a crease at its edge.
        bowl = smoothstep((1 - q).clamp(min=0) ** self.power)
        return self.rim + (1 - self.rim) * bowl


@dataclass(frozen=True)
class Line:
    """A line across an endplate, at y = at + slope · x + bend · x²."""

    at: float
    slope: float = 0.0
    bend: float = 0.0

    def ahead(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """How far in front of the line a place lies, half depths."""
        return y - (self.at + self.slope * x + self.bend * x * x)


@dataclass(frozen=True)
class Step:
    """A break: in front of a line the endplate drops sharply and comes back slowly.

    Attributes:
        line: Where it breaks.
        drop: mm.
        edge: Width of the break, half depths.
        tail: Distance over which the drop fades, half depths.
        side: x of the break's middle.
        span: Half length of the break, half widths.
    """

    line: Line
    drop: float
    edge: float
    tail: float
    side: float = 0.0
    span: float = 1.0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        ahead = self.line.ahead(x, y)
        sharp = torch.sigmoid(ahead / self.edge) * torch.exp(-ahead.clamp(min=0) / self.tail)
        return self.drop * sharp * _along(x, self.side, self.span)


@dataclass(frozen=True)
class Cleft:
    """A narrow notch along a line.

    Attributes:
        line: Where it runs.
        depth: mm.
        half: Half width, half depths.
        side: x of its middle.
        span: Half length, half widths.
    """

    line: Line
    depth: float
    half: float
    side: float = 0.0
    span: float = 1.0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        away = self.line.ahead(x, y) / self.half
        return self.depth * torch.exp(-(away**2)) * _along(x, self.side, self.span)


@dataclass(frozen=True)
class Split:
    """A notch from front to back along x = `side`: the midline of a burst or butterfly body.

    Attributes:
        side: x of the split.
        half: Half width, half widths.
        depth: mm.
        power: 2 is bell-shaped, more has steeper walls.
    """

    side: float
    half: float
    depth: float
    power: float = 2.0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        bell = torch.exp(-(((x - self.side) / self.half).abs() ** self.power))
        return self.depth * bell + 0 * y


@dataclass(frozen=True)
class Waves:
    """Small irregularity: a few plane waves.

    Attributes:
        terms: Amplitude mm, cycles per half width, cycles per half depth, phase; [N, 4].
    """

    terms: np.ndarray

    @staticmethod
    def draw(
        rng: np.random.Generator, amplitude_mm: float, cycles: tuple[float, float] = (0.4, 1.3)
    ) -> Waves:
        """Draw five waves of random direction with the given RMS amplitude together, mm."""
        angle, many = rng.uniform(0, np.pi, 5), rng.uniform(*cycles, 5)
        size = rng.uniform(0.5, 1.0, 5)
        size *= amplitude_mm * np.sqrt(2 / np.sum(size**2))
        phase = rng.uniform(0, 2 * np.pi, 5)
        return Waves(np.stack([size, many * np.cos(angle), many * np.sin(angle), phase], 1))

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Depth, mm."""
        total = torch.zeros_like(x + y)
        for size, along_x, along_y, phase in self.terms.tolist():
            turn = 2 * np.pi
            total = total + size * torch.sin(turn * (along_x * x + along_y * y) + phase)
        return total


def _along(x: torch.Tensor, side: float, span: float) -> torch.Tensor:
    """1 in the middle of a break, fading to 0 over the last third of its half length."""
    return smoothstep((1 - (x - side).abs() / span) * 3)
