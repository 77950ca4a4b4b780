"""Compare drawn patients with published anatomy and with real masks, by morphometry alone.

    python -m tools.phantom.checks.anatomy scratch/anatomy --patients 200 --workers 2

Draws label maps at 1 mm, measures each with `tools.morphometry`, which sees nothing but the map,
and writes into OUT: `values.csv` (every value of every patient), `anatomy.md` (tables) and
`pictures/` (measured points on the real masks). Rerun after each change of the phantom.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from tools.files import write_atomically
from tools.morphometry import measure
from tools.phantom import case, recipe
from tools.phantom.checks import real_masks, tables
from tools.phantom.checks.coarse import coarsen
from tools.phantom.checks.picture import draw_points
from tools.phantom.checks.rows import flatten
from tools.phantom.checks.tables import PatientRows

MARKER = "<!-- measured -->"
"""Line of a page below which everything is replaced by `--docs`."""

FINE_MM, COARSE = 1.0, 3
"""Spacing of the drawn maps, and how many of their voxels join to one for the 3 mm masks."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; an unusable one ends the program with one line and status 2."""
    parser = argparse.ArgumentParser(
        "python -m tools.phantom.checks.anatomy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("out", type=Path, help="folder for table, values and pictures")
    parser.add_argument("--patients", type=int, default=200, help="patients to draw (200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the patients (0)")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--docs", type=Path, help="page whose measured part is replaced")
    parser.add_argument("--recipe", default="standard", help="recipe name or file (standard)")
    options = parser.parse_args(arguments)
    for name, low in (("patients", 2), ("workers", 1), ("seed", 0)):
        if getattr(options, name) < low:
            parser.error(f"--{name} must be at least {low}, got {getattr(options, name)}")
    if options.docs is not None and not options.docs.is_file():
        parser.error(f"no such file: {options.docs}")
    return options


def measure_patient(job: tuple[dict, int, int]) -> PatientRows:
    """Draw one patient (recipe, seed, index) and measure the map at 1 and at 3 mm."""
    given, seed, index = job
    labels, affine, person = case.draw_labels(given, seed, index, spacing_mm=FINE_MM)
    fine = measure(labels, affine)
    start = np.random.default_rng((seed, index)).integers(0, COARSE, 3)
    shift = (int(start[0]), int(start[1]), int(start[2]))
    coarse = measure(*coarsen(labels, affine, COARSE, shift))
    refused = {level: body.reason or "" for level, body in fine.levels.items() if not body.complete}
    sex, age = str(person["sex"]), float(person["age"])
    return PatientRows(index, sex, age, flatten(fine), flatten(coarse), refused)


def measure_all(given: dict, seed: int, patients: int, workers: int) -> list[PatientRows]:
    """Measure patients in number order; the number of workers changes nothing."""
    jobs = [(given, seed, index) for index in range(patients)]
    progress = {"total": patients, "desc": "patients", "unit": "patient"}
    if workers == 1:
        return list(tqdm(map(measure_patient, jobs), **progress))
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        return list(tqdm(pool.map(measure_patient, jobs), **progress))


def to_csv(patients: Sequence[PatientRows]) -> str:
    """List every value, one per line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["patient", "sex", "age", "spacing_mm", "place", "measure", "value"])
    for patient in patients:
        for spacing, rows in ((1, patient.rows), (COARSE, patient.coarse)):
            for place, name, value in rows:
                head = [patient.index, patient.sex, f"{patient.age:.1f}", spacing]
                writer.writerow([*head, place, name, f"{value:.3f}"])
    return text.getvalue()


def report(
    patients: Sequence[PatientRows],
    seed: int,
    recipe_name: str,
    masks: Sequence[real_masks.RealMask],
) -> str:
    """Write the tables as Markdown."""
    fine, coarse = tables.collect(patients), tables.collect(patients, coarse=True)
    women = sum(patient.sex == "F" for patient in patients)
    refused: dict[str, int] = {}
    for patient in patients:
        for level, reason in patient.refused.items():
            refused[f"{level} {reason}"] = refused.get(f"{level} {reason}", 0) + 1
    lines = [
        "# Anatomy measured on the drawn label maps",
        "",
        f"{len(patients)} patients ({women} women), recipe `{recipe_name}`, seed {seed}, 1 mm. "
        "Lengths in mm, angles in degrees, volumes in cm³.",
        "Not measured: " + (", ".join(f"{k} ({n})" for k, n in refused.items()) or "none") + ".",
        "",
        "## Beside published means",
        "",
        "V: read in the source; R: general literature; D: design value. "
        "The difference is (measured − published) / published SD.",
        "",
        *tables.published_table(fine),
        "",
        "## Real masks",
        "",
    ]
    for mask in masks:
        source = coarse if mask.phantom_mm == COARSE else fine
        ranges = {
            (place, name): (summary.low, summary.high)
            for (place, name, sex), summary in source.items()
            if sex == "both"
        }
        lines += [*tables.mask_table(mask, *real_masks.compare(mask, ranges)), ""]
    lines += [
        "`verse004_mask` holds whole vertebrae without their bodies and is not compared.",
        "",
        "## All measures, both sexes",
        "",
        *tables.measured_table(fine),
        "",
    ]
    return "\n".join(lines)


def replace_measured(page: str, measured: str) -> str:
    r"""Put freshly measured tables below a page's marker, one heading level down.

    >>> replace_measured("Text\n<!-- measured -->\nold", "# New\n\n## Part")
    'Text\n<!-- measured -->\n## New\n\n### Part\n'
    """
    head = page.partition(MARKER)[0]
    lines = [f"#{line}" if line.startswith("#") else line for line in measured.splitlines()]
    return f"{head}{MARKER}\n" + "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run the comparison."""
    options = parse(arguments)
    try:
        given = recipe.load(options.recipe)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    patients = measure_all(given, options.seed, options.patients, options.workers)
    masks = real_masks.available()
    text = report(patients, options.seed, options.recipe, masks)
    values = to_csv(patients)
    write_atomically(options.out / "values.csv", lambda path: _write(path, values))
    write_atomically(options.out / "anatomy.md", lambda path: _write(path, text))
    if options.docs is not None:
        page = replace_measured(options.docs.read_text(encoding="utf-8"), text)
        write_atomically(options.docs, lambda path: _write(path, page))
    for mask in masks:
        draw_points(options.out / "pictures" / f"{mask.name}.png", mask.labels, mask.affine)
    print(f"wrote {options.out / 'anatomy.md'}")
    return 0


def _write(path: Path, text: str) -> None:
    """Write a text file."""
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
