from pathlib import Path

import pytest
import torch

from tools.phantom.probe.augment import CROP, draw_batch, window
from tools.phantom.probe.slices import BODY, SACRUM, SliceSet, collect

from .conftest import simulate_boxes


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> SliceSet:
    folder: Path = tmp_path_factory.mktemp("slices")
    return collect(simulate_boxes, {"bone_hu": 1200}, 0, 2, folder, workers=1)


def _batch(slices: SliceSet, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    return draw_batch(slices, torch.arange(16), torch.Generator().manual_seed(seed))


def test_window_maps_its_ends_to_zero_and_one() -> None:
    hu = torch.tensor([-1000.0, -150.0, 350.0, 850.0, 3000.0])
    assert window(hu).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_batches_have_the_network_s_shape_and_range(slices: SliceSet) -> None:
    image, label = _batch(slices, 0)
    assert image.shape == label.shape == (16, 1, *CROP)
    assert float(image.min()) >= 0
    assert float(image.max()) <= 1
    assert set(label.unique().tolist()) <= {0, 1, 2}


def test_equal_seeds_give_equal_batches_and_others_do_not(slices: SliceSet) -> None:
    first, again, other = (_batch(slices, seed) for seed in (5, 5, 6))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_labels_move_with_the_image(slices: SliceSet) -> None:
    # Bone is far brighter than soft tissue here, so what is bright must be what is labelled.
    image, label = _batch(slices, 2)
    bone = label > 0
    assert bone.float().mean() > 0.02
    assert float(image[bone].mean()) > 0.8
    assert float(image[~bone].mean()) < 0.3
    bright = image > 0.75
    overlap = 2 * (bright & bone).sum() / (bright.sum() + bone.sum())
    assert float(overlap) > 0.85


def test_anchors_are_often_out_of_sight(tmp_path: Path) -> None:
    # As tall as an abdomen: 420 mm.
    levels = ("sacrum", "L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10")
    tall = collect(simulate_boxes, {"levels": levels}, 0, 2, tmp_path, workers=1)
    bodies = alone = 0
    for seed in range(4):
        _, label = _batch(tall, seed)
        shown = (label == BODY).flatten(1).any(1)
        bodies += int(shown.sum())
        alone += int((shown & ~(label == SACRUM).flatten(1).any(1)).sum())
    assert 0.2 < alone / bodies < 0.8
