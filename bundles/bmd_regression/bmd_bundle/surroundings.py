"""What lies about the vertebral bodies, in blocks of a few millimetres in patient coordinates.

    around = Surroundings.cut(image, affine, bodies)
    around.most_frequent(around.even & (around.depth < -50))      # HU

Voxels are averaged over blocks and smoothed, so that tissues can be told apart in thin noisy
slices; every block knows where it lies against the bodies, whatever the scan's grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle.geometry import to_index, to_world

#: What is read about the bodies' middle: to each side, behind and before, mm.
SIDE_MM, BEHIND_MM, BEFORE_MM = 95.0, 190.0, 60.0
#: Voxels are averaged over blocks of about this edge, mm, which takes the noise out.
BLOCK_MM = 2.5
#: Smoothing of the blocks by which tissues are told apart, and with which they are read, SD in mm:
#: less for reading, so that fat between the fibres of a muscle is not smeared over it.
SMOOTHING_MM, READING_MM = 2.5, 1.2
#: Where smoothed HU rise or fall faster than this, HU per mm, there is an edge and two tissues mix.
EDGE_HU_PER_MM = 6.0
#: Metal and what lies within a distance of it are left out, HU and mm.
METAL_HU, METAL_MM = 1800.0, 12.0
#: The most frequent value: the median of all within so many HU of the shortest interval that holds
#: this share of them. The interval alone jumps about; the median alone follows what is mixed in.
MODE_SHARE, NEAR_HU = 0.4, 15.0
#: Air behind the back, and the foam of a table, HU after smoothing.
AIR_HU = -400.0
#: Less than this of a tissue is not read, mm³.
LEAST_MM3 = 3000.0


@dataclass(frozen=True)
class Surroundings:
    """What lies about the bodies, in blocks of a few millimetres.

    Attributes:
        part: The voxels that the blocks were made of, HU [X, Y, Z].
        affine: Their 4x4 matrix to RAS+ mm.
        hu: Smoothed HU of the blocks, by which tissues are told apart, [I, J, K].
        read: Less smoothed HU of the blocks, from which they are read.
        even: Whether a block lies in one even tissue, away from metal.
        aside: Distance from the bodies' middle line to the left or right, mm, [I, J, K].
        depth: Before (+) or behind (-) the bodies' middle, mm.
        height: Along the patient's axis, RAS+ mm.
        width: Half width of the body there, mm.
        ends: Lowest and highest place of muscle beside bodies, L4's foot to L2's head, RAS+ mm.
        block_mm3: Volume of a block.
    """

    part: np.ndarray
    affine: np.ndarray
    hu: np.ndarray
    read: np.ndarray
    even: np.ndarray
    aside: np.ndarray
    depth: np.ndarray
    height: np.ndarray
    width: np.ndarray
    ends: tuple[float, float]
    block_mm3: float

    @staticmethod
    def cut(
        image: np.ndarray, affine: np.ndarray, bodies: dict[str, np.ndarray]
    ) -> Surroundings | None:
        """Cut what lies about bodies out of a scan.

        Args:
            image: HU [X, Y, Z].
            affine: 4x4 voxel to RAS+ millimetre matrix.
            bodies: Voxel centres of each body, RAS+ mm [N, 3], by level.

        Returns:
            The surroundings, None where the scan shows less than two slices of them.
        """
        everything = np.concatenate(list(bodies.values()))
        low, high = everything.min(axis=0), everything.max(axis=0)
        middle = (low + high) / 2
        box_mm = np.array(
            [
                [middle[0] - SIDE_MM, middle[1] - BEHIND_MM, low[2]],
                [middle[0] + SIDE_MM, middle[1] + BEFORE_MM, high[2]],
            ]
        )
        box = _voxels(affine, box_mm, image.shape)
        part = np.asarray(image[box], dtype=np.float32)
        if min(part.shape) < 2:
            return None
        moved = affine.copy()
        moved[:3, 3] = to_world(affine, np.array([float(each.start) for each in box]))
        blocks, grid, dense = _blocks(part, moved)
        spacing = np.linalg.norm(grid[:3, :3], axis=0)
        known = np.isfinite(blocks)
        filled = np.where(known, blocks, 0)
        hu, read = (
            ndimage.gaussian_filter(filled, sigma / spacing) for sigma in (SMOOTHING_MM, READING_MM)
        )
        slopes = np.gradient(hu, *spacing) if min(hu.shape) > 1 else [np.zeros_like(hu)] * 3
        even = known & (np.sqrt(sum(slope**2 for slope in slopes)) < EDGE_HU_PER_MM)
        reach = np.ceil(METAL_MM / spacing).astype(int)
        if dense.any():
            even &= ~ndimage.maximum_filter(dense, 2 * reach + 1)
        places = to_world(grid, np.moveaxis(np.indices(hu.shape), 0, -1).astype(float))
        aside, depth, width = _about(places, bodies)
        inner = [points for level, points in bodies.items() if level != "L1"] or [everything]
        ends = (min(p[:, 2].min() for p in inner), max(p[:, 2].max() for p in inner))
        return Surroundings(
            part, moved, hu, read, even, aside, depth, places[..., 2], width,
            (float(ends[0]), float(ends[1])), float(np.prod(spacing)),
        )  # fmt: skip

    def inside(self, solid: np.ndarray) -> np.ndarray:
        """Whether something solid lies between a block and the air behind the back, or in it.

        What lies behind that air, such as the shell of a table, does not count.

        Args:
            solid: Blocks of muscle, bone and the like, bool [I, J, K].

        Returns:
            Bool [I, J, K].
        """
        forward = self.affine[1, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        axis = int(np.argmax(np.abs(forward)))
        turn = tuple(
            slice(None, None, -1 if each == axis and forward[axis] < 0 else None)
            for each in range(3)
        )
        order = np.arange(solid.shape[axis]).reshape(
            [-1 if each == axis else 1 for each in range(3)]
        )
        last_solid, last_air = (
            np.maximum.accumulate(np.where(found[turn], order, -1), axis=axis)
            for found in (solid, self.hu < AIR_HU)
        )
        return (last_solid > last_air)[turn]

    def most_frequent(self, where: np.ndarray) -> float | None:
        """Most frequent HU among blocks, None where they are too few.

        Args:
            where: The blocks, bool [I, J, K].
        """
        values = np.sort(self.read[where])
        if len(values) * self.block_mm3 < LEAST_MM3 or len(values) < 10:
            return None
        count = max(2, round(MODE_SHARE * len(values)))
        first = int(np.argmin(values[count - 1 :] - values[: len(values) - count + 1]))
        middle = values[first : first + count].mean()
        return float(np.median(values[np.abs(values - middle) <= NEAR_HU]))


def _voxels(
    affine: np.ndarray, box_mm: np.ndarray, shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """Smallest box of voxels about a box in RAS+ mm [2, 3]."""
    corners = np.array(
        [[x, y, z] for x in box_mm[:, 0] for y in box_mm[:, 1] for z in box_mm[:, 2]]
    )
    index = to_index(affine, corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, shape)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return first, second, third


def _blocks(part: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average voxels over blocks.

    Returns:
        Mean HU [I, J, K], the blocks' 4x4 matrix to RAS+ mm, and whether a block holds metal.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    edges = [
        max(1, min(size, round(BLOCK_MM / step)))
        for size, step in zip(part.shape, spacing, strict=True)
    ]
    counts = [size // edge for size, edge in zip(part.shape, edges, strict=True)]
    # What is left over is shared by both ends, so that a mirrored scan has mirrored blocks.
    starts = [
        (size - n * edge) // 2 for size, n, edge in zip(part.shape, counts, edges, strict=True)
    ]
    kept = part[tuple(slice(s, s + n * e) for s, n, e in zip(starts, counts, edges, strict=True))]
    split = kept.reshape([each for pair in zip(counts, edges, strict=True) for each in pair])
    grid = affine.copy()
    grid[:3, :3] = affine[:3, :3] * edges
    grid[:3, 3] = to_world(affine, np.array(starts) + (np.array(edges) - 1) / 2)
    return split.mean(axis=(1, 3, 5)), grid, split.max(axis=(1, 3, 5)) > METAL_HU


def _about(
    places: np.ndarray, bodies: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance aside of and before the bodies' middle, and their half width, at places [..., 3]."""
    knots = []
    for points in bodies.values():
        low, high = np.quantile(points[:, 0], [0.02, 0.98])
        knots.append([points[:, 2].mean(), (low + high) / 2, points[:, 1].mean(), (high - low) / 2])
    line = np.array(sorted(knots))
    z = places[..., 2]
    x, y, width = (np.interp(z, line[:, 0], line[:, column]) for column in (1, 2, 3))
    return places[..., 0] - x, places[..., 1] - y, width
