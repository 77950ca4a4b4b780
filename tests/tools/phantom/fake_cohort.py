"""A stand-in for the simulation, so that tests of files and processes take no time.

Run as a program it makes a cohort of stand-ins, slowly, for tests that kill it:
    python fake_cohort.py OUT CASES WORKERS SECONDS_PER_VOLUME
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from tools.phantom import cohort, completion
from tools.phantom.case import Case
from tools.phantom.completion import Job
from tools.volumes import save_nifti

SHAPE = (24, 20, 16)


def simulate(recipe: dict, seed: int, index: int, scanner: str = "A", paired: bool = False) -> Case:
    """Make arrays that depend on every argument, and a truth of the agreed form."""
    field = len(recipe["scan"]["field"])
    random = np.random.default_rng([seed, index, 0 if paired else ord(scanner), field])
    labels = random.integers(0, 17, SHAPE, dtype=np.uint8)
    density = float(random.uniform(40, 200))
    level = {"complete": True, "qct_ha_mg_cm3": density, "areal_bmd_g_cm2": density / 150}
    return Case(
        image=random.integers(-1000, 1500, SHAPE, dtype=np.int16),
        labels=labels,
        trabecular=labels * (labels < 5),
        posterior=labels * (labels > 4),
        affine=np.diag([-0.8, -0.8, 2.5, 1.0]),
        truth={
            "sex": "FM"[index % 2],
            "age": float(random.uniform(20, 90)),
            "scanner": scanner,
            "fractured": False,
            "scan": {
                "scanner": "A",
                "kvp": 120.0,
                "thickness_mm": 2.5,
                "noise_hu": 15.0,
                "kernel": "soft",
                "kernel_numbers": {
                    "mtf50_per_mm": 0.36,
                    "mtf10_per_mm": 0.65,
                    "noise_peak_per_mm": 0.2,
                },
                "field": recipe["scan"]["field"],
            },
            "levels": dict.fromkeys(("L1", "L2", "L3"), level),
        },
    )


def make_slowly(seconds: float, out: Path, job: Job) -> None:
    """Write a case as the command does, resting after each volume; leave the process's number."""
    (out.parent / f"{os.getpid()}.pid").touch()

    def save_slowly(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
        save_nifti(path, array, affine)
        time.sleep(seconds)

    completion.save_nifti = save_slowly
    case = simulate(job.recipe, job.seed, job.index, job.scanner, job.paired)
    completion.write_case(out, job, case)


def main() -> None:
    """Make a cohort of stand-ins, slowly."""
    out, cases, workers, seconds = sys.argv[1:]
    cohort._make = partial(make_slowly, float(seconds))
    cohort.phantom(Path(out), cases=int(cases), workers=int(workers), recipe="quick")


if __name__ == "__main__":
    main()
