"""CTs of the ESP-like phantom on a named scanner, with all that the scanner does to HU.

python -m tools.phantom.objects.scans scratch/esp --scanner C --seeds 5 --kvp 120

Writes `<scanner><seed>.nii.gz` and, beside it, `<scanner><seed>.json`: the protocol that was drawn
and the scanner's true line, in the object and in a body of 25 cm of water, against which a
calibration is judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tools.files import write_json
from tools.phantom.imaging.scanner import SCANNERS, Protocol, acquire, fine_step_mm
from tools.phantom.objects.esp import (
    BODY_SIZES_MM,
    SPINE_Y_MM,
    VERTEBRA_DIAMETER_MM,
    draw_esp,
)
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.qct import insert_calibration
from tools.volumes import save_nifti

SCAN: dict[str, Any] = {
    "pixel_mm": [0.7, 0.9],
    "thickness_mm": [1.0, 2.0, 3.0],
    "interval_ratio": [1.0, 1.0],
    "kernel": ["soft"],
    "noise_scale": [0.6, 1.6],
}
"""What is asked of the scanner: the standard recipe's ranges, with a soft kernel."""


WATER_GRID = (2.0, 160, 8)
"""Pixel, mm, pixels and slices of the water in which the true intercept is looked up."""


class EspScan(NamedTuple):
    """A CT of the phantom.

    Attributes:
        image: HU, int16 [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        truth: Protocol and true lines.
    """

    image: np.ndarray
    affine: np.ndarray
    truth: dict[str, Any]


def scan_esp(
    scanner: str,
    seed: int,
    kvp: float = 120.0,
    body_mm: tuple[float, float] = BODY_SIZES_MM[0],
    asked: dict[str, Any] | None = None,
) -> EspScan:
    """Scan the phantom once.

    Args:
        scanner: Name of the scanner.
        seed: Of protocol and noise.
        kvp: Tube voltage, kV.
        body_mm: Width and depth of the phantom's body, mm.
        asked: What replaces `SCAN`.

    Raises:
        ValueError: If the scanner is unknown; one line.
    """
    rng = np.random.default_rng([seed, ord(scanner[:1] or " ")])
    protocol = SCANNERS[scanner].draw_protocol(rng, {**SCAN, **(asked or {}), "kvp": [kvp]})
    step = fine_step_mm(protocol)
    water_cm = float(np.sqrt(body_mm[0] * body_mm[1])) / 10
    beam = Beam(protocol.kvp, protocol.filter_al_mm, water_cm, protocol.scintillator_mm)
    drawn = draw_esp(beam, (protocol.pixel_mm, protocol.pixel_mm, step), body_mm)
    generator = torch.Generator().manual_seed(seed)
    hu = acquire(torch.from_numpy(drawn), protocol, step, generator, water_cm).numpy()
    spacing = np.array([protocol.pixel_mm, protocol.pixel_mm, protocol.interval_mm])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(hu.shape) - 1) / 2
    in_object, in_patient = (
        insert_calibration(one)[0] for one in (beam, beam.through(REFERENCE_BEAM.water_cm))
    )
    still = replace(protocol, noise_hu=0.0)
    truth = {
        "scan": protocol.as_dict() | {"water_cm": water_cm},
        "object_slope_hu_per_mg_cm3": in_object,
        "slope_hu_per_mg_cm3": in_patient,
        "plastic_hu": beam.hu("water_epoxy"),
        "water_hu": _water_hu(still, water_cm),
    }
    return EspScan(np.round(hu).astype(np.int16), affine, truth)


def _water_hu(protocol: Protocol, water_cm: float) -> float:
    """What the scanner makes of water where the phantom's spine lies, HU: its true intercept."""
    pixel, size, slices = WATER_GRID
    water = torch.zeros(size, size, slices)
    flat = replace(protocol, pixel_mm=pixel, interval_mm=1.0, thickness_mm=1.0)
    flat = replace(flat, vendor=replace(flat.vendor, windmill_mm=0.0, denoise=0.0))
    read = acquire(water, flat, 1.0, torch.Generator().manual_seed(0), water_cm, (0.5, 0.5))
    places = (torch.arange(size) + 0.5 - size / 2) * pixel
    off = torch.hypot(places[:, None], places[None] - SPINE_Y_MM)
    return float(read[:, :, slices // 2][off < VERTEBRA_DIAMETER_MM / 4].mean())


def main(arguments: Sequence[str]) -> int:
    """Write the scans that were asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.phantom.objects.scans", description=__doc__
    )
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--scanner", default="A", help="scanner's name")
    parser.add_argument("--seeds", type=int, default=1, help="scans, of seeds 0, 1, ...")
    parser.add_argument("--kvp", type=float, default=120.0, help="tube voltage, kV")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        for seed in range(options.seeds):
            made = scan_esp(options.scanner, seed, options.kvp)
            name = f"{options.scanner}{seed}"
            write_json(options.out / f"{name}.json", made.truth)
            save_nifti(options.out / f"{name}.nii.gz", made.image, made.affine)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
