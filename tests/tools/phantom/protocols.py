"""Measurements on images, in numpy alone: they share no code with what they test."""

from __future__ import annotations

import numpy as np
import torch

from tools.phantom.imaging.scanner import Kernel, Protocol

SOFT = Kernel("soft", 0.36, 0.65, 0.25)
SHARP = Kernel("sharp", 0.73, 1.18, 0.57, 0.31)


def protocol(**changes: object) -> Protocol:
    values: dict = {
        "scanner": "A",
        "kvp": 120.0,
        "filter_al_mm": 9.0,
        "kernel": SOFT,
        "pixel_mm": 0.8,
        "thickness_mm": 1.0,
        "interval_mm": 1.0,
        "noise_hu": 0.0,
    }
    return Protocol(**{**values, **changes})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ellipse(
    size: tuple[int, int], pixel_mm: float, axes_mm: tuple[float, float], slices: int
) -> torch.Tensor:
    x, y = (
        (np.arange(count) - (count - 1) / 2) * pixel_mm / (axis / 2)
        for count, axis in zip(size, axes_mm, strict=True)
    )
    plane = np.where(x[:, None] ** 2 + y[None] ** 2 < 1, 0.0, -1000.0).astype(np.float32)
    return torch.from_numpy(np.repeat(plane[:, :, None], slices, axis=2))


def slanted_edge(count: int, height: float, slope: float = 0.09) -> np.ndarray:
    """Half plane of `height`, drawn by exact pixel coverage along x and 16 samples along y."""
    x = np.arange(count) - count / 2
    y = (np.arange(count * 16) + 0.5) / 16 - count / 2
    cover = np.clip(0.5 + x[:, None] - slope * y[None] + 0.013, 0, 1)
    return (height * cover.reshape(count, count, 16).mean(axis=2)).astype(np.float32)


def edge_spread(
    image: np.ndarray, pixel_mm: float, slope: float = 0.09, bins: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the edge, mm, and mean value there (ISO 12233: projection along the edge)."""
    count = image.shape[0]
    x = np.arange(count) - count / 2
    y = np.arange(count) + 0.5 - count / 2
    distance = (x[:, None] - slope * y[None] + 0.013) / np.hypot(1, slope)
    inside = (np.abs(y[None]) < count / 2 - 20) & (np.abs(distance) < count / 2 - 24)
    index = np.round(distance[inside] * bins).astype(int)
    low = index.min()
    total = np.bincount(index - low, weights=image[inside].astype(np.float64))
    number = np.bincount(index - low)
    positions = (np.arange(len(number)) + low) * pixel_mm / bins
    return positions, total / number


def transfer(positions: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MTF from an edge spread: frequencies, 1/mm, and modulation, corrected for the difference."""
    step = positions[1] - positions[0]
    line = np.diff(spread)
    modulation = np.abs(np.fft.rfft(line, 8 * len(line)))
    frequency = np.fft.rfftfreq(8 * len(line), step)
    modulation = modulation / modulation[0] / np.sinc(frequency * step)
    return frequency, modulation / np.sinc(frequency * step)  # binning is one more box


def crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """First place after the maximum of `y` where it falls below `level`."""
    start = int(np.argmax(y))
    below = start + int(np.argmax(y[start:] < level))
    share = (y[below - 1] - level) / (y[below - 1] - y[below])
    return float(x[below - 1] + share * (x[below] - x[below - 1]))


def full_width(x: np.ndarray, y: np.ndarray) -> float:
    half = y.max() / 2
    return crossing(x, y, half) + crossing(-x[::-1], y[::-1], half)


def power_spectrum(noise: np.ndarray, pixel_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Periodogram of [K, N, N] noise, mean over K, with its frequencies along x and y, 1/mm."""
    window = np.hanning(noise.shape[1])
    power = np.abs(np.fft.fft2(noise * window[:, None] * window[None])) ** 2
    fx, fy = np.meshgrid(*[np.fft.fftfreq(noise.shape[1], pixel_mm)] * 2, indexing="ij")
    return power.mean(axis=0), fx, fy


def radial_peak(power: np.ndarray, radius: np.ndarray, width: float = 0.03) -> float:
    """Frequency of the largest radial mean, refined by a parabola through its neighbours."""
    edges = np.arange(0.0, radius.max(), width)
    ring = np.digitize(radius.ravel(), edges) - 1
    total = np.bincount(ring, power.ravel()) / np.bincount(ring)
    top = int(np.argmax(total[:-1]))
    before, here, after = total[top - 1 : top + 2]
    shift = 0.5 * (before - after) / (before - 2 * here + after)
    return float((top + 0.5 + shift) * width)
