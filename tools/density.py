"""The density bundle in memory: a volume and its labels in, densities of L1 to L4 out, no file.

bundle = density.load()
result = bundle.run(density.as_input(image, affine, labels, "ct", kvp=120.0))
result["levels"]["L2"]["bmd_cnn_mg_cm3"], result["levels"]["L2"]["bmd_interval_95_mg_cm3"]

Two networks are shipped: `PLAIN` reads the patch alone, `INTERNAL` corrects that by the scan's own
air, fat, muscle and blood.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Shipped:
    """A network that the bundle ships.

    Attributes:
        configs: Config of inference and what is laid over it.
        weights: File of its weights, relative to the bundle.
        interval: File of its 95 % interval, relative to the bundle.
    """

    configs: tuple[str, ...]
    weights: Path
    interval: Path

    def files(self) -> list[Path]:
        """Everything it consists of beside the bundle's package, relative to the bundle."""
        return [Path("configs", f"{one}.yaml") for one in self.configs] + [
            self.weights,
            self.interval,
        ]


PLAIN = Shipped(("inference",), Path("models/model.pt"), Path("models/interval.json"))
INTERNAL = Shipped(
    ("inference", "internal_calibration"),
    Path("models/model_internal_calibration.pt"),
    Path("models/interval_internal_calibration.json"),
)


def load(
    device: str = "auto",
    weights: Path | None = None,
    interval: Path | None = None,
    calibration: Any = None,
    shipped: Shipped = PLAIN,
) -> bundles.Bundle:
    """Return the bundle, initialised once in each process.

    Args:
        device: "auto", "cpu" or "cuda".
        weights: File of the weights; None means the shipped ones.
        interval: File of their interval; None means the shipped one.
        calibration: A scanner's or a site's (`bmd_bundle.calibration_file`), or its file; None for
            the reference beam.
        shipped: Which network.

    Raises:
        ValueError: If a file is missing or damaged; one line.
    """
    overrides = bundles.in_memory(IN_MEMORY, device)
    overrides["interval_file"] = str(interval or bundles.FOLDER / NAME / shipped.interval)
    if calibration is not None:
        # Read beforehand: what is wrong with it stays one line.
        found = bundles.module(NAME, "bmd_bundle.calibration_file").given(calibration)
        overrides |= dict.fromkeys(CALIBRATED, found)
    return bundles.load(
        NAME,
        list(shipped.configs),
        overrides=overrides,
        weights=weights or bundles.FOLDER / NAME / shipped.weights,
    )


def as_input(
    image: np.ndarray,
    affine: np.ndarray,
    labels: np.ndarray,
    name: str,
    kvp: float | None,
    tissues: Any = None,
) -> dict[str, Any]:
    """Make of a volume and its label map what the bundle's preprocessing reads.

    Args:
        image: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        labels: Ids 1 to 4 of L1 to L4 on the same grid, [X, Y, Z].
        name: Name of the case.
        kvp: Tube voltage, kV; None, not known.
        tissues: The scan's (`bmd_bundle.tissues.Tissues`), where the volume is but a part of it;
            None measures them in the volume.
    """
    grid = torch.as_tensor(np.asarray(affine, dtype=float))
    mask = torch.from_numpy(np.ascontiguousarray(labels, dtype=np.uint8)[None])
    given: dict[str, Any] = {
        "image": as_tensor(image, affine, name),
        "mask": MetaTensor(mask, affine=grid),
        "case": name,
    }
    if tissues is not None:
        planes = bundles.module(NAME, "bmd_bundle.tissue_planes")
        given["tissues"] = planes.vector(tissues.values(), kvp)
    return given if kvp is None else {**given, "kvp": float(kvp)}
