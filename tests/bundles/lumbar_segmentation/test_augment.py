"""Random changes of slices, in thousands of HU above air."""

import pytest
import torch

from lumbar_bundle.augment import (
    RandBrightVesseld,
    RandFieldCutd,
    RandScanNoised,
    RandThickVoxelsd,
)
from lumbar_bundle.classes import L3

WATER = 1.024


def item(seed=0, rows=64, columns=80):
    image = torch.full((1, rows, columns), WATER)
    label = torch.zeros(1, rows, columns)
    for start in (10, 30, 50):
        image[:, 20:34, start : start + 14] = WATER + 0.2
        label[:, 20:34, start : start + 14] = L3
    return {"image": image, "label": label, "patient_id": "A-1"}


ALL = [
    pytest.param(RandThickVoxelsd, "image", id="thick voxels"),
    pytest.param(RandScanNoised, "image", id="noise"),
    pytest.param(RandFieldCutd, ["image", "label"], id="field"),
    pytest.param(RandBrightVesseld, "image", id="vessel"),
]


@pytest.mark.parametrize(("kind", "keys"), ALL)
def test_repeats_with_its_seed_keeps_sizes_and_leaves_the_input_alone(kind, keys):
    data, before = item(), item()
    change = kind(keys, prob=1.0)
    changed = False
    for seed in range(8):
        first = change.set_random_state(seed)(data)
        again = change.set_random_state(seed)(data)
        assert torch.equal(first["image"], again["image"])
        assert first["image"].shape == data["image"].shape
        assert float(first["image"].min()) >= 0
        changed |= not torch.equal(first["image"], data["image"])
    assert changed
    assert torch.equal(data["image"], before["image"])
    assert torch.equal(data["label"], before["label"])


@pytest.mark.parametrize(("kind", "keys"), ALL)
def test_probability_zero_changes_nothing(kind, keys):
    data = item()
    assert torch.equal(kind(keys, prob=0.0)(data)["image"], data["image"])


def test_thick_voxels_keep_the_mean():
    data = item()
    for seed in range(10):
        coarse = RandThickVoxelsd("image", prob=1.0).set_random_state(seed)(data)["image"]
        assert float(coarse.mean()) == pytest.approx(float(data["image"].mean()), abs=0.01)
        assert float(coarse.std()) < float(data["image"].std())


def test_noise_has_at_most_the_stated_strength_and_no_bias():
    data = item(rows=256, columns=256)
    strengths = []
    for seed in range(20):
        noisy = RandScanNoised("image", prob=1.0, most_hu=80).set_random_state(seed)(data)["image"]
        noise = (noisy - data["image"]) * 1000
        assert abs(float(noise.mean())) < 3
        strengths.append(float(noise.std()))
    assert 40 < max(strengths) < 90
    assert min(strengths) < 20


def test_cut_field_blanks_image_and_labels_alike_at_the_ends_only():
    data = item()
    data["image"] = data["image"].clamp(min=0.5)
    for seed in range(20):
        cut = RandFieldCutd(["image", "label"], prob=1.0).set_random_state(seed)(data)
        gone = cut["image"][0] == 0
        assert not cut["label"][0][gone].any()
        assert torch.equal(cut["label"][0][~gone], data["label"][0][~gone])
        kept = torch.nonzero(~gone)
        box = ~gone[
            kept[:, 0].min() : kept[:, 0].max() + 1, kept[:, 1].min() : kept[:, 1].max() + 1
        ]
        assert box.all()


def test_vessel_brightens_soft_tissue_before_the_bodies_only():
    data = item()
    data["image"][:, :, 40:44] = 0.0  # gas
    for seed in range(10):
        made = RandBrightVesseld("image", prob=1.0).set_random_state(seed)(data)["image"]
        rise = (made - data["image"])[0]
        rows = torch.nonzero(rise > 0)[:, 0]
        assert rows.min() >= 33
        assert rise[:, 40:44].abs().max() == 0
        assert 0.04 < float(rise.max()) < 0.36
