"""Set grey values, noise and edges of phantoms beside those of the real CTs.

    python -m tools.phantom.tone scratch/tone

Writes `tone.md` (one table per real CT), `tone.json` and one picture per tissue and edge. Phantoms
are scanned and resampled like the real CT beside them; tissues are found by the same rules in both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tools.files import write_atomically
from tools.phantom.case import simulate
from tools.phantom.real import Scan
from tools.phantom.recipe import load
from tools.phantom.tone.figures import draw_edges, draw_histograms
from tools.phantom.tone.look import COLUMNS, Look
from tools.phantom.tone.measures import Profile
from tools.phantom.tone.phantoms import MATCHES, Match, like, settings
from tools.phantom.tone.regions import TISSUES


def compare(match: Match, recipe: dict[str, Any], cases: int, seed: int) -> tuple[Scan, list[Look]]:
    """Measure a real scan and the phantoms beside it; the real one comes first."""
    scan = match.read()
    looks = [Look(scan)]
    for index in tqdm(range(cases), desc=scan.name, unit="phantom"):
        case = simulate(settings(recipe, match), seed, index)
        looks.append(Look(like(case, f"phantom {index}", scan.grid, match.extent_mm)))
    return scan, looks


def table(name: str, note: str, looks: list[Look]) -> str:
    """Return a markdown table: the real scan beside mean and range of the phantoms."""
    real, *phantoms = (look.numbers() for look in looks)
    lines = [f"### {name}", "", note, "", "| | real | phantom, mean (range) |", "|---|---|---|"]
    digits = {field: places for field, _, places in COLUMNS} | {"rise_mm": 2, "peak_hu": 0}
    heads = {field: head for field, head, _ in COLUMNS}
    heads |= {"rise_mm": "10-90 % rise, mm", "peak_hu": "peak HU"}
    for key, value in real.items():
        part, field = key.split(" ")
        drawn = [number for phantom in phantoms if (number := phantom[key]) is not None]
        if value is None or not drawn:
            continue
        places = digits[field]
        spread = f"{np.mean(drawn):.{places}f} ({min(drawn):.{places}f} to {max(drawn):.{places}f})"
        lines.append(f"| {part}, {heads[field]} | {value:.{places}f} | {spread} |")
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text(text)

    write_atomically(path, write)


def main(arguments: list[str]) -> int:
    """Compare, and write tables and pictures; returns the exit status."""
    parser = argparse.ArgumentParser("python -m tools.phantom.tone", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)  # fmt: skip
    parser.add_argument("out", type=Path, help="folder for tables and pictures")
    parser.add_argument("--cases", type=int, default=4, help="phantoms beside each real CT (4)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the phantoms (0)")
    options = parser.parse_args(arguments)
    if options.cases < 1:
        parser.error(f"--cases must be at least 1, got {options.cases}")
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = load("standard")
    tables, numbers = [], {}
    found: dict[str, list[Look]] = {}
    for match in MATCHES:
        try:
            scan, looks = compare(match, recipe, options.cases, options.seed)
        except FileNotFoundError as error:
            tables.append(f"Not compared: {error}\n")
            continue
        found[scan.name] = looks
        tables.append(table(scan.name, match.note, looks))
        numbers[scan.name] = [look.numbers() for look in looks]
    for tissue in TISSUES:
        pairs = {name: [look.tissues[tissue] for look in looks] for name, looks in found.items()}
        draw_histograms(options.out / f"{tissue}.png", tissue, pairs)
    pick: dict[str, Callable[[Look], Profile | None]] = {
        "skin": lambda look: look.skin,
        "border": lambda look: look.border,
    }
    for edge, choose in pick.items():
        profiles = {name: [choose(look) for look in looks] for name, looks in found.items()}
        draw_edges(options.out / f"{edge}.png", edge, profiles)
    _write(options.out / "tone.md", "\n".join(tables))
    _write(options.out / "tone.json", json.dumps(numbers, indent=1) + "\n")
    print("\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
