"""Scanner R, many vendors' scanners: its spread is the published one, and others are left alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tools.phantom.imaging.scanner import SCANNER_FOLDER, SCANNERS, Protocol, load_scanner
from tools.phantom.imaging.vendor import NO_ERRORS
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam

SCAN: dict[str, Any] = {
    "kvp": [100, 120],
    "pixel_mm": [0.65, 0.95],
    "thickness_mm": [1.0, 1.5, 2.0, 3.0, 5.0],
    "interval_ratio": [0.5, 1.0],
    "kernel": ["soft", "soft", "sharp"],
    "noise_scale": [0.6, 1.6],
}


@pytest.fixture(scope="module")
def protocols() -> list[Protocol]:
    rng = np.random.default_rng(0)
    return [SCANNERS["R"].draw_protocol(rng, SCAN) for _ in range(500)]


@pytest.fixture(scope="module")
def beams(protocols: list[Protocol]) -> list[Beam]:
    """Each scan's machine at 120 kV, behind the 25 cm of water at which energies are stated."""
    return [Beam(120.0, each.filter_al_mm, 25.0, each.scintillator_mm) for each in protocols]


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        # As published, or half to one and a half of A's.
        ("water_offset_hu", -7.0, 7.0),
        ("cupping_hu", -8.0, 8.0),
        ("dark_canal_hu", 5.0, 10.0),
        ("tube_modulation", 0.3, 0.9),
        ("slice_ramp", 0.15, 0.45),
        ("scintillator_mm", 0.5, 1.0),
        ("kernel.mtf50_per_mm", 0.32, 0.8),
        ("kernel.mtf10_per_mm", 0.6, 1.2),
        ("kernel.noise_peak_per_mm", 0.2, 0.7),
        ("kernel.boost", 0.0, 0.4),
    ],
)
def test_every_number_fills_its_published_range(
    protocols: list[Protocol], key: str, low: float, high: float
) -> None:
    first, _, second = key.partition(".")
    values = [getattr(each, first) for each in protocols]
    drawn = np.array([getattr(value, second) if second else value for value in values])
    assert low <= drawn.min()
    assert drawn.max() <= high
    assert np.ptp(drawn) > 0.9 * (high - low)


@pytest.mark.slow
def test_effective_energy_has_the_published_spread(beams: list[Beam]) -> None:
    energies = np.array([beam.effective_energy_kev for beam in beams])
    assert energies.std() == pytest.approx(3.0, abs=0.25)
    assert energies.mean() == pytest.approx(REFERENCE_BEAM.effective_energy_kev, abs=0.4)
    assert energies.min() >= 63.9 - 1e-3
    assert energies.max() <= 74.3 + 1e-3


def test_slopes_spread_as_scanners_do(beams: list[Beam]) -> None:
    """By the formula of a single energy 3 keV are 0.09 of 1.33 HU per mg/cm3 about 69 keV."""
    slopes = np.array([beam.ha_slope for beam in beams])
    assert slopes.std() / slopes.mean() == pytest.approx(0.068, abs=0.01)


def test_noise_spans_soft_kernels_at_1_mm() -> None:
    rng = np.random.default_rng(1)
    scan = {**SCAN, "thickness_mm": [1.0], "kernel": ["soft"], "noise_scale": [1.0, 1.0]}
    drawn = [SCANNERS["R"].draw_protocol(rng, scan) for _ in range(300)]
    at_reference = [each.noise_hu / (each.kernel.mtf50_per_mm / 0.36) ** 1.5 for each in drawn]
    assert 20 <= min(at_reference) < 21
    assert 34 < max(at_reference) <= 35


def test_it_has_no_error_that_only_test_scanners_have(protocols: list[Protocol]) -> None:
    own = yaml.safe_load((SCANNER_FOLDER / "r.yaml").read_text(encoding="utf-8"))
    assert "vendor" not in own
    assert all(each.vendor == NO_ERRORS for each in protocols)
    assert {each.kernel.family for each in protocols} == {"exponential"}


def test_usual_noise_is_the_middle_of_its_range(protocols: list[Protocol]) -> None:
    kernel = protocols[0].kernel
    expected = 27.5 * (kernel.mtf50_per_mm / 0.36) ** 1.5 / 2
    assert SCANNERS["R"].noise_at(4.0, kernel) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("A", "b2c3cbade5463e7d3615ca28bbcebab0e3b8ca4a29115a6b72e7f3a2ecc7c78e"),
        ("B", "e17a72642b443768da6a9cd49f18a8bc7c03189067bebec7b0e53fe920554366"),
        ("C", "e726a2f70c68a155404f6c626a0f34663a15ed22bfa19db7579de5078e0a9e8f"),
    ],
)
def test_other_scanners_draw_what_they_drew_before_ranges_came(name: str, sha256: str) -> None:
    """Fifty protocols, and the stream's next number: patients drawn after it stay the same."""
    rng = np.random.default_rng(0)
    drawn = [SCANNERS[name].draw_protocol(rng, SCAN).as_dict() for _ in range(50)]
    text = json.dumps([drawn, float(rng.random())], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"filter_al_mm": {"mean": 9.0, "sd": 0.2}}, "file: wants one of filter_al_mm and"),
        ({"effective_energy_kev": None}, "file: wants one of filter_al_mm and"),
        ({"slice_ramp": [0.4, 0.2]}, r"slice_ramp: 0\.4 is above 0\.2$"),
        ({"slice_ramp": [0.0, 0.2]}, r"slice_ramp\.0: 0\.0 is less than or equal"),
        ({"tube_modulation": [0.3, 1.2]}, r"tube_modulation\.1: 1\.2 is greater than"),
        ({"noise_hu": [20.0]}, r"noise_hu: \[20\.0\] is too short"),
    ],
    ids=["two beams", "no beam", "reversed", "zero", "above one", "half a range"],
)
def test_bad_ranges_are_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    values = yaml.safe_load((SCANNER_FOLDER / "r.yaml").read_text(encoding="utf-8")) | change
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))
    with pytest.raises(ValueError, match=rf"^r\.yaml: {message}") as caught:
        load_scanner(path)
    assert "\n" not in str(caught.value)
