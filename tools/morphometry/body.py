"""Shape of one vertebral body from its label alone.

The frame of the body is found from the label: w halfway between the normals of the two endplates,
v and u by the mirror symmetry of the cross-section. In that frame endplates and walls are fitted
(:mod:`tools.morphometry.surfaces`) and meet in corners; heights and depths are distances between
corners in the mid-sagittal plane, as in six-point morphometry.

    Genant HK et al. Vertebral fracture assessment using a semiquantitative technique.
    J Bone Miner Res 1993;8:1137-48.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.morphometry.frame import (
    Frame,
    Occupancy,
    Samples,
    frame_along,
    sample_all,
    symmetry_turn,
)
from tools.morphometry.surfaces import Surface, corner_zone, fit, stair_noise

FloatArray = NDArray[np.floating]

FREE = 1e3
"""Size in mm of a term that nothing holds back."""

PLANE = {(0, 0): FREE, (0, 1): FREE, (1, 0): FREE}
"""Terms of a plane."""

ENDPLATE = {
    (0, 0): FREE,
    (0, 1): 3.0,  # half of the wedge
    (0, 2): 2.0,  # bowl
    (0, 3): 0.8,  # bowl with its apex behind the middle
    (0, 4): 0.3,  # flat rim
    (1, 0): 3.0,
    (1, 1): 0.5,
    (2, 0): 1.0,
    (2, 1): 0.3,
    (2, 2): 0.3,
}
"""Terms of an endplate over (u, v), mm."""

WALL = {(0, 0): FREE, (0, 1): 1.0, (0, 2): 0.7, (1, 0): 1.5, (1, 1): 0.3, (2, 0): 1.5}
"""Terms of the front and back walls over (u, w), mm: slope, waist, roundness."""

WIDTH = {
    (0, 0): FREE,
    (0, 1): 1.5,
    (0, 2): 1.0,
    (1, 0): 4.0,
    (1, 1): 0.5,
    (2, 0): 4.0,
    (2, 2): 1.0,
    (3, 0): 1.0,
    (4, 0): 1.0,
}
"""Terms of the width over (v, w), mm."""

BAND = 0.25
"""Half-width of the mid-sagittal band, as a share of the body's width."""

FACES = ((1, 1), (1, -1), (2, 1), (2, -1))
"""Axis and side of the front, back, upper and lower wall."""

SMALLEST_VOXELS = 60
"""A label with fewer voxels is not measured."""


@dataclass(frozen=True)
class BodyShape:
    """Fitted shape of a body, in its frame.

    Attributes:
        frame: frame of the body; the plane u = 0 is mid-sagittal.
        upper: world positions ``[3, 3]`` of front edge, midpoint and back edge, upper endplate.
        lower: the same of the lower endplate.
        middle_depth: front-to-back distance at mid height, mm.
        upper_width: greatest width at the upper endplate, mm.
        middle_width: greatest width at mid height, mm.
        upper_lateral: unit vector along the upper endplate from left to right.
        lower_lateral: the same of the lower endplate.
    """

    frame: Frame
    upper: FloatArray
    lower: FloatArray
    middle_depth: float
    upper_width: float
    middle_width: float
    upper_lateral: FloatArray
    lower_lateral: FloatArray


def find_frame(occupancy: Occupancy, up: FloatArray, step: float) -> tuple[Frame, Samples] | None:
    """Finds the frame of a body and samples the body in it.

    Args:
        occupancy: label of the body.
        up: rough cranial direction in world mm.
        step: sample distance in mm.

    Returns:
        Frame and samples, or None when the label has no two endplates.
    """
    right = np.array([1.0, 0.0, 0.0])
    frame = frame_along(occupancy.points.mean(axis=0), np.asarray(up, float), right)
    for _ in range(3):
        samples = sample_all(occupancy, frame, max(1.0, step))
        values = samples.values
        profile = values.sum(axis=(0, 1))
        middle = profile > 0.8 * profile.max()
        section = values[:, :, middle].mean(axis=2)
        turn = np.radians(symmetry_turn(section, samples.step, occupancy.voxel_mm))
        u, v, w = frame.axes
        slope = _mean_slope(samples, section)
        if slope is None:
            return None
        up = w - slope[0] * u - slope[1] * v
        right = np.cos(turn) * u + np.sin(turn) * v
        frame = frame_along(frame.origin, up, right)
    samples = sample_all(occupancy, frame, step)
    centre = _centre(samples)
    frame = frame.moved(centre)
    return frame, Samples(samples.values, samples.start - centre, samples.step)


def _centre(samples: Samples) -> FloatArray:
    """Centre of the body: of its extent in v and w, of its area in u."""
    u, w = samples.coordinates(0), samples.coordinates(2)
    profile = samples.values.sum(axis=(0, 1))
    middle = float((profile * w).sum() / profile.sum())
    area = samples.values[:, :, abs(w - middle) < 6.0].sum(axis=(1, 2))
    across = float((area * u).sum() / area.sum())
    line = samples.index(0, across), samples.index(2, middle)
    v = samples.coordinates(1)[samples.values[line[0], :, line[1]] >= 0.5]
    along = float(v.min() + v.max()) / 2 if len(v) else 0.0
    return np.array([across, along, middle])


def _mean_slope(samples: Samples, section: FloatArray) -> FloatArray | None:
    """Mean slope of both endplates over u and v, from planes fitted inside the walls."""
    inner = section > 0.98
    centre = _centre(samples)
    u, v = samples.coordinates(0) - centre[0], samples.coordinates(1) - centre[1]
    inner &= (abs(u)[:, None] < 0.6 * abs(u).max()) & (abs(v)[None, :] < 0.6 * abs(v).max())
    slopes = []
    for direction in (1, -1):
        ends = np.where(inner, samples.exit(2, centre[2], direction), np.nan)
        plane = fit(u, v, ends, PLANE, 1.0)
        if plane is None:
            return None
        slopes.append(
            [plane.coefficients[2] / plane.half[0], plane.coefficients[1] / plane.half[1]]
        )
    return np.mean(slopes, axis=0)


def measure_shape(occupancy: Occupancy, up: FloatArray) -> BodyShape | None:
    """Measures a whole body, or returns None when its label is no body.

    Args:
        occupancy: label of the body.
        up: rough cranial direction in world mm, within about 40 degrees.
    """
    if np.count_nonzero(occupancy.values) < SMALLEST_VOXELS:
        return None
    found = find_frame(occupancy, up, float(np.clip(occupancy.voxel_mm / 2, 0.5, 1.0)))
    if found is None:
        return None
    frame, samples = found
    corner = corner_zone(occupancy.voxel_mm)
    noise = [stair_noise(occupancy.voxel_along(axis), samples.step) for axis in frame.axes]
    walls = _fit_walls(samples, corner, noise)
    if walls is None:
        return None
    front, back, top, bottom = walls
    upper = plate_points(top, front, back)
    lower = plate_points(bottom, front, back)
    width = _fit_width(samples, upper, lower, corner, noise)
    if width is None:
        return None
    v = np.linspace(0.3 * back(0.0, 0.0), 0.3 * front(0.0, 0.0), 61)
    rim = np.interp(v, upper[::-2, 1], upper[::-2, 2])  # the chord, not the bowl
    return BodyShape(
        frame=frame,
        upper=frame.to_world(upper),
        lower=frame.to_world(lower),
        middle_depth=float(front(0.0, 0.0) - back(0.0, 0.0)),
        upper_width=float(width(v, rim).max()),
        middle_width=float(width(v, 0.0).max()),
        upper_lateral=_lateral(frame, top),
        lower_lateral=_lateral(frame, bottom),
    )


def _fit_walls(
    samples: Samples, corner: float, noise: list[float]
) -> tuple[Surface, Surface, Surface, Surface] | None:
    """Fits front, back, upper and lower wall over the mid-sagittal band.

    A first pass finds the corners, a second one uses the walls up to them.
    """
    u = samples.coordinates(0)
    middle = [samples.index(axis, 0.0) for axis in range(3)]
    sides = samples.values[:, middle[1], middle[2]] >= 0.5
    spans = []
    for axis in (1, 2):
        ends = [samples.exit(axis, 0.0, way)[middle[0], middle[3 - axis]] for way in (-1, 1)]
        spans.append((float(ends[0]), float(ends[1])))
    if not (np.isfinite(spans).all() and sides.any()):
        return None
    band = abs(u) <= max(BAND * float(np.ptp(u[sides])), 1.5 * samples.step)
    depth, height = spans
    limits: list[tuple[float, float]] = [
        height,
        height,
        depth,
        depth,
    ]  # of front, back, upper and lower wall
    walls: tuple[Surface, ...] = ()
    for _ in range(2):
        fits = [
            _fit_wall(samples, band, axis, way, limit, corner, noise[axis])
            for (axis, way), limit in zip(FACES, limits, strict=True)
        ]
        walls = tuple(surface for surface in fits if surface is not None)
        if len(walls) < 4:
            return None
        upper = plate_points(walls[2], walls[0], walls[1])
        lower = plate_points(walls[3], walls[0], walls[1])
        limits = [
            (float(one), float(two))
            for one, two in (
                (lower[0, 2], upper[0, 2]),
                (lower[2, 2], upper[2, 2]),
                (upper[2, 1], upper[0, 1]),
                (lower[2, 1], lower[0, 1]),
            )
        ]
    return walls[0], walls[1], walls[2], walls[3]


def _fit_wall(
    samples: Samples,
    band: NDArray[np.bool_],
    axis: int,
    way: int,
    limit: tuple[float, float],
    corner: float,
    noise: float,
) -> Surface | None:
    """Fits one wall to where lines from outside meet it, between the corners of ``limit``."""
    along = samples.coordinates(3 - axis)
    rows = (along >= limit[0] + corner) & (along <= limit[1] - corner)
    across = samples.coordinates(axis)
    met = samples.entry(axis, across[-1] if way > 0 else across[0], -way)
    # A line that misses this wall meets the opposite one.
    met = np.where(met * way > 0, met, np.nan)
    terms = WALL if axis == 1 else ENDPLATE
    return fit(samples.coordinates(0)[band], along[rows], met[np.ix_(band, rows)], terms, noise)


def plate_points(plate: Surface, front: Surface, back: Surface) -> FloatArray:
    """Returns front edge, midpoint and back edge of an endplate in the plane u = 0, frame mm."""
    edges = []
    longest = 1.5 * float(front(0.0, 0.0) - back(0.0, 0.0))  # no extension runs away
    for wall in (front, back):
        v = float(wall(0.0, 0.0))
        for _ in range(5):
            v = float(np.clip(wall(0.0, float(plate(0.0, v))), -longest, longest))
        edges.append(v)
    along = np.array([edges[0], (edges[0] + edges[1]) / 2, edges[1]])
    return np.stack([np.zeros(3), along, plate(0.0, along)], axis=-1)


def _fit_width(
    samples: Samples, upper: FloatArray, lower: FloatArray, corner: float, noise: list[float]
) -> Surface | None:
    """Fits the width over (v, w) around the widest part of the body."""
    v, w = samples.coordinates(1), samples.coordinates(2)
    rows = (w <= upper[::2, 2].min() - corner) & (w >= lower[::2, 2].max() + corner)
    reach = 0.3 * (upper[0, 1] - upper[2, 1])
    columns = abs(v - upper[1, 1]) <= reach
    ends = samples.coordinates(0)[[-1, 0]]
    across = samples.entry(0, ends[0], -1) - samples.entry(0, ends[1], 1)
    return fit(v[columns], w[rows], across[np.ix_(columns, rows)], WIDTH, 2 * noise[0])


def _lateral(frame: Frame, plate: Surface) -> FloatArray:
    """Unit vector from left to right along an endplate, at its middle."""
    rise = float(plate(1.0, 0.0) - plate(-1.0, 0.0)) / 2
    vector = frame.axes[0] + rise * frame.axes[2]
    return vector / np.linalg.norm(vector)
