"""A spine of boxes and rings, given as a function of place: it can be scanned on any grid."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from monai.data import MetaTensor
from scipy.spatial.transform import Rotation

from lumbar_bundle.slab import SpineSlabd

PERIOD_MM, HEIGHT_MM = 34.0, 26.0
#: Labels from top to bottom.
BODIES = (1, 2, 3, 4, 5)
NAME = "spine.nii.gz"
CUT = SpineSlabd(["image", "label"], mode=["bilinear", "nearest"])
#: Every order of three axes, each way round.
ORIENTATIONS = [
    (order, flips) for order in permutations(range(3)) for flips in product((0, 1), repeat=3)
]


@dataclass(frozen=True)
class Spine:
    """Five vertebrae about a canal that bends and leans.

    Attributes:
        lean: Right-left shift per mm of height.
        trabecular_hu: Inside of the bodies.
    """

    lean: float = 0.06
    trabecular_hu: float = 170.0

    def canal(self, z):
        """Centre of the canal at height z: x and y, mm."""
        return self.lean * z + 3 * np.sin(z / 50), -25 + 12 * np.cos(z / 55)

    def scan(self, points):
        """HU and body labels 1-5 (bottom to top 5 to 1) at RAS+ points [..., 3]."""
        x, y, z = np.moveaxis(points, -1, 0)
        centre_x, centre_y = self.canal(z)
        dx, dy = x - centre_x, y - centre_y
        number = np.floor(z / PERIOD_MM + 0.5)
        high = z - number * PERIOD_MM  # from the body's middle
        real = np.abs(number) <= 2
        hu = np.where((x / 170) ** 2 + (y / 110) ** 2 < 1, 40.0, -1000.0)
        ring = np.hypot(dx / 11, dy / 8)
        arch = (ring > 1) & (np.hypot(dx / 16, dy / 13) < 1)
        pedicle = arch & (np.abs(dx) > 7) & (high > 0) & (high < 12)
        lamina = arch & (dy < 0) & (high < 4) & (high > -15)
        spinous = (np.abs(dx) < 4) & (dy < -8) & (dy > -40) & (high < 0) & (high > -15)
        hu = np.where(real & (pedicle | lamina | spinous), 400.0, hu)
        depth = np.minimum(
            np.minimum(22 - np.abs(dx), dy - 9), np.minimum(42 - dy, HEIGHT_MM / 2 - np.abs(high))
        )
        body = real & (depth > 0)
        hu = np.where(body, np.where(depth < 1.5, 500.0, self.trabecular_hu), hu)
        return hu, np.where(body, 3 - number, 0).astype(np.uint8)


def grid(spacing=(2.0, 2.0, 2.0), low=(-50, -80, -100), high=(50, 60, 100), turn=(0, 0, 0)):
    """Shape and affine of a RAS grid between two corners, turned about its middle (degrees)."""
    low, high, spacing = (np.asarray(v, dtype=float) for v in (low, high, spacing))
    shape = np.maximum(1, np.round((high - low) / spacing)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing
    affine[:3, 3] = (low + high) / 2 - affine[:3, :3] @ ((shape - 1) / 2)
    return tuple(map(int, shape)), affine


def places(shape, affine):
    """RAS+ millimetres of every voxel, [X, Y, Z, 3]."""
    index = np.moveaxis(np.indices(shape), 0, -1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def stored_as(array, affine, order, flips):
    """The same volume with its axes in another order, each flipped or not."""
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new, old in enumerate(order):
        turn[old, new] = -1 if flips[new] else 1
        turn[old, 3] = array.shape[old] - 1 if flips[new] else turn[old, 3]
    turned = np.flip(array.transpose(order), [axis for axis in range(3) if flips[axis]])
    return np.ascontiguousarray(turned), affine @ turn


def tensor(array, affine, **meta):
    """Channel-first MetaTensor of an array [X, Y, Z]."""
    values = torch.from_numpy(np.ascontiguousarray(array)[None])
    return MetaTensor(values, affine=torch.from_numpy(np.array(affine)), meta=dict(meta))


def case(spine=None, **kwargs):
    """Image and label of the spine on a grid, as a data dictionary."""
    shape, affine = grid(**kwargs)
    hu, label = (spine or Spine()).scan(places(shape, affine))
    return {
        "image": tensor(hu.astype(np.float32), affine, filename_or_obj=NAME),
        "label": tensor(label, affine),
    }


def volume_mm3(label, number):
    return float((label == number).sum() * abs(np.linalg.det(label.affine[:3, :3])))


def stored(data, order, flips):
    """The same data stored with other axes."""
    return {
        key: tensor(
            *stored_as(np.asarray(v[0]), v.affine.numpy(), order, flips), filename_or_obj=NAME
        )
        for key, v in data.items()
    }
