"""A polychromatic scan: ESP through the rods at three sizes, and the effective spectrum."""

from functools import cache

import numpy as np
import pytest

from tools.phantom.objects.esp import BODY_SIZES_MM, ESP_DENSITIES_MG_CM3, esp_layers
from tools.phantom.objects.layers import Layer, axis_mm, ellipse
from tools.phantom.objects.projection import PIXEL_MM, scan_slice, water_correction
from tools.phantom.objects.reader import Calibration, calibrate, insert_means
from tools.phantom.objects.rods import ROD_DENSITIES_MG_CM3, rod_layers
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.materials import MATERIALS, ha_insert

SPACING_MM = (PIXEL_MM, PIXEL_MM, 10.0)
MARGIN_MM = 30.0
MIDDLES_MM = (-37.0, 0.0, 37.0)
"""Height of the middle of each vertebra, mm."""

Size = tuple[float, float]


@cache
def rod_line(size: Size) -> Calibration:
    image = scan_slice(rod_layers(size), 0.0, REFERENCE_BEAM, size[0] + MARGIN_MM)
    return calibrate(image, SPACING_MM, ROD_DENSITIES_MG_CM3)


@cache
def esp_hu(size: Size) -> np.ndarray:
    return np.concatenate(
        [
            insert_means(
                scan_slice(esp_layers(size), z, REFERENCE_BEAM, size[0] + MARGIN_MM), SPACING_MM
            )
            for z in MIDDLES_MM
        ]
    )


def shortcut_beam(size: Size) -> Beam:
    """Beam of the effective-spectrum shortcut: water as wide as the geometric mean, cm."""
    return REFERENCE_BEAM.through(float(np.sqrt(size[0] * size[1])) / 10.0)


def test_water_correction_returns_the_path() -> None:
    paths = np.linspace(0.0, 55.0, 37)
    depth = paths[:, None] * MATERIALS["water"].attenuation(REFERENCE_BEAM.energies_kev)
    logarithm = -np.log(np.exp(-depth) @ REFERENCE_BEAM.source_weights)
    np.testing.assert_allclose(
        np.polyval(water_correction(REFERENCE_BEAM), logarithm), paths, atol=0.002
    )


def test_water_reads_zero_without_cupping() -> None:
    water = [Layer(MATERIALS["water"], ellipse(300.0, 300.0), (-1.0, 1.0))]
    image = scan_slice(water, 0.0, REFERENCE_BEAM, 330.0)[..., 0]
    axis = axis_mm(330.0, PIXEL_MM)
    radius = np.hypot(axis[:, None], axis[None])
    rings = [image[(radius >= r) & (radius < r + 20.0)].mean() for r in range(0, 140, 20)]
    np.testing.assert_allclose(rings, 0.0, atol=0.5)


def test_single_energy_scan_reads_the_beams_hu() -> None:
    beam = Beam.mono(69.0)
    image = scan_slice(rod_layers(), 0.0, beam, 320.0)
    line = calibrate(image, SPACING_MM, ROD_DENSITIES_MG_CM3)
    assert line.slope == pytest.approx(beam.ha_slope, rel=0.003)
    assert line.intercept == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("size", BODY_SIZES_MM)
def test_esp_is_recovered_through_the_rods(size: Size) -> None:
    found = np.array([rod_line(size).density(hu) for hu in esp_hu(size)])
    np.testing.assert_allclose(found, ESP_DENSITIES_MG_CM3, rtol=0.03)


@pytest.mark.parametrize("size", BODY_SIZES_MM)
def test_shortcut_gives_the_rods_slope(size: Size) -> None:
    # 5 %: bone in the slice hardens the beam beyond its water; the shortcut knows only water.
    assert rod_line(size).slope == pytest.approx(shortcut_beam(size).ha_slope, rel=0.05)


@pytest.mark.parametrize("size", BODY_SIZES_MM)
def test_shortcut_gives_the_inserts_hu(size: Size) -> None:
    # 3 % at 50, 5 % at 100, 7 % at 200 mg/cm3: the vertebra's own mineral hardens the beam.
    beam, epoxy = shortcut_beam(size), MATERIALS["water_epoxy"]
    short = np.array([beam.hu(ha_insert(d, epoxy)) for d in ESP_DENSITIES_MG_CM3])
    relative = esp_hu(size) / short - 1.0
    assert np.all(relative < 0.0)
    assert np.all(relative > [-0.03, -0.05, -0.07])


def test_slope_falls_with_size_as_the_shortcut_says() -> None:
    small, _, large = BODY_SIZES_MM
    scanned = rod_line(large).slope / rod_line(small).slope
    expected = shortcut_beam(large).ha_slope / shortcut_beam(small).ha_slope
    assert scanned == pytest.approx(expected, abs=0.02)
