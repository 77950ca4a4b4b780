"""What painters of anatomy share: the canvas, and HU of every tissue at the scan's beam."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.beam import Beam
from tools.phantom.canvas import WORLD, Box, Canvas, Frame
from tools.phantom.materials import MATERIALS, Material
from tools.phantom.shapes import Distance, capsule, smooth_max, smooth_min

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

    def ellipsoid_box(
        self,
        center: Sequence[float],
        half: Sequence[float],
        tissue: str,
        inside: Distance | None = None,
        coarse_mm: float = 3.0,
    ) -> None:
        """Paint an axis-aligned ellipsoid, cut by another shape.

        Args:
            center: RAS+ millimetres.
            half: Half axes, mm.
            tissue: What fills it.
            inside: A shape it must stay in.
            coarse_mm: Sampling of the shape.
        """
        x0, y0, z0 = center
        a, b, c = half

        def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            q = ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 + ((z - z0) / c) ** 2
            blob = (q.clamp(min=1e-4).sqrt() - 1) * min(half)
            return blob if inside is None else smooth_max(blob, inside(x, y, z), 6.0)

        corners = np.array(center) + np.array([[-a, -b, -c], [a, b, c]])
        corners = np.array([[x, y, z] for x in corners[:, 0] for y in corners[:, 1] for z in corners[:, 2]])  # fmt: skip
        box = self.canvas.box(corners, 2.0)
        self.canvas.paint(box, self.hu(tissue), distance, coarse_mm=coarse_mm)

    def tube(
        self,
        points: np.ndarray,
        radii: Sequence[float],
        hu: float | torch.Tensor,
        flatten: tuple[float, float, float] = (1.0, 1.0, 1.0),
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
        for start, end, first, last in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):  # fmt: skip
            reach = max(first, last) * max(flatten) + 2
            box = self.canvas.box(frame.to_world(np.array([start, end])), reach)

            def segment(
                u: torch.Tensor,
                v: torch.Tensor,
                w: torch.Tensor,
                ends: tuple[np.ndarray, np.ndarray] = (start, end),
                size: tuple[float, float] = (first, last),
            ) -> torch.Tensor:
                return capsule(u, v, w, tuple(ends[0]), tuple(ends[1]), size, flatten)

            self.canvas.paint(box, hu, segment, frame, coarse_mm)


def paint_shell(
    canvas: Canvas,
    box: Box,
    distance: torch.Tensor,
    thickness_mm: float,
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
    parts: Iterable[tuple[Sequence[Sequence[float]], float, Distance]],
    rounding_mm: float,
    margin_mm: float = 3.0,
) -> tuple[Box, torch.Tensor] | None:
    """Signed distance to a smooth union of parts, each evaluated only near itself.

    Args:
        canvas: Grid.
        frame: Coordinate system of the parts.
        parts: Axis points, reach about them in mm, and the distance of each part.
        rounding_mm: Radius of the filled creases.
        margin_mm: Kept around every part.

    Returns:
        The box of the whole union and its distance [X, Y, Z], mm, or None if it misses the grid.
    """
    placed = []
    for axis, size, distance in parts:
        box = canvas.box(frame.to_world(np.atleast_2d(np.asarray(axis))), size + margin_mm)
        if box is not None:
            placed.append((box, distance))
    if not placed:
        return None
    hull = canvas.hull([box for box, _ in placed])
    union = torch.full(hull.counts, FAR_MM, device=canvas.device)
    for box, distance in placed:
        view = union[box.within(hull)]
        near = distance(*box.coordinates(frame)).expand(box.counts)
        view.copy_(smooth_min(view, near, rounding_mm))
    return hull, union
