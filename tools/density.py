"""The density bundle in memory: a volume and its labels in, densities of L1 to L4 out, no file.

bundle = density.load()
result = bundle.run(density.as_input(image, affine, labels, "ct", kvp=120.0))
result["levels"]["L2"]["bmd_cnn_mg_cm3"], result["levels"]["L2"]["bmd_interval_95_mg_cm3"]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from tools import bundles
from tools.segmentation import as_tensor

NAME = "bmd_regression"
"""Folder of the bundle."""

IN_MEMORY = {"postprocessing::transforms": ["@to_density", "@describe_levels"]}
"""The bundle's own steps without the one that writes files."""


CALIBRATED = ("measure_levels::calibration", "describe_levels::calibration")
"""The bundle's steps that a calibration changes."""


def load(
    device: str = "auto",
    weights: Path | None = None,
    interval: Path | None = None,
    calibration: Any = None,
) -> bundles.Bundle:
    """Return the bundle, initialised once in each process.

    Args:
        device: "auto", "cpu" or "cuda".
        weights: File of the weights; None means the shipped ones.
        interval: File of their interval; None means the shipped one.
        calibration: A scanner's or a site's (`bmd_bundle.calibration_file`), or its file; None for
            the reference beam.

    Raises:
        ValueError: If a file is missing or damaged; one line.
    """
    overrides: dict[str, Any] = dict(IN_MEMORY)
    if device != "auto":
        overrides["device"] = f"$torch.device('{device}')"
    if interval is not None:
        overrides["interval_file"] = str(interval)
    if calibration is not None:
        # Read beforehand: what is wrong with it stays one line.
        found = bundles.module(NAME, "bmd_bundle.calibration_file").given(calibration)
        overrides |= dict.fromkeys(CALIBRATED, found)
    return bundles.load(NAME, overrides=overrides, weights=weights)


def as_input(
    image: np.ndarray, affine: np.ndarray, labels: np.ndarray, name: str, kvp: float | None
) -> dict[str, Any]:
    """Make of a volume and its label map what the bundle's preprocessing reads.

    Args:
        image: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        labels: Ids 1 to 4 of L1 to L4 on the same grid, [X, Y, Z].
        name: Name of the case.
        kvp: Tube voltage, kV; None, not known.
    """
    grid = torch.as_tensor(np.asarray(affine, dtype=float))
    mask = torch.from_numpy(np.ascontiguousarray(labels, dtype=np.uint8)[None])
    given: dict[str, Any] = {
        "image": as_tensor(image, affine, name),
        "mask": MetaTensor(mask, affine=grid),
        "case": name,
    }
    return given if kvp is None else {**given, "kvp": float(kvp)}
