"""Upper endplate of the sacrum, found from the body above it.

The label may hold the whole sacrum with its alae, or only its bodies, or only S1: lines cast from
the lower endplate of the last lumbar body meet the endplate of S1 first, and its front (promontory)
and back edges lie where lines just below the endplate leave the label.
"""

import numpy as np

from tools.morphometry.body import ENDPLATE, PLANE, WALL, BodyShape, FloatArray, plate_points
from tools.morphometry.frame import Frame, Occupancy, Samples, frame_along, sample
from tools.morphometry.surfaces import corner_zone, fit, stair_noise

BAND_MM = 7.0
"""Half-width of the mid-sagittal band."""

REACH_MM = 45.0
"""Longest gap between the last lumbar endplate and the sacrum that is searched."""

WALL_ROWS_MM = (-12.0, -4.0)
"""Depth below the endplate where its front and back walls are sought."""


def measure_endplate(
    occupancy: Occupancy, above: BodyShape
) -> tuple[FloatArray, FloatArray] | None:
    """Measures the upper endplate of S1.

    Args:
        occupancy: label of the sacrum.
        above: shape of the last lumbar body.

    Returns:
        World positions ``[3, 3]`` of front edge, midpoint and back edge, and the unit vector
        ``[3]`` along the endplate from left to right; None where the endplate is not found.
    """
    chord = above.lower[0] - above.lower[2]
    half = float(np.linalg.norm(chord)) / 2
    right = above.lower_lateral
    frame = frame_along(above.lower[1], np.cross(right, chord), right)
    step = float(np.clip(occupancy.voxel_mm / 2, 0.5, 1.0))
    start, reach = 0.0, REACH_MM
    for _ in range(5):
        samples = _sample(occupancy, frame, half, reach, step)
        u, v = samples.coordinates(0), samples.coordinates(1)
        inner = abs(v) <= 0.6 * half
        ends = samples.entry(2, start, -1)
        plane = fit(u, v[inner], ends[:, inner], PLANE, 1.0)
        if plane is None:
            return None
        slope_v, slope_u = plane.coefficients[1:] / plane.half[::-1]
        height = float(plane(0.0, 0.0))
        below = frame.moved(np.array([0.0, 0.0, height]))
        middle = _middle(samples, height)
        if middle is None:
            return None
        u_axis, v_axis, w_axis = frame.axes
        up = w_axis - slope_u * u_axis - slope_v * v_axis
        frame = frame_along(below.to_world(np.array([0.0, middle, slope_v * middle])), up, right)
        start, reach = 8.0, 25.0
    return _edges(occupancy, _sample(occupancy, frame, half, reach, step), frame)


def _sample(occupancy: Occupancy, frame: Frame, half: float, reach: float, step: float) -> Samples:
    """Samples the band around the middle of the endplate."""
    low = np.array([-BAND_MM, -half - 15.0, -reach - 15.0])
    return sample(occupancy, frame, low, np.array([BAND_MM, half + 15.0, 12.0]), step)


def _middle(samples: Samples, height: float) -> float | None:
    """Middle between front and back wall below the endplate, or None where a wall is missing."""
    rows = [samples.index(2, height + row) for row in WALL_ROWS_MM]
    ends = []
    for way in (1, -1):
        crossings = samples.exit(1, 0.0, way)[:, rows[0] : rows[1]]
        if not np.isfinite(crossings).any():
            return None
        ends.append(float(np.nanmedian(crossings)))
    return sum(ends) / 2


def _edges(
    occupancy: Occupancy, samples: Samples, frame: Frame
) -> tuple[FloatArray, FloatArray] | None:
    """Fits endplate and walls and lets them meet."""
    u, v, w = (samples.coordinates(axis) for axis in range(3))
    noise = [stair_noise(occupancy.voxel_along(axis), samples.step) for axis in frame.axes]
    corner = corner_zone(occupancy.voxel_mm)
    rows = (w >= WALL_ROWS_MM[0]) & (w <= -corner)
    front, back = (
        fit(u, w[rows], samples.exit(1, 0.0, way)[:, rows], WALL, noise[1]) for way in (1, -1)
    )
    if front is None or back is None:
        return None
    columns = (v >= back(0.0, 0.0) + corner) & (v <= front(0.0, 0.0) - corner)
    top = fit(u, v[columns], samples.entry(2, 8.0, -1)[:, columns], ENDPLATE, noise[2])
    if top is None:
        return None
    rise = float(top(1.0, 0.0) - top(-1.0, 0.0)) / 2
    lateral = frame.axes[0] + rise * frame.axes[2]
    points = frame.to_world(plate_points(top, front, back))
    return points, lateral / np.linalg.norm(lateral)
