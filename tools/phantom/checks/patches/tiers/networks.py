"""The bundle's network on slices of the bench, with the bundle's own window, planes and scaling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools import bundles, density
from tools.phantom.checks.patches.reading import BUNDLE
from tools.phantom.checks.patches.tiers.cohort import Cohort

BATCH = 256
"""Patches read at once."""


@dataclass(frozen=True)
class Network:
    """A network of the bundle.

    Attributes:
        bundle: The bundle, initialised.
    """

    bundle: bundles.Bundle

    @cached_property
    def settings(self) -> dict[str, Any]:
        """How the bundle takes patches (`bmd_bundle.transforms.TrabecularPatches`)."""
        found: dict[str, Any] = self._steps[0].patches.settings
        return found

    @cached_property
    def interval(self) -> Any:
        """Its interval (`bmd_bundle.interval.Interval`); None where there is none."""
        return self.bundle.postprocessing.transforms[-1].interval  # type: ignore[attr-defined]

    @cached_property
    def _steps(self) -> list[Any]:
        """The bundle's steps from the one that takes patches on."""
        steps = list(self.bundle.preprocessing.transforms)  # type: ignore[attr-defined]
        names = [type(step).__name__ for step in steps]
        return steps[names.index("MeasureLevelsd") :]

    def read(self, cohort: Cohort, line: Any) -> np.ndarray:
        """Read the levels that count.

        Args:
            cohort: The patients.
            line: Calibration of the scanner (`bmd_bundle.calibration.Calibration`).

        Returns:
            mg/cm³ HA before any correction of a site, [N, 4]; NaN where nothing is read.
        """
        to_density = self.bundle.postprocessing.transforms[0]  # type: ignore[attr-defined]
        read = cohort.read
        inputs = [
            self._input(cohort, number, line)[levels]
            for number, levels in enumerate(read)
            if levels.any()
        ]
        found = np.full(read.shape, np.nan)
        if not inputs:
            return found
        outputs = []
        with torch.inference_mode():
            for part in torch.cat(inputs).split(BATCH):
                given = part.to(self.bundle.device)
                outputs.append(self.bundle.inferer(given, self.bundle.network).float().cpu())
        mapped = to_density({"pred": torch.cat(outputs)})["pred"]
        found[read] = torch.as_tensor(mapped).flatten().double().numpy()
        return found

    def _input(self, cohort: Cohort, number: int, line: Any) -> torch.Tensor:
        """What the network reads of a patient, float32 [4, C, P, P]; NaN where unread."""
        planes = bundles.module(BUNDLE, "bmd_bundle.tissue_planes")
        tissues = [None if np.isnan(hu) else float(hu) for hu in cohort.tissues[number]]
        data: dict[str, Any] = {
            "image": torch.from_numpy(line.to_reference(cohort.slices[number]).astype(np.float32)),
            "tissues": planes.vector(tissues, cohort.kvp),
        }
        for step in self._steps[1:]:
            data = step(data)
        return torch.as_tensor(data["image"])


def plain(weights: Path | None, interval: Path | None) -> Network:
    """Load the shipped network.

    Args:
        weights: File of the weights; None for the shipped ones.
        interval: File of their interval; None for the shipped one.

    Raises:
        ValueError: A file is missing or damaged; one line.
    """
    return Network(density.load("cpu", weights, interval))


def internal(weights: Path | None, interval: Path | None) -> Network | None:
    """Load the network with internal calibration; None where its shipped weights are missing.

    Args:
        weights: File of the weights; None for the shipped ones.
        interval: File of their interval; None for the shipped one.

    Raises:
        ValueError: A file that was given is missing, or one is damaged; one line.
    """
    if weights is None and not (bundles.FOLDER / BUNDLE / density.INTERNAL.weights).exists():
        return None
    return Network(density.load("cpu", weights, interval, shipped=density.INTERNAL))
