"""Scanners B and C are frozen: nobody tunes what tests against what trains.

A failure here means that a file was edited. Undo the edit; `docs/scanner.md`, "Frozen files", says
why, and what to do when a scanner must differ.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import yaml

from tools.phantom.imaging.scanner import SCANNER_FOLDER, SCANNERS
from tools.phantom.imaging.vendor import Vendor
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam, density_for_hu

SHA256 = {
    "b.yaml": "d433d913f0b0d8c283abdedf37d635c6be0ef58a5e6f68b80ae9feade7249aba",
    "c.yaml": "4cc161bbae832f9e83d401643e7d38e83b6fc82b7fcc32a47c78145eac245b92",
}


def content(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((SCANNER_FOLDER / name).read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("name", SHA256)
def test_the_file_is_the_one_that_was_frozen(name: str) -> None:
    assert hashlib.sha256((SCANNER_FOLDER / name).read_bytes()).hexdigest() == SHA256[name]


@pytest.mark.parametrize("name", SHA256)
def test_it_has_two_effects_that_scanner_a_lacks(name: str) -> None:
    own = set(content(name)["vendor"])
    assert not own & set(content("a.yaml").get("vendor", {}))
    effects = {key.removesuffix("_cm").removesuffix("_hu_per_cm").split("_")[0] for key in own}
    assert len(effects) >= 2
    assert effects <= {key.split("_")[0] for key in Vendor.__dataclass_fields__}


@pytest.mark.parametrize("name", ["B", "C"])
def test_its_beam_moves_fat_as_well_as_bone(name: str) -> None:
    """A calibration on the patient's own fat, muscle and air sees the beam that moves bone."""
    machine = SCANNERS[name]
    beam = Beam(120.0, machine.filter_al_mm["mean"], 25.0, machine.scintillator_mm)
    fat = density_for_hu("fat", -107.0)
    slope = beam.ha_slope / REFERENCE_BEAM.ha_slope - 1
    assert abs(slope) > 0.02
    moved = beam.hu(fat) - REFERENCE_BEAM.hu(fat)
    assert abs(moved) > 1.0
    # A harder beam makes bone darker and fat brighter.
    assert moved * slope < 0


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_every_scanner_has_the_kernels_of_the_recipes(name: str) -> None:
    assert set(SCANNERS[name].kernels) == {"soft", "sharp"}
