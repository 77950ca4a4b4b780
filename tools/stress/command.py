"""The `lumbar` stress test: plans, processes, rows and their summary."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tools import processes
from tools.files import write_content, write_json
from tools.options import nearest
from tools.phantom import real
from tools.phantom.cohort import LARGEST_SEED, phantom
from tools.stress import plans
from tools.stress.examine import PICTURES, ROWS, Setup, examine, read
from tools.stress.plans import Plan
from tools.stress.summary import in_words, summarize
from tools.threads import single_thread

TABLE, SUMMARY = "rows.csv", "summary.json"

PHANTOM_RECIPE = "standard"
"""What phantoms are tested on: not the recipe that trains."""

COHORT = "cohort"

REAL_PARTS = frozenset({"variants", "slices", "negatives"})
"""Parts made of real CTs; the others are made of phantoms."""


def lumbar(
    out: Path,
    variants: int = 120,
    phantoms: int = 200,
    seed: int = 0,
    parts: str = "all",
    workers: int = 1,
    weights: Path | None = None,
    cohort: Path | None = None,
    data: Path = real.DATA,
) -> None:
    """Run lumbar_segmentation on scans whose answer is known, and count right and wrong names.

    Real: seeded variants of one labelled CT (turned, resampled, mirrored, noisy, scaled, cut at
    every level), sagittal slices cut from it, and CTs that can only be refused. Phantoms: whole
    abdomens, the same with fields that end early, and with outlines made wrong. Writes rows.csv,
    summary.json with 95 % confidence intervals, and pictures of every wrong name and of a sample.
    Give the same command again to go on; only what is missing, or was made with other code or
    weights, is done.

    Args:
        out: Folder to write.
        variants: Variants of the labelled CT.
        phantoms: Phantom patients.
        seed: Number from which variants and phantoms follow.
        parts: What to examine: all, or some of variants, slices, negatives, phantoms, truncated,
            swallowed, separated by commas.
        workers: Processes that work at once.
        weights: File of the weights; the shipped ones by default.
        cohort: A finished phantom cohort to use; by default one of the recipe `standard` is drawn
            into OUT.
        data: Folder of the real CTs.

    Raises:
        ValueError: An argument is unusable, or a file is missing; raised before any work starts.
        OSError: A file cannot be written, or a worker was killed; finished scans stay.
    """
    wanted = _parts(parts)
    limits = {"variants": (variants, 1), "phantoms": (phantoms, 1), "workers": (workers, 1)}
    for name, (value, low) in limits.items():
        if value < low:
            raise ValueError(f"{name} is a whole number of at least {low}, not {value}")
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed is a whole number from 0 to {LARGEST_SEED}, not {seed}")
    if REAL_PARTS & set(wanted) and not data.is_dir():
        raise ValueError(f"{data}: no real CTs there; give --data, or --parts phantoms,truncated")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder")
    setup = Setup(out.resolve(), weights.resolve() if weights else None)
    setup.load()  # unusable weights are refused before patients are drawn
    for folder in (ROWS, PICTURES):
        (out / folder).mkdir(parents=True, exist_ok=True)
    if set(wanted) - REAL_PARTS and cohort is None:
        cohort = out / COHORT
        phantom(cohort, phantoms, seed, recipe=PHANTOM_RECIPE, workers=workers)
    todo: list[Plan] = []
    for part in wanted:
        todo += _plans(part, variants, phantoms, seed, data, cohort)
    run(setup, todo, workers)
    content = write(setup, todo)
    for part, found in content.items():
        print(in_words(part, found["all"]))
    print(f"rows, summary and pictures: {out}")


def _parts(text: str) -> list[str]:
    """Return the parts that a comma-separated text names."""
    names = plans.PARTS if text == "all" else tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in plans.PARTS:
            known = ", ".join(plans.PARTS)
            raise ValueError(f"unknown part {name!r}{nearest(name, plans.PARTS)}; known: {known}")
    return [part for part in plans.PARTS if part in names]


def _plans(
    part: str, variants: int, phantoms: int, seed: int, data: Path, cohort: Path | None
) -> list[Plan]:
    """Plan one part."""
    if part == "variants":
        return plans.variant_plans(variants, seed, data)
    if part == "slices":
        return plans.slice_plans(data)
    if part == "negatives":
        return plans.negative_plans(data)
    assert cohort is not None  # drawn or given for these parts
    make = {
        "phantoms": plans.phantom_plans,
        "truncated": plans.truncated_plans,
        "swallowed": plans.swallowed_plans,
    }
    return make[part](cohort.resolve())[:phantoms]


def run(setup: Setup, todo: Sequence[Plan], workers: int = 1) -> None:
    """Examine every plan whose record is missing or outdated.

    Args:
        setup: How.
        todo: The plans.
        workers: Processes that work at once.

    Raises:
        OSError: A file cannot be written, or a worker was killed; finished scans stay.
    """
    for folder in (ROWS, PICTURES):
        (setup.out / folder).mkdir(parents=True, exist_ok=True)
    missing = [(n, plan) for n, plan in enumerate(todo) if read(setup, plan) is None]
    used = min(workers, len(missing))
    with tqdm(total=len(todo), initial=len(todo) - len(missing), desc="stress", unit="scan") as bar:
        if used > 1:
            processes.run_all(partial(examine, setup), missing, used, bar.update)
            return
        with single_thread():
            for numbered in missing:
                examine(setup, numbered)
                bar.update()


def write(setup: Setup, todo: Sequence[Plan]) -> dict[str, Any]:
    """Write the rows of examined plans as one table, and their summary.

    Args:
        setup: How they were examined.
        todo: The plans.

    Returns:
        The summary, by part.
    """
    records = [record for plan in todo if (record := read(setup, plan)) is not None]
    rows = [row for record in records for row in record["rows"]]
    text = io.StringIO()
    if records:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*rows[0], "seconds", "settings"])
        for record in records:
            for row in record["rows"]:
                cells = [";".join(v) if isinstance(v, list) else v for v in row.values()]
                writer.writerow([*cells, record["seconds"], json.dumps(record["settings"])])
    write_content(setup.out / TABLE, text.getvalue())
    content = summarize(rows)
    weights = setup.load().weights_sha256
    seconds = sorted(record["seconds"] for record in records)
    write_json(
        setup.out / SUMMARY,
        {
            "weights_sha256": weights,
            "software_sha256": setup.software(),
            "scans": len(records),
            "median_seconds": seconds[len(seconds) // 2] if seconds else None,
            "parts": content,
        },
    )
    return content
