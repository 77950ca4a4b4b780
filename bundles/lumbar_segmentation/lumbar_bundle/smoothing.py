"""A smooth line through scattered points: penalised curvature, outliers weighed down."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

#: Rounds of weighing; the line no longer moves after about five.
ROUNDS = 8
#: Weight of a place without a point, so that the system can be solved.
NOTHING = 1e-9


def smooth_line(
    places: np.ndarray, values: np.ndarray, size: int, wavelength: float, outlier: float
) -> np.ndarray:
    """Lay a smooth line through values at whole places, gaps bridged.

    Whittaker's smoother: least squares with a penalty on squared second differences. Its rounds
    weigh a value by (1 + (distance / outlier)^2)^-2, so a few wrong values lose their say.

    Args:
        places: Where the values stand, whole numbers below `size`, [N].
        values: Values, [N, D].
        size: Places to return the line at.
        wavelength: Waves this many places long are halved, shorter ones smoothed away.
        outlier: Distance from the line at which a value keeps a quarter of its weight.

    Returns:
        The line, [size, D].

    Example:
        >>> line = smooth_line(np.array([0, 1, 3]), np.array([[1.0], [2.0], [4.0]]), 4, 10, 1.0)
        >>> line.round(3).ravel().tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    stiffness = (wavelength / (2 * np.pi)) ** 4
    weights = np.ones(len(values))
    line = np.zeros((size, values.shape[1]))
    for _ in range(ROUNDS):
        line = _weighted_line(places, values, weights, size, stiffness)
        distance = np.linalg.norm(values - line[places], axis=1)
        weights = (1 + (distance / outlier) ** 2) ** -2
    return line


def _weighted_line(
    places: np.ndarray, values: np.ndarray, weights: np.ndarray, size: int, stiffness: float
) -> np.ndarray:
    """Minimise weighted squared errors plus `stiffness` times squared second differences."""
    right = np.zeros((size, values.shape[1]))
    np.add.at(right, places, weights[:, None] * values)
    band = np.zeros((3, size))  # upper diagonals, the main one last
    np.add.at(band[2], places, weights)
    band[2] += NOTHING
    second = np.array([1.0, -2.0, 1.0])
    for a in range(3):
        for b in range(a, 3):
            band[2 - (b - a), b : size - 2 + b] += stiffness * second[a] * second[b]
    return solveh_banded(band, right)
