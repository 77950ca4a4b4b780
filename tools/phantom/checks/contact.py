"""A contact sheet: twelve patients side by side, as a reader of CT sees them.

    python -m tools.phantom.checks.contact scratch/contact.png

Each patient is shown in the mid-sagittal plane (bone window) and in an axial plane through L3 and
a coronal one (soft tissue window). Look at it after each change of the anatomy.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tools import pictures
from tools.files import write_atomically
from tools.phantom import recipe
from tools.phantom.case import simulate

PATIENTS = 12
COLUMNS = 4
PIXEL_MM = 1.5
#: Pixels of one patient's tile: sagittal beside axial over coronal.
TILE_HEIGHT, SAGITTAL_WIDTH, AXIAL_WIDTH = 290, 180, 280
GAP = 6
#: What the sheet shows of the standard recipe: scans fine enough for sagittal reformats.
SCAN = {"pixel_mm": [0.9, 1.1], "thickness_mm": [1.5, 2.0, 3.0], "tilt_deg": 0.0}


def tile(index: int, seed: int) -> np.ndarray:
    """Draw one patient's tile, uint8 [TILE_HEIGHT, SAGITTAL_WIDTH + AXIAL_WIDTH]."""
    settings: dict[str, Any] = deepcopy(recipe.load("standard"))
    settings["scan"] |= SCAN
    case = simulate(settings, seed, index)
    center = case.truth["levels"]["L3"]["centroid_ras_mm"]

    def cut(plane: pictures.PlaneName, axis: int, shape: tuple[int, int], soft: bool) -> np.ndarray:
        view = pictures.view_through(case.image.shape, case.affine, plane, center[axis], PIXEL_MM)
        look = pictures.SOFT_WINDOW if soft else pictures.BONE_WINDOW
        return fit(pictures.window(view.sample(case.image, case.affine), look), shape)

    half = TILE_HEIGHT // 2
    beside = [
        cut("axial", 2, (half, AXIAL_WIDTH), True),
        cut("coronal", 1, (TILE_HEIGHT - half, AXIAL_WIDTH), True),
    ]
    sagittal = cut("sagittal", 0, (TILE_HEIGHT, SAGITTAL_WIDTH), False)
    return np.hstack([sagittal, np.vstack(beside)])


def fit(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Crop or pad a picture about its middle."""
    fitted = np.zeros(shape, np.uint8)
    here, there = [], []
    for have, want in zip(picture.shape, shape, strict=True):
        size = min(have, want)
        here.append(slice((have - size) // 2, (have - size) // 2 + size))
        there.append(slice((want - size) // 2, (want - size) // 2 + size))
    fitted[tuple(there)] = picture[tuple(here)]
    return fitted


def sheet(seed: int, workers: int) -> np.ndarray:
    """Draw all tiles, uint8 [H, W]."""
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
        tiles = list(
            tqdm(
                pool.map(partial(tile, seed=seed), range(PATIENTS)), total=PATIENTS, unit="patient"
            )
        )
    padded = [np.pad(one, ((0, GAP), (0, GAP)), constant_values=128) for one in tiles]
    rows = [padded[first : first + COLUMNS] for first in range(0, PATIENTS, COLUMNS)]
    return np.vstack([np.hstack(row) for row in rows])[:-GAP, :-GAP]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def main() -> None:
    """Write the sheet as PNG."""
    parser = argparse.ArgumentParser("python -m tools.phantom.checks.contact", description=__doc__)
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cohort (0)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    content = pictures.png(sheet(options.seed, options.workers))
    write_atomically(options.out, lambda path: _write(path, content))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
