"""Bodies as instances, and their order, on blocks of known places."""

import numpy as np
import pytest
from scipy import ndimage

from lumbar_bundle.anchors import split
from lumbar_bundle.chain import Body, chain_gaps, find_chain, measure_bodies
from lumbar_bundle.instances import find_bodies

EDGES = np.array([2.0, 2.0, 2.0])
#: Half sizes of a block, mm, and the step from one to the next.
HALF, STEP = np.array([22.0, 17.0, 13.0]), 34.0


def column(
    count: int = 6,
    disc_mm: float = 8.0,
    bridge: float = 0.0,
    lean_deg: float = 0.0,
    edges: np.ndarray = EDGES,
    width: int = 30,
) -> np.ndarray:
    """Probability of "body" for blocks one over the other, with discs of probability `bridge`."""
    shape = np.array([width, 50, round((count * STEP + 30) / edges[2])])
    x, y, z = (np.indices(shape).T * edges).T
    x, y = x - x.mean(), y - y.mean() - np.tan(np.radians(lean_deg)) * (z - z.mean())
    inside = (np.abs(x) < HALF[0]) & (np.abs(y) < HALF[1])
    place = (z - 15) % STEP
    used = (z >= 15) & (z < 15 + count * STEP)
    body = inside & used & (place < STEP - disc_mm)
    return np.where(body, 0.97, np.where(inside & used, bridge, 0.01)).astype(np.float32)


def chain_of(body: np.ndarray, edges: np.ndarray = EDGES) -> list[Body]:
    return find_chain(measure_bodies(find_bodies(body, edges), body, edges))


def parts(chain: list[Body]) -> list[tuple[int, int]]:
    return split(chain, [True] * len(chain))


@pytest.mark.parametrize(
    ("disc_mm", "bridge", "lean_deg"),
    [(8, 0.0, 0), (8, 0.3, 15), (4, 0.6, 0), (4, 0.8, 10), (2, 0.4, 0)],
    ids=["apart", "leaning", "bridged", "nearly as bright", "one voxel"],
)
def test_every_block_is_one_instance(disc_mm: float, bridge: float, lean_deg: float) -> None:
    chain = chain_of(column(disc_mm=disc_mm, bridge=bridge, lean_deg=lean_deg))
    assert len(chain) == 6
    steps = np.linalg.norm(np.diff([body.centroid for body in chain], axis=0), axis=1)
    np.testing.assert_allclose(steps, STEP / np.cos(np.radians(lean_deg)), atol=2.5)


@pytest.mark.parametrize(
    "edges", [[2.0, 2, 2], [5.0, 2, 2], [2.0, 1, 1]], ids=["2 mm", "5 mm slices", "fine"]
)
def test_spacing_changes_nothing(edges: list[float]) -> None:
    spacing = np.array(edges)
    fine = column()
    body = ndimage.zoom(fine, EDGES / spacing, order=0, grid_mode=True, mode="nearest")
    assert len(chain_of(body, spacing)) == 6


def test_one_slice_suffices() -> None:
    chain = chain_of(column(width=1))
    assert len(chain) == 6
    assert chain[0].size_mm3 == pytest.approx(40 * 34 * 26, rel=0.1)


def test_noise_and_pits_split_no_body() -> None:
    body = column()
    body[body > 0.5] -= 0.3 * np.random.default_rng(0).random((body > 0.5).sum()).astype("float32")
    body[15, 20:24, 15:22] = 0.1  # basivertebral vein
    assert len(chain_of(body)) == 6


def test_what_stands_aside_is_left_out() -> None:
    body = column()
    body[:, :6, 40:52] = 0.9  # behind, as large as a body
    body[:4, :, 60:64] = 0.9
    chain = chain_of(body)
    assert len(chain) == 6
    assert max(abs(item.centroid[1] - 49) for item in chain) < 6


def test_gaps_are_the_discs() -> None:
    # From voxel centre to voxel centre: one voxel more than the disc.
    assert chain_gaps(chain_of(column(disc_mm=8))) == pytest.approx([10] * 5, abs=2)


@pytest.mark.parametrize("index", [1, 2, 4])
def test_a_missing_body_parts_the_chain(index: int) -> None:
    body = column(count=7)
    low = round((15 + index * STEP) / 2) - 1
    body[:, :, low : low + 15] = 0.01
    assert parts(chain_of(body)) == [(0, index - 1), (index, 5)]


def test_a_body_too_many_parts_the_chain() -> None:
    chain = chain_of(column(count=7))
    middle = (chain[2].centroid + chain[3].centroid) / 2
    extra = Body(99, middle, middle + np.zeros((8, 3)), chain[0].size_mm3, 0.9)
    assert len(parts([*chain[:3], extra, *chain[3:]])) > 1


def test_two_bodies_grown_into_one_part_the_chain() -> None:
    chain = chain_of(column(count=7))
    points = np.concatenate([chain[2].points, chain[3].points])
    double = Body(9, points.mean(0), points, 2 * chain[2].size_mm3, 0.9)
    assert parts([*chain[:2], double, *chain[4:]]) == [(0, 1), (2, 2), (3, 5)]


def test_a_body_cut_by_the_field_parts_nothing() -> None:
    body = column(count=4)
    body[:, :, 64:] = 0.01  # ten of the uppermost's 26 mm remain
    chain = chain_of(body)
    assert split(chain, [True] * 3 + [False]) == [(0, 3)]


def test_nothing_found_is_no_chain() -> None:
    assert chain_of(np.full((4, 5, 6), 0.2, np.float32)) == []
    assert split([], []) == []
