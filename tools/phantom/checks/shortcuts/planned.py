"""What header, levels and alignment tell of fractures, on patients that are planned, not drawn.

    python -m tools.phantom.checks.shortcuts.planned --cases 900 --seed 902 --recipe fractures

A second of one core per patient instead of eight, so that small shortcuts are told from chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from tqdm import tqdm

from tools.phantom import case, recipe
from tools.phantom.checks.shortcuts import metadata
from tools.phantom.checks.shortcuts.__main__ import auc
from tools.phantom.field import bounds_mm, fine_grid, slice_grid
from tools.phantom.imaging.scanner import SCANNERS, fine_step_mm
from tools.phantom.pathology.truth import findings_truth, fracture_truth
from tools.phantom.truth import patient_truth, rim_points
from tools.threads import single_thread

TRAINED_AND_TESTED = "ABC"
"""Scanners, in turn."""


@single_thread()
def plan(
    settings: dict[str, Any], seed: int, index: int, scanner: str
) -> tuple[dict[str, Any], list[float]]:
    """Plan the scan that `case.simulate` would draw.

    Args:
        settings: A loaded recipe that truncates no scan.
        seed: Seed of the cohort.
        index: Number of the patient.
        scanner: Scanner name.

    Returns:
        Truth as far as `metadata.features` reads it, with the patient's drawn density in place of
        every level's, and the size of the field right to left, back to front, foot to head, mm.
    """
    given = recipe.for_scanner(settings, scanner)
    patient = case._patient(given, seed, index, scanner)
    rng = case._stream(seed, index, scanner, case._SCAN)
    protocol = SCANNERS[scanner].draw_protocol(rng, given["scan"])
    corners = bounds_mm(patient, given["scan"]["field"], rng)
    turn = rng.uniform(-1, 1, 3) * given["scan"]["tilt_deg"]
    step = fine_step_mm(protocol)
    steps = round(protocol.interval_mm / step)
    grid = slice_grid(fine_grid(corners, protocol.pixel_mm, step, steps, turn), steps)
    levels = {}
    for level, vertebra in reversed(patient.spine.vertebrae.items()):
        index_of = grid.to_index(rim_points(vertebra))
        inside = ((index_of >= -0.5) & (index_of <= np.array(grid.shape) - 0.5)).all(1)
        if inside.any():
            bone = {"qct_ha_mg_cm3": patient.density, "marrow_fat": patient.bones[level].fat}
            found = {"fracture": None, "mimic": None} | findings_truth(patient, level)
            levels[level] = {"complete": bool(inside.all())} | bone | found
    scan = protocol.as_dict() | {"water_cm": patient.trunk.water_equivalent_cm()}
    truth = patient_truth(patient) | {"scanner": scanner, "scan": scan, "levels": levels}
    return truth | fracture_truth(patient, levels), np.multiply(
        grid.spacing_mm, grid.shape
    ).tolist()


def main(arguments: Sequence[str]) -> int:
    """Plan the patients and print an AUC per question; returns the exit status."""
    parser = argparse.ArgumentParser(
        "python -m tools.phantom.checks.shortcuts.planned", description=__doc__
    )
    parser.add_argument("--cases", type=int, default=900, help="patients (900)")
    parser.add_argument("--seed", type=int, default=902, help="seed of the patients (902)")
    parser.add_argument("--recipe", default="fractures", help="recipe name or file (fractures)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    options = parser.parse_args(arguments)
    try:
        settings = _settings(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    one = partial(plan, settings, options.seed)
    numbers = range(options.cases)
    scanners = [TRAINED_AND_TESTED[number % 3] for number in numbers]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("forkserver")) as pool:
        planned = list(tqdm(pool.map(one, numbers, scanners), total=options.cases, unit="patient"))
    labels = np.array([int(truth["fractured"]) for truth, _ in planned])
    if min(labels.sum(), len(labels) - labels.sum()) < metadata.FOLDS:
        print(
            f"error: {labels.sum()} of {len(labels)} patients are fractured; at least "
            f"{metadata.FOLDS} fractured and as many others are needed: give more --cases",
            file=sys.stderr,
        )
        return 2
    rows = [metadata.features(truth, extent) for truth, extent in planned]
    print(f"{len(labels)} patients, {labels.sum()} fractured")
    for question, answer in metadata.answers(rows, labels, 0).items():
        found = auc(labels, answer)
        print(
            f"{question}: AUC {found['auc']:.3f} ({found['ci95'][0]:.3f} to {found['ci95'][1]:.3f})"
        )
    return 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe, once the other options are usable."""
    if options.cases < 1 or options.workers < 1 or options.seed < 0:
        raise ValueError("--cases and --workers are at least 1, --seed at least 0")
    settings = recipe.load(options.recipe)
    for scanner in TRAINED_AND_TESTED:
        if set(recipe.for_scanner(settings, scanner)["scan"]["truncate"]) != {"none"}:
            raise ValueError(
                f"recipe {options.recipe}: scan.truncate cuts scans, which are planned whole; "
                "choose another recipe"
            )
    return settings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
