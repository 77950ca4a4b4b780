"""What checks share that let a network read scans of patients: options, processes, the table."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm


def options_of(module: str, description: str | None) -> argparse.ArgumentParser:
    """Begin the options of a check.

    Args:
        module: What is run, "tools.phantom.checks.robustness".
        description: Its docstring.
    """
    return argparse.ArgumentParser(
        f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def scanning_options(
    module: str, description: str | None, patients: int, seed: int, recipe: str
) -> argparse.ArgumentParser:
    """Options of a check that scans patients; numbers are the defaults."""
    parser = options_of(module, description)
    parser.add_argument("out", type=Path, help="folder for the result")
    parser.add_argument("--patients", type=int, default=patients, help=f"patients ({patients})")
    parser.add_argument("--seed", type=int, default=seed, help=f"seed of the patients ({seed})")
    parser.add_argument("--scanner", default="A", help="scanner (A)")
    parser.add_argument("--recipe", default=recipe, help=f"recipe of the patients ({recipe})")
    parser.add_argument("--weights", help="weights; the shipped ones by default")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    return parser


def each_patient(
    scan: Callable[..., Any], recipe: dict[str, Any], options: argparse.Namespace
) -> Iterator[Any]:
    """Scan every patient, some at once, and give what comes of each, in order.

    Args:
        scan: Takes recipe, seed, number of the patient, scanner and weights.
        recipe: A loaded recipe.
        options: Of `scanning_options`.
    """
    with ProcessPoolExecutor(options.workers, mp_context=get_context("forkserver")) as pool:
        jobs = [
            pool.submit(scan, recipe, options.seed, index, options.scanner, options.weights)
            for index in range(options.patients)
        ]
        for job in tqdm(jobs, unit="patient"):
            yield job.result()


def write_table(path: Path, fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV file; its folder is made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([fields, *rows])
