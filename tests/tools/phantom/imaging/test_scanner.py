"""Scanners as files, protocols drawn from them, and requests that they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tools.phantom.imaging import scanner as module
from tools.phantom.imaging.scanner import SCANNERS, Kernel, Protocol, fine_step_mm, load_scanner

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
    return [SCANNERS["A"].draw_protocol(rng, SCAN) for _ in range(1500)]


def test_every_drawn_number_keeps_its_published_range(protocols: list[Protocol]) -> None:
    for drawn in protocols:
        kernel = drawn.kernel
        assert 0.65 <= drawn.pixel_mm <= 0.95
        assert -4 <= drawn.water_offset_hu <= 4
        assert 0 <= drawn.cupping_hu <= 8
        assert 5 <= drawn.dark_canal_hu <= 10
        assert 0.5 <= round(drawn.interval_mm / drawn.thickness_mm, 6) <= 1.0
        if kernel.name == "soft":
            assert 0.32 <= kernel.mtf50_per_mm <= 0.40
            assert 0.6 <= kernel.mtf10_per_mm <= 0.7
        else:
            assert 0.6 <= kernel.mtf50_per_mm <= 0.8
            assert 1.0 <= kernel.mtf10_per_mm <= 1.2
    assert np.mean([drawn.kernel.name == "sharp" for drawn in protocols]) == pytest.approx(
        1 / 3, abs=0.05
    )
    assert {drawn.kvp for drawn in protocols} == {100.0, 120.0}
    assert np.mean([drawn.filter_al_mm for drawn in protocols]) == pytest.approx(9.0, abs=0.05)


def test_noise_follows_thickness_dose_and_sharpness() -> None:
    scan = {**SCAN, "kernel": ["soft"], "noise_scale": [1.0, 1.0]}
    rng = np.random.default_rng(1)
    thin, thick, strong = (
        np.mean([SCANNERS["A"].draw_protocol(rng, {**scan, **change}).noise_hu for _ in range(300)])
        for change in (
            {"thickness_mm": [1.0]},
            {"thickness_mm": [4.0]},
            {"thickness_mm": [1.0], "noise_scale": [1.5, 1.5]},
        )
    )
    assert thin / thick == pytest.approx(2.0, rel=0.03)
    assert strong / thin == pytest.approx(1.5, rel=0.03)
    assert 20 <= thin <= 35


def test_same_seed_gives_the_same_protocol() -> None:
    first, again = (SCANNERS["A"].draw_protocol(np.random.default_rng(3), SCAN) for _ in range(2))
    assert first == again


def test_protocol_is_json_ready(protocols: list[Protocol]) -> None:
    values = json.loads(json.dumps(protocols[0].as_dict()))
    assert values["kernel"] in {"soft", "sharp"}
    assert values["kernel_numbers"]["mtf50_per_mm"] == protocols[0].kernel.mtf50_per_mm
    assert values["scanner"] == "A"


def test_step_divides_the_interval(protocols: list[Protocol]) -> None:
    for drawn in protocols[:100]:
        step = fine_step_mm(drawn, 0.8)
        assert step <= 0.8 + 1e-9
        assert drawn.interval_mm / step == pytest.approx(round(drawn.interval_mm / step), abs=1e-9)


def test_unknown_scanner_and_kernel_are_named() -> None:
    with pytest.raises(ValueError, match=r"^unknown scanner 'X'; known: A"):
        SCANNERS["X"]
    assert "X" not in SCANNERS
    with pytest.raises(ValueError, match=r"^scanner A has no kernel 'bone', only soft, sharp$"):
        SCANNERS["A"].draw_protocol(np.random.default_rng(0), {**SCAN, "kernel": ["bone"]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise_hu": -1}, r"^b\.yaml: noise_hu: -1 is less than"),
        ({"cupping_hu": [8, 0]}, r"^b\.yaml: cupping_hu: 8 is above 0$"),
        ({"colour": "red"}, r"^b\.yaml: file: .*'colour' was unexpected"),
        ({"kernels": {}}, r"^b\.yaml: kernels: "),
    ],
    ids=["value", "reversed range", "unknown key", "no kernel"],
)
def test_bad_scanner_file_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    values = yaml.safe_load((module.SCANNER_FOLDER / "a.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "b.yaml"
    path.write_text(yaml.safe_dump({**values, **change}), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        load_scanner(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0.7, 0.6, 0.3), "need 0 < mtf50 < mtf10"),
        ((0.36, 0.65, 0.0), "noise cannot peak at 0"),
        ((0.7, 1.2, 0.1, 0.4), r"noise cannot peak at 0\.1"),
    ],
    ids=["order", "no peak", "peak where the MTF rises"],
)
def test_impossible_kernel_is_refused(numbers: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Kernel("odd", *numbers)
