"""Training and validation slices of a slab."""

import numpy as np
import pytest
import torch

from lumbar_bundle.classes import L3, SACRUM
from lumbar_bundle.slices import RandSagittalSlicesd, SagittalSlicesd, cut_slice, slices_with_bodies


@pytest.fixture
def slab():
    label = torch.zeros(1, 21, 8, 10, dtype=torch.uint8)
    label[:, 5:16, 2:5, 2:5] = L3
    label[:, 0:21, 6:8, 0:3] = SACRUM
    image = torch.arange(21.0)[None, :, None, None].expand(1, 21, 8, 10).clone()
    return {"image": image, "label": label, "patient_id": "A-1"}


def test_slices_with_bodies_leave_the_sacrum_out(slab):
    assert slices_with_bodies(slab["label"]).tolist() == list(range(5, 16))
    assert len(slices_with_bodies(torch.zeros(1, 4, 2, 2))) == 4


@pytest.mark.parametrize(
    ("index", "thickness", "mean"),
    [
        pytest.param(10, 1, 10.0, id="one"),
        pytest.param(10, 3, 10.0, id="three"),
        pytest.param(10, 2, 10.5, id="two"),
        pytest.param(0, 3, 0.5, id="first"),
        pytest.param(20, 3, 19.5, id="last"),
    ],
)
def test_thick_slices_are_means(slab, index, thickness, mean):
    assert cut_slice(slab["image"], index, thickness).unique().tolist() == [mean]


def test_fixed_slices_lie_between_the_outermost_ones_with_a_body(slab):
    items = SagittalSlicesd(["image", "label"], offsets=(0.0, 0.5, 1.0))(slab)
    assert [float(item["image"].mean()) for item in items] == [5, 10, 15]
    assert all(
        item["label"].shape == (1, 8, 10) and set(item) == {"image", "label"} for item in items
    )


def test_random_slices_mostly_show_bodies_and_agree_with_their_labels(slab):
    cut = RandSagittalSlicesd(["image", "label"], num_samples=400, most_thickness=1)
    cut.set_random_state(0)
    items = cut(slab)
    for item in items:
        place = int(item["image"][0, 0, 0])
        assert torch.equal(item["label"], slab["label"][:, place])
    share = np.mean([bool((item["label"] == L3).any()) for item in items])
    # 0.9 by choice, and 11 of 21 by chance of the rest.
    assert share == pytest.approx(0.9 + 0.1 * 11 / 21, abs=0.04)


def test_equal_seeds_cut_equal_slices(slab):
    cut = RandSagittalSlicesd(["image", "label"], num_samples=8)
    first = [item["image"] for item in cut.set_random_state(3)(slab)]
    again = [item["image"] for item in cut.set_random_state(3)(slab)]
    other = [item["image"] for item in cut.set_random_state(4)(slab)]
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))
