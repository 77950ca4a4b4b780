"""Simulated CT scanners: what a scan is made with, drawn from a scanner's own ranges.

A scanner is one file, `scanners/<name>.yaml`; a recipe says what is asked of it. Together they
give a `Protocol`, and `acquire` turns the drawn patient into the image of that protocol::

    protocol = SCANNERS["A"].draw_protocol(np.random.default_rng(0), recipe["scan"])
    image = acquire(hu, protocol, fine_step_mm(protocol), torch.Generator().manual_seed(0), 28.0)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import yaml

from tools.phantom.imaging.acquire import acquire
from tools.phantom.imaging.kernel import Kernel
from tools.phantom.imaging.vendor import NO_ERRORS, Vendor
from tools.phantom.physics.beam import FILTER_RANGE_MM, Beam

__all__ = ["SCANNERS", "Kernel", "Protocol", "Scanner", "acquire", "fine_step_mm", "load_scanner"]

SCANNER_FOLDER = Path(__file__).parent / "scanners"

NOISE_REFERENCE_MM = 1.0
"""Slice thickness at which a scanner's `noise_hu` holds, mm."""

NOISE_REFERENCE_MTF50 = 0.36
"""Sharpness at which a scanner's `noise_hu` holds, 1/mm: the middle of soft kernels."""

NOISE_SHARPNESS_POWER = 1.5
"""SD grows as MTF50 to this power: variance is the integral of f^2 up to the kernel's limit."""

INTERVAL_STEP_MM = 0.1
"""Slice intervals are multiples of this, mm, as consoles offer them (D)."""

FILTER_LIMIT_SD = 2.5
"""A scan's filtration stays within so many SD of the scanner's own (D)."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Protocol:
    """Everything that one scan is made with.

    Args:
        scanner: name of the scanner.
        kvp: tube voltage, kV.
        filter_al_mm: filtration as aluminium, mm; with `kvp` and the body it gives the beam.
        kernel: the reconstruction kernel.
        pixel_mm: side of a pixel, mm.
        thickness_mm: nominal slice thickness, the FWHM of the slice profile, mm.
        interval_mm: distance of slice centres, mm.
        noise_hu: SD in the middle of 30 cm of water, HU.
        water_offset_hu: error of water, HU.
        cupping_hu: edge minus centre of a 30 cm body, HU.
        dark_canal_hu: what the spinal canal reads too low, HU; the anatomy draws it.
        tube_modulation: share of the size effect on noise that the tube current makes good.
        slice_ramp: width of the slice profile's edges / slice thickness.
        scintillator_mm: Gd2O2S that absorbs the beam, mm.
        vendor: errors that only some vendors' scanners have.
    """

    scanner: str
    kvp: float
    filter_al_mm: float
    kernel: Kernel
    pixel_mm: float
    thickness_mm: float
    interval_mm: float
    noise_hu: float
    water_offset_hu: float = 0.0
    cupping_hu: float = 0.0
    dark_canal_hu: float = 0.0
    tube_modulation: float = 0.0
    slice_ramp: float = 0.3
    scintillator_mm: float = 1.0
    vendor: Vendor = NO_ERRORS

    def as_dict(self) -> dict[str, Any]:
        """Return the protocol as JSON-ready values, the kernel as its name and its numbers."""
        values = asdict(self)
        kernel = values.pop("kernel")
        return {**values, "kernel": kernel.pop("name"), "kernel_numbers": kernel}


@dataclass(frozen=True)
class KernelRanges:
    """Ranges from which one kernel's numbers are drawn; units as in `Kernel`."""

    mtf50_per_mm: Range
    mtf10_per_mm: Range
    noise_peak_per_mm: Range
    boost: Range
    family: str = "exponential"

    def draw(self, name: str, rng: np.random.Generator) -> Kernel:
        """Draw a kernel; one number moves both MTF points, so its shape stays plausible."""
        sharpness, peak, boost = rng.random(3)
        return Kernel(
            name,
            _within(self.mtf50_per_mm, sharpness),
            _within(self.mtf10_per_mm, sharpness),
            _within(self.noise_peak_per_mm, peak),
            _within(self.boost, boost),
            self.family,
        )


@dataclass(frozen=True)
class Scanner:
    """One scanner, or a crowd of them, as its file declares it; units and sources stand there.

    A scanner's own numbers are fixed or, where each scan shall come from another machine, ranges.
    Its beam is given by filtration or by effective energy.
    """

    name: str
    water_offset_hu: Range
    cupping_hu: Range
    dark_canal_hu: Range
    noise_hu: float | Range
    tube_modulation: float | Range
    slice_ramp: float | Range
    kernels: Mapping[str, KernelRanges]
    filter_al_mm: Mapping[str, float] = field(default_factory=dict)
    effective_energy_kev: Range | None = None
    scintillator_mm: float | Range = 1.0
    vendor: Mapping[str, Any] = field(default_factory=dict)

    def draw_protocol(self, rng: np.random.Generator, scan: Mapping[str, Any]) -> Protocol:
        """Draw one scan.

        Args:
            rng: source of all choices; the same state gives the same protocol.
            scan: the recipe's block `scan`: `kvp`, `thickness_mm` and `kernel` are lists of which
                one is drawn, `pixel_mm`, `interval_ratio` and `noise_scale` uniform ranges.

        Raises:
            ValueError: if the recipe asks for a kernel that this scanner does not have.
        """
        kvp = float(rng.choice(scan["kvp"]))
        thickness = float(rng.choice(scan["thickness_mm"]))
        kernel_name = str(rng.choice(scan["kernel"]))
        if kernel_name not in self.kernels:
            known = ", ".join(self.kernels)
            raise ValueError(f"scanner {self.name} has no kernel {kernel_name!r}, only {known}")
        kernel = self.kernels[kernel_name].draw(kernel_name, rng)
        filter_sd = float(np.clip(rng.standard_normal(), -FILTER_LIMIT_SD, FILTER_LIMIT_SD))
        ratio, pixel, scale = (
            float(rng.uniform(*scan[key])) for key in ("interval_ratio", "pixel_mm", "noise_scale")
        )
        offset, cupping, dark_canal = (
            float(rng.uniform(*bounds))
            for bounds in (self.water_offset_hu, self.cupping_hu, self.dark_canal_hu)
        )
        vendor = Vendor.draw(self.vendor, rng)
        # Drawn last, and only where a range is given: scanners of fixed numbers keep their streams.
        own = (self.noise_hu, self.tube_modulation, self.slice_ramp, self.scintillator_mm)
        noise, modulation, ramp, scintillator = (_one_of(value, rng) for value in own)
        if self.effective_energy_kev is None:
            filtration = self.filter_al_mm["mean"] + filter_sd * self.filter_al_mm["sd"]
        else:
            filtration = _filter_for(_one_of(self.effective_energy_kev, rng), scintillator)
        return Protocol(
            scanner=self.name,
            kvp=kvp,
            filter_al_mm=filtration,
            kernel=kernel,
            pixel_mm=pixel,
            thickness_mm=thickness,
            interval_mm=_console_interval(ratio, thickness),
            noise_hu=scale * _noise(noise, thickness, kernel),
            water_offset_hu=offset,
            cupping_hu=cupping,
            dark_canal_hu=dark_canal,
            tube_modulation=modulation,
            slice_ramp=ramp,
            scintillator_mm=scintillator,
            vendor=vendor,
        )

    def noise_at(self, thickness_mm: float, kernel: Kernel) -> float:
        """SD in HU in 30 cm of water at the scanner's usual dose, for a thickness and a kernel."""
        return _noise(float(np.mean(self.noise_hu)), thickness_mm, kernel)


def load_scanner(path: Path) -> Scanner:
    """Read a scanner from its YAML file.

    Raises:
        ValueError: one line that names the file, the key and what is wrong with it.
    """
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = json.loads((SCANNER_FOLDER / "scanner.schema.json").read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(values)
    for error in sorted(errors, key=lambda found: list(map(str, found.path))):
        where = ".".join(map(str, error.path)) or "file"
        raise ValueError(f"{path.name}: {where}: {error.message}")
    for where, (low, high) in _ranges(values):
        if low > high:
            raise ValueError(f"{path.name}: {where}: {low} is above {high}")
    if ("filter_al_mm" in values) == ("effective_energy_kev" in values):
        raise ValueError(f"{path.name}: file: wants one of filter_al_mm and effective_energy_kev")
    kernels = {
        name: KernelRanges(**_pairs(ranges)) for name, ranges in values.pop("kernels").items()
    }
    return Scanner(**_pairs(values), kernels=kernels)


class _Scanners(dict[str, Scanner]):
    """Scanner by name; refuses an unknown name in one line."""

    def __missing__(self, name: str) -> Scanner:
        raise ValueError(f"unknown scanner {name!r}; known: {', '.join(self)}")


def fine_step_mm(protocol: Protocol, target_mm: float = 1.0) -> float:
    """Largest step not above `target_mm` (mm) of which the slice interval is a whole multiple."""
    return protocol.interval_mm / math.ceil(protocol.interval_mm / target_mm - 1e-9)


def _one_of(value: float | Range, rng: np.random.Generator) -> float:
    """A fixed number as it is, one of a range's otherwise; only a range takes from the stream."""
    return float(rng.uniform(*value)) if isinstance(value, tuple) else value


def _filter_for(kev: float, scintillator_mm: float) -> float:
    """Aluminium, mm, behind which a 120 kV beam has an effective energy of `kev`.

    A thick detector cannot see the softest beams; then it is the least filter there is.
    """
    softest = Beam(filter_al_mm=FILTER_RANGE_MM[0], scintillator_mm=scintillator_mm)
    if softest.ha_slope <= Beam.mono(kev).ha_slope:
        return softest.filter_al_mm
    return Beam.with_effective_energy(kev, scintillator_mm=scintillator_mm).filter_al_mm


def _noise(noise_hu: float, thickness_mm: float, kernel: Kernel) -> float:
    """Noise of the reference slice and kernel, HU, carried to another thickness and kernel."""
    sharpness = (kernel.mtf50_per_mm / NOISE_REFERENCE_MTF50) ** NOISE_SHARPNESS_POWER
    return noise_hu * sharpness * math.sqrt(NOISE_REFERENCE_MM / thickness_mm)


def _console_interval(ratio: float, thickness_mm: float) -> float:
    steps = max(1, round(ratio * thickness_mm / INTERVAL_STEP_MM))
    return round(steps * INTERVAL_STEP_MM, 6)


def _within(bounds: Range, share: float) -> float:
    return bounds[0] + float(share) * (bounds[1] - bounds[0])


def _ranges(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[float]]]:
    """Every range in a scanner's file with the path to it."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _ranges(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, value


def _pairs(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with every range as a pair of numbers."""
    return {
        key: (float(value[0]), float(value[1])) if isinstance(value, list) else value
        for key, value in values.items()
    }


SCANNERS: Mapping[str, Scanner] = _Scanners(
    (scanner.name, scanner) for scanner in map(load_scanner, sorted(SCANNER_FOLDER.glob("*.yaml")))
)
"""Scanner by name, one per file; an unknown name raises a one-line `ValueError`."""
