"""A sheet of chests: two patients in the planes in which a reader of CT looks at them.

    python -m tools.phantom.checks.chest scratch/chest.png

Each patient fills two rows: mid-sagittal (bone window) and through the aorta; axial at T4, T6, T8
and T11; coronal through the heart and the spine (soft tissue window). Look at it after each change
of the chest.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from tools import pictures
from tools.files import write_content
from tools.phantom import recipe
from tools.phantom.case import simulate
from tools.phantom.checks.contact import GAP, fit

#: Patients of the recipe `standard`, seed 0: a woman and a man.
PATIENTS = (3, 8)
PIXEL_MM = 2.0
SCAN = {
    "field": "chest",
    "pixel_mm": [1.2, 1.2],
    "thickness_mm": [2.0],
    "tilt_deg": 0.0,
    "kernel": ["soft"],
}
#: Height of a tile, widths of sagittal, coronal and axial pictures, pixels.
HEIGHT, SAGITTAL_WIDTH, CORONAL_WIDTH, AXIAL_WIDTH = 180, 120, 200, 200
#: How far in front of T8's middle the heart is cut, mm.
HEART_MM = 50.0
#: And how far left of the spine the aorta.
AORTA_MM = 22.0


def tile(index: int, seed: int) -> np.ndarray:
    """Draw one patient, uint8 [2 * HEIGHT + GAP, W]."""
    settings: dict[str, Any] = deepcopy(recipe.load("standard"))
    settings["scan"] |= SCAN
    case = simulate(settings, seed, index)
    place = {name: level["centroid_ras_mm"] for name, level in case.truth["levels"].items()}

    def cut(plane: pictures.PlaneName, at_mm: float, width: int, soft: bool = True) -> np.ndarray:
        view = pictures.view_through(case.image.shape, case.affine, plane, at_mm, PIXEL_MM)
        look = pictures.SOFT_WINDOW if soft else pictures.BONE_WINDOW
        shown = pictures.window(view.sample(case.image, case.affine), look)
        return np.pad(fit(shown, (HEIGHT, width)), ((0, GAP), (0, GAP)), constant_values=128)

    heart, spine = place["T8"][1] + HEART_MM, place["T8"][1]
    upper = [cut("sagittal", place["T8"][0], SAGITTAL_WIDTH, soft=False)]
    upper += [cut("axial", place[level][2], AXIAL_WIDTH) for level in ("T4", "T6")]
    lower = [cut("sagittal", place["T8"][0] - AORTA_MM, SAGITTAL_WIDTH)]
    lower += [cut("axial", place[level][2], AXIAL_WIDTH) for level in ("T8", "T11")]
    beside = [cut("coronal", at, CORONAL_WIDTH) for at in (heart, spine)]
    return np.vstack([np.hstack([*upper, beside[0]]), np.hstack([*lower, beside[1]])])


def main() -> None:
    """Write the sheet as PNG."""
    parser = argparse.ArgumentParser("python -m tools.phantom.checks.chest", description=__doc__)
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cohort (0)")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet = np.vstack([tile(index, options.seed) for index in PATIENTS])
    write_content(options.out, pictures.png(sheet[:-GAP, :-GAP]))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
