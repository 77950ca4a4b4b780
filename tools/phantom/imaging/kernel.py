"""Reconstruction kernels: sharpness in plane as an MTF, and the colour of the noise.

The modulation transfer function is isotropic and has four numbers::

    M(f) = (1 + boost * g(f)) * exp(-(f / f0)^p),    g(f) = (f / fh)^2 * exp(1 - (f / fh)^2)

``f0`` and ``p`` follow in closed form from ``M(mtf50) = 0.5`` and ``M(mtf10) = 0.1``; the hump of
height ``boost`` at ``fh`` is the edge enhancement of a sharp kernel. ``M(0) = 1``, so a kernel
never changes a mean. Without hump and with ``mtf10 / mtf50 = 1.82`` the point spread function is a
Gaussian.

Another family, ``butterworth``, falls off as a power of the frequency, ``1 / (1 + (f / f0)^p)``
instead of the exponential: with the same two MTF points it passes less in the middle and has a long
tail, so its noise is finer and its edges ring a little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

HUMP_POSITION = 0.5
"""Frequency of the edge enhancement, in units of ``mtf50`` (D: gives 5-15 % overshoot)."""

FAMILIES = ("exponential", "butterworth")
"""How an MTF falls off."""

NOISE_FLOOR = 0.1
"""Noise power left towards zero frequency, relative to the peak before the MTF (D).

Filtered back-projection alone goes to zero; electronic and interpolation noise do not."""


@dataclass(frozen=True)
class Kernel:
    """One reconstruction kernel.

    Args:
        name: ``soft`` or ``sharp``; shown in reports.
        mtf50_per_mm: frequency where the MTF is 0.5, in 1/mm.
        mtf10_per_mm: frequency where the MTF is 0.1, in 1/mm.
        noise_peak_per_mm: frequency of the largest noise power, in 1/mm.
        boost: height of the mid-frequency hump; 0 for none.
        family: how the MTF falls off, one of `FAMILIES`.

    Raises:
        ValueError: if ``0 < mtf50 < mtf10`` does not hold or the noise peak lies where the MTF
            still rises (no noise spectrum of the form used here peaks there).
    """

    name: str
    mtf50_per_mm: float
    mtf10_per_mm: float
    noise_peak_per_mm: float
    boost: float = 0.0
    family: str = "exponential"

    def __post_init__(self) -> None:
        """Refuse numbers that describe no kernel."""
        if not 0 < self.mtf50_per_mm < self.mtf10_per_mm:
            raise ValueError(
                f"kernel {self.name}: need 0 < mtf50 < mtf10, got "
                f"{self.mtf50_per_mm} and {self.mtf10_per_mm} 1/mm"
            )
        if self.noise_peak_per_mm <= 0 or self.noise_exponent <= 0:
            raise ValueError(
                f"kernel {self.name}: noise cannot peak at {self.noise_peak_per_mm} 1/mm"
            )

    def _hump(self, frequency: float) -> float:
        ratio = (frequency / (HUMP_POSITION * self.mtf50_per_mm)) ** 2
        return self.boost * ratio * math.exp(1 - ratio)

    @property
    def falloff(self) -> tuple[float, float]:
        """``(f0 in 1/mm, p)`` of the family's ``(f / f0)^p`` that meet both MTF points."""
        at50 = 2 * (1 + self._hump(self.mtf50_per_mm))
        at10 = 10 * (1 + self._hump(self.mtf10_per_mm))
        if self.family == "butterworth":
            at50, at10 = at50 - 1, at10 - 1
        else:
            at50, at10 = math.log(at50), math.log(at10)
        power = math.log(at10 / at50) / math.log(self.mtf10_per_mm / self.mtf50_per_mm)
        return self.mtf50_per_mm / at50 ** (1 / power), power

    @property
    def noise_exponent(self) -> float:
        """``a`` for which ``f^a * M(f)^2`` is stationary at the noise peak (1 for a pure ramp)."""
        f0, power = self.falloff
        peak = self.noise_peak_per_mm
        hump = self._hump(peak)
        ratio = (peak / (HUMP_POSITION * self.mtf50_per_mm)) ** 2
        falling = (peak / f0) ** power
        if self.family == "butterworth":
            falling /= 1 + falling
        slope = 2 * hump * (1 - ratio) / (1 + hump) - power * falling
        return -2 * slope

    def mtf(self, frequency: torch.Tensor) -> torch.Tensor:
        """Modulation transfer at ``frequency`` (any shape, 1/mm); same shape, 1 at zero."""
        f0, power = self.falloff
        ratio = (frequency / (HUMP_POSITION * self.mtf50_per_mm)).square()
        hump = self.boost * ratio * torch.exp(1 - ratio)
        falling = (frequency / f0) ** power
        if self.family == "butterworth":
            return (1 + hump) / (1 + falling)
        return (1 + hump) * torch.exp(-falling)

    def noise_power(self, frequency: torch.Tensor) -> torch.Tensor:
        """Noise power at ``frequency`` (any shape, 1/mm), before sampling; arbitrary scale."""
        rise = (frequency / self.noise_peak_per_mm) ** self.noise_exponent
        return (rise + NOISE_FLOOR) * self.mtf(frequency).square()
