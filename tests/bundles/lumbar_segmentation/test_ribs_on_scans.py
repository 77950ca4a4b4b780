"""Ribs found on phantoms, also with bone faded to a third, and on the real CTs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from lumbar_bundle.ribs import RIB_MM, last_ribbed, ribbed_bodies
from tools.phantom import case, real, recipe


def wide(image: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resample a volume to 3 mm in RAS."""
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(image.shape) - 1)
    places = corners @ affine[:3, :3].T + affine[:3, 3]
    grid = np.diag([3.0, 3.0, 3.0, 1.0])
    grid[:3, 3] = places.min(0)
    shape = tuple(int(size) + 1 for size in np.ptp(places, axis=0) / 3)
    change = np.linalg.inv(affine) @ grid
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    calm = ndimage.uniform_filter(image.astype(np.float32), np.maximum(1, np.round(3 / spacing)))
    turned = ndimage.affine_transform(
        calm, change[:3, :3], change[:3, 3], output_shape=shape, order=1, cval=-1024.0
    )
    return turned, grid


def middles(labels: np.ndarray, affine: np.ndarray, ids: list[int]) -> np.ndarray:
    places = np.array([np.argwhere(labels == number).mean(0) for number in ids])
    return places @ affine[:3, :3].T + affine[:3, 3]


@pytest.mark.slow
@pytest.mark.parametrize("index", range(3))
def test_phantoms_also_with_faint_bone(index: int) -> None:
    settings = recipe.load("standard")
    scan = {"pixel_mm": [1.5, 1.5], "thickness_mm": [5.0], "interval_ratio": [1.0, 1.0]}
    settings = settings | {"scan": settings["scan"] | scan | {"orientation": ["RAS"]}}
    patient = case.simulate(settings, seed=62, index=index)
    ids = [5, 4, 3, 2, 1, 7, 8, 9]  # L5 ... L1, T12, T11, T10
    volume, affine = wide(patient.image, patient.affine)
    centres = middles(patient.labels, patient.affine, ids)
    for contrast in (1.0, 0.35):
        faded = np.where(volume > 60, 60 + (volume - 60) * contrast, volume)
        evidence = ribbed_bodies(faded, affine, centres)
        assert last_ribbed(evidence, [True] * len(ids)) == ids.index(7)


@pytest.mark.realdata
@pytest.mark.parametrize("mirrored", [False, True], ids=["as it is", "mirrored"])
@pytest.mark.parametrize("turn_deg", [(0, 0, 0), (0, 12, 0), (9, -9, 9)], ids=str)
def test_lumbar_ct(shared_data: Path, turn_deg: tuple, mirrored: bool) -> None:
    folder = shared_data / "lumbar_ct_3mm"
    scan = real.lumbar(folder / "ct.nii.gz", folder / "vertebral_bodies.nii.gz")
    assert scan.bodies is not None
    middle = middles(scan.bodies, scan.affine, [24, 23, 22, 21, 20, 19])  # L5 ... L1, T12
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    turn = turn @ np.diag([-1.0 if mirrored else 1.0, 1, 1, 1])
    volume, affine = wide(scan.image, turn @ scan.affine)
    evidence = ribbed_bodies(volume, affine, middle @ turn[:3, :3].T)
    assert min(evidence[5].left_mm or 0, evidence[5].right_mm or 0) >= RIB_MM
    for item in evidence[1:5]:
        assert max(item.left_mm or 0, item.right_mm or 0) < RIB_MM
    # Either the answer or a refusal: L1's slender processes are not always seen on 3 mm voxels.
    assert last_ribbed(evidence, [True] * 6) in (5, None)


@pytest.mark.realdata
def test_upper_abdomen_is_too_short_to_tell(shared_data: Path) -> None:
    scan = real.upper_abdomen(shared_data / "upper_abdomen_dicom")
    # Only what lies about the spine: 512 x 512 pixels take long to smooth.
    affine = scan.affine.copy()
    affine[:3, 3] = scan.affine[:3] @ [160, 60, 0, 1]
    volume, affine = wide(scan.image[160:360, 60:300], affine)
    # Middle of the one whole body, read off a sagittal picture: 4 cm of slices show its ribs on
    # one side at most.
    evidence = ribbed_bodies(volume, affine, np.array([[3.0, 117.0, -785.0]]))
    assert None in (evidence[0].left_mm, evidence[0].right_mm)
    assert last_ribbed(evidence, [True]) is None
