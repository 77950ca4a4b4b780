"""The density bundle against DXA in memory: a CT and its labels in, areal densities of L1-L4 out.

bundle = areal.load(weights=Path("best.pt"))
result = bundle.run(areal.as_input(scan.hu, scan.affine, labels, "ct", 120.0, "none", 45.0))
result["areal"]["areal_bmd_g_cm2"], result["levels"]["L2"]["areal_bmd_g_cm2"]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools import bundles, density

OVERLAY = "reference_dxa"
"""Config that swaps the task (S4)."""

SHIPPED = Path("models", "model_reference_dxa.pt")
"""Weights of the variant, relative to the bundle, once some are shipped."""

FILES = (Path("configs/inference.yaml"), Path("configs", f"{OVERLAY}.yaml"))
"""What decides its answer beside package and weights, relative to the bundle."""


def shipped() -> Path | None:
    """Weights that the bundle ships; None where it ships none."""
    path = bundles.FOLDER / density.NAME / SHIPPED
    return path if path.is_file() else None


def load(weights: Path, device: str = "auto") -> bundles.Bundle:
    """Return the variant, initialised once in each process.

    Args:
        weights: File of its weights.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: The weights are missing, damaged, or another network's; one line.
    """
    overrides = bundles.in_memory(density.IN_MEMORY, device)
    return bundles.load(density.NAME, ["inference", OVERLAY], overrides, weights)


def as_input(
    image: np.ndarray,
    affine: np.ndarray,
    labels: np.ndarray,
    name: str,
    kvp: float | None,
    contrast: str,
    aorta_hu: float | None,
) -> dict[str, Any]:
    """Make of a whole CT and its label map what the bundle's preprocessing reads.

    Args:
        image: HU [X, Y, Z], whole axial slices.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        labels: Ids 1 to 4 of L1 to L4 on the same grid, [X, Y, Z].
        name: Name of the case.
        kvp: Tube voltage, kV; None, not known.
        contrast: What the header says of contrast medium: "none", "applied", "unknown".
        aorta_hu: Blood of the aorta, HU; None if it was not found.
    """
    given = density.as_input(image, affine, labels, name, kvp)
    return {**given, "contrast": contrast, "aorta_hu": aorta_hu}
