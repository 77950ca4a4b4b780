"""A body's axes are found on any grid."""

import numpy as np
import pytest

from bmd_bundle.body_frame import PatchError, fit
from bmd_bundle.geometry import bounds, to_index, to_world
from tests.bundles.bmd_regression.solids import grid, solid

GRIDS = {
    "1 mm": {},
    "thick slices": {"spacing": (0.8, 0.8, 5.0)},
    "3 mm": {"spacing": (3.0, 3.0, 3.0)},
    "oblique": {"spacing": (0.9, 0.9, 2.0), "turn_deg": (12.0, -7.0, 20.0)},
    "PIR": {"spacing": (1.0, 1.5, 2.0), "codes": (1, 2, 0), "signs": (-1, -1, 1)},
}
TILTS = [(0, 0, 0), (20, 0, 0), (-30, 0, 0), (10, 12, 0), (5, -5, 15)]


def angle(a, b):
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


@pytest.mark.parametrize("tilt", TILTS, ids=str)
@pytest.mark.parametrize("name", GRIDS)
def test_axes_and_middle_are_the_drawn_ones(name, tilt):
    drawn = solid(*grid(**GRIDS[name]), tilt_deg=tilt)
    frame = fit(drawn.body, drawn.affine).frame
    coarse = max(GRIDS[name].get("spacing", (1.0,)))
    assert angle(frame.up, drawn.axes[2]) < (1.0 if coarse < 3 else 3.0)
    assert angle(frame.axes[0], drawn.axes[0]) < (2.0 if coarse < 3 else 5.0)
    # Slices of 5 mm tell each endplate's height to half of that.
    assert np.linalg.norm(frame.centre_mm - drawn.centre_mm) < (0.6 if coarse < 3 else coarse / 2)
    assert np.allclose(frame.axes @ frame.axes.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(frame.axes) == pytest.approx(1)


def test_tilt_is_the_angle_to_the_axial_plane():
    drawn = solid(*grid(), tilt_deg=(20, 0, 0))
    assert fit(drawn.body, drawn.affine).frame.tilt_deg == pytest.approx(20, abs=1)


def test_depth_is_the_distance_to_the_surface():
    drawn = solid(*grid())
    body = fit(drawn.body, drawn.affine)
    front = drawn.centre_mm + np.array([[0, 17 - deep, 0] for deep in (2.0, 6.0, 9.0)])
    assert body.depth_at(front) == pytest.approx([2, 6, 9], abs=0.6)
    assert body.depth_at(drawn.centre_mm + [[0, 0, 60.0], [0, 19, 0]]) == pytest.approx([0, 0])


def test_stray_voxels_do_not_move_the_axes():
    drawn = solid(*grid())
    stray = drawn.body.copy()
    stray[2:6, 2:6, 2:6] = True
    clean, found = (fit(mask, drawn.affine).frame for mask in (drawn.body, stray))
    assert np.array_equal(clean.axes, found.axes)
    assert np.array_equal(clean.centre_mm, found.centre_mm)


def test_a_notch_in_an_endplate_does_not_tilt_the_body():
    """A Schmorl's node: 6 mm wide, 5 mm deep, off the middle."""
    drawn = solid(*grid())
    place = np.moveaxis(np.indices(drawn.body.shape), 0, -1) @ drawn.affine[:3, :3].T
    local = place + drawn.affine[:3, 3] - drawn.centre_mm
    node = (np.hypot(local[..., 0] - 8, local[..., 1]) < 3) & (local[..., 2] > 6)
    frame = fit(drawn.body & ~node, drawn.affine).frame
    assert frame.tilt_deg < 1


@pytest.mark.parametrize(
    ("keep", "says"),
    [(slice(0, 0), "is empty"), (slice(43, 46), "too little"), (slice(42, 47), "no endplates")],
)
def test_a_mask_that_is_no_body_is_refused(keep, says):
    drawn = solid(*grid())
    mask = np.zeros_like(drawn.body)
    mask[keep] = drawn.body[keep]
    with pytest.raises(PatchError, match=says) as raised:
        fit(mask, drawn.affine)
    assert raised.value.reason == "patch_outside_body"


def test_a_body_lying_on_its_side_is_refused():
    drawn = solid(*grid(), tilt_deg=(60, 0, 0))
    with pytest.raises(PatchError, match="tilt"):
        fit(drawn.body, drawn.affine)


def test_bounds_hold_the_mask():
    mask = np.zeros((5, 6, 7), dtype=bool)
    assert bounds(mask) is None
    mask[1:3, 2, 4:7] = True
    assert bounds(mask) == (slice(1, 3), slice(2, 3), slice(4, 7))


def test_index_and_world_are_inverse():
    affine, _ = grid((0.7, 1.1, 3.0), (10, 20, 30))
    points = np.random.default_rng(0).normal(0, 50, (20, 3))
    assert np.allclose(to_world(affine, to_index(affine, points)), points)
