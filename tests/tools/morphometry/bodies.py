"""Analytic vertebral bodies with known dimensions, drawn into label maps for the tests."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Body:
    """A body with a superelliptic section, a waist, a wedge and concave endplates (mm)."""

    depth: float = 34.0
    width: float = 43.0
    anterior: float = 27.0
    posterior: float = 27.0
    bowl: float = 2.0  # depth of each endplate below its rim
    apex: float = 0.3  # > 0: deepest point behind the middle
    waist: float = 0.05
    power: float = 2.4
    rounding: float = 0.0  # radius taken off the edge of each endplate

    def plates(self, v: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """Rim lines of the upper and lower endplate over v."""
        mean = (self.anterior + self.posterior) / 2
        half = mean / 2 + (self.anterior - self.posterior) / 2 * np.asarray(v) / self.depth
        return half, -half

    def dent(self, u: FloatArray | float, v: FloatArray | float) -> FloatArray:
        """Depth of the endplate below its rim line; zero along the front and back edge."""
        t = np.clip(np.asarray(v) / (self.depth / 2), -1, 1)
        s = np.clip(np.asarray(u) / (self.width / 2), -1, 1)
        return self.bowl * (1 - t**2) * (1 - self.apex * t) * (1 - 0.7 * s**2)

    def inside(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether ``[..., 3]`` points (u, v, w) lie in the body."""
        u, v, w = np.moveaxis(points, -1, 0)
        top, bottom = self.plates(v)
        share = np.clip(w / top, -1, 1)
        shrink = 1 - self.waist * (1 - share**2)
        radius = abs(u / (self.width / 2)) ** self.power + abs(v / (self.depth / 2)) ** self.power
        radius = radius ** (1 / self.power) / shrink
        dent = self.dent(u, v)
        if self.rounding:
            room = np.clip(self.rounding - (1 - radius) * self.depth / 2, 0, self.rounding)
            dent = dent + self.rounding - np.sqrt(self.rounding**2 - room**2)
        return (radius <= 1) & (w <= top - dent) & (w >= bottom + dent)

    @property
    def middle(self) -> float:
        """Height at the middle of both endplates."""
        return float(np.diff(self.plates(0.0)[::-1])[0] - 2 * self.dent(0.0, 0.0))

    @property
    def wedge(self) -> float:
        """Angle between the rim lines in degrees, positive when lower in front."""
        return float(2 * np.degrees(np.arctan((self.posterior - self.anterior) / 2 / self.depth)))

    @property
    def plate_depth(self) -> float:
        """Length of either endplate from back edge to front edge, along its rim line."""
        return float(np.hypot(self.depth, (self.posterior - self.anterior) / 2))


def turn(right_deg: float, front_deg: float, up_deg: float) -> FloatArray:
    """Rotation matrix: about x (right), then y (front), then z (up), in degrees."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians([right_deg, front_deg, up_deg])):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[two, two] = np.cos(angle)
        step[two, one], step[one, two] = np.sin(angle), -np.sin(angle)
        matrix = step @ matrix
    return matrix


def draw(
    placed: list[tuple[int, Body, FloatArray, FloatArray]],
    spacing: tuple[float, float, float],
    grid_turn: FloatArray | None = None,
    orientation: str = "RAS",
    margin: float = 6.0,
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Draws bodies ``(id, body, rotation [3, 3], centre [3])`` into a label map.

    Args:
        placed: bodies; rotation columns are u, v, w in world coordinates.
        spacing: voxel edges along the grid's R, A, S axes in mm.
        grid_turn: rotation of the grid against the world.
        orientation: axis codes of the stored array.
        margin: empty space around the bodies in mm.
    """
    grid_turn = np.eye(3) if grid_turn is None else grid_turn
    centres = np.array([grid_turn.T @ centre for *_, centre in placed])
    low = centres.min(axis=0) - 32 - margin
    shape = np.ceil((centres.max(axis=0) + 32 + margin - low) / spacing).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = grid_turn * np.array(spacing)
    affine[:3, 3] = grid_turn @ low
    labels = np.zeros(shape, np.uint8)
    points = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    for label, body, rotation, centre in placed:
        labels[body.inside((points - centre) @ rotation)] = label
    image = nib.Nifti1Image(labels, affine)
    now = nib.orientations.axcodes2ornt("RAS")
    to = nib.orientations.axcodes2ornt(tuple(orientation))
    moved = image.as_reoriented(nib.orientations.ornt_transform(now, to))
    return np.asarray(moved.dataobj), moved.affine
