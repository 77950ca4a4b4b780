"""The shipped weights: half precision costs nothing, and HU have the physical slope."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bmd_bundle.calibration import reference
from bmd_bundle.interval import load
from tests.bundles.workflows import read
from tools.pretraining.export import sha256

#: Range of HU over which the answer shall be linear.
HU = (-50.0, 350.0)


@pytest.fixture(scope="module")
def weights(bundle: Path) -> Path:
    path = bundle / "models" / "model.pt"
    if not path.is_file():
        pytest.skip("no weights yet: make them with `python -m tools pretrain bmd_regression OUT`")
    return path


@pytest.fixture(scope="module")
def network(bundle: Path, weights: Path) -> torch.nn.Module:
    """The shipped network, evaluating."""
    network = read(bundle, "inference").get_parsed_content("network_def")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()


def densities(network: torch.nn.Module, bundle: Path, hu: np.ndarray) -> np.ndarray:
    """What the network reads in patches of HU [N, 3, 32, 32], mg/cm³."""
    parser = read(bundle, "inference")
    low, high = parser["hu_window"]
    image = torch.from_numpy(((hu - low) / (high - low)).clip(0, 1).astype(np.float32))
    dtype = next(network.parameters()).dtype
    with torch.no_grad():
        found = network(image.to(dtype)).double().numpy()[:, 0]
    return parser["density_mean"] + parser["density_sd"] * found


def textured(mean_hu: np.ndarray, seed: int = 0, spread_hu: float = 25.0) -> np.ndarray:
    """Patches of trabecular texture about some means."""
    texture = np.random.default_rng(seed).normal(0.0, spread_hu, (3, 32, 32))
    return mean_hu[:, None, None, None] + (texture - texture.mean())


def test_half_precision_moves_densities_by_less_than_a_tenth(
    network: torch.nn.Module, bundle: Path
) -> None:
    """What rounding did to the weights is gone; rounding errors of the same size do as much."""
    hu = textured(np.linspace(*HU, 30))
    before = densities(network, bundle, hu)
    generator = torch.Generator().manual_seed(0)
    moved = []
    for _ in range(4):
        other = copy.deepcopy(network)
        state = other.state_dict()
        for value in state.values():
            if value.is_floating_point():
                step = 2.0 ** (torch.floor(torch.log2(value.abs().clamp(min=2.0**-14))) - 10)
                value += step * (torch.rand(value.shape, generator=generator) - 0.5)
        moved.append(np.abs(densities(other, bundle, hu) - before))
    assert np.mean(moved) < 0.1


def test_the_answer_is_linear_in_hu_with_the_physical_slope(
    network: torch.nn.Module, bundle: Path
) -> None:
    means = np.linspace(*HU, 41)
    found = np.mean([densities(network, bundle, textured(means, s)) for s in range(5)], axis=0)
    slope, offset = np.polyfit(means, found, 1)
    assert slope == pytest.approx(1 / reference().slope_hu_per_mg_cm3, rel=0.1)
    assert np.abs(found - (slope * means + offset)).max() < 10.0
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("ending", ["", "_internal_calibration"])
def test_the_interval_is_that_of_the_weights(bundle: Path, weights: Path, ending: str) -> None:
    weights = weights.with_name(f"model{ending}.pt")
    path = bundle / "models" / f"interval{ending}.json"
    assert path.is_file()
    found = load(path, sha256(weights))
    assert found is not None
    assert json.loads(path.read_text())["n_patients"] == found.n_patients
    assert 0.1 < found.quantile < 10


def test_internal_calibration_keeps_the_shipped_backbone(bundle: Path, weights: Path) -> None:
    """Its head alone was trained, and without tissues it reads what the network reads."""
    path = weights.with_name("model_internal_calibration.pt")
    state = torch.load(path, map_location="cpu", weights_only=True)
    plain = torch.load(weights, map_location="cpu", weights_only=True)
    assert all(torch.equal(state[f"backbone.{name}"], value) for name, value in plain.items())
    assert set(state) - {f"backbone.{name}" for name in plain} == {"head.weight", "head.bias"}
    parser = read(bundle, "inference", "internal_calibration")
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(state)
    with torch.no_grad():
        patch = torch.rand(2, 3, 32, 32) * 0.1 + 0.2
        planes = torch.zeros(2, 5, 32, 32)
        found = network.eval()(torch.cat([patch, planes], 1))
        assert torch.allclose(found, network.backbone(patch) + network.head.bias, atol=1e-5)
