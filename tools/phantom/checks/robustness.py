"""How far kernel, slice thickness and noise move the density of one and the same patient.

    python -m tools.phantom.checks.robustness scratch/robustness --patients 20 --workers 2

Every patient is scanned once as `USUAL` says and once for each of `CHANGES`; the density bundle
reads L1 to L4 with the true masks. The change of a level is its density less that of its usual
scan. Writes `robustness.csv`, a row per level and scan, `robustness.md` with the mean absolute
changes and their 95 % intervals over patients, and `robustness.png`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from tools import density
from tools.levels import MEASURED_LEVELS
from tools.phantom import recipe as recipes
from tools.phantom.case import simulate
from tools.phantom.checks.scanning import each_patient, scanning_options, write_table
from tools.statistics import Estimate
from tools.statistics.resampling import bootstrap
from tools.threads import single_thread

USUAL: Mapping[str, Any] = MappingProxyType(
    {
        "field": "bodies", "kvp": [120], "pixel_mm": [0.8, 0.8], "thickness_mm": [1.0],
        "interval_ratio": [1.0, 1.0], "kernel": ["soft"], "noise_scale": [1.0, 1.0],
        "orientation": ["LPS"], "tilt_deg": 0.0, "contrast": ["none"], "oral_contrast": 0.0,
    }
)  # fmt: skip
"""Section `scan` of the usual scan: thin slices, soft kernel, usual dose."""

CHANGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "slice thickness, mm": {
            "1": {},
            **{f"{mm}": {"thickness_mm": [float(mm)]} for mm in (2, 3, 4, 5)},
        },
        "noise, times the usual": {
            "0.5": {"noise_scale": [0.5, 0.5]},
            "1": {},
            "2": {"noise_scale": [2.0, 2.0]},
            "3": {"noise_scale": [3.0, 3.0]},
        },
        "kernel": {"soft": {}, "sharp": {"kernel": ["sharp"]}},
    }
)
"""What is changed -> value -> keys of the section `scan`; the usual scan changes none."""


class Row(NamedTuple):
    """One level in one scan; densities in mg/cm³ HA, NaN where it was refused."""

    patient: int
    change: str
    value: str
    level: str
    network: float
    hu_linear: float
    qct_ha: float


@single_thread()
def scan_patient(
    recipe: Mapping[str, Any], seed: int, index: int, scanner: str, weights: str | None
) -> list[Row]:
    """Scan one patient in every way and read L1 to L4.

    Args:
        recipe: A loaded recipe; `USUAL` replaces its scan.
        seed: Seed of the patients.
        index: Number of the patient.
        scanner: Scanner name.
        weights: File of the network's weights; None for the shipped ones.
    """
    bundle = density.load("cpu", weights=None if weights is None else Path(weights))
    rows: list[Row] = []
    usual: list[Row] = []
    for change, values in CHANGES.items():
        for value, keys in values.items():
            if not keys and usual:
                rows += [row._replace(change=change, value=value) for row in usual]
                continue
            given = deepcopy(dict(recipe))
            given["scan"] |= {**USUAL, **keys}
            case = simulate(given, seed, index, scanner)
            levels = bundle.run(
                density.as_input(case.image, case.affine, case.labels, "phantom", 120.0)
            )["levels"]
            found = [
                Row(
                    index,
                    change,
                    value,
                    name,
                    _number(levels[name]["bmd_cnn_mg_cm3"]),
                    _number(levels[name]["bmd_hu_linear_mg_cm3"]),
                    case.truth["levels"][name]["qct_ha_mg_cm3"],
                )
                for name in MEASURED_LEVELS
                if name in case.truth["levels"]
            ]
            rows += found
            usual = usual or found
    return rows


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def changes(rows: Sequence[Row], change: str, value: str, reading: str) -> dict[int, list[float]]:
    """Change of every level that both scans measure, mg/cm³ HA, by patient."""
    usual = {
        (row.patient, row.level): getattr(row, reading)
        for row in rows
        if row.change == change and not CHANGES[change][row.value]
    }
    found: dict[int, list[float]] = {}
    for row in rows:
        if (row.change, row.value) == (change, value):
            moved = getattr(row, reading) - usual[row.patient, row.level]
            if np.isfinite(moved):
                found.setdefault(row.patient, []).append(float(moved))
    return found


def mean_over_levels(moved: Mapping[int, Sequence[float]], absolute: bool) -> Estimate:
    """Mean change with its bootstrap interval over patients, mg/cm³ HA.

    >>> found = mean_over_levels({0: [1.0, -3.0], 1: [2.0], 2: [4.0]}, absolute=True)
    >>> found.value
    2.5
    """
    owners = [patient for patient, each in moved.items() for _ in each]
    values = np.array([value for each in moved.values() for value in each])
    values = np.abs(values) if absolute else values
    return bootstrap(lambda weights: weights @ values / weights.sum(1), owners)


def table(rows: Sequence[Row]) -> str:
    """Mean absolute and mean change by what was changed, Markdown."""
    patients = len({row.patient for row in rows})
    lines = [
        f"Phantom results, {patients} patients; mg/cm³ HA, mean over levels (95 % interval over "
        "patients); levels that both scans measure, of all.",
        "",
        "| scan | reading | mean absolute change | mean change | levels |",
        "|---|---|---|---|---|",
    ]
    for change, values in CHANGES.items():
        for value, keys in values.items():
            if not keys:
                continue
            for reading, name in (("network", "network"), ("hu_linear", "HU-linear")):
                moved = changes(rows, change, value, reading)
                counted = sum(map(len, moved.values()))
                of = sum((row.change, row.value) == (change, value) for row in rows)
                cells = [_words(mean_over_levels(moved, absolute)) for absolute in (True, False)]
                lines.append(
                    f"| {change} {value} | {name} | {' | '.join(cells)} | {counted} of {of} |"
                )
    return "\n".join(lines) + "\n"


def _words(found: Estimate) -> str:
    if found.value is None:
        return f"none ({found.reason})"
    if found.low is None or found.high is None:
        return f"{found.value:.1f}"
    return f"{found.value:.1f} ({found.low:.1f} to {found.high:.1f})"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw every patient's mean change against what was changed, and their mean."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    panels = figure.subplots(2, len(CHANGES), sharey=True)
    for line, (reading, name) in zip(
        panels, (("network", "network"), ("hu_linear", "HU-linear")), strict=True
    ):
        for panel, (change, values) in zip(line, CHANGES.items(), strict=True):
            found = [changes(rows, change, value, reading) for value in values]
            places = np.arange(len(values))
            for patient in sorted({row.patient for row in rows}):
                course = [np.mean(each[patient]) if patient in each else np.nan for each in found]
                panel.plot(places, course, color="#56b4e9", linewidth=0.7)
            means = [mean_over_levels(each, absolute=False).value for each in found]
            panel.plot(places, means, color="#0072b2", linewidth=2.5, marker="o")
            panel.axhline(0, color="black", linewidth=0.6)
            panel.set_xticks(places, list(values))
            panel.set_xlabel(change)
            panel.set_title(name)
        line[0].set_ylabel("change, mg/cm³ HA")
    figure.suptitle("Phantoms: thin lines are patients, means of L1 to L4")
    figure.savefig(path, dpi=80)


def main(arguments: Sequence[str]) -> int:
    """Run the check."""
    parser = scanning_options(
        "tools.phantom.checks.robustness", __doc__, patients=20, seed=77, recipe="scanners"
    )
    options = parser.parse_args(arguments)
    if options.patients < 1 or options.workers < 1:
        parser.error("--patients and --workers are at least 1")
    try:
        density.load("cpu", weights=None if options.weights is None else Path(options.weights))
        recipe = recipes.load(options.recipe)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for found in each_patient(scan_patient, recipe, options):
        rows += found
    write_table(options.out / "robustness.csv", Row._fields, rows)
    (options.out / "robustness.md").write_text(table(rows), encoding="utf-8")
    draw(rows, options.out / "robustness.png")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
