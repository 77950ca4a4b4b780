"""Slices are counted and chosen; features are encoded once, in evaluation mode, and kept."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import Dataset
from monai.transforms import Compose, RandShiftIntensityd
from torch import nn

from ovf_bundle.aggregators import MeanPooling
from ovf_bundle.feature_dataset import FeatureDataset, collate
from ovf_bundle.networks import SliceSequenceNet
from ovf_bundle.slice_dataset import CountSlicesd, RandSlicesd


@given(
    count=st.integers(1, 12), least=st.integers(1, 5), more=st.integers(0, 5), side=st.booleans(),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_chosen_slices_stay_in_order_and_together(
    count: int, least: int, more: int, side: bool, seed: int
) -> None:
    choose = RandSlicesd(["image", "map"], least, least + more, neighbours=side)
    choose.set_random_state(seed)
    numbers = torch.arange(count).reshape(1, count, 1, 1)
    found = CountSlicesd("image")(choose({"image": numbers, "map": numbers * 10}))
    kept = found["image"].flatten().tolist()
    assert int(found["lengths"]) == len(kept)
    assert min(count, least) <= len(kept) <= least + more
    assert kept == sorted(set(kept))
    assert found["map"].flatten().tolist() == [10 * number for number in kept]
    if side:
        assert kept == list(range(kept[0], kept[0] + len(kept)))


def test_of_each_part_of_a_long_scan_the_same_slices_are_kept() -> None:
    """A run of slices across two parts would be half of the one and half of the other."""
    choose = RandSlicesd("image", 2, 2)
    choose.set_random_state(0)
    numbers = torch.arange(10).reshape(1, 10, 1, 1)
    found = choose({"image": numbers, "places": torch.zeros(2, 4, 4)})["image"].flatten().tolist()
    assert found == [found[0], found[0] + 1, found[0] + 5, found[0] + 6]


def test_no_slices_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="least 0 and most 3 slices"):
        RandSlicesd("image", 0, 3)


def scans(shift: float = 0.5) -> Dataset:
    """Two scans of two and three slices, brightened at random."""
    random = np.random.default_rng(0)
    data = [
        {"image": random.random((3, 2 + number, 4, 4), np.float32), "label": [float(number)]}
        for number in range(2)
    ]
    return Dataset(data, Compose([RandShiftIntensityd("image", offsets=shift, prob=1.0)]))


def network(seed: int = 0) -> SliceSequenceNet:
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(48, 6), nn.BatchNorm1d(6))
    return SliceSequenceNet(encoder, MeanPooling(), encoded=6, features=4, pixels=4)


def test_features_are_what_the_encoder_gives_in_evaluation_mode(tmp_path: Path) -> None:
    net = network().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = FeatureDataset(scans(shift=0.0), net, versions=1, cache_dir=tmp_path)
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items()), "nothing is learnt"
    assert len(found) == 2
    for number, item in enumerate(scans(shift=0.0)):
        expected = net.eval().encode(item["image"].transpose(0, 1))
        torch.testing.assert_close(found[number]["image"], expected)
        assert int(found[number]["lengths"]) == 2 + number
        assert found[number]["label"].tolist() == [number]


def test_versions_differ_and_are_drawn_by_torchs_numbers() -> None:
    found = FeatureDataset(scans(), network(), versions=4)
    assert len(found) == 2
    torch.manual_seed(0)
    first = [found[0]["image"] for _ in range(20)]
    torch.manual_seed(0)
    again = [found[0]["image"] for _ in range(20)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({float(one.sum()) for one in first}) == 4


def test_sequences_of_a_batch_are_padded_at_their_end() -> None:
    """MONAI's own padding takes the first axis for channels, and leaves it as it is."""
    found = FeatureDataset(scans(), network(), versions=1)
    batch = collate([found[0], found[1]])
    assert batch["image"].shape == (2, 3, 6)
    assert batch["label"].tolist() == [[0.0], [1.0]]
    assert batch["lengths"].tolist() == [2, 3]
    torch.testing.assert_close(batch["image"][0, :2], found[0]["image"])
    assert batch["image"][0, 2].tolist() == [0.0] * 6


@pytest.mark.parametrize("change", ["nothing", "weights", "random changes", "damage"])
def test_features_are_kept_until_something_they_depend_on_changes(
    tmp_path: Path, change: str
) -> None:
    FeatureDataset(scans(), network(), versions=2, cache_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    marked = torch.load(file)
    for item in marked:
        item["image"] = item["image"] * 0 + 42.0
    torch.save(marked, file)
    if change == "damage":
        file.write_bytes(b"torso")
    found = FeatureDataset(
        scans(0.6 if change == "random changes" else 0.5),
        network(1 if change == "weights" else 0),
        versions=2,
        cache_dir=tmp_path,
    )
    assert (float(found[0]["image"].max()) == 42.0) == (change == "nothing")
