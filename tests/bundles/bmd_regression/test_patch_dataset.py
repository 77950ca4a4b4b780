"""Patches are made once, and what cannot be made is said in one line."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.transforms import Compose, MapTransform, RandGaussianNoised

from bmd_bundle.patch_dataset import PatchDataset, UnusableError
from bmd_bundle.training_patches import SplitLevelsd


class Makingd(MapTransform):
    """Makes patches of a record without reading anything, and counts."""

    made: list[str] = []  # noqa: RUF012 - counted over all instances

    def __call__(self, data: Any) -> dict[str, Any]:
        self.made.append(data["image"])
        if data["image"] == "broken":
            raise ValueError("is no CT")
        levels = data["levels"]
        return {"image": torch.zeros(3 * levels, 4, 4), "label": torch.full((levels,), 7.0)}


@pytest.fixture(autouse=True)
def count() -> None:
    Makingd.made.clear()


def records(*levels: int) -> list[dict[str, Any]]:
    return [
        {"image": f"ct{n}", "levels": each, "density": dict.fromkeys("abcd"[:each])}
        for n, each in enumerate(levels)
    ]


RANDOM = Compose([Makingd("image"), RandGaussianNoised("image", prob=1.0), SplitLevelsd("image")])
FIXED = Compose([Makingd("image"), SplitLevelsd("image")])


@pytest.mark.filterwarnings("error:Corrupt cache")
@pytest.mark.parametrize("transform", [RANDOM, FIXED], ids=["random", "fixed"])
def test_patches_are_made_once(transform: Compose, tmp_path: Path) -> None:
    for _ in range(2):
        dataset = PatchDataset(records(2, 4), transform, tmp_path)
        assert Makingd.made == ["ct0", "ct1"]
        assert (len(dataset), dataset.levels) == (2, 6)
    items = dataset[1]
    assert len(items) == 4
    assert items[0]["image"].shape == (3, 4, 4)
    assert float(items[0]["label"]) == 7.0


def test_random_changes_do_not_stay(tmp_path: Path) -> None:
    dataset = PatchDataset(records(2), RANDOM, tmp_path)
    first, second = dataset[0][0]["image"], dataset[0][0]["image"]
    assert not torch.equal(first, second)
    assert not dataset._held[0]["image"].any()


def test_scans_without_a_patch_are_left_out_and_told(tmp_path: Path, caplog: Any) -> None:
    given = [*records(2, 3), {"image": "none", "levels": 0, "density": {"a": 1.0}}]
    with caplog.at_level(logging.INFO):
        dataset = PatchDataset(given, RANDOM, tmp_path)
    assert len(dataset) == 2
    assert "5 patches of 2 scans; 1 measured levels have none, 1 scans have none" in caplog.text


def test_processes_make_the_same_patches(tmp_path: Path) -> None:
    here = PatchDataset(records(2, 1, 4), FIXED, tmp_path / "a")
    torch.manual_seed(5)
    there = PatchDataset(records(2, 1, 4), FIXED, tmp_path / "b", workers=2)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))  # filling draws no random number of the training
    for one, other in zip(here._held, there._held, strict=True):
        assert all(torch.equal(a["image"], b["image"]) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_scan_that_cannot_be_used_is_named(workers: int, tmp_path: Path) -> None:
    given = [*records(2, 2), {"image": "broken", "levels": 1, "density": {"a": 1.0}}]
    with pytest.raises(UnusableError, match=r"^broken: is no CT; mend the record or leave it out$"):
        PatchDataset(given, RANDOM, tmp_path, workers=workers)


def test_one_patch_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UnusableError, match="1 patches of 1 scans are too few"):
        PatchDataset(records(1), RANDOM, tmp_path)
