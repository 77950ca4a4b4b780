"""Where the endplates of labelled bodies lie: the planes between which a squeeze acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tools.levels import HEAD_TO_FOOT
from tools.morphometry.body import BodyShape, measure_shape
from tools.morphometry.frame import cut_out


@dataclass(frozen=True)
class Plane:
    """A plane in space: through `point` (RAS+ mm, [3]), with the unit `normal` to the head, [3]."""

    point: np.ndarray
    normal: np.ndarray

    def above(self, points: np.ndarray) -> np.ndarray:
        """Height of points [..., 3] over the plane, mm [...]."""
        return (points - self.point) @ self.normal


@dataclass(frozen=True)
class Plates:
    """The two endplates of one body, as planes through their rims.

    Attributes:
        shape: Measured shape; its frame's rows are right, forwards and to the head.
        upper: Upper endplate.
        lower: Lower endplate.
    """

    shape: BodyShape
    upper: Plane
    lower: Plane

    @property
    def middle(self) -> np.ndarray:
        """Middle of the body, RAS+ mm [3]."""
        return (self.upper.point + self.lower.point) / 2


def find(
    labels: np.ndarray, affine: np.ndarray, ids: Mapping[str, int], level: str
) -> dict[str, Plates]:
    """Measure the endplates of every whole body of a label map.

    Args:
        labels: Bodies, int [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        ids: Level name -> id in `labels`.
        level: The level that must be measurable.

    Returns:
        Level -> endplates, foot to head, of the bodies that lie wholly in the map.

    Raises:
        ValueError: If `level` is absent, cut off by the field, or has no shape of a body.
    """
    known = [name for name in reversed(HEAD_TO_FOOT) if name in ids and name != "sacrum"]
    if level not in known:
        raise ValueError(f"unknown level {level!r}; known: {', '.join(reversed(known))}")
    boxes = ndimage.find_objects(labels.astype(np.int32, copy=False))
    pieces = {
        name: cut_out(labels, affine, ids[name], boxes[ids[name] - 1])
        for name in known
        if ids[name] <= len(boxes) and boxes[ids[name] - 1] is not None
    }
    if level not in pieces:
        raise ValueError(f"the label map holds no {level} (id {ids[level]})")
    if pieces[level].touches_border:
        raise ValueError(f"{level} is cut off by the border of the label map")
    centres = {name: piece.points.mean(axis=0) for name, piece in pieces.items()}
    found = {}
    for place, (name, piece) in enumerate(pieces.items()):
        order = list(centres.values())
        up = order[min(place + 1, len(order) - 1)] - order[max(place - 1, 0)]
        if piece.touches_border or not up.any():
            up = np.array([0.0, 0.0, 1.0])
        shape = None if piece.touches_border else measure_shape(piece, up)
        if shape is not None:
            found[name] = Plates(shape, *_planes(shape))
    if level not in found:
        raise ValueError(f"label {ids[level]} ({level}) has not the shape of a vertebral body")
    return found


def _planes(shape: BodyShape) -> tuple[Plane, Plane]:
    """The planes through the rims of the upper and the lower endplate."""
    planes = []
    for points, lateral in ((shape.upper, shape.upper_lateral), (shape.lower, shape.lower_lateral)):
        normal = np.cross(lateral, points[0] - points[2])
        planes.append(Plane((points[0] + points[2]) / 2, normal / np.linalg.norm(normal)))
    return planes[0], planes[1]
