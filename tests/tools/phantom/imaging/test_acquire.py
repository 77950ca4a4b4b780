"""Sharpness, slice profile, means and artefacts of the imaging chain, measured on its images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.phantom import protocols
from tools.phantom.imaging.scanner import Kernel, acquire

KERNELS = [
    pytest.param(Kernel("soft", 0.32, 0.60, 0.25), id="soft, low end"),
    pytest.param(protocols.SOFT, id="soft"),
    pytest.param(Kernel("soft", 0.40, 0.70, 0.25), id="soft, high end"),
    pytest.param(Kernel("sharp", 0.68, 1.16, 0.57, 0.22), id="sharp, low end"),
    pytest.param(protocols.SHARP, id="sharp"),
    pytest.param(Kernel("sharp", 0.78, 1.20, 0.57, 0.40), id="sharp, high end"),
]


def edge_image(kernel: Kernel, pixel_mm: float, count: int = 256) -> np.ndarray:
    edge = torch.from_numpy(protocols.slanted_edge(count, 100.0))[:, :, None]
    scan = protocols.protocol(kernel=kernel, pixel_mm=pixel_mm)
    return acquire(edge, scan, 1.0, protocols.seeded(), 30.0)[:, :, 0].numpy()


@pytest.mark.parametrize("kernel", KERNELS)
def test_slanted_edge_shows_the_kernels_mtf(kernel: Kernel) -> None:
    frequency, modulation = protocols.transfer(
        *protocols.edge_spread(edge_image(kernel, 0.3), pixel_mm=0.3)
    )
    low = frequency < 1.6
    mtf50 = protocols.crossing(frequency[low], modulation[low], 0.5)
    mtf10 = protocols.crossing(frequency[low], modulation[low], 0.1)
    assert mtf50 == pytest.approx(kernel.mtf50_per_mm, rel=0.01)
    assert mtf10 == pytest.approx(kernel.mtf10_per_mm, rel=0.01)


@pytest.mark.parametrize("kernel", KERNELS)
def test_line_spread_and_overshoot_are_those_of_real_kernels(kernel: Kernel) -> None:
    image = edge_image(kernel, 0.2, count=320)
    positions, spread = protocols.edge_spread(image, 0.2, bins=2)
    width = protocols.full_width(positions[1:], np.diff(spread))
    overshoot = image[40:-40, 40:-40].max() / 100.0 - 1
    if kernel.name == "soft":
        assert 1.1 <= width <= 1.4
        assert abs(overshoot) < 0.01
    else:
        assert 0.6 <= width <= 0.72
        assert 0.05 <= overshoot <= 0.15


@pytest.mark.parametrize("pixel_mm", [0.65, 0.8, 0.95])
def test_soft_kernel_keeps_its_sharpness_on_clinical_pixels(pixel_mm: float) -> None:
    spread = protocols.edge_spread(edge_image(protocols.SOFT, pixel_mm), pixel_mm)
    mtf50 = protocols.crossing(*protocols.transfer(*spread), 0.5)
    assert mtf50 == pytest.approx(0.36, rel=0.02)


@pytest.mark.parametrize(
    "kernel", [protocols.SOFT, protocols.SHARP], ids=lambda kernel: kernel.name
)
@pytest.mark.parametrize("pixel_mm", [2.0, 3.0])
def test_pixels_above_the_kernels_width_keep_partial_volume(
    kernel: Kernel, pixel_mm: float
) -> None:
    image = edge_image(kernel, pixel_mm)
    assert image[30:-30, 30:-30].max() < 105.0
    assert image[30:-30, 30:-30].min() > -5.0
    assert np.abs(image - protocols.slanted_edge(256, 100.0)).max() < 16.0


@pytest.mark.parametrize("thickness_mm", [1.0, 1.5, 3.0, 5.0])
def test_thin_disc_shows_the_slice_thickness(thickness_mm: float) -> None:
    step, middle = 0.1, 100
    fine = torch.zeros(16, 16, 201)
    fine[:, :, middle] = 1000.0
    scan = protocols.protocol(pixel_mm=3.0, thickness_mm=thickness_mm, interval_mm=step)
    response = acquire(fine, scan, step, protocols.seeded(), 30.0)[8, 8].numpy()
    position = (np.arange(201) - middle) * step
    assert protocols.full_width(position, response) == pytest.approx(thickness_mm, rel=0.02)
    assert response.sum() * step == pytest.approx(1000.0 * step, rel=1e-3)
    assert np.abs(response - response[::-1]).max() < 0.01 * response.max()


def test_slices_lie_where_the_docstring_says() -> None:
    fine = torch.arange(23.0).repeat(8, 8, 1)  # value = index of the fine slice
    scan = protocols.protocol(pixel_mm=3.0, thickness_mm=3.0, interval_mm=2.0)
    image = acquire(fine, scan, 0.5, protocols.seeded(), 30.0)
    assert image.shape == (8, 8, 5)
    inner = image[4, 4, 1:4].numpy()
    np.testing.assert_allclose(inner, [5.5, 9.5, 13.5], atol=1e-3)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    mtf50=st.floats(0.2, 0.9),
    ratio=st.floats(1.3, 2.2),
    boost=st.floats(0.0, 0.5),
    pixel_mm=st.floats(0.3, 3.0),
    thickness_mm=st.floats(0.6, 6.0),
    level=st.floats(-1000.0, 3000.0),
    size=st.tuples(st.integers(5, 40), st.integers(5, 40)),
)
def test_a_uniform_object_keeps_its_value(
    mtf50: float,
    ratio: float,
    boost: float,
    pixel_mm: float,
    thickness_mm: float,
    level: float,
    size: tuple[int, int],
) -> None:
    kernel = Kernel("any", mtf50, ratio * mtf50, mtf50, boost)
    scan = protocols.protocol(kernel=kernel, pixel_mm=pixel_mm, thickness_mm=thickness_mm)
    image = acquire(torch.full((*size, 7), level), scan, 1.0, protocols.seeded(), 25.0)
    assert image.shape == (*size, 7)
    assert float((image - level).abs().max()) < 0.02


def test_kernel_changes_trabecular_mean_by_less_than_half_a_percent() -> None:
    plane = np.full((128, 128), 50.0, dtype=np.float32)
    plane[40:90, 40:80] = 400.0  # shell
    texture = np.random.default_rng(0).normal(150.0, 60.0, (46, 36))
    plane[42:88, 42:78] = texture
    hu = torch.from_numpy(plane)[:, :, None]
    means = [
        acquire(hu, protocols.protocol(kernel=kernel), 1.0, protocols.seeded(), 30.0)[
            48:82, 48:72
        ].mean()
        for kernel in (protocols.SOFT, protocols.SHARP)
    ]
    assert float(means[0]) == pytest.approx(float(means[1]), rel=0.005)


def test_nothing_wraps_around_the_field() -> None:
    hu = torch.zeros(64, 64, 1)
    hu[-3:] = 2000.0
    image = acquire(hu, protocols.protocol(), 1.0, protocols.seeded(), 30.0)
    assert float(image[:40].abs().max()) < 2.0  # 0.1 % of the step at the far border
    assert float(image[-1].min()) > 1950.0


def test_memory_order_of_the_drawing_does_not_matter() -> None:
    generator = protocols.seeded(5)
    drawn = torch.randn(30, 26, 12, generator=generator) * 100
    z_first = drawn.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    scan = protocols.protocol(thickness_mm=3.0, interval_mm=2.0, noise_hu=10.0)
    images = [acquire(hu, scan, 1.0, protocols.seeded(), 30.0) for hu in (drawn, z_first)]
    torch.testing.assert_close(images[0], images[1], atol=1e-3, rtol=0)


def test_offset_and_cupping_leave_air_and_have_their_stated_size() -> None:
    hu = protocols.ellipse((160, 160), 2.0, (300, 300), 1)
    scan = protocols.protocol(pixel_mm=2.0, water_offset_hu=3.0, cupping_hu=8.0)
    image = acquire(hu, scan, 1.0, protocols.seeded(), 30.0)[:, :, 0]
    assert float(image[80, 80]) == pytest.approx(3.0 - 4.0, abs=0.1)
    assert float(image[80 - 70, 80]) == pytest.approx(3.0 - 4.0 + 8.0 * (139 / 150) ** 2, abs=0.3)
    inside = hu[:, :, 0] == 0.0
    assert float(image[inside].mean()) == pytest.approx(3.0, abs=1.5)  # edge pixels blur into air
    assert float(image[:4, :4].mean()) == pytest.approx(-1000.0, abs=0.01)


def test_cupping_follows_the_body_not_the_field() -> None:
    body = protocols.ellipse((160, 120), 2.0, (150, 150), 1)
    shifted = torch.roll(body, 30, dims=0)
    scan = protocols.protocol(pixel_mm=2.0, cupping_hu=8.0)
    image = acquire(shifted, scan, 1.0, protocols.seeded(), 15.0)[:, :, 0]
    inside = image[80 + 30 - 25 : 80 + 30 + 25, 60].numpy()
    assert abs(int(np.argmin(inside)) - 24.5) <= 3


def test_values_are_clipped_to_twelve_bit() -> None:
    hu = torch.full((32, 32, 4), -1000.0)
    hu[10:20, 10:20] = 9000.0
    image = acquire(hu, protocols.protocol(noise_hu=80.0), 1.0, protocols.seeded(), 30.0)
    assert float(image.min()) == -1024.0
    assert float(image.max()) == 3071.0


def test_a_step_that_does_not_divide_the_interval_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^interval 1\.0 mm is no whole multiple of step 0\.7 mm$"
    ):
        acquire(torch.zeros(8, 8, 8), protocols.protocol(), 0.7, protocols.seeded(), 30.0)
    with pytest.raises(ValueError, match="fewer than one interval"):
        acquire(torch.zeros(8, 8, 1), protocols.protocol(), 0.5, protocols.seeded(), 30.0)
