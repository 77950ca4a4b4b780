"""Smooth surfaces through the crossings of a body's label: endplates and walls.

Every wall of a body is one polynomial over the two coordinates that run along it, fitted by least
squares over a band where lines cross it squarely, and extended to the corner where two walls meet.
So a corner is found from many voxels, and its error is far below one of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

CORNER_MM = 1.5
"""Depth of the rounded corner zone between two walls that no fit uses."""

CORNER_VOXELS = 0.65
"""The same in voxels, where that is more: interpolation rounds a corner over half a voxel."""

OUTLIER_MAD = 4.0
"""Crossings further than this many median absolute deviations from a first fit are left out."""

Terms = Mapping[tuple[int, int], float]
"""Polynomial orders over (a, b) -> expected size of the term in mm.

The sizes weigh against the voxels' own errors: with fine voxels they do nothing, with coarse ones
they keep a fit from bending after the staircase.
"""

STAIR_CORRELATION = 3.0
"""Voxels over which the staircase of a nearly aligned wall keeps its sign."""


@dataclass(frozen=True)
class Surface:
    """A height over two coordinates ``a`` and ``b``.

    ``height = sum of c_k * P_i(a') * P_j(b')`` with Legendre polynomials of the coordinates scaled
    to the fitted window.
    """

    coefficients: FloatArray
    orders: tuple[tuple[int, int], ...]
    centre: tuple[float, float]
    half: tuple[float, float]

    def __call__(self, a: FloatArray | float, b: FloatArray | float) -> FloatArray:
        """Evaluates the surface in mm."""
        return self.terms(np.asarray(a, float), np.asarray(b, float)) @ self.coefficients

    def terms(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Returns the basis ``[..., K]`` at coordinates in mm."""
        a, b = np.broadcast_arrays(a, b)
        highest = np.max(self.orders, axis=0)
        over_a = legendre.legvander((a - self.centre[0]) / self.half[0], int(highest[0]))
        over_b = legendre.legvander((b - self.centre[1]) / self.half[1], int(highest[1]))
        i, j = np.transpose(self.orders)
        return (over_a[..., i] * over_b[..., j]).reshape(*a.shape, len(self.orders))


def corner_zone(voxel_mm: float) -> float:
    """Depth in mm of the corner zone that no fit uses.

    >>> corner_zone(1.0), round(corner_zone(3.0), 2)
    (1.5, 1.95)
    """
    return max(CORNER_MM, CORNER_VOXELS * voxel_mm)


def stair_noise(voxel_mm: float, step: float) -> float:
    """Variance of one crossing, mm², times the number of samples that share its error.

    A crossing of a binary label is off by up to half a voxel: variance ``voxel² / 12``.
    """
    return voxel_mm**2 / 12 * STAIR_CORRELATION * max(voxel_mm / step, 1.0) ** 2


def fit(
    a: FloatArray,
    b: FloatArray,
    height: FloatArray,
    sizes: Terms,
    noise: float,
) -> Surface | None:
    """Fits a surface to crossings, or returns None where there are too few.

    Args:
        a: ``[A]`` first coordinate in mm.
        b: ``[B]`` second coordinate in mm.
        height: ``[A, B]`` crossings in mm, NaN where there is none.
        sizes: the polynomial's terms and their expected sizes.
        noise: variance of a crossing times the samples that share it, mm² (:func:`stair_noise`).
    """
    if len(a) == 0 or len(b) == 0:
        return None
    known = np.isfinite(height)
    orders = tuple(sizes)
    if known.sum() < 3 * len(orders):
        return None
    grid_a, grid_b = np.meshgrid(a, b, indexing="ij")
    scale = [(float(x.mean()), max(float(np.ptp(x)) / 2, 1.0)) for x in (a, b)]
    empty = Surface(
        np.zeros(len(orders)), orders, (scale[0][0], scale[1][0]), (scale[0][1], scale[1][1])
    )
    terms, target = empty.terms(grid_a[known], grid_b[known]), height[known]
    weights = np.ones(len(target))
    ridge = np.diag([noise / size**2 for size in sizes.values()])
    for _ in range(2):
        weighted = terms * weights[:, None]
        solution = np.linalg.solve(terms.T @ weighted + ridge, weighted.T @ target)
        off = np.abs(terms @ solution - target)
        weights = (off <= OUTLIER_MAD * 1.4826 * max(float(np.median(off)), 0.1)).astype(float)
    return Surface(solution, orders, empty.centre, empty.half)
