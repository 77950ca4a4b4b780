"""Drives the bundle's configs in process, on the tiny cohort."""

from pathlib import Path
from typing import Any

import torch

from tests.bundles.workflows import read

#: Overlays that swap the network.
NETWORK_OVERLAYS = ("network_densenet_small", "network_regressor")
#: A network of the shipped kind that takes no time.
SMALL_NETWORK = {
    "network_def::init_features": 8,
    "network_def::growth_rate": 4,
    "network_def::block_config": [1, 1, 1, 1],
}


def save_weights(bundle: Path, path: Path, *overlays: str, **changes: Any) -> str:
    """Write random half precision weights of the network of inference; returns the path."""
    torch.manual_seed(0)
    parser = read(bundle, "inference", *overlays)
    parser.update(changes)
    state = parser.get_parsed_content("network_def").state_dict()
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, path)
    return str(path)


def small_training(bundle: Path, cohort: Path, output: Path) -> dict[str, Any]:
    """Overrides that make `train.yaml` take one small step per epoch."""
    return {
        "bundle_root": str(bundle),
        "dataset_dir": str(cohort),
        "output_dir": str(output),
        "ckpt_dir": str(output / "checkpoints"),
        "cache_dir": str(cohort / "cache"),  # one for all tests: patches are what takes time
        "device": torch.device("cpu"),
        "epochs": 1,
        "scans_per_batch": 3,
        "cache_workers": 0,
    }
