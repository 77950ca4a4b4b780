"""The command: every reading of every scanner in every tier, and the files that say so."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tools import bundles
from tools.files import write_content, write_json
from tools.phantom import completion
from tools.phantom.checks.patches import tiers
from tools.phantom.checks.patches.reading import BUNDLE
from tools.phantom.checks.patches.tiers import (
    calibrations,
    cohort,
    made,
    readings,
    scoring,
    slabs,
    tables,
)
from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.checks.patches.tiers.networks import Network, internal, plain
from tools.phantom.checks.patches.tiers.readings import CNN, HU_LINEAR, INTERNAL, Values
from tools.phantom.checks.patches.tiers.scoring import Numbers
from tools.phantom.checks.patches.tiers.tables import IDEAL, Key

JSON_FILE, CSV_FILE, PAGE_FILE = "tiers.json", "tiers.csv", "tiers.md"


@dataclass
class Found:
    """All results.

    Attributes:
        numbers: By scanner, reading and tier.
        counts: What they rest on.
        calibrations: Scanner -> tier -> what was fitted, as JSON holds it.
        notes: What a reader must know, one sentence each.
    """

    numbers: dict[Key, Numbers] = field(default_factory=dict)
    counts: dict[Key, dict[str, Any]] = field(default_factory=dict)
    calibrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    """Make the table.

    Args:
        arguments: Words of the command line.

    Returns:
        Exit code: 0, or 2 for unusable arguments.
    """
    options = _options(arguments)
    try:
        if options.out.exists() and not options.out.is_dir():
            raise ValueError(f"OUT names a file, not a folder: {options.out}")
        if options.object_scans < 1:
            raise ValueError("--object_scans is at least 1")
        bench = made.settings(options.bench)
        networks = _networks(options)
        used = networks[CNN].settings
        made.refuse_other_patches(options.bench, bench, used)
        weighted = slabs.weights(used["slice_step_mm"], used["slice_thickness_mm"])
        found = Found()
        for scanner in _scanners(options.scanner):
            patients = cohort.load(options.bench, scanner, weighted)
            measure(found, patients, networks, options.seed, options.object_seed)
            _note_other_scans(found, patients, options.object_seed, options.object_scans)
        if INTERNAL not in networks:
            found.notes.append(
                "The network with internal calibration is left out: its weights are missing."
            )
        for name, network in networks.items():
            _note_network(found, name, network)
        options.out.mkdir(parents=True, exist_ok=True)
        content = _content(found, options, bench, networks)
        write_json(options.out / JSON_FILE, content)
        write_content(options.out / CSV_FILE, tables.long(found.numbers))
        write_content(options.out / PAGE_FILE, tables.page(content, found.numbers, found.counts))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("phantom results\n")
    print(tables.main_table(found.numbers, found.counts))
    return 0


def measure(
    found: Found,
    patients: Cohort,
    networks: Mapping[str, Network],
    seed: int,
    object_seed: int,
) -> None:
    """Read and score a scanner's patients in all tiers.

    Args:
        found: Where results go.
        patients: The scanner's patients.
        networks: The networks by reading.
        seed: Of the patients whose QCT is known, and of all resampling.
        object_seed: Of the scan of the test object.

    Raises:
        ValueError: The patients are too few, or a calibration does not come about; one line.
    """
    in_use = bundles.module(BUNDLE, "bmd_bundle.in_use")
    scanner, everyone = patients.scanner, np.ones(len(patients.patient), dtype=bool)
    paired = calibrations.draw(patients, seed)
    line = calibrations.of_object(scanner, patients.kvp, object_seed)
    blind = in_use.for_scan(None, patients.kvp)
    known = in_use.for_scan(line.calibration, patients.kvp)
    fitted = found.calibrations.setdefault(scanner, {"T1": dict(line.measured), "T2": {}})
    found.notes.append(
        f"{scanner}, T1: HU = {line.calibration.slope_hu_per_mg_cm3:.3f} × {tables.UNIT} HA "
        f"{line.calibration.intercept_hu:+.1f}; the reference line is "
        f"{blind.line.slope_hu_per_mg_cm3:.3f} × {tables.UNIT} HA."
    )

    def keep(reading: str, tier: str, values: Values, chosen: np.ndarray) -> None:
        key = scanner, reading, tier
        found.numbers[key] = scoring.score(patients, values, chosen, seed)
        found.counts[key] = scoring.counts(patients, values, chosen)

    for reading in [name for name in readings.NAMES if name in (*networks, HU_LINEAR)]:
        network = networks.get(reading)
        read = _reader(patients, network)
        before = read(blind, blind)
        keep(reading, "T0", before, everyone)
        keep(reading, "T1", read(known, known), everyone)
        sha256 = network.bundle.weights_sha256 if network else None
        try:
            site = calibrations.of_pairs(patients, before.density, paired, reading, sha256)
            corrected = in_use.for_scan(site.correction, patients.kvp)
        except ValueError as error:
            name = readings.NAMES[reading]
            found.notes.append(f"{scanner}, T2, {name}: left out, no correction ({error}).")
            continue
        keep(reading, "T2", read(blind, corrected), ~paired)
        fitted["T2"][reading] = dict(site.content)
        found.notes.append(
            f"{scanner}, T2, {readings.NAMES[reading]}: density = {site.correction.slope:.3f} × "
            f"reading {site.correction.intercept:+.1f} {tables.UNIT}, from "
            f"{site.correction.n} patients; {site.content['correction']['why']}."
        )
    found.numbers[scanner, IDEAL, ""] = {
        "fat": scoring.fat(patients, patients.qct_ha, everyone, seed)
    }


def _note_other_scans(found: Found, patients: Cohort, first: int, scans: int) -> None:
    """Say how far T1 rests on the one scan of the object: HU-linear bias of further scans.

    A scanner's water is not the same every day, and the intervals over patients do not know of it.
    """
    biases = []
    for seed in range(first, first + scans):
        line = calibrations.of_object(patients.scanner, patients.kvp, seed).calibration
        error = line.density(patients.trabecular_hu) - patients.qct_ha
        biases.append(float(error[patients.read].mean()))
    found.calibrations[patients.scanner]["T1_hu_linear_bias_of_scans_mg_cm3"] = biases
    if scans > 1:
        found.notes.append(
            f"{patients.scanner}, T1, HU-linear: bias of {scans} scans of the object, the first of "
            f"them in the tables: mean {np.mean(biases):+.1f}, SD {np.std(biases, ddof=1):.1f}, "
            f"from {min(biases):+.1f} to {max(biases):+.1f} {tables.UNIT}; intervals over patients "
            "do not hold this spread."
        )


def _reader(patients: Cohort, network: Network | None) -> Callable[[Any, Any], Values]:
    """How a reading is taken: with a line before it, and a correction behind it.

    The network runs once for each line.
    """
    if network is None:
        return lambda line, used: readings.hu_linear(patients, used)
    kept: dict[str, np.ndarray] = {}

    def read(line: Any, used: Any) -> Values:
        if line.line.id not in kept:
            kept[line.line.id] = network.read(patients, line.line)
        return readings.cnn(patients, kept[line.line.id], used, network.interval)

    return read


def _networks(options: argparse.Namespace) -> dict[str, Network]:
    """The networks by reading, that with internal calibration only where its weights exist."""
    found = {CNN: plain(options.weights, options.interval)}
    other = internal(options.internal_weights, options.internal_interval)
    return found if other is None else found | {INTERNAL: other}


def _scanners(given: str) -> list[str]:
    """Names of the scanners, each once, in order."""
    found = sorted({name.strip() for name in given.split(",") if name.strip()})
    if not found:
        raise ValueError("--scanner names no scanner; give such as A,B,C")
    return found


def _note_network(found: Found, reading: str, network: Network) -> None:
    name = readings.NAMES[reading]
    found.notes.append(f"{name}: weights {network.bundle.weights_sha256[:12]}.")
    if network.interval is None:
        found.notes.append(
            f"{name}: no 95 % interval of these weights, so none in T0 and T1; in T2 it is that "
            "of the pairs."
        )


def _content(
    found: Found, options: argparse.Namespace, bench: Mapping[str, Any], networks: Any
) -> dict[str, Any]:
    """What tiers.json holds."""
    scanners: dict[str, Any] = {}
    for (scanner, reading, tier), numbers in found.numbers.items():
        branch = scanners.setdefault(scanner, {"calibrations": found.calibrations[scanner]})
        key = scanner, reading, tier
        cell = branch.setdefault(reading, {})
        cell[tier or "truth"] = {"counts": found.counts.get(key)} | {
            table: {name: one.as_dict() for name, one in measures.items()}
            for table, measures in numbers.items()
        }
    return {
        "phantom": True,
        "software": dict(completion.software()),
        "bench": {name: bench.get(name) for name in ("seed", "paired", "patch", "reading_sha256")}
        | {"recipe": bench.get("recipe", {}).get("name")},
        "seed": options.seed,
        "object_seed": options.object_seed,
        "object_body_mm": list(calibrations.RING_MM),
        "pairs": calibrations.PAIRS,
        "weights_sha256": {name: one.bundle.weights_sha256 for name, one in networks.items()},
        "unit": "mg/cm3",
        "mineral": "HA",
        "tiers": tables.TIERS,
        "notes": found.notes,
        "scanners": scanners,
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.phantom.checks.patches.tiers",
        description=tiers.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("bench", type=Path, help="folder of the bench")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--scanner", default="A,B,C", help="scanners, separated by commas")
    parser.add_argument("--seed", type=int, default=0, help="of T2's patients and of resampling")
    parser.add_argument("--object_seed", type=int, default=0, help="of T1's scan of the object")
    parser.add_argument(
        "--object_scans", type=int, default=4, help="scans of the object whose spread is stated"
    )
    parser.add_argument("--weights", type=Path, help="of the network; the shipped ones")
    parser.add_argument("--interval", type=Path, help="of those weights; the shipped one")
    parser.add_argument("--internal_weights", type=Path, help="with internal calibration; shipped")
    parser.add_argument("--internal_interval", type=Path, help="of those weights; the shipped one")
    return parser.parse_args(arguments)
