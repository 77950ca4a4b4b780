"""TorchScript and ONNX answer as the network of every bundle does, swapped by an overlay or not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ckpt_export, onnx_export

from tests.bundles.entry import Entry, Shape, entry_of
from tests.bundles.workflows import PACKAGES, config_files, read

NETWORKS = [(bundle, name) for bundle in PACKAGES for name in ("", *entry_of(bundle).swaps)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(("bundle", "swap"), NETWORKS, indirect=True, scope="module"),
]


@pytest.fixture(scope="module")
def swap(request: pytest.FixtureRequest) -> str:
    """Overlay that swaps the network; "" for the shipped one."""
    return request.param


@pytest.fixture(scope="module")
def configs(bundle: Path, swap: str) -> list[str]:
    """Names of the configs that the network is of."""
    return ["inference", *([swap] if swap else [])]


@pytest.fixture(scope="module")
def shapes(bundle: Path, swap: str) -> Sequence[Shape]:
    """Inputs of the exported network; the second is that of the export."""
    entry = entry_of(bundle.name)
    return entry.swaps[swap] if swap else entry.export_shapes


@pytest.fixture(scope="module")
def network(bundle: Path, configs: list[str]) -> torch.nn.Module:
    """The network with random weights and batch statistics."""
    torch.manual_seed(0)
    network = read(bundle, *configs).get_parsed_content("network_def")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    return network.eval()


@pytest.fixture(scope="module")
def weights(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its state in half precision, as shipped; the network keeps what half precision kept."""
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(state, path)
    network.load_state_dict(state)
    return str(path)


def sources(bundle: Path, configs: list[str], weights: str) -> dict[str, Any]:
    """What MONAI's exports read."""
    return {
        "ckpt_file": weights,
        "meta_file": str(bundle / "configs" / "metadata.json"),
        "config_file": config_files(bundle, *configs),
    }


def answers(network: torch.nn.Module, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A random input and what the network gives."""
    image = torch.rand(shape)
    with torch.no_grad():
        return image.numpy(), network(image).numpy()


def test_torchscript(
    network: torch.nn.Module,
    weights: str,
    bundle: Path,
    configs: list[str],
    shapes: Sequence[Shape],
    tmp_path: Path,
) -> None:
    exported = tmp_path / "model.ts"
    ckpt_export(
        "network_def",
        filepath=str(exported),
        **sources(bundle, configs, weights),
    )
    script = torch.jit.load(exported).eval()
    for shape in shapes:
        image, found = answers(network, shape)
        with torch.no_grad():
            np.testing.assert_allclose(script(torch.from_numpy(image)), found, atol=1e-5)


def test_onnx_takes_what_the_network_takes(
    network: torch.nn.Module,
    weights: str,
    bundle: Path,
    configs: list[str],
    shapes: Sequence[Shape],
    entry: Entry,
    tmp_path: Path,
) -> None:
    exported = tmp_path / "model.onnx"
    _, answer = answers(network, shapes[1])
    onnx_export(
        "network_def",
        filepath=str(exported),
        **sources(bundle, configs, weights),
        use_trace=True,
        input_shape=list(shapes[1]),
        converter_kwargs={
            "input_names": ["image"],
            "output_names": ["pred"],
            "dynamic_axes": {
                "image": dict(entry.export_axes),
                "pred": {k: v for k, v in entry.export_axes.items() if k < answer.ndim},
            },
            "verify": True,
            "use_ort": True,
            "atol": 1e-4,  # MONAI's own bound is relative alone, which fails next to zero
        },
    )
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for shape in shapes:
        image, expected = answers(network, shape)
        (found,) = session.run(["pred"], {"image": image})
        np.testing.assert_allclose(found, expected, atol=1e-4)
