"""Occupancy of one label in millimetres, and the frame of one vertebral body.

Everything below works on samples in world millimetres, so orientation, spacing and obliquity of
the stored array play no part. A surface lies where the linearly interpolated occupancy of the
binary label passes one half: without bias for a plane of any direction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.floating]

SYMMETRY_RANGE_DEG = 25.0
"""Largest axial turn of a body against the patient's axes that is searched for."""

SYMMETRY_PRIOR_PER_DEG2 = 1e-3
"""Pull towards the patient's axes, in voxels²: decides where the outline is nearly a circle."""


@dataclass(frozen=True)
class Frame:
    """Right-handed frame in world millimetres.

    Attributes:
        origin: ``[3]`` world position of the frame's zero.
        axes: ``[3, 3]``, rows are the unit vectors u (right), v (anterior) and w (superior).
    """

    origin: FloatArray
    axes: FloatArray

    def to_world(self, local: FloatArray) -> FloatArray:
        """Turns ``[..., 3]`` frame coordinates into world coordinates."""
        return self.origin + np.asarray(local) @ self.axes

    def to_local(self, world: FloatArray) -> FloatArray:
        """Turns ``[..., 3]`` world coordinates into frame coordinates."""
        return (np.asarray(world) - self.origin) @ self.axes.T

    def moved(self, local_shift: FloatArray) -> "Frame":
        """Returns the frame with its origin at the frame coordinates ``local_shift``."""
        return Frame(self.to_world(local_shift), self.axes)


def frame_along(origin: FloatArray, up: FloatArray, right: FloatArray) -> Frame:
    """Builds the frame whose w is ``up`` and whose u is ``right`` made perpendicular to it."""
    w = up / np.linalg.norm(up)
    u = right - (right @ w) * w
    u = u / np.linalg.norm(u)
    return Frame(np.asarray(origin, float), np.stack([u, np.cross(w, u), w]))


@dataclass(frozen=True)
class Occupancy:
    """One label cut out of a label map.

    Attributes:
        values: ``[X, Y, Z]`` float32, one inside, with two empty voxels around.
        affine: ``[4, 4]`` voxel to world (RAS, mm).
        touches_border: whether the label reaches the border of the map.
        voxel_mm: mean voxel edge in mm.
    """

    values: FloatArray
    affine: FloatArray
    touches_border: bool
    voxel_mm: float

    @property
    def points(self) -> FloatArray:
        """World positions ``[N, 3]`` of the label's voxel centres."""
        return np.argwhere(self.values > 0.5) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def voxel_along(self, direction: FloatArray) -> float:
        """Voxel size in mm seen along a unit vector in world coordinates."""
        return float(np.linalg.norm(self.affine[:3, :3].T @ direction))

    @property
    def volume_mm3(self) -> float:
        """Voxel count times voxel volume."""
        return float(np.count_nonzero(self.values) * abs(np.linalg.det(self.affine[:3, :3])))


def cut_out(
    labels: NDArray[np.integer], affine: FloatArray, label: int, where: tuple[slice, ...]
) -> Occupancy:
    """Cuts the largest piece of a label out of the map.

    Args:
        labels: ``[X, Y, Z]`` label map.
        affine: ``[4, 4]`` voxel to world (RAS, mm).
        label: id to cut out.
        where: box that holds the label, as from ``scipy.ndimage.find_objects``.
    """
    inside = labels[where] == label
    pieces, count = ndimage.label(inside)
    if count > 1:
        inside = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    corners = np.argwhere(inside)
    low = np.array([s.start for s in where])
    first, last = corners.min(axis=0) + low, corners.max(axis=0) + low
    touches = bool((first == 0).any() or (last == np.array(labels.shape) - 1).any())
    pad = 2
    moved = np.array(affine, float)
    moved[:3, 3] += moved[:3, :3] @ (low - pad)
    return Occupancy(
        np.pad(inside, pad).astype(np.float32),
        moved,
        touches,
        float(abs(np.linalg.det(moved[:3, :3])) ** (1 / 3)),
    )


@dataclass(frozen=True)
class Samples:
    """Occupancy on a regular grid of a frame.

    Attributes:
        values: ``[U, V, W]`` occupancy between zero and one.
        start: ``[3]`` frame coordinates of the first sample.
        step: sample distance in mm.
    """

    values: FloatArray
    start: FloatArray
    step: float

    def coordinates(self, axis: int) -> FloatArray:
        """Frame coordinates of the samples along one axis."""
        return self.start[axis] + self.step * np.arange(self.values.shape[axis])

    def index(self, axis: int, position: float) -> int:
        """Nearest sample to a frame coordinate."""
        found = round((position - self.start[axis]) / self.step)
        return int(np.clip(found, 0, self.values.shape[axis] - 1))

    def exit(self, axis: int, position: float, direction: int) -> FloatArray:
        """Finds where lines along an axis leave the label.

        Args:
            axis: 0, 1 or 2, the axis the lines follow.
            position: frame coordinate where the lines start, inside the label.
            direction: +1 or -1.

        Returns:
            Frame coordinate of the first crossing of one half, over the other two axes;
            NaN where the line starts outside or does not leave the label.
        """
        return self._crossing(self.values, axis, position, direction)

    def entry(self, axis: int, position: float, direction: int) -> FloatArray:
        """Finds where lines that start outside first meet the label; see :meth:`exit`."""
        return self._crossing(1 - self.values, axis, position, direction)

    def _crossing(
        self, values: FloatArray, axis: int, position: float, direction: int
    ) -> FloatArray:
        lines = np.moveaxis(values, axis, -1)
        first = self.index(axis, position)
        lines = lines[..., first:] if direction > 0 else lines[..., first::-1]
        out = lines < 0.5
        after = np.argmax(out, axis=-1)
        before = np.maximum(after - 1, 0)
        inner = np.take_along_axis(lines, before[..., None], -1)[..., 0]
        outer = np.take_along_axis(lines, after[..., None], -1)[..., 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            steps = before + (inner - 0.5) / (inner - outer)
        crossing = self.start[axis] + self.step * (first + direction * steps)
        return np.where(after > 0, crossing, np.nan)


def sample(
    occupancy: Occupancy, frame: Frame, low: FloatArray, high: FloatArray, step: float
) -> Samples:
    """Samples an occupancy linearly on the grid of a frame between two corners (frame mm)."""
    low = np.asarray(low, float)
    shape = tuple(int(n) for n in np.ceil((np.asarray(high) - low) / step) + 1)
    inverse = np.linalg.inv(occupancy.affine)
    matrix = inverse[:3, :3] @ frame.axes.T * step
    offset = inverse[:3, :3] @ frame.to_world(low) + inverse[:3, 3]
    values = ndimage.affine_transform(
        occupancy.values, matrix, offset, output_shape=shape, order=1, prefilter=False
    )
    return Samples(values, low, step)


def sample_all(occupancy: Occupancy, frame: Frame, step: float) -> Samples:
    """Samples the whole label with a margin of one and a half voxels."""
    local = frame.to_local(occupancy.points)
    margin = 1.5 * occupancy.voxel_mm + step
    return sample(occupancy, frame, local.min(axis=0) - margin, local.max(axis=0) + margin, step)


def symmetry_turn(section: FloatArray, step: float, voxel_mm: float) -> float:
    """Finds the turn of a cross-section's mirror axis against the frame's v axis.

    The outline's radius about the centroid is compared with its mirror image for every axis at
    once, as a circular convolution.

    Args:
        section: ``[U, V]`` occupancy.
        step: sample distance in mm.
        voxel_mm: voxel edge of the label map, the size of the outline's errors.

    Returns:
        Angle in degrees, positive from v towards -u (counter-clockwise seen from above).
    """
    total = section.sum()
    u, v = np.indices(section.shape)
    centre = np.array([(u * section).sum(), (v * section).sum()]) / total
    count = 720
    angle = np.arange(count) * (2 * np.pi / count)
    reach = np.arange(0.0, 0.5 * float(np.hypot(*section.shape)) + 1.0, 0.5)
    at = centre[:, None, None] + np.stack([np.cos(angle), np.sin(angle)])[..., None] * reach
    radius = ndimage.map_coordinates(section, at, order=1).sum(axis=-1) * 0.5 * step
    mirrored = np.fft.irfft(np.fft.rfft(radius) ** 2, n=count)
    cost = 2 * ((radius**2).sum() - mirrored) / count
    turn = np.arange(-SYMMETRY_RANGE_DEG, SYMMETRY_RANGE_DEG + 0.125, 0.25)  # degrees
    index = np.round((180 + 2 * turn) * count / 360).astype(int) % count
    cost = cost[index] + SYMMETRY_PRIOR_PER_DEG2 * (voxel_mm * turn) ** 2
    return float(turn[np.argmin(cost)])
