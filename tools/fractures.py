"""The fracture bundle in memory: a volume in, a probability out, no file.

bundle = fractures.load()
result = bundle.run(segmentation.as_input(tensor, "ct"))
result["ovf"]["probability"]
"""

from __future__ import annotations

from pathlib import Path

from tools import bundles

NAME = "ovf_classification"
"""Folder of the bundle."""

CONFIGS = ("inference", "centre_canal")
"""Its config of inference and what is laid over it."""

IN_MEMORY = {"postprocessing::transforms": ["@to_probability", "@describe"]}
"""The bundle's own steps without the one that writes files."""

FILES = (*(Path("configs", f"{one}.yaml") for one in CONFIGS), bundles.WEIGHTS)
"""Everything it consists of beside the bundle's package, relative to the bundle."""


def load(device: str = "auto", weights: Path | None = None) -> bundles.Bundle:
    """Return the bundle, initialised once in each process.

    Args:
        device: "auto", "cpu" or "cuda".
        weights: File of the weights; the shipped ones if None.

    Raises:
        ValueError: If its weights are missing or damaged.
    """
    overrides = bundles.in_memory(IN_MEMORY, device)
    return bundles.load(NAME, CONFIGS, overrides=overrides, weights=weights)
