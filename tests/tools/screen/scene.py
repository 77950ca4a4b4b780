"""A drawn piece of abdomen for the tests: bodies, vessels, fat; on any grid."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tools.screen import bodies
from tools.volumes import Grid

#: Levels from the bottom up, 34 mm apart; L4's centre is the origin.
NAMES = ["L4", "L3", "L2", "L1", "T12"]
STEP_MM = 34.0
HALF_MM = (21.0, 16.0, 13.0)


@dataclass(frozen=True)
class Vessel:
    """A vessel up the spine: place left of and before the bodies' centres, mm; HU."""

    left: float = 9.0
    front: float = 28.0
    radius: float = 9.0
    hu: float = 42.0


def grid(spacing=(1.5, 1.5, 3.0), turn_deg=(0.0, 0.0, 0.0), codes_flip=(1, 1, 1)) -> Grid:
    """A grid about T12 to L4, turned about its middle, axes flipped where `codes_flip` is -1."""
    size = np.array([150.0, 130.0, 200.0])
    shape = np.ceil(size / spacing).astype(int)
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    affine[:3, :3] = turn * np.array(spacing) * np.array(codes_flip)
    middle = np.array([0.0, 15.0, 68.0])
    affine[:3, 3] = middle - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(int(n) for n in shape), affine)


def places(on: Grid) -> np.ndarray:
    """RAS+ mm of every voxel, [X, Y, Z, 3]."""
    return on.to_world(np.moveaxis(np.indices(on.shape), 0, -1).astype(float))


def instances(on: Grid) -> np.ndarray:
    """Numbers of the bodies, 1 at the bottom."""
    at = places(on)
    found = np.zeros(on.shape, np.int32)
    for number in range(1, len(NAMES) + 1):
        offset = np.abs(at - [0, 0, STEP_MM * (number - 1)]) / HALF_MM
        found[(np.hypot(offset[..., 0], offset[..., 1]) < 1) & (offset[..., 2] < 1)] = number
    return found


def image(
    on: Grid, vessels: tuple[Vessel, ...] = (), noise_hu: float = 10.0, seed: int = 0
) -> np.ndarray:
    """Fat with bodies, discs, psoas muscles and vessels, HU."""
    at = places(on)
    hu = np.full(on.shape, -100.0)
    for side in (-1, 1):  # the psoas muscles
        hu[np.hypot(at[..., 0] - 34 * side, at[..., 1] + 5) < 15] = 50
    hu[np.hypot(at[..., 0] / HALF_MM[0], at[..., 1] / HALF_MM[1]) < 1] = 80
    hu[instances(on) > 0] = 150
    for vessel in vessels:
        off = np.hypot(at[..., 0] + vessel.left, at[..., 1] - vessel.front)
        hu[off < vessel.radius] = vessel.hu
    return hu + np.random.default_rng(seed).normal(0, noise_hu, on.shape)


def real_bodies(shared_data: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The real lumbar CT: HU, affine, and its bodies' voxels by name; skips where it is absent."""
    folder = shared_data / "lumbar_ct_3mm"
    if not (folder / "vertebral_bodies.nii.gz").is_file():
        pytest.skip("lumbar_ct_3mm is absent")
    ct, labels = (nib.load(folder / name) for name in ("ct.nii.gz", "vertebral_bodies.nii.gz"))
    ids = np.asarray(labels.dataobj).astype(int)
    numbers = np.where(ids > 0, 25 - ids, 0)  # 24 is L5, 19 T12
    return (
        np.asarray(ct.dataobj),
        ct.affine,
        bodies.points_mm(numbers, labels.affine, ["L5", *NAMES]),
    )
