"""Metal and cement at a level: what makes its density unreadable.

    metal.found(image, affine, bodies.points_mm(instances, grid, names))    # {"L2"}

Metal belongs to the body that it lies nearest to, within 30 mm: a hip replacement belongs to none,
a screw in L2 to L2 although L1 lies 8 mm above it, a rod behind three bodies to all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

#: Denser than any bone or contrast medium in an organ, HU.
METAL_HU = 2000.0
#: Less of it is a clip, a calcification's peak or a stray voxel, mm³.
LEAST_METAL_MM3 = 50.0
#: Metal farther away from a level leaves its centre without streaks that matter, mm.
METAL_REACH_MM = 30.0
#: Metal this close to a body counts for it though another is nearer: it lies between them, mm.
TOUCHING_MM = 3.0
#: Denser than the spongy bone of any patient, HU: cement, screws blurred by thick slices, and bone
#: that is no longer spongy.
DENSE_HU = 600.0
#: So much of it inside the core of a body is no bone island, mm³.
LEAST_DENSE_MM3 = 200.0
#: The core lies this deep under the body's surface, mm: below endplates of thick slices.
CORE_DEPTH_MM = 4.0


@dataclass(frozen=True)
class Dense:
    """What was found at one level.

    Attributes:
        metal_mm3: Volume above 2000 HU that belongs to the level.
        core_mm3: Volume above 600 HU in the core of its body; 0 where the whole body has too
            little of it to look for the core.
    """

    metal_mm3: float
    core_mm3: float

    @property
    def unreadable(self) -> bool:
        """Whether the level cannot be measured."""
        return self.metal_mm3 >= LEAST_METAL_MM3 or self.core_mm3 >= LEAST_DENSE_MM3


def found(
    image: np.ndarray, affine: np.ndarray, bodies: Mapping[str, np.ndarray]
) -> frozenset[str]:
    """Name the levels with metal or cement; see `measure`."""
    return frozenset(name for name, dense in measure(image, affine, bodies).items()
                     if dense.unreadable)  # fmt: skip


def measure(
    image: np.ndarray, affine: np.ndarray, bodies: Mapping[str, np.ndarray]
) -> dict[str, Dense]:
    """Measure metal and cement at every body.

    Args:
        image: HU [X, Y, Z]; any orientation, spacing, obliquity and shear.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        bodies: Name -> voxel centres, RAS+ mm [N, 3], of every body in the field, measured or not:
            metal belongs to the nearest (`tools.screen.bodies`).

    Returns:
        Name -> volumes.
    """
    names = [name for name, points in bodies.items() if len(points)]
    if not names:
        return {}
    affine = np.asarray(affine, dtype=float)
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    near = _box(image.shape, affine, np.concatenate([bodies[name] for name in names]))
    part = np.asarray(image[near])
    index = np.argwhere(part > DENSE_HU)
    hu = part[tuple(index.T)]
    corner = affine[:3, :3] @ [slot.start for slot in near] + affine[:3, 3]
    places = index @ affine[:3, :3].T + corner
    metal = places[hu > METAL_HU]
    distance = np.stack([_distance(metal, bodies[name]) for name in names])
    mine = (distance == distance.min(axis=0)) | (distance <= TOUCHING_MM)
    mine &= distance <= METAL_REACH_MM
    return {
        name: Dense(
            float(mine[row].sum()) * voxel,
            float(_in_core(places, bodies[name], LEAST_DENSE_MM3 / voxel).sum()) * voxel,
        )
        for row, name in enumerate(names)
    }


def _box(shape: tuple[int, ...], affine: np.ndarray, points: np.ndarray) -> tuple[slice, ...]:
    """Smallest box of voxels that holds all places within reach of the points."""
    ends = np.stack([points.min(axis=0) - METAL_REACH_MM, points.max(axis=0) + METAL_REACH_MM])
    corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)
    inverse = np.linalg.inv(affine)
    index = corners @ inverse[:3, :3].T + inverse[:3, 3]
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _distance(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance of each place from the nearest point of a body, mm; infinite out of reach."""
    if not len(places):
        return np.zeros(0)
    return cKDTree(points).query(places, distance_upper_bound=METAL_REACH_MM)[0]


def _in_core(places: np.ndarray, points: np.ndarray, least: float) -> np.ndarray:
    """Which places lie deeper than `CORE_DEPTH_MM` in the body that the points span.

    The body is taken as convex: outlines are dented or hollow where cement lies. None are searched
    where fewer than `least` come near: the usual case, which costs no time.
    """
    low, high = points.min(axis=0) + CORE_DEPTH_MM, points.max(axis=0) - CORE_DEPTH_MM
    inside = np.zeros(len(places), dtype=bool)
    close = ((places > low) & (places < high)).all(axis=1)
    if close.sum() < max(1.0, least):
        return inside
    try:
        faces = ConvexHull(points).equations
    except QhullError:  # a single slice spans no volume
        return inside
    beyond = places[close] @ faces[:, :3].T + faces[:, 3]
    inside[close] = beyond.max(axis=1) < -CORE_DEPTH_MM
    return inside
