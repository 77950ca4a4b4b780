"""The shipped network, and internal calibration: planes, network, and the overlays of both."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet

from bmd_bundle.calibration import reference
from bmd_bundle.networks import TissueCalibrated, load_backbone
from bmd_bundle.tissue_planes import PLANES, AddTissuePlanesd, vector
from tests.bundles.workflows import infer, inputs, prepared_training, read, save_weights

SMALL_BACKBONE = {
    "network_def::backbone": {
        "_target_": "DenseNet",
        "spatial_dims": 2,
        "in_channels": 3,
        "out_channels": 1,
        "init_features": 8,
        "growth_rate": 4,
        "block_config": [1, 1],
    }
}


def backbone() -> torch.nn.Module:
    torch.manual_seed(0)
    return DenseNet(2, 3, 1, init_features=8, growth_rate=4, block_config=(1, 1)).eval()


def patches(tissues: torch.Tensor, count: int = 3) -> dict:
    return {"image": torch.rand(count, 3, 32, 32), "tissues": tissues}


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 3, 8, 8), (0, 3, 8, 8)])
def test_tissues_follow_the_slices(shape: tuple[int, ...]) -> None:
    given = {"image": torch.rand(*shape), "tissues": torch.arange(5.0)}
    found = AddTissuePlanesd("image")(given)
    assert "tissues" not in found
    assert found["image"].shape == (*shape[:-3], 8, 8, 8)
    assert torch.equal(found["image"][..., :3, :, :], given["image"])
    for number in range(len(PLANES)):
        assert (found["image"][..., 3 + number, :, :] == number).all()


def test_the_vector_is_in_units_and_zero_for_what_is_not_known() -> None:
    expected = torch.tensor([1.0, -1.0, 0.0, 2.0, 1.0])
    torch.testing.assert_close(vector([-990.0, -110.0, None, 65.0], 140.0), expected)
    assert vector([None] * 4, None).tolist() == [0.0] * 5


def test_it_starts_as_its_backbone() -> None:
    network = TissueCalibrated(backbone()).eval()
    wide = AddTissuePlanesd("image")(patches(torch.randn(5)))["image"]
    torch.testing.assert_close(network(wide), network.backbone(wide[:, :3]))


def test_unknown_tissues_correct_nothing_but_the_offset() -> None:
    network = TissueCalibrated(backbone()).eval()
    torch.nn.init.normal_(network.head.weight)
    wide = AddTissuePlanesd("image")(patches(torch.zeros(5)))["image"]
    torch.testing.assert_close(network(wide), network.backbone(wide[:, :3]))


def test_the_head_learns_an_offset_and_a_slope() -> None:
    """A scanner whose fat is off by t reads t too much and 3 t percent too steep."""
    torch.manual_seed(1)
    network = TissueCalibrated(torch.nn.Identity())
    network.backbone = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(3 * 16, 1, bias=False)
    )
    torch.nn.init.constant_(network.backbone[1].weight, 1 / 48)
    network.backbone.requires_grad_(False)
    truth = torch.randn(400, 1)
    t = torch.randn(400, 1)
    reading = truth * (1 + 0.03 * t) + 0.2 * t
    image = torch.cat([reading.expand(400, 3), torch.zeros(400, 1), t, torch.zeros(400, 3)], dim=1)
    image = image[:, :, None, None].expand(-1, -1, 4, 4)
    optimizer = torch.optim.Adam(network.head.parameters(), 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(network(image), truth)
        loss.backward()
        optimizer.step()
    left = (network(image) - truth).abs().mean()
    assert float(left) < 0.1 * float((reading - truth).abs().mean())


@pytest.mark.parametrize("frozen", [True, False])
def test_the_backbone_starts_from_weights_in_half_precision(frozen: bool, tmp_path: Path) -> None:
    source = backbone()
    torch.save({k: v.half() for k, v in source.state_dict().items()}, tmp_path / "model.pt")
    network = TissueCalibrated(
        DenseNet(2, 3, 1, init_features=8, growth_rate=4, block_config=(1, 1))
    )
    load_backbone(network, str(tmp_path / "model.pt"), frozen)
    weight = network.backbone.class_layers.out.weight
    torch.testing.assert_close(weight, source.class_layers.out.weight.half().float())
    assert weight.dtype == torch.float32
    assert {p.requires_grad for p in network.backbone.parameters()} == {not frozen}
    assert all(p.requires_grad for p in network.head.parameters())


def test_it_scripts_exactly() -> None:
    network = TissueCalibrated(backbone()).eval()
    torch.nn.init.normal_(network.head.weight)
    wide = torch.rand(2, 8, 32, 32)
    torch.testing.assert_close(torch.jit.script(network)(wide), network(wide))


def test_the_recipe_trains_the_head_alone(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    parser = read(bundle, "train", "internal_calibration")
    parser.update(SMALL_BACKBONE)
    start = parser.get_parsed_content("network_def").backbone.state_dict()
    torch.save(start, tmp_path / "model.pt")
    workflow = prepared_training(
        bundle,
        cohort,
        tmp_path,
        "internal_calibration",
        "pretrain_internal_calibration",
        **SMALL_BACKBONE,
        backbone_file=str(tmp_path / "model.pt"),
        val_interval=1,
    )
    workflow.run()
    network = workflow.parser.get_parsed_content("network_def")
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, start[name]), name
    assert network.head.weight.abs().max() > 0
    assert np.isfinite(
        workflow.parser.get_parsed_content("validate::evaluator").state.metrics["val_mae"]
    )


def test_the_overlay_evaluates_and_infers(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    overlay = "internal_calibration"
    weights = save_weights(bundle, tmp_path / "own.pt", overlay, **SMALL_BACKBONE)
    given = {"weights_file": weights, **SMALL_BACKBONE}
    workflow = prepared_training(bundle, cohort, tmp_path, "evaluate", overlay, **given)
    workflow.run()
    with (tmp_path / "predictions.csv").open() as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert statuses == ["refused", "measured", "measured", "refused"]
    infer(bundle, cohort, tmp_path / "out", overlay, **inputs(bundle, cohort, "A0005"), **given)
    assert (tmp_path / "out" / "A0005_bmd.json").is_file()


@pytest.mark.parametrize("hu", [-100.0, 0.0, 80.0, 300.0])
def test_the_shipped_network_starts_at_the_reference_line(bundle: Path, hu: float) -> None:
    """Whatever the texture; the slope is physical from the first step on."""
    parser = read(bundle, "inference")
    network = parser.get_parsed_content("network_def").eval()
    low, high = parser["hu_window"]
    texture = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    texture -= texture.mean(dim=(1, 2, 3), keepdim=True)
    patch = (hu + 5 * texture - low) / (high - low)
    with torch.no_grad():
        found = parser["density_mean"] + parser["density_sd"] * network(patch)
    assert found.numpy() == pytest.approx(reference().density(hu), abs=1e-2)


def test_what_the_network_adds_to_the_line_does_not_depend_on_the_mean(bundle: Path) -> None:
    parser = read(bundle, "inference")
    network = parser.get_parsed_content("network_def").eval()
    torch.nn.init.normal_(network.class_layers.out.weight, std=0.1)
    patch = 0.3 + 0.05 * torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        moved = network(patch + 0.2) - network(patch)
    assert moved.numpy() == pytest.approx(0.2 * network.slope, abs=1e-4)
