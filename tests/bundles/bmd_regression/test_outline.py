"""A voxel that an outline lacks refuses no level, and a whole outline stays as it is."""

import numpy as np
import pytest

from bmd_bundle import body_frame
from bmd_bundle.geometry import to_index
from bmd_bundle.outline import solid as closed
from bmd_bundle.patches import extract
from tests.bundles.bmd_regression.solids import grid, solid

GRIDS = {
    "1 mm": {"spacing": (1.0, 1.0, 1.0)},
    "3 mm": {"spacing": (3.0, 3.0, 3.0)},
    "thick": {"spacing": (0.8, 0.8, 5.0)},
    "oblique": {"spacing": (0.9, 1.3, 2.0), "turn_deg": (12, -7, 20)},
    "PIR": {"spacing": (1.0, 1.5, 3.0), "codes": (1, 2, 0), "signs": (-1, -1, 1)},
}


def voxel(drawn, at_mm):
    """Index of the voxel at a place from the body's middle, mm."""
    return np.round(to_index(drawn.affine, drawn.centre_mm + at_mm)).astype(int)


def hole(drawn):
    """The body without the voxel in its middle, where a dense spot may lie."""
    mask = drawn.body.copy()
    mask[tuple(voxel(drawn, (0, 0, 0)))] = False
    return mask


def notch(drawn):
    """The body without a canal of one voxel from behind to its middle."""
    mask = drawn.body.copy()
    for behind in np.arange(0, 25, 0.4):
        mask[tuple(voxel(drawn, (0, -behind, 0)))] = False
    return mask


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("cut", [hole, notch])
def test_a_missing_voxel_refuses_no_level(cut, name):
    """ "No square of 10 mm keeps 5 mm to the surface", for a body of 44 x 34 x 27 mm."""
    drawn = solid(*grid(**GRIDS[name]), noise_hu=10.0)
    mask = cut(drawn)
    assert mask.sum() < drawn.body.sum()
    whole, found = (extract(drawn.image, drawn.affine, each) for each in (drawn.body, mask))
    # The mouth of the canal stays open: the surface lies one voxel deeper there.
    mouth = 0 if cut is hole else max(GRIDS[name]["spacing"])
    assert whole.size_mm - mouth <= found.size_mm <= whole.size_mm
    assert np.linalg.norm(found.centre_mm - whole.centre_mm) < (1.5 if mouth else 0.1)
    assert found.tilt_deg == pytest.approx(whole.tilt_deg, abs=0.5)
    assert found.trabecular_hu == pytest.approx(whole.trabecular_hu, abs=0.5)
    assert found.core_mean_hu == pytest.approx(whole.core_mean_hu, abs=0.5)


@pytest.mark.parametrize("tilt", [(0, 0, 0), (20, 0, 0), (10, 12, 8)], ids=str)
@pytest.mark.parametrize("name", GRIDS)
def test_a_clean_body_keeps_its_surface(monkeypatch, name, tilt):
    """Closing must not fill the hollow of an endplate or the steps of a slanted one."""
    drawn = solid(*grid(**GRIDS[name]), tilt_deg=tilt, noise_hu=10.0)
    mended = extract(drawn.image, drawn.affine, drawn.body)
    monkeypatch.setattr(body_frame, "solid", lambda mask, spacing_mm: mask)
    plain = extract(drawn.image, drawn.affine, drawn.body)
    assert mended.size_mm == plain.size_mm
    assert mended.corners_mm == pytest.approx(plain.corners_mm, abs=0.1)
    assert mended.margin_mm == pytest.approx(plain.margin_mm, abs=0.1)
    for number in ("mean_hu", "trabecular_hu", "core_mean_hu"):
        assert getattr(mended, number) == pytest.approx(getattr(plain, number), abs=0.1), number


def test_gaps_are_closed_up_to_their_width_in_millimetres():
    """A slot of 6 mm is closed on any voxels, one of 12 mm is a part of the shape."""
    for spacing in ((1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (3.0, 3.0, 3.0)):
        shape = tuple(round(60 / edge) for edge in spacing)
        place = np.moveaxis(np.indices(shape), 0, -1) * spacing
        block = np.all((place >= 9) & (place < 51), axis=-1)
        deep = (place[..., 2] > 20) & (place[..., 2] < 40)
        for width, closes in ((6, True), (12, False)):
            slot = deep & (place[..., 0] >= 30) & (place[..., 0] < 30 + width)
            found = closed(block & ~slot, spacing)
            inner = slot & block & (np.abs(place[..., 1] - 30) < 10)
            assert inner.any()
            assert found[inner].all() == closes
            assert not found[~block].any()


def test_a_slanting_gap_is_closed_on_coarse_voxels():
    """A CT of 3 mm, turned by 20°, lost its L1 to such a gap."""
    block = np.zeros((15, 15, 15), dtype=bool)
    block[2:13, 2:13, 2:13] = True
    x, y, _ = np.indices(block.shape)
    slanting = (x - y >= 0) & (x - y < 3) & (x < 9) & (y < 9)
    assert closed(block & ~slanting, (3.0, 3.0, 3.0))[5:7, 5:7, 6:9].all()


def test_a_body_at_the_edge_does_not_grow_beyond_it():
    mask = np.ones((20, 20, 20), dtype=bool)
    mask[10, 10, 10] = False
    assert closed(mask, (1.0, 1.0, 1.0)).all()
    assert not closed(np.zeros_like(mask), (1.0, 1.0, 1.0)).any()
