"""Voxel grids in patient millimetres: turned, averaged and sampled without aliasing.

Every function takes an array [X, Y, Z] with the 4x4 matrix from its voxel indices (centres) to
RAS+ millimetres. Volumes are first seen in RAS order (`to_ras`, a view), so that the same patient
stored in any axis order gives the same numbers, in the same order of summation.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scipy import ndimage

#: HU of what no scan shows: air, and the value that CT readers pad with.
OUTSIDE_HU = -1024.0

#: Origins are rounded to this many decimals of a millimetre: turning a grid over and back leaves
#: errors of 1e-13 mm, which would otherwise decide ties between voxels.
ORIGIN_DECIMALS = 6

#: Part of a voxel that floating-point error may cost at an outer face.
TOLERANCE = 1e-3

#: Smallest volume of a voxel relative to the product of its edges: below, its axes lie in a plane.
LEAST_VOXEL_VOLUME = 1e-3


def check_grid(shape: tuple[int, ...], affine: np.ndarray, name: str) -> None:
    """Refuse an array that is no volume in space.

    Args:
        shape: Of the volume.
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        name: What the message calls the volume: its file.

    Raises:
        ValueError: If the array is not three-dimensional or is empty, or if the matrix is not
            finite or cannot be inverted.
    """
    if len(shape) != 3 or min(shape) == 0:
        raise ValueError(
            f"{name}: shape {tuple(shape)} is not one CT volume; give a 3-D volume, or a single "
            "slice as a volume that is one voxel thick"
        )
    axes = np.asarray(affine, dtype=float)[:3, :3]
    if not np.isfinite(np.asarray(affine, dtype=float)).all():
        raise ValueError(f"{name}: its affine is not finite; export it again from the scanner")
    edges = np.linalg.norm(axes, axis=0)
    if edges.min() == 0 or abs(np.linalg.det(axes / edges)) < LEAST_VOXEL_VOLUME:
        raise ValueError(
            f"{name}: its affine cannot be inverted (voxel edges {np.round(edges, 4).tolist()} mm);"
            " export it again from the scanner"
        )


def check_finite(values: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity.

    Args:
        values: HU, or block means of HU, which are not finite either.
        name: What the message calls the volume: its file.

    Raises:
        ValueError: If a value is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name}: holds values that are not finite (NaN or infinity); replace them by "
            f"{OUTSIDE_HU:g} HU"
        )


def unpack(image: Any) -> tuple[np.ndarray, np.ndarray, str]:
    """Take a channel-first volume apart.

    Args:
        image: [1, X, Y, Z], a MetaTensor (other arrays are taken to lie on a 1 mm RAS grid).

    Returns:
        Array [X, Y, Z], its 4x4 voxel to RAS+ millimetre matrix, and the file's name for messages.

    Raises:
        ValueError: If it is not a volume with one channel.
    """
    affine = np.asarray(getattr(image, "affine", np.eye(4)), dtype=float)
    stored = getattr(image, "meta", {}).get("filename_or_obj", None)
    name = str(stored) if stored else "image"
    array = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
    if array.ndim != 4 or array.shape[0] != 1:
        raise ValueError(
            f"{name}: shape {tuple(array.shape)} is not one CT volume [1, X, Y, Z]; give one phase "
            "of one series, a single slice as a volume that is one voxel thick"
        )
    return array[0], affine, name


def spacing_mm(affine: np.ndarray) -> np.ndarray:
    """Return the voxel edges of a grid, mm [3]."""
    return np.linalg.norm(np.asarray(affine, dtype=float)[:3, :3], axis=0)


def to_world(affine: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Map voxel indices [..., 3] to RAS+ millimetres [..., 3]."""
    return np.asarray(index) @ affine[:3, :3].T + affine[:3, 3]


def to_index(affine: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Map RAS+ millimetres [..., 3] to fractional voxel indices [..., 3]."""
    return to_world(np.linalg.inv(affine), points_mm)


def corners_mm(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """RAS+ millimetres of the eight outer corners of a grid (voxel faces, not centres), [8, 3]."""
    ends = [(-0.5, size - 0.5) for size in shape]
    return to_world(affine, np.array(list(product(*ends))))


def to_ras(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """View a volume with its axes flipped and swapped to point right, forward and up.

    An oblique grid stays oblique: the axes take the order that is closest to RAS.

    Args:
        array: Volume [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix, which must be invertible.

    Returns:
        A view of the volume and its matrix.
    """
    affine = np.asarray(affine, dtype=float)
    change = io_orientation(affine)
    turned = affine @ inv_ornt_aff(change, array.shape)
    turned[:3, 3] = np.round(turned[:3, 3], ORIGIN_DECIMALS)
    return apply_orientation(array, change), turned


def block_factors(affine: np.ndarray, step_mm: np.ndarray) -> np.ndarray:
    """Return how many voxels per axis come closest to a step of `step_mm` [3], at least one."""
    return np.maximum(1, np.round(np.asarray(step_mm) / spacing_mm(affine))).astype(int)


def block_mean(
    array: np.ndarray, affine: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average blocks of whole voxels, so that noise and thin structures do not alias later.

    Args:
        array: Volume [X, Y, Z] of any number type.
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        factors: Voxels per block and axis, [3]; cut to the volume's size. Voxels beyond the last
            whole block are left out.

    Returns:
        Means, float32 [X // fx, Y // fy, Z // fz], and their matrix.
    """
    factors = np.minimum(factors, array.shape)
    shape = np.array(array.shape) // factors
    ends = shape * factors
    total = np.zeros(shape, dtype=np.float32)
    for first in product(*(range(factor) for factor in factors)):
        total += array[tuple(slice(f, e, s) for f, e, s in zip(first, ends, factors, strict=True))]
    total /= np.float32(np.prod(factors))
    moved = np.array(affine, dtype=float)
    moved[:3, 3] = to_world(moved, (factors - 1) / 2)
    moved[:3, :3] *= factors
    return total, moved


def sample(
    array: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, ...],
    grid_affine: np.ndarray,
    order: int = 1,
    outside: float | None = OUTSIDE_HU,
) -> np.ndarray:
    """Sample a volume on another grid, linearly or at the nearest voxel.

    Up to half a voxel beyond the outermost centres the volume still shows the patient (a voxel is
    an extent, not a point): there its edge value holds, further out `outside`.

    Args:
        array: Volume [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        shape: Shape of the new grid.
        grid_affine: 4x4 matrix of the new grid.
        order: 1 linear, 0 nearest.
        outside: Value beyond the volume; None keeps the nearest edge value.

    Returns:
        The samples [*shape]: float32 for order 1, the array's own type for order 0.
    """
    step = np.linalg.inv(affine) @ grid_affine
    values = ndimage.affine_transform(
        array,
        step[:3, :3],
        step[:3, 3],
        output_shape=tuple(shape),
        output=np.float32 if order else array.dtype,
        order=order,
        mode="nearest",
        prefilter=False,
    )
    if outside is not None:
        values[~covered(array.shape, affine, shape, grid_affine)] = outside
    return values


def covered(
    source_shape: tuple[int, ...],
    source_affine: np.ndarray,
    shape: tuple[int, ...],
    affine: np.ndarray,
) -> np.ndarray:
    """Tell which voxel centres of a grid lie within another grid's box (its outer faces).

    Args:
        source_shape: Shape of the other grid.
        source_affine: Its matrix.
        shape: Shape of the grid.
        affine: Its matrix.

    Returns:
        Booleans [*shape].
    """
    step = np.linalg.inv(source_affine) @ affine
    inside = np.ones(tuple(shape), dtype=bool)
    lattice = np.ogrid[tuple(slice(size) for size in shape)]
    for axis, size in enumerate(source_shape):
        index = sum(step[axis, i] * lattice[i] for i in range(3)) + step[axis, 3]
        inside &= (index >= -0.5 - TOLERANCE) & (index <= size - 0.5 + TOLERANCE)
    return inside


def box_in(
    source_shape: tuple[int, ...],
    source_affine: np.ndarray,
    shape: tuple[int, ...],
    affine: np.ndarray,
    margin: int,
) -> tuple[slice, slice, slice] | None:
    """Find the part of a volume that a grid looks at.

    Args:
        source_shape: Shape of the volume.
        source_affine: Its matrix.
        shape: Shape of the grid.
        affine: Its matrix.
        margin: Voxels of the volume kept around that part.

    Returns:
        Slices into the volume; None where the grid lies wholly beside it.
    """
    index = to_index(source_affine, corners_mm(shape, affine))
    first = np.maximum(np.floor(index.min(axis=0)).astype(int) - margin, 0)
    last = np.minimum(np.ceil(index.max(axis=0)).astype(int) + margin + 1, source_shape)
    if (last <= first).any():
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return x, y, z


def shifted(affine: np.ndarray, first: tuple[slice, ...]) -> np.ndarray:
    """Return the matrix of a part of a volume that begins at the slices' starts."""
    moved = np.array(affine, dtype=float)
    moved[:3, 3] = to_world(moved, np.array([part.start for part in first], dtype=float))
    return moved
