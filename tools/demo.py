"""The `demo` command: draws one digital patient, screens its CT, and sets the truth beside it.

    python -m tools demo --output my-first-patient

The page `index.html` is written last: where it lies, the rest of the folder belongs to it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tools import demo_page
from tools.demo_page import Measured
from tools.files import write_content, write_json
from tools.phantom import recipe as recipes
from tools.phantom.case import Case, simulate
from tools.phantom.cohort import LARGEST_SEED
from tools.screen import folder as folders
from tools.screen.command import screen
from tools.volumes import save_nifti

REPORT, TRUTH, PICTURES = "index.html", "truth.json", "pictures"
VOLUMES = ("image", "labels", "trabecular", "posterior")
SCAN = "image.nii.gz"
RESULTS = "results"
FILES = frozenset({REPORT, TRUTH, PICTURES, RESULTS, *(f"{name}.nii.gz" for name in VOLUMES)})
"""Everything that the demo writes into its folder."""

PARTIAL = ".part-"
"""How the files of a killed run begin, see `tools.files.write_atomically`."""

SCANS: Mapping[str, Mapping[str, Any]] = {
    # A thin, soft, whole-abdomen scan: what a radiologist would choose to look at.
    "standard": {
        "field": "abdomen",
        "kvp": [120],
        "pixel_mm": [0.8, 0.8],
        "thickness_mm": [1.5],
        "interval_ratio": [1.0, 1.0],
        "kernel": ["soft"],
        "noise_scale": [1.0, 1.0],
    },
    # The same patient in about a twentieth of the voxels.
    "small": {
        "field": "lumbar",
        "kvp": [120],
        "pixel_mm": [2.0, 2.0],
        "thickness_mm": [3.0],
        "interval_ratio": [1.0, 1.0],
        "kernel": ["soft"],
        "noise_scale": [1.0, 1.0],
    },
}
"""Size -> scan settings that replace those of the standard recipe."""


def demo(
    output: str = "osteoct-demo", seed: int = 1, size: Literal["standard", "small"] = "standard"
) -> None:
    """Draw one digital patient, measure its bone density, and write the report.

    The patient's CT goes through `screen` as any CT does; the report lies in `results`. The page
    index.html shows the CT in three directions with the true labels, and a table of the true
    bone density and height of each level beside the density that was measured. Beside it lie the
    volumes (NIfTI), the truth (JSON) and the pictures (PNG).

    Args:
        output: Folder to write to; it is made if need be, and an older demo in it is replaced.
        seed: Number of the patient: the same number draws the same patient again.
        size: `standard` is a 1.5 mm scan of the whole abdomen; `small` a 3 mm scan of the lumbar
            spine, to try the installation in seconds.

    Raises:
        ValueError: If the seed is negative or above 2**32 - 1, or `output` is a file.
        OSError: If a file cannot be written; there is no page then.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"--seed is a whole number from 0 to {LARGEST_SEED}, not {seed}")
    folder = Path(output)
    _prepare(folder)
    begin = time.perf_counter()
    print(f"drawing patient {seed}, {size} size ...", flush=True)
    case = simulate(patient_recipe(size), seed, 0)
    drawn = time.perf_counter()
    print(f"drawn in {drawn - begin:.0f} s; writing and screening it ...", flush=True)
    _write_volumes(case, folder)
    # A NIfTI file does not say its tube voltage, but what drew it does.
    kvp = float(case.truth["scan"]["kvp"])
    screen(str(folder / SCAN), folder / RESULTS, kvp=kvp, overwrite=True)
    report = folders.read_report(folder / RESULTS / case_name(SCAN))
    _write_page(case, folder, seed, size, report["levels"] if report else {})
    print(f"truth beside it: {folder / REPORT}; done in {time.perf_counter() - begin:.0f} s")


def _prepare(folder: Path) -> None:
    """Make the folder, without its page, unless it holds anything but an older demo."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output names a file, not a folder: {folder}")
    for entry in sorted(folder.glob("*")):
        if entry.name not in FILES and not entry.name.startswith(PARTIAL):
            raise ValueError(f"{folder} holds other files ({entry.name}); choose another folder")
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    (folder / REPORT).unlink(missing_ok=True)
    # Without its record, results that were moved here with their demo give way to the new ones.
    (folder / RESULTS / case_name(SCAN) / folders.RECORD).unlink(missing_ok=True)
    for leftover in folder.rglob(f"{PARTIAL}*"):
        leftover.unlink()


def patient_recipe(size: str) -> dict[str, Any]:
    """Standard recipe with the scan settings of a size of the demo."""
    recipe = copy.deepcopy(recipes.load("standard"))
    recipe["scan"].update(SCANS[size])
    return recipe


def command(seed: int, size: str) -> str:
    """Command line that draws the same demo again.

    >>> command(5, "small")
    'python -m tools demo --seed 5 --size small'
    """
    words = f"python -m tools demo --seed {seed}"
    return words if size == "standard" else f"{words} --size {size}"


def case_name(file: str) -> str:
    """Name that `screen` gives to a NIfTI file's case.

    >>> case_name("image.nii.gz")
    'image'
    """
    return file.removesuffix(".nii.gz")


def _write_volumes(case: Case, folder: Path) -> None:
    """Write the CT, its label maps and the truth."""
    for name in VOLUMES:
        save_nifti(folder / f"{name}.nii.gz", getattr(case, name), case.affine)
    write_json(folder / TRUTH, case.truth)


def _write_page(case: Case, folder: Path, seed: int, size: str, measured: Measured) -> None:
    """Write pictures and, last, the page."""
    figures = dict(demo_page.draw_pictures(case))
    for name, figure in figures.items():
        write_content(folder / PICTURES / f"{name}.png", figure.png)
    shown = list(figures.values())
    link = f"{RESULTS}/{case_name(SCAN)}/{folders.PAGE}"
    text = demo_page.write(case, shown, seed, measured, command(seed, size), link)
    write_content(folder / REPORT, text)
