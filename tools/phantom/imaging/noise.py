"""Coloured CT noise of unit variance, drawn slice by slice in the Fourier plane.

Drawing the spectrum itself saves one transform: half a plane of complex normals, weighted by the
root of the noise power, becomes an image by one inverse real transform. Neighbouring slices share
photons where their profiles overlap; a short moving average over the drawn planes gives them the
correlation of the profiles and leaves the variance alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from scipy.fft import next_fast_len

from tools.phantom.imaging.kernel import Kernel

ALIAS_REACH = 1.4
"""Noise beyond this many `mtf10` is left out of the folding at the pixel grid; its MTF is < 2 %."""

SMALLEST_PLANE_MM = 16.0
"""Noise is drawn on planes of at least this side, mm, and cut: its grain is up to 5 mm."""

SMALLEST_CORRELATION = 0.01
"""Correlations of slices below this are left out (D: invisible beside the noise itself)."""


class NoiseSource:
    """Draws noise planes of unit variance and zero mean for one image size and kernel.

    Args:
        shape: pixels in plane, (X, Y).
        pixel_mm: side of a pixel, mm.
        kernel: gives the colour.
        slice_weights: moving average over drawn planes, from `slice_weights`.
        generator: source of the normals; lives on the device on which the noise is drawn.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_mm: float,
        kernel: Kernel,
        slice_weights: list[float],
        generator: torch.Generator,
    ) -> None:
        """Compute the spectrum once; it serves every slice."""
        device = generator.device
        self.shape = shape
        least = math.ceil(SMALLEST_PLANE_MM / pixel_mm)
        self.size = (
            next_fast_len(max(shape[0], least), real=False),
            next_fast_len(max(shape[1], least), real=True),
        )
        self.generator = generator
        self.weights = slice_weights
        fx = torch.fft.fftfreq(self.size[0], pixel_mm, device=device)[:, None]
        fy = torch.fft.rfftfreq(self.size[1], pixel_mm, device=device)[None]
        power = _folded_power(kernel, fx, fy, pixel_mm)
        power[0, 0] = 0.0
        square = (fx.square() + fy.square()).clamp(min=1e-12)
        self.amplitude = power.sqrt()
        self.streaks = self.amplitude * (fy.square() - fx.square()) / square
        counts = torch.full((1, power.shape[1]), 2.0, device=device)
        counts[:, self._own_mirror()] = 1.0
        pixels = self.size[0] * self.size[1]
        self.moments = tuple(
            float((counts * first * second).sum(dtype=torch.float64)) / pixels**2
            for first, second in (
                (self.amplitude, self.amplitude),
                (self.amplitude, self.streaks),
                (self.streaks, self.streaks),
            )
        )

    def planes(self, streak: torch.Tensor, chunk: int) -> Iterator[torch.Tensor]:
        """Draw as many slices as `streak` has entries, at most `chunk` at a time.

        Args:
            streak: per slice, contrast between what varies along y and along x, -1 to 1. [Z]
            chunk: slices per yielded tensor.

        Yields:
            Noise [slices, X, Y] of unit variance; its mean over the periodic plane is zero.
        """
        lead = len(self.weights) - 1
        drawn = self._draw(lead)
        contrasts = streak.tolist()
        for start in range(0, len(contrasts), chunk):
            part = contrasts[start : start + chunk]
            drawn = torch.cat([drawn, self._draw(len(part))]) if lead else self._draw(len(part))
            mixed = drawn[lead:] * self.weights[0] if lead else drawn
            for lag in range(1, lead + 1):
                mixed.add_(drawn[lead - lag : len(drawn) - lag], alpha=self.weights[lag])
            drawn = drawn[len(drawn) - lead :].clone() if lead else drawn
            for index, contrast in enumerate(part):
                mixed[index].mul_(self._spectrum(contrast))
            noise = torch.fft.irfft2(mixed, s=self.size)
            yield noise[:, : self.shape[0], : self.shape[1]]

    def _spectrum(self, contrast: float) -> torch.Tensor:
        isotropic, cross, streaks = self.moments
        variance = isotropic + 2 * contrast * cross + contrast**2 * streaks
        scale = 1 / math.sqrt(variance)
        return (self.amplitude * scale).add_(self.streaks, alpha=contrast * scale)

    def _draw(self, planes: int) -> torch.Tensor:
        """Spectra of white noise, [planes, X, Y // 2 + 1] complex, each of unit power."""
        half = (planes, self.size[0], self.size[1] // 2 + 1, 2)
        normals = torch.randn(half, generator=self.generator, device=self.generator.device)
        spectrum = torch.view_as_complex(normals.mul_(math.sqrt(0.5)))
        for column in self._own_mirror():
            values = spectrum[:, :, column]
            mirrored = values.flip(1).roll(1, 1).conj()
            spectrum[:, :, column] = (values + mirrored) * math.sqrt(0.5)
        return spectrum

    def _own_mirror(self) -> list[int]:
        """Columns of the half plane whose mirror images lie in the half plane too."""
        return [0, self.size[1] // 2] if self.size[1] % 2 == 0 else [0]


def slice_weights(correlation: np.ndarray) -> list[float]:
    """Find the moving average that turns white noise into noise of given correlation.

    Args:
        correlation: correlation of slices 0, 1, 2 ... apart; the first is 1.

    Returns:
        Weights of unit energy, by spectral factorisation through the cepstrum (Oppenheim and
        Schafer, Discrete-Time Signal Processing, ch. 13).
    """
    kept = int(np.flatnonzero(np.abs(correlation) >= SMALLEST_CORRELATION).max())
    if kept == 0:
        return [1.0]
    count = 4096
    sequence = np.zeros(count)
    sequence[: kept + 1] = correlation[: kept + 1]
    sequence[-kept:] = correlation[kept:0:-1]
    power = np.maximum(np.fft.fft(sequence).real, 1e-6)
    cepstrum = np.fft.ifft(np.log(power) / 2).real
    cepstrum[1 : count // 2] *= 2
    cepstrum[count // 2 + 1 :] = 0
    weights = np.fft.ifft(np.exp(np.fft.fft(cepstrum))).real[: kept + 1]
    return [float(weight) for weight in weights / np.linalg.norm(weights)]


def _folded_power(
    kernel: Kernel, fx: torch.Tensor, fy: torch.Tensor, pixel_mm: float
) -> torch.Tensor:
    """Noise power with what lies beyond the pixel grid's limit folded back, as sampling does."""
    reach = max(0, math.ceil(ALIAS_REACH * kernel.mtf10_per_mm * pixel_mm - 0.5))
    power = torch.zeros(fx.shape[0], fy.shape[1], device=fx.device)
    for fold_x in range(-reach, reach + 1):
        for fold_y in range(-reach, reach + 1):
            square = (fx + fold_x / pixel_mm).square() + (fy + fold_y / pixel_mm).square()
            power += kernel.noise_power(square.sqrt())
    return power
