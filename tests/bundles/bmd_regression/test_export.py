"""TorchScript and ONNX answer as the network does."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export

from tests.bundles.bmd_regression.workflows import config_files

BATCHES = [1, 2, 7]  # patches


@pytest.fixture(scope="module")
def network(bundle: Path) -> torch.nn.Module:
    """The shipped network with random weights and batch statistics."""
    torch.manual_seed(0)
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "inference"))
    network = parser.get_parsed_content("network_def")
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


def answers(network: torch.nn.Module, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches and what the network reads in them."""
    image = torch.rand(batch, 3, 32, 32)
    with torch.no_grad():
        return image.numpy(), network(image).numpy()


@pytest.mark.slow
def test_torchscript(network: torch.nn.Module, weights: str, bundle: Path, tmp_path: Path) -> None:
    exported = tmp_path / "model.ts"
    ckpt_export(
        "network_def",
        filepath=str(exported),
        ckpt_file=weights,
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=config_files(bundle, "inference"),
    )
    script = torch.jit.load(exported).eval()
    for batch in BATCHES:
        image, read = answers(network, batch)
        with torch.no_grad():
            np.testing.assert_allclose(script(torch.from_numpy(image)), read, atol=1e-5)


@pytest.mark.slow
def test_onnx_takes_any_batch(
    network: torch.nn.Module, weights: str, bundle: Path, tmp_path: Path
) -> None:
    exported = tmp_path / "model.onnx"
    axes = {0: "batch"}
    onnx_export(
        "network_def",
        filepath=str(exported),
        ckpt_file=weights,
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=config_files(bundle, "inference"),
        use_trace=True,
        input_shape=[2, 3, 32, 32],
        converter_kwargs={
            "input_names": ["image"],
            "output_names": ["pred"],
            "dynamic_axes": {"image": axes, "pred": axes},
            "verify": True,
            "use_ort": True,
            "atol": 1e-4,  # MONAI's own bound is relative alone, which fails next to zero
        },
    )
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for batch in BATCHES:
        image, read = answers(network, batch)
        (found,) = session.run(["pred"], {"image": image})
        np.testing.assert_allclose(found, read, atol=1e-4)
