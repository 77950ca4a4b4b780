"""The reader recovers the ESP's densities through the rods, from images alone."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tools.phantom.imaging.scanner import SCANNERS, acquire, fine_step_mm
from tools.phantom.objects import reader
from tools.phantom.objects.esp import ESP_DENSITIES_MG_CM3, draw_esp
from tools.phantom.objects.reader import calibrate, insert_means, read_inserts, rod_means
from tools.phantom.objects.rods import ROD_DENSITIES_MG_CM3, draw_rods
from tools.phantom.physics.beam import Beam
from tools.phantom.physics.materials import MATERIALS, Material

WATER_CM = 22.4
"""Water-equivalent size of the ESP, cm: geometric mean of 280 and 180 mm."""

SCAN = {
    "kvp": [120],
    "pixel_mm": [0.65, 0.95],
    "thickness_mm": [1.0, 1.5, 2.0, 3.0, 5.0],
    "interval_ratio": [0.5, 1.0],
    "kernel": ["soft", "soft", "sharp"],
    "noise_scale": [0.6, 1.6],
}
"""What is asked of scanner A: the ranges of the standard recipe."""


def errors(densities: np.ndarray) -> np.ndarray:
    return densities / np.array(ESP_DENSITIES_MG_CM3) - 1.0


def test_reader_sees_only_images() -> None:
    tree = ast.parse(Path(reader.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Name):
            assert node.id not in {"__import__", "eval", "exec", "open"}
    assert imported - set(sys.stdlib_module_names) == {"numpy", "scipy"}
    assert not imported & {"importlib", "runpy", "subprocess", "pathlib", "os", "sys"}


@pytest.mark.parametrize(
    ("kvp", "spacing"),
    [
        (80.0, (1.2, 1.2, 2.5)),
        (100.0, (1.2, 1.2, 3.0)),
        (120.0, (1.0, 1.0, 2.0)),
        (120.0, (1.2, 1.2, 5.0)),
        (140.0, (1.2, 1.2, 2.5)),
    ],
)
def test_densities_without_scanner_effects(kvp: float, spacing: tuple[float, float, float]) -> None:
    beam = Beam(kvp, water_cm=WATER_CM)
    calibration = calibrate(draw_rods(beam, spacing), spacing, ROD_DENSITIES_MG_CM3)
    found = read_inserts(draw_esp(beam, spacing), spacing, calibration)
    assert np.abs(errors(found)).max() < 0.01
    assert calibration.slope == pytest.approx(beam.ha_slope, rel=0.01)


def scan(seed: int, kvp: float = 120.0) -> np.ndarray:
    """Scan rods and ESP with one random protocol of scanner A and read the ESP."""
    asked = {**SCAN, "kvp": [kvp]}
    protocol = SCANNERS["A"].draw_protocol(np.random.default_rng(seed), asked)
    step = fine_step_mm(protocol)
    fine = (protocol.pixel_mm, protocol.pixel_mm, step)
    spacing = (protocol.pixel_mm, protocol.pixel_mm, protocol.interval_mm)
    beam = Beam(protocol.kvp, protocol.filter_al_mm, WATER_CM)
    images = [
        acquire(
            torch.from_numpy(drawn),
            protocol,
            step,
            torch.Generator().manual_seed(2 * seed + index),
            WATER_CM,
        ).numpy()
        for index, drawn in enumerate((draw_rods(beam, fine), draw_esp(beam, fine)))
    ]
    calibration = calibrate(images[0], spacing, ROD_DENSITIES_MG_CM3)
    return read_inserts(images[1], spacing, calibration)


@pytest.mark.parametrize("seed", [0, 4])  # soft 5 mm, sharp 3 mm
def test_densities_with_scanner_effects(seed: int) -> None:
    assert np.abs(errors(scan(seed))).max() < 0.03


@pytest.mark.slow
def test_densities_over_many_protocols() -> None:
    found = np.array([errors(scan(seed)) for seed in range(20)])
    assert np.abs(found).max() < 0.03
    assert np.abs(found.mean(axis=0)).max() < 0.01


@pytest.mark.parametrize("kvp", [80.0, 140.0])
def test_densities_with_scanner_effects_at_other_voltages(kvp: float) -> None:
    assert np.abs(errors(scan(0, kvp))).max() < 0.03


def test_calibration_at_another_voltage_shows() -> None:
    spacing = (1.2, 1.2, 2.5)
    at_120, at_100 = (Beam(kvp, water_cm=WATER_CM) for kvp in (120.0, 100.0))
    calibration = calibrate(draw_rods(at_120, spacing), spacing, ROD_DENSITIES_MG_CM3)
    found = read_inserts(draw_esp(at_100, spacing), spacing, calibration)
    assert errors(found)[1] == pytest.approx(at_100.ha_slope / at_120.ha_slope - 1.0, abs=0.03)


def test_rods_in_another_plastic_shift_the_intercept() -> None:
    # The certificate holds for HA; what the rod is cast in adds its own HU at every density.
    spacing, beam = (1.2, 1.2, 2.5), Beam(water_cm=WATER_CM)
    plastic = MATERIALS["water_epoxy"]
    heavy: Material = plastic.at_density(plastic.density_g_cm3 * 1.01)
    lines = [
        calibrate(draw_rods(beam, spacing, matrix=m), spacing, ROD_DENSITIES_MG_CM3)
        for m in (plastic, heavy)
    ]
    shift = beam.hu(heavy) - beam.hu(plastic)
    assert lines[1].intercept - lines[0].intercept == pytest.approx(shift, rel=0.02)


def test_wrong_number_of_rods_is_refused() -> None:
    spacing = (1.5, 1.5, 4.0)
    with pytest.raises(ValueError, match="found 5 rods, the certificate lists 4"):
        rod_means(draw_rods(spacing_mm=spacing), spacing, 4)


def test_image_without_object_is_refused() -> None:
    spacing = (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="no object"):
        insert_means(np.full((40, 40, 40), -1000.0), spacing)
    water = np.full((90, 90, 40), -1000.0)
    water[10:80, 10:80, 5:35] = 0.0
    with pytest.raises(ValueError, match="no vertebral body"):
        insert_means(water, spacing)
