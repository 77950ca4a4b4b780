"""Discs, alignment and refusals on whole analytic spines."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tools.morphometry.bodies import Body, FloatArray, draw, turn
from tools.morphometry import Morphometry, measure

SHAPE = Body(anterior=28.0, posterior=26.0, bowl=2.0)
PLATE_DEG = SHAPE.wedge / 2  # each rim line against the body's own axis
SACRUM = Body(depth=36.0, width=46.0, anterior=30.0, posterior=30.0, bowl=1.0, waist=0.0)
IDS = {"L2": 2, "L3": 3, "L4": 4, "L5": 5}
NECK_MM = 9.0  # distance between facing midpoints


def spine(
    slopes: dict[str, float], roll: float = 0.0
) -> list[tuple[int, Body, FloatArray, FloatArray]]:
    """Stacks bodies; ``slopes`` gives each body's forward slope in degrees, sacrum last."""
    placed = []
    at = np.array([0.0, 0.0, 120.0])
    patient = turn(0, 0, roll)
    for level, slope in slopes.items():
        rotation = patient @ turn(-slope, 0, 0)
        body = SACRUM if level == "sacrum" else SHAPE
        up = rotation[:, 2]
        centre = at - up * body.middle / 2
        placed.append((IDS.get(level, 6), body, rotation, centre))
        at = centre - up * (body.middle / 2 + NECK_MM)
    return placed


SLOPES = {"L2": -12.0, "L3": -4.0, "L4": 6.0, "L5": 20.0, "sacrum": 38.0}


@pytest.mark.parametrize(
    ("spacing", "off_mm", "off_deg"),
    [((1.0, 1.0, 1.0), 0.6, 1.0), ((3.0, 3.0, 3.0), 2.5, 5.5)],
    ids=["1mm", "3mm"],
)
@pytest.mark.parametrize("roll", [0.0, 9.0], ids=["straight", "rolled"])
def test_alignment_and_discs(
    spacing: tuple[float, float, float], off_mm: float, off_deg: float, roll: float
) -> None:
    labels, affine = draw(spine(SLOPES, roll), spacing, turn(4, -3, 5), "PIR")
    found = measure(labels, affine)
    assert list(found.levels) == ["L2", "L3", "L4", "L5"]
    assert list(found.discs) == ["L2/L3", "L3/L4", "L4/L5", "L5/S1"]
    assert found.sacrum is not None
    assert found.sacrum.depth_mm == pytest.approx(SACRUM.depth, abs=2 * off_mm)
    alignment = found.alignment
    assert alignment.sacral_slope == pytest.approx(38.0, abs=off_deg)
    assert alignment.lordosis_l4_s1 == pytest.approx(38.0 - 6.0 - SHAPE.wedge / 2, abs=2 * off_deg)
    assert alignment.lordosis_l1_s1 is None
    assert found.levels["L3"].upper is not None
    assert found.levels["L3"].upper.tilt.sagittal == pytest.approx(-4.0 + PLATE_DEG, abs=off_deg)
    assert found.discs["L3/L4"].segment_deg == pytest.approx(10.0, abs=2 * off_deg)
    assert found.discs["L3/L4"].angle_deg == pytest.approx(10.0 + SHAPE.wedge, abs=2 * off_deg)
    for disc in found.discs.values():
        assert disc.height_mm.middle == pytest.approx(NECK_MM, abs=off_mm)
        assert disc.height_mm.anterior > disc.height_mm.posterior


def test_disc_edges_follow_the_drawn_geometry() -> None:
    placed = spine({"L3": 0.0, "L4": 0.0})
    labels, affine = draw(placed, (1.0, 1.0, 1.0), turn(6, 5, 4))
    disc = measure(labels, affine).discs["L3/L4"]
    edge = NECK_MM - 2 * float(SHAPE.dent(0.0, 0.0))
    opening = (SHAPE.anterior - SHAPE.posterior) / 2
    assert disc.height_mm.anterior == pytest.approx(edge - opening, abs=0.6)
    assert disc.height_mm.posterior == pytest.approx(edge + opening, abs=0.6)


def test_coronal_angle_of_a_bent_spine() -> None:
    placed = []
    for number, (label, bend) in enumerate([(1, 12.0), (2, 0.0), (3, -10.0)]):
        placed.append((label, Body(), turn(0, bend, 0), np.array([0.0, 0.0, -40.0 * number])))
    labels, affine = draw(placed, (1.0, 1.0, 1.0), turn(2, 0, 7))
    alignment = measure(labels, affine).alignment
    assert alignment.coronal_cobb == pytest.approx(22.0, abs=1.0)
    assert alignment.coronal_cobb_levels == ("L1", "L3")


def test_orientation_of_the_array_changes_nothing() -> None:
    placed = spine({"L3": 0.0, "L4": 10.0})
    one = measure(*draw(placed, (1.0, 1.5, 1.0), turn(6, 5, 4), "RAS")).levels["L4"]
    assert one.height_mm is not None
    for code in ("LPS", "PIR", "ILA"):
        two = measure(*draw(placed, (1.0, 1.5, 1.0), turn(6, 5, 4), code)).levels["L4"]
        assert two.height_mm is not None
        assert two.height_mm.anterior == pytest.approx(one.height_mm.anterior, abs=1e-3)
        assert two.wedge_deg == pytest.approx(one.wedge_deg, abs=1e-3)
        assert two.centroid_ras_mm == pytest.approx(one.centroid_ras_mm, abs=1e-6)


def test_volume_and_centroid() -> None:
    labels, affine = draw([(3, Body(), np.eye(3), np.array([5.0, -7.0, 9.0]))], (1.0, 1.0, 2.0))
    body = measure(labels, affine).levels["L3"]
    assert body.volume_mm3 == pytest.approx(2.0 * np.count_nonzero(labels))
    assert body.centroid_ras_mm == pytest.approx((5.0, -7.0, 9.0), abs=0.3)


def test_a_body_cut_by_the_border_is_incomplete() -> None:
    labels, affine = draw(spine({"L2": 0.0, "L3": 0.0}), (1.0, 1.0, 1.0))
    cut = np.flatnonzero((labels == 2).any(axis=(0, 1))).max() - 5
    found = measure(labels[:, :, : cut + 1], affine)
    assert found.levels["L2"].complete is False
    assert found.levels["L2"].reason == "touches_border"
    assert found.levels["L2"].height_mm is None
    assert found.levels["L3"].complete
    assert found.discs == {}


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((5, 6, 7), np.uint8),
        np.pad(np.full((1, 1, 1), 3, np.uint8), 4),
        np.pad(np.full((2, 40, 2), 3, np.uint8), 4),
        np.pad(np.full((8, 8, 8), 6, np.uint8), 4),
        np.pad(np.full((8, 8, 8), 200, np.uint8), 4),
    ],
    ids=["empty", "one-voxel", "rod", "sacrum-alone", "unknown-id"],
)
def test_maps_without_a_body_give_no_measures(labels: np.ndarray) -> None:
    found = measure(labels, np.eye(4))
    assert isinstance(found, Morphometry)
    assert not any(body.complete for body in found.levels.values())
    assert found.alignment.sacral_slope is None


def test_random_blobs_never_raise() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        coarse = rng.integers(0, 17, (5, 5, 6)).astype(np.uint8)
        found = measure(np.pad(coarse.repeat(6, 0).repeat(6, 1).repeat(4, 2), 2), np.eye(4))
        assert len(found.levels) > 0


def test_stray_voxels_of_a_label_are_left_out() -> None:
    labels, affine = draw([(1, Body(), turn(5, 4, 3), np.zeros(3))], (1.0, 1.0, 1.0))
    before = measure(labels, affine).levels["L1"]
    labels[:2, :2, :2] = 1
    after = measure(labels, affine).levels["L1"]
    assert after == before


def test_values_go_to_json() -> None:
    labels, affine = draw(spine({"L4": 0.0, "L5": 10.0, "sacrum": 30.0}), (2.0, 2.0, 2.0))
    values = json.loads(json.dumps(measure(labels, affine).to_dict()))
    assert set(values) == {"levels", "discs", "sacrum", "alignment"}
    assert values["levels"]["L4"]["height_mm"]["middle"] > 20


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [((4, 4), np.eye(4), "three axes"), ((4, 4, 4), np.zeros((4, 4)), "inverted")],
)
def test_unusable_input_is_named(shape: tuple[int, ...], affine: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(np.zeros(shape, np.uint8), affine)


def test_morphometry_cannot_see_the_phantom() -> None:
    code = (
        "import sys, tools.morphometry;"
        "print([name for name in sys.modules if name.startswith('tools.phantom')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
