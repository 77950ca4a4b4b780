"""Body and arch of a whole-vertebra mask, parted by a plane at the front of the canal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tools.morphometry.body import find_frame
from tools.morphometry.frame import Occupancy
from tools.phantom.drawing.canvas import Frame
from tools.phantom.given.solid import STEP_MM, frame_grid, signed_distance

#: The canal is looked for in the shadow of the vertebra within this of its middle, mm.
SHADOW_MM = 10.0
#: A smaller hole is no canal, mm²; a canal's middle lies within this of the vertebra's, mm.
LEAST_CANAL_MM2 = 40.0
ASIDE_MM = 15.0
#: Arches with a gap (thin laminae in coarse masks) are closed over this, mm.
GAP_MM = 4.0
#: Columns of the canal about its middle that tell where its front is, mm.
MIDDLE_MM = 4.0
#: How often the frame is refined.
ROUNDS = 2


@dataclass(frozen=True)
class Parts:
    """A vertebra in its own frame.

    Attributes:
        frame: Body's middle; u right, v forwards, w to the head.
        distance: Signed distance, mm, float32 [U, V, W] every `STEP_MM`.
        start: Frame coordinates of its first sample, mm [3].
        wall: v of the plane between body and arch.
        canal: Width and depth of the canal, mm.
        body: Whether a sample lies in the body, bool [U, V, W].
    """

    frame: Frame
    distance: np.ndarray
    start: np.ndarray
    wall: float
    canal: tuple[float, float]
    body: np.ndarray


def part(inside: np.ndarray, affine: np.ndarray, up: np.ndarray) -> Parts | None:
    """Part a vertebra into body and arch.

    Args:
        inside: The vertebra's voxels, bool [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        up: Rough direction to the head, RAS+.

    Returns:
        Its parts, or None where no canal is seen or what lies before it is no body.
    """
    points = np.argwhere(inside) @ affine[:3, :3].T + affine[:3, 3]
    frame = _frame(points.mean(0), up, np.array([1.0, 0.0, 0.0]))
    for _ in range(ROUNDS):
        cut = _cut(inside, affine, points, frame)
        if cut is None:
            return None
        *_, found = cut
        frame = _frame(found.origin, found.axes[:, 2], found.axes[:, 0])
    cut = _cut(inside, affine, points, frame)
    if cut is None:
        return None
    distance, start, wall, canal, body, _ = cut
    return Parts(frame, distance, start, wall, canal, body)


def _frame(origin: np.ndarray, up: np.ndarray, right: np.ndarray) -> Frame:
    w = up / np.linalg.norm(up)
    u = right - (right @ w) * w
    u = u / np.linalg.norm(u)
    return Frame(origin, np.stack([u, np.cross(w, u), w], axis=1))


def _cut(
    inside: np.ndarray, affine: np.ndarray, points: np.ndarray, frame: Frame
) -> tuple[np.ndarray, np.ndarray, float, tuple[float, float], np.ndarray, Frame] | None:
    """Distance, its start, the plane, the canal and the body in one frame; the body's own frame."""
    grid, start = frame_grid(points, frame)
    distance = signed_distance(inside, affine, grid)
    u, v, w = (first + STEP_MM * np.arange(n) for first, n in zip(start, grid.shape, strict=True))
    canal = _canal(distance[:, :, np.abs(w - w.mean()) < SHADOW_MM] < 0, u, v)
    if canal is None:
        return None
    wall, size = canal
    body = (distance < 0) & (v > wall)[None, :, None]
    pieces, count = ndimage.label(body)
    if not count:
        return None
    body = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    # A soft edge, so that endplates are found to a fraction of a sample.
    share = np.where(body | (distance > 0), np.clip(0.5 - distance / STEP_MM, 0, 1), 0)
    share[:, v <= wall] = 0
    share[(pieces > 0) & ~body] = 0
    found = find_frame(Occupancy(share, grid.affine, False, STEP_MM), frame.axes[:, 2], STEP_MM)
    if found is None:
        return None
    own = Frame(found[0].origin, found[0].axes.T)
    return distance, start, wall, size, body, own


def _canal(
    bone: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[float, tuple[float, float]] | None:
    """The v of the canal's front, and its width and depth, from the shadow of a vertebra."""
    shadow = bone.any(axis=2)
    steps = round(GAP_MM / STEP_MM)
    closed = ndimage.binary_closing(np.pad(shadow, 2 * steps), iterations=steps)
    closed = closed[2 * steps : -2 * steps, 2 * steps : -2 * steps] | shadow
    middle = float((shadow.sum(axis=1) * u).sum() / shadow.sum())
    for outline in (shadow, closed):
        holes, count = ndimage.label(ndimage.binary_fill_holes(outline) & ~outline)
        sizes = ndimage.sum_labels(np.ones(holes.shape), holes, range(1, count + 1)) * STEP_MM**2
        for number in 1 + np.argsort(sizes)[::-1]:
            columns, rows = np.nonzero(holes == number)
            centre = float(u[columns].mean())
            if sizes[number - 1] < LEAST_CANAL_MM2 or abs(centre - middle) > ASIDE_MM:
                continue
            near = np.abs(u[columns] - centre) < MIDDLE_MM
            fronts = [v[rows[near & (columns == column)]].max() for column in set(columns[near])]
            depth = float(rows[near].max() - rows[near].min() + 1) * STEP_MM
            width = float(columns.max() - columns.min() + 1) * STEP_MM
            return float(np.median(fronts)) + STEP_MM / 2, (width, depth)
    return None
