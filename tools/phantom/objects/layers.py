"""Solid test objects as layers of material, drawn as volume fractions on a voxel grid.

A layer is a prism: an outline in the axial plane between two planes. A later layer displaces what
lies below it. Voxels hold volume fractions, so a wall of half a pixel keeps its mass to 3 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.phantom.physics.beam import Beam
from tools.phantom.physics.materials import MATERIALS, Material

Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps x and y, mm, to the signed distance from the outline, mm, negative inside."""


@dataclass(frozen=True)
class Layer:
    """One solid part.

    Args:
        material: what it is made of.
        outline: signed distance in the axial plane.
        z_mm: lower and upper plane.
    """

    material: Material
    outline: Outline
    z_mm: tuple[float, float]


def ellipse(width_mm: float, depth_mm: float, x: float = 0.0, y: float = 0.0) -> Outline:
    """Return an axis-parallel ellipse by its full width and depth, centred on (x, y), mm."""
    a, b = width_mm / 2.0, depth_mm / 2.0

    def distance(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        u, v = (xs - x) / a, (ys - y) / b
        radius = np.hypot(u, v)
        # First-order distance (value over gradient): exact for circles, good near the edge.
        slope = np.hypot(u / a, v / b) / np.maximum(radius, 1e-9)
        return (radius - 1.0) / np.maximum(slope, 1.0 / max(a, b))

    return distance


def box(width_mm: float, depth_mm: float, x: float = 0.0, y: float = 0.0) -> Outline:
    """Return an axis-parallel rectangle by its full width and depth, centred on (x, y), mm."""

    def distance(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(xs - x) - width_mm / 2.0, np.abs(ys - y) - depth_mm / 2.0)

    return distance


def axis_mm(extent_mm: float, step_mm: float) -> np.ndarray:
    """Return voxel centres, mm, of a centred axis at least `extent_mm` long."""
    count = int(np.ceil(extent_mm / step_mm))
    return (np.arange(count) - (count - 1) / 2.0) * step_mm


def fractions(
    layers: Sequence[Layer], xs: np.ndarray, ys: np.ndarray, z_mm: float
) -> dict[Material, np.ndarray]:
    """Return the area fraction of each material in one axial plane, air included.

    Args:
        layers: the object, from the bottom layer up.
        xs: pixel centres along x, mm, shape [X].
        ys: pixel centres along y, mm, shape [Y].
        z_mm: height of the plane.

    Returns:
        Fractions of shape [X, Y] that sum to 1 in every pixel.
    """
    found = {MATERIALS["air"]: np.ones((xs.size, ys.size))}
    for layer in layers:
        if not layer.z_mm[0] <= z_mm < layer.z_mm[1]:
            continue
        cover = _cover(layer, xs, ys)
        for material in found:
            found[material] = found[material] * (1.0 - cover)
        found[layer.material] = found.get(layer.material, 0.0) + cover
    return found


def draw(
    layers: Sequence[Layer],
    beam: Beam,
    extent_mm: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
) -> np.ndarray:
    """Draw the ideal CT image of an object: HU is linear in volume fractions.

    Args:
        layers: the object, from the bottom layer up, centred on the origin.
        beam: the hardened spectrum that gives each material its HU.
        extent_mm: size of the field along x, y, z.
        spacing_mm: voxel size along x, y, z.

    Returns:
        HU, float32, shape [X, Y, Z].
    """
    xs, ys, zs = (axis_mm(e, s) for e, s in zip(extent_mm, spacing_mm, strict=True))
    image = np.full((xs.size, ys.size, zs.size), beam.hu("air"), dtype=np.float32)
    for layer in layers:
        low = np.maximum(layer.z_mm[0], zs - spacing_mm[2] / 2.0)
        high = np.minimum(layer.z_mm[1], zs + spacing_mm[2] / 2.0)
        inside = np.clip((high - low) / spacing_mm[2], 0.0, 1.0).astype(np.float32)
        cover = _cover(layer, xs, ys).astype(np.float32)
        (columns,) = np.nonzero(cover.any(axis=1))
        (rows,) = np.nonzero(cover.any(axis=0))
        (planes,) = np.nonzero(inside)
        if not (columns.size and rows.size and planes.size):
            continue
        window = tuple(slice(i[0], i[-1] + 1) for i in (columns, rows, planes))
        share = cover[window[0], window[1], None] * inside[window[2]]
        image[window] += share * (np.float32(beam.hu(layer.material)) - image[window])
    return image


def _cover(layer: Layer, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Area fraction of each pixel inside the outline, [X, Y]: a straight edge within a pixel."""
    pixel = float(xs[1] - xs[0])
    distance = layer.outline(xs[:, None], ys[None, :])
    return np.clip(0.5 - distance / pixel, 0.0, 1.0)
