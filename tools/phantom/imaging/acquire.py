"""The imaging chain: from the ideal HU of a drawn body to the image of a protocol.

In this order: slice profile and sampling along z, point spread in plane, water offset and cupping,
coloured noise, clipping to 12 bit. Everything works on a few slices at a time so that they stay in
the cache; one core needs a third of a second for 10^7 voxels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.fft import next_fast_len

from tools.phantom.imaging.exposure import estimate_exposure, upsampling
from tools.phantom.imaging.kernel import Kernel
from tools.phantom.imaging.noise import NoiseSource, slice_weights
from tools.phantom.imaging.vendor import denoise
from tools.phantom.imaging.windmill import SLOPE_STEP_MM, windmill_shift

if TYPE_CHECKING:
    from tools.phantom.imaging.scanner import Protocol

LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
"""Range of a 12 bit CT image, HU."""

PSF_REACH_MM = 6.0
"""Distance over which a pixel may feel another, mm; the edge is continued by as much."""

CUPPING_RADIUS_MM = 150.0
"""Radius of the 30 cm body at whose edge cupping is stated, mm."""

CHUNK = 4
"""Slices worked on at a time (4 slices of 512 x 512 fill 4 MiB)."""

PROFILE_SAMPLES = 64
"""Points per fine slice in the integral of the slice profile."""


def acquire(
    hu: torch.Tensor,
    protocol: Protocol,
    step_mm: float,
    generator: torch.Generator,
    water_cm: float,
    middle: tuple[float, float] | None = None,
) -> torch.Tensor:
    """Image a drawn body.

    Slice k of the result is centred on fine slices n*k ... n*k + n - 1 with n = interval / step,
    so its centre lies (k + 0.5) * interval from the lower face of the first fine slice. Fine slices
    left over at the top only enter the profiles.

    Args:
        hu: ideal HU, float32 [X, Y, Zfine], means over pixels of `protocol.pixel_mm` and slices of
            `step_mm`; either z or y may be the fastest in memory.
        protocol: what the scan is made with.
        step_mm: distance of fine slices, mm; the slice interval is a whole multiple of it.
        generator: source of the noise, on the device of `hu`.
        water_cm: water-equivalent diameter of the body, cm.
        middle: the body's axis in the plane as fractions of the image, (x, y), perhaps outside it;
            found in the image when omitted.

    Returns:
        HU, float32 [X, Y, Z], clipped and not rounded; a view with y fastest in memory.

    Raises:
        ValueError: if the interval is no whole multiple of the step, or no slice fits.
    """
    size_x, size_y, fine = hu.shape
    ratio = _steps_per_interval(protocol.interval_mm, step_mm)
    count = fine // ratio
    if count == 0:
        raise ValueError(f"{fine} fine slices are fewer than one interval of {ratio}")
    profile = slice_profile(fine, count, step_mm, protocol)
    if protocol.vendor.windmill_mm:
        up, down = (
            slice_profile(fine, count, step_mm, protocol, side * SLOPE_STEP_MM) for side in (1, -1)
        )
        slope = (up - down) / (2 * SLOPE_STEP_MM)
    exposure = estimate_exposure(hu, protocol.pixel_mm, step_mm, water_cm, protocol.tube_modulation)
    sharpness = PointSpread((size_x, size_y), protocol.pixel_mm, protocol.kernel, hu.device)
    middle = middle or exposure.middle
    x_mm, y_mm = _places(middle, (size_x, size_y), protocol.pixel_mm, hu.device)
    gain = _gain(x_mm, y_mm, protocol, water_cm)
    sd, streak = exposure.slices(count)
    sd = sd * protocol.noise_hu
    spread_x = upsampling(size_x, sd.shape[1], hu.device)
    spread_y = upsampling(size_y, sd.shape[2], hu.device).T.contiguous()
    weights = slice_weights(profile_correlation(protocol))
    source = NoiseSource((size_x, size_y), protocol.pixel_mm, protocol.kernel, weights, generator)
    planes = hu.permute(2, 0, 1).reshape(fine, size_x * size_y)
    image = torch.empty(count, size_x, size_y, device=hu.device)
    for start, noise in zip(range(0, count, CHUNK), source.planes(streak, CHUNK), strict=True):
        part = image[start : start + CHUNK]
        rows, low, high = _banded(profile[start : start + CHUNK])
        thick = rows.to(hu.device) @ planes[low:high]
        if protocol.vendor.windmill_mm:
            rows, low, high = _banded(slope[start : start + CHUNK])
            steep = (rows.to(hu.device) @ planes[low:high]).view(-1, size_x, size_y)
            z_mm = (start + torch.arange(len(part), device=hu.device)) * protocol.interval_mm
            shift = windmill_shift(protocol.vendor.windmill_mm, x_mm, y_mm, z_mm)
            thick += (steep * shift).view(len(part), -1)
        sharp = sharpness(thick.view(-1, size_x, size_y))
        if gain is None:
            part.copy_(sharp)
        else:  # an error of the water calibration scales the attenuation: air stays -1000
            torch.add((gain - 1) * 1000.0, sharp * gain, out=part)
        local = spread_x @ sd[start : start + CHUNK] @ spread_y
        part.addcmul_(noise, local)
        if protocol.vendor.denoise:
            part.copy_(denoise(part, local, protocol.vendor.denoise, protocol.pixel_mm))
        part.clamp_(LOWEST_HU, HIGHEST_HU)
    return image.permute(1, 2, 0)


class PointSpread:
    """Blurs slices in plane to the MTF of a kernel.

    The drawn pixels are means over their own area, which is a blur too. It is taken out as far as
    the pixel grid can carry the kernel: fully when the MTF is zero at the grid's limit, not at all
    when the kernel resolves far more than the pixels do (3 mm pixels). So small pixels give
    exactly the kernel's MTF and large ones keep their partial volume without ringing.

    Args:
        shape: pixels in plane, (X, Y).
        pixel_mm: side of a pixel, mm.
        kernel: gives the MTF.
        device: where the slices are.
    """

    def __init__(
        self, shape: tuple[int, int], pixel_mm: float, kernel: Kernel, device: torch.device
    ) -> None:
        """Compute the filter once; it serves every slice."""
        self.shape = shape
        self.margin = math.ceil(PSF_REACH_MM / pixel_mm)
        self.size = (
            next_fast_len(shape[0] + 2 * self.margin, real=False),
            next_fast_len(shape[1] + 2 * self.margin, real=True),
        )
        fx = torch.fft.fftfreq(self.size[0], pixel_mm, device=device)[:, None]
        fy = torch.fft.rfftfreq(self.size[1], pixel_mm, device=device)[None]
        at_limit = float(kernel.mtf(torch.tensor(0.5 / pixel_mm)))
        carried = min(1.0, max(0.0, 1.0 - at_limit**2))
        pixel = torch.sinc(fx * pixel_mm) * torch.sinc(fy * pixel_mm)
        radius = (fx.square() + fy.square()).sqrt()
        self.transfer = kernel.mtf(radius) * pixel**-carried

    def __call__(self, slices: torch.Tensor) -> torch.Tensor:
        """Blur [K, X, Y]; the field's border is continued outwards, so nothing wraps around."""
        size_x, size_y = self.shape
        pad_x, pad_y = self.size[0] - size_x, self.size[1] - size_y
        padded = slices.new_empty(len(slices), *self.size)
        padded[:, :size_x, :size_y] = slices
        half_x, half_y = pad_x // 2, pad_y // 2
        padded[:, :size_x, size_y : size_y + half_y] = slices[:, :, -1:]
        padded[:, :size_x, size_y + half_y :] = slices[:, :, :1]
        padded[:, size_x : size_x + half_x] = padded[:, size_x - 1 : size_x]
        padded[:, size_x + half_x :] = padded[:, :1]
        spectrum = torch.fft.rfft2(padded).mul_(self.transfer)
        return torch.fft.irfft2(spectrum, s=self.size)[:, :size_x, :size_y]


def profile_shape(z_mm: np.ndarray, thickness_mm: float, ramp: float) -> np.ndarray:
    """Slice profile at `z_mm` from its centre: a trapezoid with rounded edges, 1 in the middle.

    Args:
        z_mm: distances, mm, any shape.
        thickness_mm: full width at half maximum, mm.
        ramp: width of each edge, a half wave of a cosine, as a share of the thickness.
    """
    inner = thickness_mm * (1 - ramp) / 2
    edge = np.clip((np.abs(z_mm) - inner) / (thickness_mm * ramp), 0.0, 1.0)
    return (1 + np.cos(np.pi * edge)) / 2


def slice_profile(
    fine: int, count: int, step_mm: float, protocol: Protocol, shift_mm: float = 0.0
) -> np.ndarray:
    """Weights of the fine slices in every slice, [count, fine] float32, rows of unit sum.

    `shift_mm` moves every slice upwards.
    """
    offsets = ((np.arange(PROFILE_SAMPLES) + 0.5) / PROFILE_SAMPLES - 0.5) * step_mm
    position = (np.arange(fine) + 0.5) * step_mm
    reach = math.ceil(protocol.thickness_mm * (1 + protocol.slice_ramp) / 2 / step_mm) + 1
    weights = np.zeros((count, fine), dtype=np.float32)
    for index in range(count):
        centre = (index + 0.5) * protocol.interval_mm + shift_mm
        middle = int(centre / step_mm)
        near = slice(max(0, middle - reach), min(fine, middle + reach + 1))
        distance = position[near, None] + offsets - centre
        shape = profile_shape(distance, protocol.thickness_mm, protocol.slice_ramp).mean(axis=1)
        weights[index, near] = shape / shape.sum()
    return weights


def profile_correlation(protocol: Protocol) -> np.ndarray:
    """Correlation of the noise of slices 0, 1, 2 ... apart: the overlap of their profiles."""
    half = protocol.thickness_mm * (1 + protocol.slice_ramp) / 2
    lags = math.ceil(2 * half / protocol.interval_mm) + 1
    z = np.linspace(-half, half, 2001)
    own = profile_shape(z, protocol.thickness_mm, protocol.slice_ramp)
    overlap = [
        np.dot(
            own,
            profile_shape(
                z - lag * protocol.interval_mm, protocol.thickness_mm, protocol.slice_ramp
            ),
        )
        for lag in range(lags)
    ]
    return np.asarray(overlap) / overlap[0]


def _steps_per_interval(interval_mm: float, step_mm: float) -> int:
    ratio = round(interval_mm / step_mm)
    if ratio < 1 or abs(ratio * step_mm - interval_mm) > 1e-6 * interval_mm:
        raise ValueError(f"interval {interval_mm} mm is no whole multiple of step {step_mm} mm")
    return ratio


def _banded(rows: np.ndarray) -> tuple[torch.Tensor, int, int]:
    """Cut a few rows of the profile to the fine slices that they use."""
    used = np.flatnonzero(rows.any(axis=0))
    low, high = int(used[0]), int(used[-1]) + 1
    return torch.from_numpy(np.ascontiguousarray(rows[:, low:high])), low, high


def _places(
    middle: tuple[float, float], shape: tuple[int, int], pixel_mm: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance of every column and row of pixels from the body's axis, mm, [X] and [Y]."""
    x, y = (
        ((torch.arange(size, device=device) + 0.5) - share * size) * pixel_mm
        for size, share in zip(shape, middle, strict=True)
    )
    return x, y


def _gain(
    x_mm: torch.Tensor, y_mm: torch.Tensor, protocol: Protocol, water_cm: float
) -> torch.Tensor | None:
    """Factor on the attenuation by the errors of water, [X, Y]; None when it is one.

    Cupping is a parabola from the body's centre with zero mean over 30 cm, constant outside.
    """
    vendor = protocol.vendor
    if protocol.water_offset_hu == 0 and protocol.cupping_hu == 0 and not vendor.moves_hu:
        return None
    square = x_mm[:, None].square() + y_mm[None].square()
    cup = protocol.cupping_hu * ((square / CUPPING_RADIUS_MM**2).clamp(max=1.0) - 0.5)
    gain = 1 + (protocol.water_offset_hu + cup) / 1000.0
    return gain + vendor.water_hu(square.sqrt(), water_cm) / 1000.0 if vendor.moves_hu else gain
