"""A vertebral body of known shape and place on any grid, in soft tissue."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

SOFT_HU = 50.0
SPONGY_HU = 120.0
SHELL_HU = 500.0
SHELL_MM = 1.5


@dataclass(frozen=True)
class Solid:
    """CT in HU and mask of a body, with what is true of it."""

    image: np.ndarray
    body: np.ndarray
    affine: np.ndarray
    axes: np.ndarray
    centre_mm: np.ndarray


def grid(spacing=(1.0, 1.0, 1.0), turn_deg=(0.0, 0.0, 0.0), codes=(0, 1, 2), signs=(1, 1, 1)):
    """Matrix and shape of a grid of 90 mm about the origin.

    Args:
        spacing: Voxel edges, mm.
        turn_deg: Rotation of the grid about x, y, z, degrees.
        codes: RAS axis along which each array axis runs.
        signs: And its direction.
    """
    axes = np.zeros((3, 3))
    for array_axis, (axis, sign) in enumerate(zip(codes, signs, strict=True)):
        axes[axis, array_axis] = sign
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() @ axes * spacing
    shape = tuple(int(np.ceil(90 / step)) for step in spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine, shape


def solid(
    affine,
    shape,
    tilt_deg=(0.0, 0.0, 0.0),
    size=(44.0, 34.0, 27.0),
    centre=(2.0, -3.0, 1.0),
    noise_hu=0.0,
):
    """Draw a body.

    Args:
        affine: Voxels to RAS+ mm.
        shape: Of the volume.
        tilt_deg: Rotation of the body about x, y, z, degrees.
        size: Width, depth, height, mm; the endplates are 2 mm concave.
        centre: RAS+ mm.
        noise_hu: Standard deviation of white noise.
    """
    axes = Rotation.from_euler("xyz", tilt_deg, degrees=True).as_matrix().T
    index = np.moveaxis(np.indices(shape), 0, -1).astype(float)
    u, v, w = np.moveaxis((index @ affine[:3, :3].T + affine[:3, 3] - centre) @ axes.T, -1, 0)
    ring = (2 * u / size[0]) ** 2 + (2 * v / size[1]) ** 2
    side = (1 - np.sqrt(np.abs(2 * u / size[0]) ** 2.6 + np.abs(2 * v / size[1]) ** 2.6)) * 15
    ends = size[2] / 2 - 2 * np.clip(1 - ring, 0, 1) - np.abs(w)
    depth = np.minimum(side, ends)
    image = np.where(depth > SHELL_MM, SPONGY_HU, np.where(depth > 0, SHELL_HU, SOFT_HU))
    image = image + np.random.default_rng(0).normal(0, 1, shape) * noise_hu
    return Solid(image.astype(np.float32), depth > 0, affine, axes, np.array(centre))
