"""The canvas: anatomy is painted onto a voxel grid shape by shape, with partial volumes.

A shape is a function of millimetre coordinates giving a signed distance (negative inside). It is
evaluated only inside its own bounding box, in its own frame; because a grid is affine, each local
coordinate is a sum of at most three one-dimensional tensors, for oblique grids and rotated frames
alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import torch

from tools.phantom.drawing.shapes import Distance
from tools.phantom.drawing.stretch import stretch
from tools.volumes import Grid

#: Below this, mm per voxel, a coordinate's change along an array axis is taken as none.
FLAT_MM = 1e-6

#: Signs of the eight corners of a box about the origin, [8, 3].
CORNER_SIGNS = np.array(list(product((-1.0, 1.0), repeat=3)))

#: Voxels along the three array axes.
Counts = tuple[int, int, int]


def vec(x: float, y: float, z: float) -> np.ndarray:
    """A point or a step in millimetres, [3]."""
    return np.array([x, y, z], dtype=float)


@dataclass(frozen=True)
class Frame:
    """A local coordinate system: u to the patient's right, v forwards, w to the head.

    Attributes:
        origin: RAS+ millimetres, [3].
        axes: Columns are u, v and w in RAS+, orthonormal, [3, 3].
    """

    origin: np.ndarray
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Map local points [..., 3] to RAS+ millimetres [..., 3]."""
        return np.asarray(points) @ self.axes.T + self.origin

    def point(self, u: float, v: float, w: float) -> np.ndarray:
        """RAS+ millimetres of local (u, v, w) mm, [3]."""
        return self.to_world(vec(u, v, w))

    def moved(self, u: float, v: float, w: float) -> Frame:
        """Return the same frame with its origin at local (u, v, w) mm."""
        return Frame(self.point(u, v, w), self.axes)

    def local(
        self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Local (u, v, w) of RAS+ coordinates, all in mm; `Box.coordinates` is faster."""
        gaps = [part - float(start) for part, start in zip((x, y, z), self.origin, strict=True)]
        u, v, w = (
            gaps[0] * float(axis[0]) + gaps[1] * float(axis[1]) + gaps[2] * float(axis[2])
            for axis in self.axes.T
        )
        return u, v, w


#: The patient's own coordinates.
WORLD = Frame(np.zeros(3))


@dataclass(frozen=True)
class Box:
    """A rectangular part of a grid, perhaps sampled more coarsely.

    Attributes:
        slices: Where it lies in the grid's array.
        origin: RAS+ millimetres of its first sample, [3].
        steps: Columns are the RAS+ steps from sample to sample along its axes, [3, 3].
        counts: Samples along its axes.
        device: Where its tensors live.
        first: Place of its first voxel in the whole drawing, of which the grid may be a part.
        strides: Voxels from sample to sample.
        lead: Voxels that the first sample lies before the first voxel.
    """

    slices: tuple[slice, slice, slice]
    origin: np.ndarray
    steps: np.ndarray
    counts: Counts
    device: torch.device
    first: Counts
    strides: Counts = (1, 1, 1)
    lead: Counts = (0, 0, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the grid that the box covers."""
        size = [part.stop - part.start for part in self.slices]
        return size[0], size[1], size[2]

    def coordinates(self, frame: Frame = WORLD) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Local (u, v, w) of every sample in mm, each broadcastable to `counts`."""
        start = frame.axes.T @ (self.origin - frame.origin)
        steps = frame.axes.T @ self.steps
        u, v, w = (self._coordinate(start[row], steps[row]) for row in range(3))
        return u, v, w

    def _coordinate(self, start: float, steps: np.ndarray) -> torch.Tensor:
        """One coordinate: `start` at the first sample, `steps` mm further per sample and axis."""
        total = torch.full((1, 1, 1), float(start), device=self.device)
        for axis, (count, step) in enumerate(zip(self.counts, steps, strict=True)):
            if abs(step) < FLAT_MM:
                continue
            shape = [1, 1, 1]
            shape[axis] = count
            ramp = torch.arange(count, dtype=torch.float32, device=self.device) * float(step)
            total = total + ramp.view(shape)
        return total

    def coarse(self, step_mm: float) -> Box:
        """The same box sampled every whole number of voxels, at most `step_mm` apart.

        Samples lie on one lattice of the whole drawing, so that parts of it drawn apart fit.
        """
        edges = np.linalg.norm(self.steps, axis=0)
        strides = np.maximum(1, (step_mm / edges + 1e-6).astype(int))
        lead = np.array(self.first) % strides
        counts = -(-(lead + np.array(self.shape) - 1) // strides) + 1
        return replace(
            self,
            origin=self.origin - self.steps @ lead,
            steps=self.steps * strides,
            counts=_counts(counts),
            strides=_counts(strides),
            lead=_counts(lead),
        )

    def within(self, hull: Box) -> tuple[slice, slice, slice]:
        """Where this box lies in a larger box's tensors."""
        parts = [
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(self.slices, hull.slices, strict=True)
        ]
        return parts[0], parts[1], parts[2]

    def refine(self, samples: torch.Tensor) -> torch.Tensor:
        """Interpolate samples on this (coarse) box linearly to the grid's voxels, [X, Y, Z]."""
        return stretch(samples.expand(self.counts), self.shape, self.strides, self.lead)


def _counts(values: np.ndarray) -> Counts:
    return int(values[0]), int(values[1]), int(values[2])


class Canvas:
    """HU of a grid under construction.

    Args:
        grid: Voxels to fill.
        background_hu: HU of empty space.
        device: Torch device.
        first: Place of the grid's first voxel in the whole drawing, if it is a part of one.

    Attributes:
        hu: Ideal HU, float32 [X, Y, Z].
    """

    def __init__(
        self,
        grid: Grid,
        background_hu: float,
        device: str | torch.device = "cpu",
        first: Counts = (0, 0, 0),
    ) -> None:
        """Fill the grid with the background."""
        self.grid = grid
        self.device = torch.device(device)
        self.first = first
        self.hu = torch.full(grid.shape, background_hu, dtype=torch.float32, device=self.device)
        #: Edge of a cube of a voxel's volume, mm: the width of partial volumes.
        self.voxel_mm = float(np.prod(grid.spacing_mm) ** (1 / 3))

    def whole(self) -> Box:
        """The box of all voxels."""
        return self._crop(np.zeros(3, int), np.array(self.grid.shape))

    def box(self, points_mm: np.ndarray | Sequence[np.ndarray], margin_mm: float) -> Box | None:
        """The smallest box that holds all points and a margin, or None if it misses the grid.

        Args:
            points_mm: RAS+ millimetres, [N, 3].
            margin_mm: Kept free around them, mm.
        """
        index = self.grid.to_index(np.atleast_2d(np.asarray(points_mm)))
        # A ball of the margin's radius spans this many voxels along each array axis, also when
        # the grid is oblique.
        reach = margin_mm * np.linalg.norm(np.linalg.inv(self.grid.affine[:3, :3]), axis=1)
        low = np.maximum(np.floor(index.min(0) - reach).astype(int), 0)
        high = np.minimum(np.ceil(index.max(0) + reach).astype(int) + 1, self.grid.shape)
        if np.any(high - low < 1):
            return None
        return self._crop(low, high)

    def hull(self, boxes: Sequence[Box]) -> Box:
        """The smallest box that holds all the boxes."""
        low = np.min([[part.start for part in box.slices] for box in boxes], axis=0)
        high = np.max([[part.stop for part in box.slices] for box in boxes], axis=0)
        return self._crop(low, high)

    def _crop(self, low: np.ndarray, high: np.ndarray) -> Box:
        x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return Box(
            slices=(x, y, z),
            origin=self.grid.to_world(low.astype(float)),
            steps=self.grid.affine[:3, :3],
            counts=_counts(high - low),
            device=self.device,
            first=_counts(low + self.first),
        )

    def coverage(self, distance: torch.Tensor) -> torch.Tensor:
        """Volume fraction of a voxel inside a surface.

        Linear over one voxel: exact in the mean over a surface's places in the voxel, whatever its
        direction.

        Args:
            distance: Signed distance of the voxel's centre, mm.
        """
        return (distance * (-1 / self.voxel_mm)).add_(0.5).clamp_(0, 1)

    def blend(self, box: Box, value: float | torch.Tensor, fraction: torch.Tensor) -> None:
        """Replace a volume fraction of each voxel of the box.

        Args:
            box: Where.
            value: HU, a number or a tensor over the box.
            fraction: 0-1, broadcastable to the box.
        """
        end = torch.as_tensor(value, dtype=torch.float32, device=self.device)
        self.hu[box.slices].lerp_(end, fraction)

    def paint(
        self,
        box: Box | None,
        value: float | torch.Tensor,
        shape: Distance,
        frame: Frame = WORLD,
        coarse_mm: float | None = None,
    ) -> torch.Tensor | None:
        """Fill a shape with `value` HU.

        Args:
            box: Where the shape lies; None paints nothing.
            value: HU, a number or a tensor over the box.
            shape: Signed distance in `frame`, mm.
            frame: The shape's coordinate system.
            coarse_mm: Evaluate a smooth shape only about every so many mm, and interpolate.

        Returns:
            Signed distance over the box, mm, broadcastable to [X, Y, Z], or None.
        """
        if box is None:
            return None
        distance = self.distance(box, shape, frame, coarse_mm)
        self.blend(box, value, self.coverage(distance))
        return distance

    def distance(
        self, box: Box, shape: Distance, frame: Frame = WORLD, coarse_mm: float | None = None
    ) -> torch.Tensor:
        """Signed distance of a shape over a box; arguments as in `paint`.

        Returns:
            Distance, mm, broadcastable to [X, Y, Z].
        """
        if coarse_mm is None:
            return shape(*box.coordinates(frame))
        sampled = box.coarse(coarse_mm)
        return sampled.refine(shape(*sampled.coordinates(frame)))
