"""Drives the bundle's configs in process, on the tiny cohort."""

from pathlib import Path
from typing import Any

import torch

#: Overlays that swap the network.
NETWORK_OVERLAYS = (
    "network_unet",
    "network_resunet",
    "network_attention_unet",
    "network_dynunet",
)
#: A network of the shipped kind that takes no time.
SMALL_NETWORK = {"network_def::width": 2}


def small_training(bundle: Path, cohort: Path, output: Path) -> dict[str, Any]:
    """Overrides that make `train.yaml` take one small step per epoch."""
    return {
        "bundle_root": str(bundle),
        "dataset_dir": str(cohort),
        "output_dir": str(output),
        "ckpt_dir": str(output / "checkpoints"),
        "cache_dir": str(output / "cache"),
        "device": torch.device("cpu"),
        "epochs": 1,
        "slabs_per_batch": 2,
        "slices_per_slab": 1,
        "crop": [32, 32],
        "validation_size": [32, 32],
    }
