"""From a CT to the training's items: patches, voltage, levels."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bmd_bundle.calibration import CalibrationError
from bmd_bundle.patches import extract, sample
from bmd_bundle.training_patches import SplitLevelsd, ToReferenceBeamd, TrainingPatchesd
from tests.bundles.bmd_regression.spines import spine

SHIPPED = {"slice_step_mm": 2.7, "slice_thickness_mm": 2.7}


def loaded(image: np.ndarray, labels: np.ndarray, affine: np.ndarray) -> dict:
    """A scan as the loaders leave it."""
    grid = torch.from_numpy(affine)
    return {
        "image": MetaTensor(torch.from_numpy(image)[None], affine=grid),
        "mask": MetaTensor(torch.from_numpy(labels)[None], affine=grid),
    }


@pytest.fixture(scope="module")
def scan() -> dict:
    """L2 and L3 of known density."""
    return loaded(*spine({"L2": 90.0, "L3": 140.0})) | {"density": {"L2": 90.0, "L3": 140.0}}


def test_patches_lie_where_extract_puts_them(scan: dict) -> None:
    found = TrainingPatchesd("image", border=4, **SHIPPED)(scan)
    assert found["image"].shape == (6, 40, 40)
    assert found["label"].tolist() == [90.0, 140.0]
    assert "mask" not in found
    hu, labels = scan["image"][0].numpy(), scan["mask"][0].numpy()
    whole = extract(hu, scan["image"].affine.numpy(), labels == 2, **SHIPPED)
    np.testing.assert_allclose(found["image"][:3, 4:-4, 4:-4], whole.hu, atol=1e-3)


def test_a_border_may_reach_beyond_the_ct() -> None:
    image, labels, affine = spine({"L2": 90.0})
    held = np.argwhere(labels)
    low, high = held.min(axis=0) + [4, 0, 0], held.max(axis=0) + 1
    part = (slice(low[0], high[0] - 4), slice(low[1], high[1]), slice(None))
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, :3] @ [low[0], low[1], 0]
    whole = sample(image, affine, labels == 2, border=12)
    cut = sample(image[part], shifted, labels[part] == 2, border=12)
    assert cut.shape == whole.shape == (3, 56, 56)
    assert np.isfinite(cut).all()


@pytest.mark.parametrize(
    ("density", "levels"),
    [
        pytest.param({"L2": 90.0, "L4": 100.0}, [90.0], id="level that the map lacks"),
        pytest.param({}, [], id="nothing measured"),
    ],
)
def test_levels_without_a_patch_are_left_out(scan: dict, density: dict, levels: list) -> None:
    found = TrainingPatchesd("image")(scan | {"density": density})
    assert found["label"].tolist() == levels
    assert len(found["image"]) == 3 * len(levels)


def test_a_map_of_another_grid_is_refused(scan: dict) -> None:
    with pytest.raises(ValueError, match="not on the grid"):
        TrainingPatchesd("image")(scan | {"mask": scan["mask"][:, 1:]})
    with pytest.raises(ValueError, match="two equal"):
        TrainingPatchesd("image", size=(32, 16))


@pytest.mark.parametrize("kvp", [80.0, 100.0, 120.0, 140.0])
def test_mineral_reads_the_same_at_every_voltage(kvp: float) -> None:
    """The same bone drawn at a voltage reads, after mapping, as at 120 kV; at 120 kV exactly."""
    usual = TrainingPatchesd("image")(
        loaded(*spine({"L2": 100.0}, noise_hu=0.0)) | {"density": {"L2": 100.0}}
    )
    other = TrainingPatchesd("image")(
        loaded(*spine({"L2": 100.0}, noise_hu=0.0, kvp=kvp)) | {"density": {"L2": 100.0}}
    )
    mapped = ToReferenceBeamd("image")({"image": other["image"], "kvp": kvp})["image"]
    assert float(mapped.mean()) == pytest.approx(float(usual["image"].mean()), abs=0.7)  # rounding
    if kvp == 120.0:
        assert torch.equal(mapped, other["image"])


def test_a_voltage_that_is_not_known_is_the_usual_one() -> None:
    image = torch.full((3, 4, 4), 133.0)
    assert torch.equal(ToReferenceBeamd("image")({"image": image})["image"], image)
    with pytest.raises(CalibrationError, match="no reference calibration at 70 kV"):
        ToReferenceBeamd("image")({"image": image, "kvp": 70.0})


def test_every_level_becomes_an_item() -> None:
    data = {"image": torch.arange(24.0).reshape(6, 2, 2), "label": torch.tensor([1.0, 2.0]), "t": 5}
    first, second = SplitLevelsd("image", scan_keys=["t"])(data)
    assert torch.equal(second["image"], data["image"][3:])
    assert second["label"].tolist() == [2.0]
    assert first["label"].shape == (1,)
    assert set(first) == {"image", "label", "t"}
    assert SplitLevelsd("image")({"image": torch.zeros(0, 2, 2), "label": torch.zeros(0)}) == []
