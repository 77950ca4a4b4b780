"""What a vendor's scanner does that scanner A does not: its own errors, each off by default.

Every field acts on the attenuation as a factor, so air stays -1000 and fat, muscle and blood move
together with bone: a calibration inside the patient has a fair chance. Sources and sizes stand in
`docs/scanner.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

REFERENCE_CM = 30.0
"""Water-equivalent diameter of the body at which the scatter veil is stated, cm."""

VEIL_RADIUS_MM = 95.0
"""Distance from the body's middle at which the veil has fallen to 1/e, mm (D)."""

RING_RADIUS_MM = 160.0
"""Distance from the body's middle at which the bow tie's ripple has fallen to 1/e, mm (D)."""

DENOISE_SIGMA_MM = 0.9
"""Reach of the smoothing that replaces noise, SD in mm (D)."""

DENOISE_EDGE_SD = 2.5
"""Deviations of so many noise SD are half kept as structure (D)."""


@dataclass(frozen=True)
class Vendor:
    """A vendor's errors in one scan; the defaults are none.

    Args:
        precorrection_cm: Water-equivalent diameter that the water correction was made for, cm.
        precorrection_hu_per_cm: What water reads too high per cm that a body is smaller, HU.
        veil_hu: What uncorrected scatter takes from the middle of 30 cm of water, HU.
        ring_hu: Ripple that the bow tie leaves: too bright in the middle, HU.
        ring_mm: Distance from the middle to the next bright ring, mm.
        windmill_mm: How far helical interpolation shifts a slice, amplitude, mm.
        denoise: Share of the noise in even places that the reconstruction takes away.
    """

    precorrection_cm: float = 0.0
    precorrection_hu_per_cm: float = 0.0
    veil_hu: float = 0.0
    ring_hu: float = 0.0
    ring_mm: float = 150.0
    windmill_mm: float = 0.0
    denoise: float = 0.0

    @property
    def moves_hu(self) -> bool:
        """Whether any field of HU is added."""
        return bool(self.precorrection_hu_per_cm or self.veil_hu or self.ring_hu)

    @staticmethod
    def draw(ranges: Mapping[str, Any], rng: np.random.Generator) -> Vendor:
        """Draw a scan's errors.

        Args:
            ranges: The block `vendor` of a scanner's file: numbers stay, pairs are uniform ranges.
            rng: Source of the choices, one draw per range in the order of the fields.
        """
        values = {}
        for name in Vendor.__dataclass_fields__:
            given = ranges.get(name)
            if given is not None:
                values[name] = float(rng.uniform(*given) if isinstance(given, list) else given)
        return Vendor(**values)

    def water_hu(self, radius_mm: torch.Tensor, water_cm: float) -> torch.Tensor:
        """Error of water at places in the body, HU.

        Args:
            radius_mm: Distance from the body's axis, mm, any shape.
            water_cm: The body's water-equivalent diameter, cm.
        """
        error = torch.full_like(
            radius_mm, self.precorrection_hu_per_cm * (self.precorrection_cm - water_cm)
        )
        if self.veil_hu:
            # Scatter over primary grows with the body's size, about as the square of it.
            depth = self.veil_hu * (water_cm / REFERENCE_CM) ** 2
            error -= depth * torch.exp(-((radius_mm / VEIL_RADIUS_MM) ** 2))
        if self.ring_hu:
            fade = torch.exp(-((radius_mm / RING_RADIUS_MM) ** 2))
            error += self.ring_hu * torch.cos(2 * math.pi * radius_mm / self.ring_mm) * fade
        return error


NO_ERRORS = Vendor()
"""Scanner A's."""


def denoise(
    slices: torch.Tensor, noise_sd: torch.Tensor, share: float, pixel_mm: float
) -> torch.Tensor:
    """Smooth noise but not structure, as iterative reconstruction does.

    A pixel's deviation from its surroundings is taken for noise when it is small against the known
    noise and for structure when it is large; the share of it that goes falls off between.

    Args:
        slices: HU, [K, X, Y].
        noise_sd: SD of the noise there, HU, same shape.
        share: Of a small deviation that is taken away, 0-1.
        pixel_mm: Side of a pixel, mm.
    """
    reach = max(1, math.ceil(2.5 * DENOISE_SIGMA_MM / pixel_mm))
    steps = torch.arange(-reach, reach + 1, device=slices.device) * pixel_mm
    weights = torch.exp(-0.5 * (steps / DENOISE_SIGMA_MM) ** 2)
    weights = (weights / weights.sum()).to(slices.dtype)
    even = functional.pad(slices[:, None], (reach,) * 4, mode="replicate")
    even = functional.conv2d(even, weights.view(1, 1, -1, 1))
    even = functional.conv2d(even, weights.view(1, 1, 1, -1))[:, 0]
    deviation = slices - even
    far = deviation / (DENOISE_EDGE_SD * noise_sd).clamp(min=1e-3)
    return slices - share * deviation / (1 + far.square())
