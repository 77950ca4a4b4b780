"""The surface of one given vertebra: a smooth signed distance in the vertebra's own frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from tools.phantom.drawing.canvas import CORNER_SIGNS, Frame
from tools.phantom.drawing.shapes import smooth_max
from tools.volumes import Grid

#: Step at which distances are kept, mm, and how far outside the surface they reach, mm.
STEP_MM = 0.8
REACH_MM = 7.0
#: Smoothing of the voxels and then of the distance: no stairs are left of 2 mm voxels, and a lamina
#: of 3 mm keeps its thickness (design).
VOXEL_SMOOTHING = 0.6
DISTANCE_SMOOTHING_MM = 1.0
#: Edge of body and arch, mm: no wall lies between them.
ARCH_ROUNDING_MM = 1.0
#: A body's outline is taken this far inside its endplates' rims, mm.
OUTLINE_DEPTH_MM = 5.0


@dataclass(frozen=True, eq=False)
class Solid:
    """One whole vertebra; lengths in mm in its own frame (u right, v forwards, w to the head).

    Attributes:
        samples: Signed distance to the surface, [U, V, W] every `STEP_MM`.
        start: Frame coordinates of its first sample, [3].
        wall: v of the plane between the body, in front, and the arch.
        sides: Least and greatest u of the body; what lies further aside is transverse process.
        half: Half the body's height.
        low: Least u, v, w of the body, [3].
        high: Greatest u, v, w of the body, [3].
        heights: Anterior, middle and posterior height of the body.
        losses: Share of each that is lost by fracture; empty for a sound body.
        reserves: How far the disc below reaches up into the hollow of this body, and down into the
            one below.
    """

    samples: torch.Tensor
    start: np.ndarray
    wall: float
    sides: tuple[float, float]
    half: float
    low: np.ndarray
    high: np.ndarray
    heights: dict[str, float]
    losses: dict[str, float] = field(default_factory=dict)
    reserves: tuple[float, float] = (4.5, 4.5)

    def whole(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance to the vertebra's surface; broadcast shape of u, v and w."""
        parts = torch.broadcast_tensors(u, v, w)
        sizes = self.samples.shape
        scaled = [
            (part - float(first)) * (2 / (STEP_MM * (size - 1))) - 1
            for part, first, size in zip(parts, self.start, sizes, strict=True)
        ]
        places = torch.stack(scaled[::-1], dim=-1)[None]
        volume = self.samples.to(places.device)[None, None]
        sampled = functional.grid_sample(
            volume, places, mode="bilinear", padding_mode="border", align_corners=True
        )
        return sampled[0, 0]

    def body(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance to the body's surface."""
        return smooth_max(self.whole(u, v, w), self.behind(u, v), ARCH_ROUNDING_MM)

    def arch(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance to the posterior elements' surface."""
        return smooth_max(self.whole(u, v, w), -self.behind(u, v), ARCH_ROUNDING_MM)

    def behind(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """How far a place lies behind or beside where the body ends and the arch begins, mm."""
        beside = torch.maximum(self.sides[0] - u, u - self.sides[1])
        return torch.maximum(self.wall - v, beside)

    def outline(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Distance to the body's side wall, continued upright beyond its endplates."""
        inner = max(self.half - OUTLINE_DEPTH_MM, 0.0)
        return self.body(u, v, w.clamp(-inner, inner))

    def corners(self, whole: bool = False) -> np.ndarray:
        """Corners of the box that holds the body, or the whole vertebra, frame mm [8, 3]."""
        low, high = self.low, self.high
        if whole:
            low = self.start + REACH_MM - STEP_MM
            high = self.start + STEP_MM * (np.array(self.samples.shape) - 1) - REACH_MM + STEP_MM
        return np.where(CORNER_SIGNS < 0, low, high)


def signed_distance(inside: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    """Smooth signed distance of a voxel mask.

    Args:
        inside: Mask, bool [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        grid: Samples, `STEP_MM` apart, that hold the mask (`frame_grid`).

    Returns:
        Distance, mm, negative inside, float32 of the grid's shape; encloses the mask's own volume.
    """
    step = np.linalg.inv(affine) @ grid.affine
    share = ndimage.gaussian_filter(inside.astype(np.float32), VOXEL_SMOOTHING)
    share = ndimage.affine_transform(share, step[:3, :3], step[:3, 3], grid.shape, order=1)
    bone = share > 0.5
    far = ndimage.distance_transform_edt(~bone) - ndimage.distance_transform_edt(bone)
    far = (far - 0.5 * np.sign(far)) * STEP_MM
    slope = np.linalg.norm(np.gradient(share, STEP_MM), axis=0)
    near = (0.5 - share) / np.maximum(slope, 1e-3)
    distance = np.where(np.abs(far) < STEP_MM, np.clip(near, -1.5 * STEP_MM, 1.5 * STEP_MM), far)
    distance = ndimage.gaussian_filter(distance, DISTANCE_SMOOTHING_MM / STEP_MM, mode="nearest")
    # Smoothing shrinks what is convex: the surface is the level that holds the mask's volume.
    samples = int(inside.sum() * abs(np.linalg.det(affine[:3, :3])) / STEP_MM**3)
    level = np.partition(distance.ravel(), samples)[samples]
    return (distance - np.clip(level, -1, 1)).astype(np.float32)


def frame_grid(points: np.ndarray, frame: Frame) -> tuple[Grid, np.ndarray]:
    """A grid along a frame that holds points and `REACH_MM` around them.

    Args:
        points: RAS+ millimetres, [N, 3].
        frame: Its axes.

    Returns:
        The grid, and the frame coordinates of its first sample, mm [3].
    """
    local = (points - frame.origin) @ frame.axes
    start = local.min(0) - REACH_MM
    counts = np.ceil((local.max(0) + REACH_MM - start) / STEP_MM).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = frame.axes * STEP_MM
    affine[:3, 3] = frame.to_world(start)
    return Grid((int(counts[0]), int(counts[1]), int(counts[2])), affine), start
