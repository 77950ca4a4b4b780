"""Whole axial slices lie where they should, in millimetres, on any grid; others are refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bmd_bundle.axial import FORWARD_MM, OUTSIDE_HU, Slices, cut
from bmd_bundle.body_frame import PatchError
from tests.bundles.bmd_regression.trunks import trunk

MIDDLE = np.array([7.0, -12.0, 31.0])
BODY_MM = (40.0, 30.0, 26.0)

GRIDS = {
    "axial": (np.eye(3), (2.0, 2.0, 2.0)),
    "LPS": (np.diag([-1.0, -1.0, 1.0]), (2.0, 2.0, 2.0)),
    "feet first, thick": (np.diag([1.0, -1.0, -1.0]), (2.0, 2.0, 4.0)),
    "sagittal order": (np.eye(3)[[1, 2, 0]].T, (3.0, 2.0, 2.0)),
    "oblique": (Rotation.from_euler("xyz", [12, -9, 6], degrees=True).as_matrix(), (2.0, 2.0, 3.0)),
}
SMALL = Slices(pixels=20, size_mm=100.0, step_mm=6.0, thickness_mm=5.0)


def coordinates(name: str, half_mm: float = 110.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid whose voxels know their place: RAS+ mm [X, Y, Z, 3], affine, and the map of L3."""
    turn, spacing = GRIDS[name]
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spacing)
    shape = np.ceil(2 * half_mm / np.array(spacing)).astype(int)
    affine[:3, 3] = MIDDLE - affine[:3, :3] @ ((shape - 1) / 2)
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    body = (np.abs(places - MIDDLE) <= np.array(BODY_MM) / 2).all(axis=-1)
    return places, affine, (3 * body).astype(np.uint8)


@pytest.mark.parametrize("name", GRIDS)
def test_every_pixel_reads_its_own_place(name: str) -> None:
    """Where HU are a coordinate, a slice holds that coordinate: linear interpolation is exact."""
    places, affine, labels = coordinates(name)
    index = np.argwhere(labels)
    middle = (index @ affine[:3, :3].T + affine[:3, 3]).mean(axis=0)
    offsets = (np.arange(20) - 9.5) * 5.0
    expected = {
        0: np.broadcast_to(middle[0] - offsets, (20, 20)),  # columns from right to left
        1: np.broadcast_to((middle[1] + FORWARD_MM - offsets)[:, None], (20, 20)),  # front to back
    }
    for axis, plane in expected.items():
        found = cut(places[..., axis], affine, labels, SMALL)
        assert list(found) == ["L3"]
        np.testing.assert_allclose(found["L3"], [plane] * 3, atol=1e-3)
    heights = cut(places[..., 2], affine, labels, SMALL)["L3"]
    for one, lift in zip(heights, (-6.0, 0.0, 6.0), strict=True):
        np.testing.assert_allclose(one, middle[2] + lift, atol=1e-3)


def test_a_slice_is_averaged_over_its_thickness_and_its_pixels() -> None:
    places, affine, labels = coordinates("axial")
    noise = np.random.default_rng(0).normal(0, 50, places.shape[:3])
    thick = cut(noise, affine, labels, SMALL)["L3"]
    thin = cut(noise, affine, labels, Slices(20, 100.0, 6.0, None))["L3"]
    voxels = 5.0**3 / 2.0**3  # in a pixel of the thick slice
    assert thick.std() < 50 / voxels**0.5
    assert thick.std() < thin.std() < 50 / (5.0**2 / 2.0**2) ** 0.5


def test_a_trunk_shows_its_tissues_where_they_are() -> None:
    image, affine, labels = trunk()
    hu = cut(image, affine, labels, Slices())["L2"][1]

    def at(x: float, y: float) -> float:
        """HU x mm to the right of the body's middle, which the drawing has at 0, and y before."""
        column, row = 63.5 - x / 3.125, 63.5 - (y - FORWARD_MM) / 3.125
        return float(hu[round(row), round(column)])

    assert at(0, 0) == pytest.approx(150, abs=15)  # body
    assert at(-36, -60) == pytest.approx(50, abs=15)  # back muscle
    assert at(120, 20) == pytest.approx(-107, abs=15)  # fat
    assert at(150, 100) == pytest.approx(-1000, abs=15)  # air
    assert hu[0, 0] == OUTSIDE_HU  # beyond the scan


def cut_off(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    start = int(np.argwhere(labels == 3)[:, 2].min()) + 3
    return image[:, :, start:], labels[:, :, start:]


def narrow(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return image[30:49, :], labels[30:49, :]


def crumb(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    small = np.zeros_like(labels)
    small[38:40, 36:38, 20:22] = 3
    return image, small


def coarse(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return image[:, :, ::3], labels[:, :, ::3]


@pytest.mark.parametrize(
    ("change", "reason", "text"),
    [
        (cut_off, "no_axial_data", "only a part of the body"),
        (narrow, "no_axial_data", "too little of the trunk"),
        (crumb, "patch_outside_body", "too little for a vertebral body"),
        (coarse, "no_axial_data", "12 mm apart"),
    ],
)
def test_what_shows_no_trunk_or_no_body_is_refused(change, reason: str, text: str) -> None:
    image, affine, labels = trunk()
    image, labels = change(image, labels)
    if change is coarse:
        affine = affine @ np.diag([1.0, 1.0, 3.0, 1.0])
    problem = cut(image, affine, labels, Slices())["L3"]
    assert isinstance(problem, PatchError)
    assert problem.reason == reason
    assert text in str(problem)


@pytest.mark.parametrize("wrong", [{"pixels": 0}, {"size_mm": -1.0}, {"thickness_mm": -5.0}])
def test_impossible_slices_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Slices(**wrong)
