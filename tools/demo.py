"""The `demo` command: draws one digital patient, screens its CT, and sets the truth beside it.

    python -m tools demo --output my-first-patient

The page `index.html` is written last: where it lies, the rest of the folder belongs to it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tools import __version__, page
from tools import pictures as pic
from tools.files import write_content, write_json
from tools.levels import HEAD_TO_FOOT, LABEL_IDS, MEASURED_LEVELS
from tools.phantom import recipe as recipes
from tools.phantom.anatomy.slab import SLAB_MM
from tools.phantom.case import Case, simulate
from tools.phantom.cohort import LARGEST_SEED
from tools.screen import folder as folders
from tools.screen.command import screen
from tools.volumes import save_nifti

REPORT, TRUTH, PICTURES = "index.html", "truth.json", "pictures"
Measured = Mapping[str, Mapping[str, Any]]

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

PICTURE_PIXEL_MM = 0.8
"""Pixel edge of the pictures, mm: a 450 mm field is 560 pixels high, which fits a screen."""

NAMED_MM2 = 60.0
"""A level that shows less of itself than this, a tenth of a body's cut, goes unnamed, mm²."""

CORE_COLOUR = (255, 255, 255)
"""Outline of the trabecular core, which the density refers to, in the axial picture."""

WARNING = (
    "This is a digital phantom: a computed image of a patient who does not exist. What was put in "
    "stands beside what was measured in the image; neither is a diagnosis. Research use only."
)


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
    figures = dict(draw_pictures(case))
    for name, figure in figures.items():
        write_content(folder / PICTURES / f"{name}.png", figure.png)
    write_content(folder / REPORT, report(case, list(figures.values()), seed, size, measured))


def draw_pictures(case: Case) -> Iterator[tuple[str, page.Figure]]:
    """Draw the three planes through the middle lumbar vertebra, each in three ways.

    Args:
        case: The patient.

    Yields:
        File stem and picture: soft tissue window, bone window, bone window with labels.
    """
    levels = case.truth["levels"]
    middle = middle_level(levels)
    centre_mm = levels[middle]["centroid_ras_mm"]
    plane_titles: tuple[tuple[pic.PlaneName, str, int], ...] = (
        ("sagittal", "Mid-sagittal", 0),
        ("coronal", "Coronal", 1),
        ("axial", f"Axial through {middle}", 2),
    )
    for plane, title, axis in plane_titles:
        view = pic.view_through(
            case.image.shape, case.affine, plane, float(centre_mm[axis]), PICTURE_PIXEL_MM
        )
        hu = view.sample(case.image, case.affine)
        bone = pic.window(hu, pic.BONE_WINDOW)
        for stem, picture, caption in (
            ("soft", pic.window(hu, pic.SOFT_WINDOW), _window_caption(pic.SOFT_WINDOW)),
            ("bone", bone, _window_caption(pic.BONE_WINDOW)),
            ("labels", _with_labels(case, view, bone), "labels on the bone window"),
        ):
            names = _names(case, view) if stem == "labels" else ()
            shown = pic.annotate(picture, view, names)
            yield f"{plane}_{stem}", page.Figure(pic.png(shown), f"{title}, {caption}")


def middle_level(levels: Mapping[str, Mapping[str, Any]]) -> str:
    """Name of the level that the planes go through: L3, or the middle one of those in the scan."""
    names = [name for name in HEAD_TO_FOOT if name in levels]
    return "L3" if "L3" in names else names[len(names) // 2]


def report(case: Case, figures: list[page.Figure], seed: int, size: str, measured: Measured) -> str:
    """Write the page.

    Args:
        case: The patient.
        figures: Pictures in the order to show them.
        seed: The patient's number.
        size: Key of `SCANS`.
        measured: Level -> its block of report.json.

    Returns:
        A complete HTML document.
    """
    truth = case.truth
    shape = " × ".join(map(str, case.image.shape))
    spacing = " × ".join(f"{edge:.2f}" for edge in np.linalg.norm(case.affine[:3, :3], axis=0))
    scan = truth["scan"]
    sex = {"F": "woman", "M": "man"}.get(truth["sex"], truth["sex"])
    return page.document(
        f"Digital patient {seed}",
        [
            page.paragraph(WARNING, "note"),
            page.paragraph(
                f"A {sex} of {truth['age']:.0f} years on scanner {truth['scanner']}: "
                f"{scan['kvp']:.0f} kV, {scan['kernel']} kernel, {scan['thickness_mm']:g} mm "
                f"slices, {shape} voxels of {spacing} mm."
            ),
            page.gallery(figures),
            page.heading("Bone density and height of each level"),
            truth_table(truth["levels"], measured),
            page.paragraph(
                f"HA mass is the hydroxyapatite put into the central {SLAB_MM:g} mm of the "
                "trabecular core. QCT density is what an ideal 120 kV QCT with a hydroxyapatite "
                "phantom reads there: marrow fat makes the two differ. Areal density is the "
                "frontal projection of the mineral, as DXA sees it. Measured is the HU-linear "
                "density of the report, with its 95 % interval. Heights are those of the body in "
                "front, in the middle and behind. A dash: the level is not wholly in the scan, or "
                "was not measured."
            ),
            page.link("The report of this CT", f"{RESULTS}/{case_name(SCAN)}/{folders.PAGE}"),
            page.footer(
                f"osteoct tools {__version__}. The volumes, the truth and the pictures lie beside "
                f"this page; the command was: {command(seed, size)}"
            ),
        ],
    )


def truth_table(levels: Measured, measured: Measured) -> str:
    """Write the levels' truth and what was measured as an HTML table, head to foot."""
    head = ["level", "HA mass, mg/cm³", "QCT density, mg/cm³", "measured, mg/cm³"]
    head += ["areal density, g/cm²"]
    head += [f"{place} height, mm" for place in ("anterior", "middle", "posterior")]
    rows = []
    for name in HEAD_TO_FOOT:
        if name not in levels:
            continue
        level = levels[name]
        heights = level.get("height_mm") or {}
        numbers = [
            _number(level.get("ha_mass_mg_cm3"), 1),
            _number(level.get("qct_ha_mg_cm3"), 1),
            _density(measured.get(name, {})),
            _number(level.get("areal_bmd_g_cm2"), 3),
            *(_number(heights.get(place), 1) for place in ("anterior", "middle", "posterior")),
        ]
        if not level["complete"]:
            numbers = ["–"] * len(numbers)
        rows.append([f"{name} *" if name in MEASURED_LEVELS else name, *numbers])
    return page.table(head, rows, "What was put in, and measured. * levels that are measured")


def _density(level: Mapping[str, Any]) -> str:
    """Measured density with its interval."""
    density, interval = level.get("bmd_hu_linear_mg_cm3"), level.get("bmd_interval_95_mg_cm3")
    if density is None or interval is None:
        return "–"
    return f"{density:.1f} ({interval[0]:.0f} to {interval[1]:.0f})"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _window_caption(setting: tuple[float, float]) -> str:
    return f"WL {setting[0]:.0f} / WW {setting[1]:.0f} HU"


def _with_labels(case: Case, view: pic.View, grey: np.ndarray) -> np.ndarray:
    labels = view.sample(case.labels, case.affine, order=0).astype(int)
    picture = pic.overlay(grey, labels, pic.LABEL_COLOURS)
    if view.plane == "axial":
        core = view.sample(case.trabecular, case.affine, order=0) > 0
        picture[pic.outlines(core.astype(int))] = CORE_COLOUR
    return picture


def _names(case: Case, view: pic.View) -> Iterator[tuple[str, np.ndarray]]:
    """Names of the levels that the view cuts, each at the middle of what is seen of it."""
    labels = view.sample(case.labels, case.affine, order=0)
    for name, label in LABEL_IDS.items():
        pixels = np.argwhere(labels == label)
        if len(pixels) * view.pixel_mm**2 >= NAMED_MM2:
            yield name, view.to_world(pixels.mean(axis=0)[::-1])
