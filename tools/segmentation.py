"""The segmentation bundle in memory: volumes in, named levels out, no file written.

bundle = segmentation.load()
tensor = segmentation.as_tensor(image, affine, "ct")
result = bundle.run(segmentation.as_input(tensor, "ct"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from tools import bundles

NAME = "lumbar_segmentation"
"""Folder of the bundle."""

IN_MEMORY = {"postprocessing::transforms": ["@name_levels", "@restore_grid"]}
"""The bundle's own steps without the one that writes files."""


def load(device: str = "auto", weights: Path | None = None) -> bundles.Bundle:
    """Return the bundle, initialised once in each process.

    Args:
        device: "auto", "cpu" or "cuda".
        weights: File of the weights; None means the shipped ones.

    Raises:
        ValueError: If the weights are missing or damaged.
    """
    overrides = bundles.in_memory(IN_MEMORY, device)
    return bundles.load(NAME, overrides=overrides, weights=weights)


def as_tensor(image: np.ndarray, affine: np.ndarray, name: str) -> MetaTensor:
    """Make of a volume what reading it from a file would give.

    Args:
        image: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        name: Name of the case.

    Returns:
        HU [1, X, Y, Z] with affine and the meta data that the bundle reads.
    """
    meta = {
        "filename_or_obj": f"{name}.nii.gz",
        "original_affine": affine.copy(),
        "spatial_shape": np.array(image.shape),
        "original_channel_dim": 0,
        "space": "RAS",
    }
    volume = torch.from_numpy(np.ascontiguousarray(image)[None])
    return MetaTensor(volume, affine=torch.tensor(affine), meta=meta)


def as_input(image: MetaTensor, name: str, kind: str = "nifti") -> dict[str, Any]:
    """Make of a volume in memory what the bundle takes for a case.

    Args:
        image: HU with affine and meta data, [1, X, Y, Z].
        name: Name of the case.
        kind: "nifti" or "dicom".
    """
    return {"image": image, "case": name, "kind": kind}
