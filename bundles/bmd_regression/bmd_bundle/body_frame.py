"""A vertebral body's own axes, from its mask: between the endplates up, forwards, to the right.

The mask is sampled on a fine grid along the axes found so far, both endplates are fitted by planes,
and the axes are turned until they stand on the plane halfway between the two. Everything is in
patient millimetres, so the voxels' orientation, spacing and obliquity do not matter.

    frame = body_frame.fit(mask, affine)
    frame.up, frame.tilt_deg
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from bmd_bundle.geometry import bounds, to_world
from bmd_bundle.outline import solid

#: Step of the grid on which a body is sampled, mm: finer than any CT's slices, and a body still has
#: less than 100,000 points.
STEP_MM = 1.0
#: Room kept round the body on that grid, mm: the search for a surface needs a background.
ROOM_MM = 4.0
#: Endplates are fitted this far inside the side walls, mm: rims and osteophytes are left out.
RIM_MM = 4.0
#: Height of the slab whose outline gives the body's middle, mm: the central slab of QCT (S2).
SLAB_MM = 9.0
#: The axes are settled when a round turns them by less than this, degrees.
SETTLED_DEG = 0.1
#: Rounds after which the axes are taken as they are; three are usual.
MOST_ROUNDS = 10
#: A body's endplates never tilt more against the patient's axial plane, degrees: 30 is much for L5,
#: 40 for the end vertebrae of a strong scoliosis. Beyond, the mask is no body or the header lies.
MOST_TILT_DEG = 50.0
#: A body turns no further about its own axis than this, degrees (design; strong scoliosis).
MOST_TURN_DEG = 30.0
#: The outline tells left-right from front-back when its squared radii of gyration differ by this
#: factor; bodies are about 1.25 times as wide as deep (Panjabi 1992), squared 1.56.
LEAST_ASPECT = 1.15
#: A mask of less is no vertebral body, mm³: the smallest of adults hold about 15,000, one that has
#: lost three quarters of its height a quarter of that.
LEAST_VOLUME_MM3 = 3000.0


class PatchError(ValueError):
    """A level from which no patch can be taken.

    Args:
        reason: `patch_outside_body` or `no_axial_data`, as in `report.json`.
        text: One line for people.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Frame:
    """Axes of a body; right-handed.

    Attributes:
        centre_mm: Middle between the endplates, RAS+ mm, [3].
        axes: Rows right, forward, up: unit vectors in RAS+ mm, [3, 3].
    """

    centre_mm: np.ndarray
    axes: np.ndarray

    @property
    def up(self) -> np.ndarray:
        """Unit vector that stands on the plane halfway between the endplates, [3]."""
        return self.axes[2]

    @property
    def tilt_deg(self) -> float:
        """Angle between that plane and the patient's axial plane, degrees."""
        return float(np.degrees(np.arccos(np.clip(self.up[2], -1, 1))))

    def to_world(self, points_mm: np.ndarray) -> np.ndarray:
        """Map places right, forward, up of the centre, mm [..., 3], to RAS+ mm."""
        return points_mm @ self.axes + self.centre_mm

    def to_local(self, points_mm: np.ndarray) -> np.ndarray:
        """Map RAS+ mm [..., 3] to places right, forward, up of the centre, mm."""
        return (points_mm - self.centre_mm) @ self.axes.T


@dataclass(frozen=True)
class Body:
    """A body sampled along its frame.

    Attributes:
        frame: Its axes.
        inside: Share of the body in every cell of the grid, 0 to 1, [U, V, W]; `STEP_MM` apart.
        low_mm: Place of the first cell in the frame, mm, [3].
    """

    frame: Frame
    inside: np.ndarray
    low_mm: np.ndarray

    @cached_property
    def depth_mm(self) -> np.ndarray:
        """How far each cell lies inside the body's surface, mm, [U, V, W]; 0 outside."""
        depth = ndimage.distance_transform_edt(self.inside >= 0.5, sampling=STEP_MM)
        # The surface lies half a step before the first cell outside.
        return np.maximum(depth - STEP_MM / 2, 0.0)

    def depth_at(self, points_mm: np.ndarray) -> np.ndarray:
        """How far places in RAS+ mm [..., 3] lie inside the body's surface, mm; 0 outside."""
        index = (self.frame.to_local(points_mm) - self.low_mm) / STEP_MM
        return ndimage.map_coordinates(
            self.depth_mm, np.moveaxis(index, -1, 0), order=1, mode="constant", cval=0.0
        )


def fit(mask: np.ndarray, affine: np.ndarray) -> Body:
    """Find a body's axes.

    Args:
        mask: The whole body of one level, bool [X, Y, Z]; only its largest piece counts, without
            its notches and holes (`bmd_bundle.outline`).
        affine: 4x4 voxel to RAS+ millimetre matrix.

    Returns:
        The body along its axes.

    Raises:
        PatchError: `patch_outside_body` if the mask is too small for a body or has no endplates.
    """
    box = bounds(mask)
    if box is None:
        raise PatchError("patch_outside_body", "the level's mask is empty")
    # One voxel of background all round, whatever lies beyond the volume's edge.
    part = np.pad(solid(mask[box], np.linalg.norm(affine[:3, :3], axis=0)), 1)
    start = np.array([each.start - 1 for each in box], dtype=float)
    shifted = affine.copy()
    shifted[:3, 3] = to_world(affine, start)
    index = np.argwhere(part)
    volume = len(index) * abs(np.linalg.det(affine[:3, :3]))
    if volume < LEAST_VOLUME_MM3:
        text = f"the level's mask holds {volume / 1000:.1f} cm³, too little for a vertebral body"
        raise PatchError("patch_outside_body", text)
    points = to_world(shifted, index.astype(float))
    half_voxel = np.abs(shifted[:3, :3]).sum(axis=1) / 2
    frame = Frame(points.mean(axis=0), np.eye(3))
    values = part.astype(np.float32)
    for _ in range(MOST_ROUNDS):
        body = _sample(values, shifted, points, half_voxel, frame)
        turned = _improve(body)
        turn = np.degrees(np.arccos(np.clip((turned.axes * frame.axes).sum(axis=1).min(), -1, 1)))
        moved = np.linalg.norm(turned.centre_mm - frame.centre_mm)
        frame = turned
        if turn < SETTLED_DEG and moved < SETTLED_DEG:
            break
    return _sample(values, shifted, points, half_voxel, frame)


def _sample(
    values: np.ndarray,
    affine: np.ndarray,
    points: np.ndarray,
    half_voxel: np.ndarray,
    frame: Frame,
) -> Body:
    """Sample a mask on a fine grid along a frame.

    Args:
        values: The mask as 0 and 1, float32.
        affine: Its matrix.
        points: Centres of the body's voxels, RAS+ mm, [N, 3].
        half_voxel: Reach of a voxel from its centre along RAS, mm, [3].
        frame: The axes.
    """
    room = np.abs(frame.axes) @ half_voxel + ROOM_MM
    local = frame.to_local(points)
    low = np.floor((local.min(axis=0) - room) / STEP_MM) * STEP_MM
    counts = np.ceil((local.max(axis=0) + room - low) / STEP_MM).astype(int) + 1
    # One matrix from cells to voxels: index = inverse @ (local @ axes + centre).
    matrix = np.linalg.inv(affine)
    turned = matrix[:3, :3] @ frame.axes.T
    offset = matrix[:3, :3] @ frame.centre_mm + matrix[:3, 3] + turned @ low
    inside = ndimage.affine_transform(
        values, turned * STEP_MM, offset, tuple(counts.tolist()), order=1, cval=0.0
    )
    return Body(frame, inside, low)


def _improve(body: Body) -> Frame:
    """Turn and move a frame so that it fits the body sampled along it better."""
    frame = body.frame
    filled = body.inside >= 0.5
    thickness = filled.sum(axis=2)
    full = thickness >= 0.5 * np.median(thickness[thickness > 0])
    inner = ndimage.distance_transform_edt(np.pad(full, 1))[1:-1, 1:-1] > RIM_MM / STEP_MM
    if inner.sum() < 9:
        text = "the level's mask has no endplates: it is thinner than a vertebral body"
        raise PatchError("patch_outside_body", text)
    u, v = (body.low_mm[axis] + STEP_MM * each for axis, each in enumerate(np.nonzero(inner)))
    columns = body.inside[inner]
    upper = body.low_mm[2] + STEP_MM * _last_crossing(columns)
    last = columns.shape[1] - 1
    lower = body.low_mm[2] + STEP_MM * (last - _last_crossing(columns[:, ::-1]))
    planes = [_plane(u, v, upper), _plane(u, v, lower)]
    normals = np.array([[-slope_u, -slope_v, 1.0] for slope_u, slope_v, _ in planes])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    up = normals.mean(axis=0) @ frame.axes
    up /= np.linalg.norm(up)
    tilt = float(np.degrees(np.arccos(np.clip(up[2], -1, 1))))
    if tilt > MOST_TILT_DEG:
        text = (
            f"the endplates tilt {tilt:.0f}° against the axial plane: mask or orientation is wrong"
        )
        raise PatchError("patch_outside_body", text)
    middle, across = _outline(filled, body, (upper + lower).mean() / 2)
    # Halfway between the endplates near the middle, where the patch will lie.
    near = np.hypot(u - middle[0], v - middle[1]) <= SLAB_MM
    near = near if near.any() else np.ones_like(near)
    height = float((upper + lower)[near].mean() / 2)
    centre = frame.to_world(np.array([middle[0], middle[1], height]))
    return Frame(centre, _axes(up, across @ frame.axes))


def _last_crossing(columns: np.ndarray) -> np.ndarray:
    """Where each column [N, W] leaves the body for good, in cells, between them linearly."""
    width = columns.shape[1]
    last = width - 1 - np.argmax(columns[:, ::-1] >= 0.5, axis=1)
    rows = np.arange(len(columns))
    here, after = columns[rows, last], columns[rows, np.minimum(last + 1, width - 1)]
    return last + (here - 0.5) / np.maximum(here - after, 1e-6)


def _plane(u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Fit w = a u + b v + c; places off the first plane (Schmorl's nodes, spurs) are left out.

    Returns:
        a, b, c.
    """
    design = np.column_stack([u, v, np.ones_like(u)])
    found = np.linalg.lstsq(design, w, rcond=None)[0]
    away = np.abs(w - design @ found)
    kept = away <= max(3 * float(np.median(away)), STEP_MM)
    return np.linalg.lstsq(design[kept], w[kept], rcond=None)[0]


def _outline(filled: np.ndarray, body: Body, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Middle of the central slab in its plane, mm [2], and the body's left-right axis [3].

    Both are in the frame. The axis is the patient's where the outline does not tell.
    """
    w = body.low_mm[2] + STEP_MM * np.arange(filled.shape[2])
    weight = filled[:, :, np.abs(w - height) <= SLAB_MM / 2].sum(axis=2).astype(float)
    u, v = (
        body.low_mm[axis] + STEP_MM * np.arange(count) for axis, count in enumerate(weight.shape)
    )
    total = weight.sum()
    middle = np.array([(weight.sum(axis=1) * u).sum(), (weight.sum(axis=0) * v).sum()]) / total
    du, dv = u - middle[0], v - middle[1]
    uu, vv = (weight.sum(axis=1) * du**2).sum(), (weight.sum(axis=0) * dv**2).sum()
    uv = float(du @ weight @ dv)
    spread, vectors = np.linalg.eigh(np.array([[uu, uv], [uv, vv]]))
    across = np.array([*vectors[:, 1], 0.0])
    right = body.frame.axes @ np.array([1.0, 0.0, 0.0])  # the patient's right, in the frame
    across *= np.sign(across @ right) or 1.0
    turn = np.degrees(np.arccos(np.clip(across @ right / np.linalg.norm(right[:2]), -1, 1)))
    if spread[1] < LEAST_ASPECT * spread[0] or turn > MOST_TURN_DEG:
        across = right
    return middle, across


def _axes(up: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Right-handed axes, rows right, forward, up [3, 3], from `up` and about `right`."""
    right = right - (right @ up) * up
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(up, right), up])
