"""What other vendors' scanners do: hand-computed sizes, and nothing that moves bone alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tools.phantom.imaging.acquire import acquire
from tools.phantom.imaging.kernel import Kernel
from tools.phantom.imaging.scanner import Protocol
from tools.phantom.imaging.vendor import Vendor, denoise
from tools.phantom.imaging.windmill import windmill_shift

PLAIN = Protocol("B", 120.0, 9.0, Kernel("soft", 0.36, 0.65, 0.2), 1.0, 2.0, 2.0, 0.0)
#: Stripes of air, fat, water, muscle and bone, 16 pixels each.
STRIPES = (-1000.0, -100.0, 0.0, 50.0, 300.0)


def imaged(hu: torch.Tensor, vendor: Vendor, water_cm: float = 25.0, **changes: Any) -> np.ndarray:
    protocol = replace(PLAIN, vendor=vendor, **changes)
    return acquire(
        hu, protocol, 1.0, torch.Generator().manual_seed(0), water_cm, (0.5, 0.5)
    ).numpy()


def stripes() -> torch.Tensor:
    hu = torch.empty(16 * len(STRIPES), 64, 8)
    for number, value in enumerate(STRIPES):
        hu[16 * number : 16 * (number + 1)] = value
    return hu


@pytest.mark.parametrize(
    ("vendor", "radius_mm", "water_cm", "expected"),
    [
        (Vendor(precorrection_cm=33.0, precorrection_hu_per_cm=0.5), 0.0, 28.0, 2.5),
        (Vendor(precorrection_cm=33.0, precorrection_hu_per_cm=0.5), 90.0, 35.0, -1.0),
        (Vendor(veil_hu=3.0), 0.0, 30.0, -3.0),
        (Vendor(veil_hu=3.0), 0.0, 15.0, -0.75),
        (Vendor(veil_hu=3.0), 95.0, 30.0, -3.0 / np.e),
        (Vendor(ring_hu=2.0, ring_mm=160.0), 0.0, 25.0, 2.0),
        (Vendor(ring_hu=2.0, ring_mm=160.0), 80.0, 25.0, -2.0 * np.exp(-0.25)),
        (Vendor(ring_hu=2.0, ring_mm=160.0), 160.0, 25.0, 2.0 / np.e),
    ],
    ids=["small body", "large body", "veil", "veil small", "veil aside", "ring", "dark", "bright"],
)
def test_error_of_water_is_what_the_formula_says(
    vendor: Vendor, radius_mm: float, water_cm: float, expected: float
) -> None:
    error = vendor.water_hu(torch.tensor([radius_mm]), water_cm)
    assert float(error[0]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "vendor",
    [
        Vendor(precorrection_cm=35.0, precorrection_hu_per_cm=0.6),
        Vendor(veil_hu=6.0),
        Vendor(ring_hu=5.0),
    ],
    ids=["precorrection", "veil", "ring"],
)
def test_fat_muscle_and_bone_move_together_and_air_stays(vendor: Vendor) -> None:
    """The same factor on the attenuation of everything at one place."""
    plain, changed = (imaged(stripes(), each) for each in (Vendor(), vendor))
    x = np.arange(len(STRIPES)) * 16 + 8
    before, after = plain[x, 32, 2], changed[x, 32, 2]
    assert after[0] == pytest.approx(before[0], abs=0.02)
    radius = np.abs(x + 0.5 - 40)
    expected = vendor.water_hu(torch.tensor(np.hypot(radius, 0.5)), 25.0).numpy()
    np.testing.assert_allclose(after - before, expected * (1 + before / 1000), atol=0.05)
    assert np.abs(after - before)[1:].min() > 0.5


def test_windmill_shows_where_the_body_changes_along_z_and_nowhere_else() -> None:
    vendor = Vendor(windmill_mm=0.4)
    even = stripes()
    np.testing.assert_allclose(imaged(even, vendor), imaged(even, Vendor()), atol=1e-3)
    ramp = (10.0 * torch.arange(40.0)).expand(48, 48, 40).contiguous()
    change = (imaged(ramp, vendor) - imaged(ramp, Vendor()))[8:-8, 8:-8, 5:-5]
    # 10 HU per mm, shifted by at most 0.4 mm.
    assert 2.0 < np.abs(change).max() < 4.0
    assert abs(change.mean()) < 0.2


def test_windmill_turns_with_the_table() -> None:
    x = torch.linspace(-50, 50, 21)
    first, later, turned = windmill_shift(0.3, x, x, torch.tensor([0.0, 12.0, 24.0]))
    torch.testing.assert_close(first, turned, atol=1e-5, rtol=0)
    torch.testing.assert_close(first, -later, atol=1e-5, rtol=0)


def test_denoise_smooths_noise_and_keeps_steps_and_means() -> None:
    generator = torch.Generator().manual_seed(1)
    sd = 20.0
    scene = torch.zeros(2, 96, 96)
    scene[:, 48:] = 400.0
    noisy = scene + sd * torch.randn(scene.shape, generator=generator)
    known = torch.full_like(scene, sd)
    smooth = denoise(noisy, known, 0.6, 0.8)
    flat = (slice(None), slice(6, 40), slice(6, -6))
    assert float(smooth[flat].std()) < 0.65 * float(noisy[flat].std())
    assert abs(float(smooth[flat].mean() - noisy[flat].mean())) < 0.2
    edge = denoise(scene, known, 0.6, 0.8)
    step = float((edge[:, 48] - edge[:, 47]).mean())
    assert step > 0.9 * 400  # a linear smoothing of this reach would leave about half


@pytest.mark.parametrize(
    "kernel",
    [
        Kernel("soft", 0.33, 0.68, 0.22, 0.0, "butterworth"),
        Kernel("sharp", 0.62, 1.08, 0.48, 0.2, "butterworth"),
    ],
    ids=["soft", "sharp"],
)
def test_butterworth_kernels_meet_their_numbers(kernel: Kernel) -> None:
    points = torch.tensor([0.0, kernel.mtf50_per_mm, kernel.mtf10_per_mm], dtype=torch.float64)
    np.testing.assert_allclose(kernel.mtf(points), [1.0, 0.5, 0.1], atol=1e-9)
    frequency = torch.linspace(0.01, 1.5, 3000, dtype=torch.float64)
    power = frequency**kernel.noise_exponent * kernel.mtf(frequency).square()
    assert float(frequency[power.argmax()]) == pytest.approx(kernel.noise_peak_per_mm, abs=2e-3)


def test_butterworth_has_the_longer_tail() -> None:
    ours, theirs = (Kernel("soft", 0.36, 0.65, 0.2, 0.0, family) for family in
                    ("exponential", "butterworth"))  # fmt: skip
    far = torch.tensor(0.9)
    assert float(theirs.mtf(far)) > 2 * float(ours.mtf(far))


def test_a_vendor_is_drawn_from_pairs_and_keeps_numbers() -> None:
    given = {"precorrection_cm": 33.0, "veil_hu": [1.0, 4.0]}
    drawn = [Vendor.draw(given, np.random.default_rng(seed)) for seed in range(50)]
    assert {each.precorrection_cm for each in drawn} == {33.0}
    assert {each.ring_hu for each in drawn} == {0.0}
    veils = [each.veil_hu for each in drawn]
    assert 1.0 <= min(veils) < 1.5
    assert 3.5 < max(veils) <= 4.0
