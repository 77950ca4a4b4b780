"""What painters of anatomy share: the canvas, and HU of every tissue at the scan's beam."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from tools.phantom.drawing.canvas import CORNER_SIGNS, WORLD, Box, Canvas, Frame
from tools.phantom.drawing.shapes import Distance, Triple, capsule, ellipsoid, smooth_min, triple
from tools.phantom.physics.beam import Beam
from tools.phantom.physics.materials import MATERIALS, Material

#: Distance of what is far from a shape, mm.
FAR_MM = 50.0


@dataclass(frozen=True)
class Paint:
    """A canvas and the HU of a patient's tissues.

    Attributes:
        canvas: Where to paint.
        beam: Spectrum in this patient.
        tissues: The patient's materials by name; the general ones fill in.
        dark_canal_hu: How much too dark the canal shows, HU.
    """

    canvas: Canvas
    beam: Beam
    tissues: dict[str, Material]
    dark_canal_hu: float = 0.0

    def hu(self, name: str) -> float:
        """HU of a tissue at this beam."""
        return self.beam.hu(self.tissues.get(name) or MATERIALS[name])

    def ball(self, center: np.ndarray, radius: float, tissue: str) -> None:
        """Paint a ball.

        Args:
            center: RAS+ millimetres, [3].
            radius: mm.
            tissue: What fills it.
        """
        x0, y0, z0 = triple(center)

        def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            return ellipsoid(x - x0, y - y0, z - z0, (radius, radius, radius))

        box = self.canvas.box(center + CORNER_SIGNS * radius, 2.0)
        self.canvas.paint(box, self.hu(tissue), distance, coarse_mm=2.0)

    def tube(
        self,
        points: np.ndarray,
        radii: Sequence[float],
        hu: float | torch.Tensor,
        flatten: Triple = (1.0, 1.0, 1.0),
        coarse_mm: float | None = 2.0,
        frame: Frame = WORLD,
    ) -> None:
        """Paint a bent tube segment by segment, each in its own small box.

        Args:
            points: Its course in `frame`, mm, [N, 3].
            radii: Radius at each point, mm.
            hu: What fills it.
            flatten: Stretch of the cross-section per axis.
            coarse_mm: Sampling of the shape; None for every voxel.
            frame: Coordinate system of the points.
        """
        stations = zip(points, radii, strict=True)
        for (start, first), (end, last) in pairwise(stations):
            reach = max(first, last) * max(flatten) + 2
            box = self.canvas.box(frame.to_world(np.array([start, end])), reach)
            segment = partial(
                capsule,
                start=triple(start),
                end=triple(end),
                radii=(first, last),
                flatten=flatten,
            )
            self.canvas.paint(box, hu, segment, frame, coarse_mm)


@dataclass(frozen=True)
class Piece:
    """One part of a union of shapes.

    Attributes:
        axis: Points of it, mm, [N, 3].
        reach: How far its surface lies from them at most, mm.
        distance: Signed distance in the union's frame, mm.
    """

    axis: np.ndarray
    reach: float
    distance: Distance


def paint_shell(
    canvas: Canvas,
    box: Box,
    distance: torch.Tensor,
    thickness_mm: float | torch.Tensor,
    shell: float,
    inside: float | torch.Tensor,
) -> None:
    """Paint a closed shell (cortex, skin) and what it holds, in one pass.

    The shell may be thinner than a voxel: its volume fraction stays right.

    Args:
        canvas: Where to paint.
        box: Where the shape lies.
        distance: Signed distance to its outside, mm.
        thickness_mm: Of the shell.
        shell: HU of the shell.
        inside: HU inside it.
    """
    whole = canvas.coverage(distance)
    core = canvas.coverage(distance + thickness_mm)
    view = canvas.hu[box.slices]
    # (1 - whole) background + (whole - core) shell + core inside, with few temporaries.
    view.lerp_(torch.as_tensor(shell, dtype=torch.float32, device=canvas.device), whole)
    view.add_(core * (inside - shell))


def union_distance(
    canvas: Canvas,
    frame: Frame,
    pieces: Iterable[Piece],
    rounding_mm: float,
    margin_mm: float = 3.0,
) -> tuple[Box, torch.Tensor] | None:
    """Signed distance to a smooth union of parts, each evaluated only near itself.

    Args:
        canvas: Grid.
        frame: Coordinate system of the pieces.
        pieces: The parts.
        rounding_mm: Radius of the filled creases.
        margin_mm: Kept around every part.

    Returns:
        The box of the whole union and its distance [X, Y, Z], mm, or None if it misses the grid.
    """
    placed = []
    for piece in pieces:
        box = canvas.box(frame.to_world(piece.axis), piece.reach + margin_mm)
        if box is not None:
            placed.append((box, piece.distance))
    if not placed:
        return None
    hull = canvas.hull([box for box, _ in placed])
    union = torch.full(hull.counts, FAR_MM, device=canvas.device)
    for box, distance in placed:
        view = union[box.within(hull)]
        near = distance(*box.coordinates(frame)).expand(box.counts)
        view.copy_(smooth_min(view, near, rounding_mm))
    return hull, union


def paint_union(
    canvas: Canvas,
    frame: Frame,
    pieces: Iterable[Piece],
    rounding_mm: float,
    thickness_mm: float,
    shell: float,
    inside: float,
) -> tuple[Box, torch.Tensor] | None:
    """Paint a smooth union of pieces as one closed shell: `union_distance`, then `paint_shell`.

    Args:
        canvas: Where to paint.
        frame: Coordinate system of the pieces.
        pieces: The parts.
        rounding_mm: Radius of the filled creases.
        thickness_mm: Of the shell.
        shell: HU of the shell.
        inside: HU inside it.

    Returns:
        The union's box and signed distance [X, Y, Z], mm, or None if it misses the grid.
    """
    drawn = union_distance(canvas, frame, pieces, rounding_mm)
    if drawn is not None:
        paint_shell(canvas, *drawn, thickness_mm, shell, inside)
    return drawn
