"""The command: every reading of every scanner in every tier, and the files that say so."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.files import write_content, write_json
from tools.phantom import completion
from tools.phantom.checks.patches import tiers
from tools.phantom.checks.patches.tiers import (
    calibrations,
    cohort,
    made,
    measuring,
    readings,
    slabs,
    tables,
)
from tools.phantom.checks.patches.tiers.networks import Network, internal, plain
from tools.phantom.checks.patches.tiers.readings import CNN, INTERNAL

JSON_FILE, CSV_FILE, PAGE_FILE = "tiers.json", "tiers.csv", "tiers.md"


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
        if options.object_scans < 1 or options.pair_draws < 1:
            raise ValueError("--object_scans and --pair_draws are at least 1")
        bench = made.settings(options.bench)
        networks = _networks(options)
        used = networks[CNN].settings
        made.refuse_other_patches(options.bench, bench, used)
        weighted = slabs.weights(used["slice_step_mm"], used["slice_thickness_mm"])
        found = measuring.Found()
        for scanner in _scanners(options.scanner):
            patients = cohort.load(options.bench, scanner, weighted)
            seeds = range(options.seed, options.seed + options.pair_draws)
            measuring.measure(found, patients, networks, seeds, options.object_seed)
            measuring.note_other_scans(found, patients, options.object_seed, options.object_scans)
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


def _note_network(found: measuring.Found, reading: str, network: Network) -> None:
    name = readings.NAMES[reading]
    found.notes.append(f"{name}: weights {network.bundle.weights_sha256[:12]}.")
    if network.interval is None:
        found.notes.append(
            f"{name}: no 95 % interval of these weights, so none in T0 and T1; in T2 it is that "
            "of the pairs."
        )


def _content(
    found: measuring.Found, options: argparse.Namespace, bench: Mapping[str, Any], networks: Any
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
    parser.add_argument(
        "--pair_draws", type=int, default=20, help="draws of T2's patients whose spread is stated"
    )
    parser.add_argument("--weights", type=Path, help="of the network; the shipped ones")
    parser.add_argument("--interval", type=Path, help="of those weights; the shipped one")
    parser.add_argument("--internal_weights", type=Path, help="with internal calibration; shipped")
    parser.add_argument("--internal_interval", type=Path, help="of those weights; the shipped one")
    return parser.parse_args(arguments)
