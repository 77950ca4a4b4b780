"""How a case's series is stored: drawn per case, from what the recipe allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PURPOSE = 7
"""Number of this random stream among those of a case (`tools.phantom.case`)."""


@dataclass(frozen=True)
class Encoding:
    """How a series is stored.

    Attributes:
        syntax: Name of the transfer syntax (`syntaxes.SYNTAXES`).
        padded: Whether pixels outside the reconstructed circle are padded with -3024 HU.
    """

    syntax: str = "explicit_little"
    padded: bool = False


def draw_encoding(settings: Mapping[str, Any], seed: int, index: int, scanner: str) -> Encoding:
    """Draw how a case is stored, from a stream of its own: no voxel of the scan depends on it.

    Args:
        settings: The recipe's `scan.dicom`: `transfer_syntax`, names of which one is drawn, and
            `padded`, a probability.
        seed: Seed of the cohort.
        index: Number of the patient.
        scanner: Name of the scanner.
    """
    name = int.from_bytes(scanner.encode(), "big")
    rng = np.random.default_rng(np.random.SeedSequence([seed, index, name, PURPOSE, 1]))
    syntax = str(rng.choice(settings["transfer_syntax"]))
    return Encoding(syntax, bool(rng.random() < settings["padded"]))
