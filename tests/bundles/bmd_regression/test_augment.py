"""Random changes keep HU and density consistent."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import Compose, RandFlipd

from bmd_bundle.augment import RandGrainyNoised, RandMinerald, RandSameScaled
from bmd_bundle.calibration import reference

LINE = reference()


def scan(densities: list[float], pixels: int = 8) -> dict:
    """Noise-free patches that read exactly their densities."""
    hu = LINE.slope_hu_per_mg_cm3 * torch.tensor(densities)
    image = hu.repeat_interleave(3)[:, None, None].expand(-1, pixels, pixels).clone()
    return {"image": image, "label": torch.tensor(densities)}


def readings(data: dict) -> np.ndarray:
    """Density that the line reads in each level."""
    hu = data["image"].reshape(len(data["label"]), -1).mean(dim=1)
    return np.array([LINE.density(float(each)) for each in hu])


@given(
    densities=st.lists(st.floats(-40, 260), min_size=1, max_size=4),
    most=st.floats(0, 80),
    seed=st.integers(0, 99),
)
def test_what_the_line_reads_stays_the_target(
    densities: list[float], most: float, seed: int
) -> None:
    data = scan(densities)
    change = RandMinerald("image", prob=1.0, most_mg_cm3=most).set_random_state(seed)
    changed = change(data)
    np.testing.assert_allclose(readings(changed), changed["label"].numpy(), atol=1e-3)
    moved = (changed["label"] - data["label"]).abs()
    assert float(moved.max()) <= most + 1e-3
    np.testing.assert_allclose(readings(data), densities, atol=1e-3)  # the input is untouched


def test_levels_change_by_themselves_and_over_the_whole_range() -> None:
    change = RandMinerald("image", prob=1.0, most_mg_cm3=60.0).set_random_state(0)
    added = np.array([change(scan([100.0] * 4))["label"].numpy() - 100 for _ in range(300)])
    assert added.min() < -58
    assert added.max() > 58
    assert abs(np.corrcoef(added[:, 0], added[:, 1])[0, 1]) < 0.15
    assert abs(added.mean()) < 3.0


@pytest.mark.parametrize("axis", [0, 1], ids=["front and back", "left and right"])
def test_a_flip_moves_pixels_and_no_density(axis: int) -> None:
    data = scan([80.0, 120.0])
    data["image"] += torch.randn(data["image"].shape, generator=torch.Generator().manual_seed(0))
    changed = Compose([RandFlipd("image", prob=1.0, spatial_axis=axis)])(data)
    assert torch.equal(torch.as_tensor(changed["image"]), data["image"].flip(axis + 1))
    assert torch.equal(changed["label"], data["label"])
    np.testing.assert_allclose(readings(changed), readings(data), atol=1e-4)


@pytest.mark.parametrize("grain", [0.0, 0.8, 1.5])
def test_noise_has_the_stated_spread_whatever_its_grain(grain: float) -> None:
    data = {"image": torch.zeros(6, 64, 64)}
    change = RandGrainyNoised("image", prob=1.0, most_hu=40.0, most_grain=grain)
    spreads = [float(change.set_random_state(s)(data)["image"].std()) for s in range(60)]
    assert max(spreads) == pytest.approx(40.0, abs=2.5)
    assert min(spreads) < 3.0
    neighbours = []
    for seed in range(20):
        noise = change.set_random_state(seed)(data)["image"]
        pair = noise[:, :-1].flatten(), noise[:, 1:].flatten()
        neighbours.append(float(np.corrcoef(*pair)[0, 1]))
    assert (max(neighbours) > 0.3) == (grain > 0)


def test_nothing_happens_when_nothing_shall() -> None:
    data = scan([90.0])
    for change in (RandMinerald("image", prob=0.0), RandGrainyNoised("image", prob=0.0)):
        assert change(data)["image"] is data["image"]


@pytest.mark.parametrize("sd", [0.0, 3.0])
def test_a_scans_common_error_is_replaced_and_its_levels_differences_stay(sd: float) -> None:
    label = torch.tensor([60.0, 90.0, 140.0, 110.0])
    own = torch.tensor([1.0, -2.0, 4.0, -3.0])  # what levels err by of themselves, HU
    texture = torch.randn(12, 8, 8, generator=torch.Generator().manual_seed(0))
    texture -= texture.unflatten(0, (4, 3)).mean((1, 2, 3)).repeat_interleave(3)[:, None, None]
    expected = LINE.slope_hu_per_mg_cm3 * label + LINE.intercept_hu + own
    image = texture + (expected + 17.0).repeat_interleave(3)[:, None, None]
    change = RandSameScaled("image", usual_hu=-1.5, sd_hu=sd)
    change.set_random_state(3)
    errors = []
    for _ in range(200):
        found = change({"image": image, "label": label})
        read = found["image"].unflatten(0, (4, 3)).mean((1, 2, 3)) - expected
        assert torch.allclose(read, read[:1].expand(4), atol=1e-3)
        assert torch.equal(found["label"], label)
        errors.append(float(read[0]))
    assert np.mean(errors) == pytest.approx(-1.5, abs=1e-3 + 4 * sd / 200**0.5)
    assert np.std(errors) == pytest.approx(sd, rel=0.2, abs=1e-3)


@pytest.mark.parametrize("levels", [1, 2])
def test_a_scan_of_few_levels_keeps_its_error(levels: int) -> None:
    """Of one level the density itself would be written into the patch."""
    image, label = torch.rand(3 * levels, 8, 8), torch.full((levels,), 100.0)
    assert torch.equal(RandSameScaled("image")({"image": image, "label": label})["image"], image)
