"""What a scanner does to density: an HU-linear calibration of scanner A, used on A, B and C.

    python -m tools.phantom.checks.bias scratch/bias --patients 100 --workers 2
    python -m tools.phantom.checks.bias scratch/paired --patients 100 --paired

HU are read as `screen` reads them, from the central slab of L1 to L4 (`bmd_bundle.patches`), with
the true masks; the line from HU to density is fitted on scanner A's scans of one half of the
patients and used on the other half, in turn; the error is density minus the truth's
`qct_ha_mg_cm3`, mean over the levels of a patient. Writes `bias.md` and `levels.csv`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from tqdm import tqdm

from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.phantom import recipe as recipes
from tools.phantom.case import simulate
from tools.threads import single_thread

SCANNERS = ("A", "B", "C")
#: How scans are made, whatever the recipe says: the mean of a slab of 9 mm needs no more.
SCAN = MappingProxyType(
    {
        "field": "vertebrae",
        "pixel_mm": [1.1, 1.3],
        "thickness_mm": [3.0],
        "interval_ratio": [1.0, 1.0],
        "orientation": ["LPS"],
    }
)
#: Parts of the patients by number: each is tested with the line of the other.
FOLDS = 2
#: Two-sided confidence.
CONFIDENCE = 0.95


class Reading(NamedTuple):
    """One level: HU as the product reads them, and the truth, mg/cm³ HA."""

    scanner: str
    patient: int
    level: str
    hu: float
    qct_ha: float


class Line(NamedTuple):
    """Density = `intercept` + `slope` · HU, mg/cm³ HA."""

    slope: float
    intercept: float


class Bias(NamedTuple):
    """Error of the patients' mean density on one scanner, mg/cm³ HA.

    Attributes:
        patients: How many.
        density: Their mean true density.
        mean: Mean error.
        low: Lower end of its 95 % confidence interval.
        high: Upper end.
        sd: Spread of the errors between patients.
    """

    patients: int
    density: float
    mean: float
    low: float
    high: float
    sd: float


@single_thread()
def read_levels(
    recipe: dict[str, Any], seed: int, index: int, scanner: str, paired: bool
) -> list[Reading]:
    """Draw one patient on one scanner and read L1 to L4 as `screen` does.

    Args:
        recipe: A loaded recipe; `SCAN` replaces its field and sampling.
        seed: Seed of the cohort.
        index: Number of the patient.
        scanner: Scanner name.
        paired: Whether the patient is the same on every scanner.
    """
    patches = bundles.module("bmd_regression", "bmd_bundle.patches")
    given = deepcopy(recipe)
    given["scan"] |= SCAN
    case = simulate(given, seed, index, scanner, paired)
    readings = []
    for level in MEASURED_LEVELS:
        truth = case.truth["levels"].get(level)
        if truth is None or not truth["complete"]:
            continue
        try:
            patch = patches.extract(case.image, case.affine, case.labels == LABEL_IDS[level])
        except patches.PatchError:
            continue
        reading = patch.trabecular_hu
        readings.append(Reading(scanner, index, level, reading, truth["qct_ha_mg_cm3"]))
    return readings


def fit(readings: Iterable[Reading]) -> Line:
    """Fit the line from HU to density by least squares of density."""
    hu, density = np.array([(each.hu, each.qct_ha) for each in readings]).T
    slope, intercept = np.polyfit(hu, density, deg=1)
    return Line(float(slope), float(intercept))


def patient_errors(readings: Iterable[Reading], lines: Sequence[Line]) -> dict[int, float]:
    """Error of every patient's mean density, mg/cm³ HA, by patient.

    Args:
        readings: Of one scanner.
        lines: Line for every patient, by the number's remainder.
    """
    ordered = sorted(readings, key=lambda each: each.patient)
    found = {}
    for patient, group in groupby(ordered, key=lambda each: each.patient):
        line = lines[patient % len(lines)]
        gaps = [line.intercept + line.slope * each.hu - each.qct_ha for each in group]
        found[patient] = float(np.mean(gaps))
    return found


def summarise(errors: Sequence[float], density: float) -> Bias:
    """Mean error with its t interval.

    >>> [round(value, 2) for value in summarise([1.0, 2.0, 3.0], 100.0)[2:]]
    [2.0, -0.48, 4.48, 1.0]
    """
    values = np.asarray(errors)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * sd / np.sqrt(len(values))
    return Bias(len(values), density, mean, mean - float(half), mean + float(half), sd)


def lines_of(readings: Sequence[Reading]) -> list[Line]:
    """Fit scanner A's line for every part of the patients on all other parts."""
    own = [each for each in readings if each.scanner == "A"]
    return [fit(each for each in own if each.patient % FOLDS != part) for part in range(FOLDS)]


def biases(readings: Sequence[Reading], lines: Sequence[Line]) -> dict[str, Bias]:
    """Find each scanner's bias.

    Args:
        readings: Of all scanners.
        lines: From `lines_of`.
    """
    found = {}
    for scanner in sorted({each.scanner for each in readings}):
        own = [each for each in readings if each.scanner == scanner]
        density = float(np.mean([each.qct_ha for each in own]))
        found[scanner] = summarise(list(patient_errors(own, lines).values()), density)
    return found


def differences(readings: Sequence[Reading], lines: Sequence[Line]) -> dict[str, Bias]:
    """For paired readings: what a scanner reads above A in the same patients.

    Raises:
        ValueError: If a patient's truth differs between scanners: the readings are not paired.
    """
    first = {(each.patient, each.level): each for each in readings if each.scanner == "A"}
    found = {}
    for scanner in sorted({each.scanner for each in readings} - {"A"}):
        gaps, densities = [], []
        for each in readings:
            one = first.get((each.patient, each.level))
            if each.scanner != scanner or one is None:
                continue
            if one.qct_ha != each.qct_ha:
                raise ValueError(f"scanner {scanner} shows other patients than A: not paired")
            line = lines[each.patient % len(lines)]
            gaps.append(each._replace(qct_ha=line.intercept + line.slope * one.hu))
            densities.append(one.qct_ha)
        errors = list(patient_errors(gaps, lines).values())
        found[f"{scanner} - A"] = summarise(errors, float(np.mean(densities)))
    return found


def table(line: Line, found: Mapping[str, Bias]) -> str:
    """Write the biases as Markdown."""
    lines = [
        f"Density = {line.slope:.4f} mg/cm³ per HU · HU {line.intercept:+.2f} mg/cm³, "
        "fitted on scanner A; each half of the patients is read with the other half's line.",
        "",
        "| scanner | patients | true mean, mg/cm³ HA | bias (95 % CI) | SD | limits of agreement |",
        "|---|---|---|---|---|---|",
    ]
    for name, bias in found.items():
        limits = (bias.mean - 1.96 * bias.sd, bias.mean + 1.96 * bias.sd)
        lines.append(
            f"| {name} | {bias.patients} | {bias.density:.1f} "
            f"| {bias.mean:+.2f} ({bias.low:+.2f} to {bias.high:+.2f}) | {bias.sd:.2f} "
            f"| {limits[0]:+.1f} to {limits[1]:+.1f} |"
        )
    return "\n".join(lines) + "\n"


def measure(
    recipe: dict[str, Any], seed: int, patients: int, paired: bool, workers: int
) -> list[Reading]:
    """Read L1 to L4 of so many patients on every scanner."""
    jobs = [(recipe, seed, n, scanner, paired) for n in range(patients) for scanner in SCANNERS]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        drawn = pool.map(_read, jobs, chunksize=3)
        return [each for part in tqdm(drawn, total=len(jobs), unit="scan") for each in part]


def _read(job: tuple[dict[str, Any], int, int, str, bool]) -> list[Reading]:
    return read_levels(*job)


def main(arguments: Sequence[str]) -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.phantom.checks.bias", description=__doc__
    )
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--patients", type=int, default=100, help="per scanner")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="scanners", help="packaged name or YAML file")
    parser.add_argument("--paired", action="store_true", help="the same patients on every scanner")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.patients < 2 * FOLDS or options.workers < 1:
        parser.error("--patients is at least 4, --workers at least 1")
    try:
        recipe = recipes.load(options.recipe)
        if options.paired:
            recipes.refuse_paired(recipe)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    readings = measure(recipe, options.seed, options.patients, options.paired, options.workers)
    lines = lines_of(readings)
    found = biases(readings, lines)
    if options.paired:
        found |= differences(readings, lines)
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(fit(each for each in readings if each.scanner == "A"), found)
    (options.out / "bias.md").write_text(text, encoding="utf-8")
    with (options.out / "levels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Reading._fields)
        writer.writerows(readings)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
