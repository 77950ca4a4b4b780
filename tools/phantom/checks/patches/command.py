"""The command of the bench: which patients are missing, and the processes that draw them.

Workers import this module by name, which they could not do with a program's `__main__`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from tools import bundles, processes, sources
from tools.files import exclusive
from tools.phantom import completion
from tools.phantom import recipe as recipes
from tools.phantom.checks import patches
from tools.phantom.checks.patches import store
from tools.phantom.checks.patches.reading import BUNDLE, PLANES_MM, Settings, read_patient
from tools.phantom.imaging.scanner import SCANNERS


class Block(NamedTuple):
    """One file to make: a scanner and its patients `start` to `stop` - 1."""

    scanner: str
    start: int
    stop: int


def blocks_of(scanners: Sequence[str], patients: int) -> list[Block]:
    """Divide the patients of every scanner into blocks.

    >>> blocks_of(["A"], 30)
    [Block(scanner='A', start=0, stop=20), Block(scanner='A', start=20, stop=30)]
    """
    return [
        Block(scanner, start, min(start + store.BLOCK, patients))
        for start in range(0, patients, store.BLOCK)
        for scanner in scanners
    ]


def reading_sha256(root: Path = bundles.FOLDER / BUNDLE) -> str:
    """SHA-256 of the bundle's sources that patches and tissues are read with, hexadecimal."""
    starts = [f"bmd_bundle/{name}.py" for name in ("patches", "tissues")]
    digest = hashlib.sha256()
    for source in sorted(sources.reached(starts, root)):
        digest.update(source.as_posix().encode() + b"\0" + (root / source).read_bytes() + b"\0")
    return digest.hexdigest()


def is_finished(out: Path, block: Block) -> bool:
    """Whether a block's file holds as many patients as it shall, or more."""
    path = store.block_path(out, block.scanner, block.start)
    return store.patients_in(path) >= block.stop - block.start


def make(
    out: Path, recipe: dict[str, Any], seed: int, paired: bool, settings: Settings, block: Block
) -> None:
    """Draw and read a block's patients, and write its file."""
    numbers = range(block.start, block.stop)
    found = [read_patient(recipe, seed, n, block.scanner, paired, settings) for n in numbers]
    store.save(store.block_path(out, block.scanner, block.start), found)


def main(arguments: Sequence[str]) -> int:
    """Draw the bench.

    Args:
        arguments: Words of the command line.

    Returns:
        Exit code: 0, or 2 for unusable arguments or a run that could not go on.
    """
    options = _options(arguments)
    settings = Settings(options.size_mm, options.pixels, options.margin_mm, options.slice_step_mm)
    try:
        scanners = sorted({name.strip() for name in options.scanner.split(",")})
        for name in scanners:
            SCANNERS[name]  # raises for an unknown one
        if options.patients < 1 or options.workers < 1:
            raise ValueError("--patients and --workers are at least 1")
        recipe = recipes.load(options.recipe)
        if options.paired:
            recipes.refuse_paired(recipe)
        store.prepare(
            options.out,
            {
                "recipe": recipe,
                "seed": options.seed,
                "paired": options.paired,
                "patch": asdict(settings),
                "planes_mm": PLANES_MM,
                "software": dict(completion.software()),
                "reading_sha256": reading_sha256(),
            },
        )
        work = partial(make, options.out, recipe, options.seed, options.paired, settings)
        with exclusive(options.out):
            _make_missing(options.out, blocks_of(scanners, options.patients), work, options.workers)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _make_missing(
    out: Path, blocks: Sequence[Block], work: Callable[[Block], None], workers: int
) -> None:
    """Make every block that is not finished, with a progress bar."""
    missing = [block for block in blocks if not is_finished(out, block)]
    used = min(workers, len(missing))
    with tqdm(total=len(blocks), initial=len(blocks) - len(missing), unit="block") as bar:
        if used > 1:
            processes.run_all(work, missing, used, bar.update)
            return
        for block in missing:
            work(block)
            bar.update()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    usual = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m tools.phantom.checks.patches",
        description=patches.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, help="folder to write, new or left by the same command")
    parser.add_argument("--scanner", default="A,B,C", help="scanners, separated by commas")
    parser.add_argument("--patients", type=int, default=100, help="per scanner")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="scanners", help="packaged name or YAML file")
    parser.add_argument("--paired", action="store_true", help="the same patients on every scanner")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--size_mm", type=float, default=usual.size_mm, help="edge of the square")
    parser.add_argument("--pixels", type=int, default=usual.pixels, help="samples along an edge")
    parser.add_argument("--margin_mm", type=float, default=usual.margin_mm, help="to the surface")
    parser.add_argument(
        "--slice_step_mm", type=float, default=usual.slice_step_mm, help="places the patch"
    )
    return parser.parse_args(arguments)
