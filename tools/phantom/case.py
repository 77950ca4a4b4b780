"""One simulated case: a patient, scanned. A pure function of recipe, seed and number.

from tools.phantom import case, recipe
scan = case.simulate(recipe.load("standard"), seed=0, index=0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tools.levels import LABEL_IDS
from tools.phantom.anatomy.bones import Labels
from tools.phantom.anatomy.enhancement import enhance
from tools.phantom.anatomy.patient import Patient, draw_patient
from tools.phantom.draw import draw, paint_spine
from tools.phantom.drawing.canvas import Canvas
from tools.phantom.drawing.painting import Paint
from tools.phantom.field import (
    CHEST_FIELDS,
    bounds_mm,
    fine_grid,
    slice_grid,
    spine_bounds_mm,
    trunk_middle,
)
from tools.phantom.given.settings import from_recipe, truth_of
from tools.phantom.imaging.scanner import SCANNERS, acquire, fine_step_mm
from tools.phantom.pathology.mineral import conserve_mineral
from tools.phantom.pathology.plan import alteration
from tools.phantom.pathology.truth import fracture_truth
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.recipe import for_scanner, refuse_paired
from tools.phantom.reformat import average, plan, scanned
from tools.phantom.truncation import Truncation, truncate
from tools.phantom.truth import level_truth, patient_truth, rim_points
from tools.threads import single_thread
from tools.volumes import Grid, reorient

#: Voxels that a scan may be drawn on: 16 GB of memory.
MOST_VOXELS = 800_000_000
#: Separate random streams of a case.
_PATIENT, _SCAN, _NOISE, _VARIANTS, _PATHOLOGY, _CHEST, _EXTRAS, _REFORMAT = range(8)


@dataclass(frozen=True)
class Case:
    """A scan with everything known of it; all volumes [X, Y, Z] on one grid.

    Attributes:
        image: HU, int16.
        labels: Vertebral bodies and sacrum, uint8 (`tools.levels`).
        trabecular: Trabecular cores, uint8, same ids.
        posterior: Posterior elements, uint8, same ids.
        affine: 4x4 voxel to RAS+ millimetres.
        truth: JSON-ready; fields in `docs/recipes.md`.
    """

    image: np.ndarray
    labels: np.ndarray
    trabecular: np.ndarray
    posterior: np.ndarray
    affine: np.ndarray
    truth: dict[str, Any]


@single_thread()
def simulate(
    recipe: dict[str, Any],
    seed: int,
    index: int,
    scanner: str = "A",
    paired: bool = False,
    device: str = "cpu",
) -> Case:
    """Draw patient number `index` and scan it.

    Args:
        recipe: A loaded recipe (`tools.phantom.recipe.load`).
        seed: Seed of the cohort.
        index: Number of the patient in it, from 0.
        scanner: Scanner name.
        paired: Whether the patient is the same on every scanner.
        device: Torch device that draws.

    Raises:
        ValueError: If the scanner is unknown or lacks the recipe's kernel, if scanners have
            patients of their own and shall be paired, or if the scan would have more voxels than
            memory holds.
    """
    machine = SCANNERS[scanner]
    if paired:
        refuse_paired(recipe)
    recipe = for_scanner(recipe, scanner)
    scan = recipe["scan"]
    patient = _patient(recipe, seed, index, None if paired else scanner)
    medium = _stream(seed, index, "" if paired else scanner, _EXTRAS).spawn(2)[1]
    shown, contrast = enhance(patient, str(medium.choice(scan["contrast"])), medium)
    rng = _stream(seed, index, scanner, _SCAN)
    protocol = machine.draw_protocol(rng, scan)
    whole = bounds_mm(patient, scan["field"], rng)
    cut = truncate(
        _stream(seed, index, scanner, _CHEST).spawn(2)[1], scan["truncate"], whole, patient
    )
    turn = rng.uniform(-1, 1, 3) * scan["tilt_deg"]
    codes = str(rng.choice(scan["orientation"]))
    step = fine_step_mm(protocol)
    steps = round(protocol.interval_mm / step)
    fine = fine_grid(cut.corners_mm, protocol.pixel_mm, step, steps, turn)
    _refuse_too_large(fine)
    water = patient.trunk.water_equivalent_cm()
    beam = Beam(protocol.kvp, protocol.filter_al_mm, water, protocol.scintillator_mm)
    drawing = draw(shown, fine, beam, protocol.dark_canal_hu, device)
    generator = torch.Generator(device=device)
    generator.manual_seed(int(_stream(seed, index, scanner, _NOISE).integers(2**62)))
    axis = trunk_middle(patient, fine, scan["field"], protocol.vendor)
    image = acquire(drawing.hu, protocol, step, generator, water, axis)
    grid = slice_grid(fine, steps)
    # Slices have their centres on fine ones only if the number of fine ones in each is odd.
    middle = steps // 2
    maps = (
        [part[:, :, middle::steps] for part in drawing.labels.maps()]
        if steps % 2
        else label(patient, grid, device).maps()
    )
    view, grids = None, [grid]
    if scan["reformat"] != "axial":
        own = _stream(seed, index, scanner, _REFORMAT)
        single = scan["reformat"] == "sagittal_single"
        view = plan(grid, patient.spine, protocol.pixel_mm, single, own)
        image = average(image.cpu(), grid, view)
        seen = scanned(grid, view.grid).to(device)
        maps = [part * seen for part in label(patient, view.grid, device).maps()]
        grids, codes = [view.grid, grid], view.codes
    volumes = [image.round().to(torch.int16), *maps]
    if view is None:  # a recipe with reformats knows no circle
        volumes = _cut(volumes, cut, grid)
    turned = [reorient(volume.cpu().numpy(), grids[0].affine, codes) for volume in volumes]
    truth = patient_truth(patient) | {
        "scanner": scanner,
        "scan": protocol.as_dict()
        | {"field": scan["field"], "orientation": codes, "water_cm": water, "contrast": contrast}
        | {"reformat": view.as_dict() if view else None}
        | cut.as_dict(),
        "levels": _visible_levels(patient, grids, volumes[1], cut),
    }
    truth |= fracture_truth(patient, truth["levels"]) | truth_of(recipe)
    image_array, labels, trabecular, posterior = (array for array, _ in turned)
    return Case(image_array, labels, trabecular, posterior, turned[0][1], _plain(truth))


def _refuse_too_large(grid: Grid) -> None:
    """Raise before memory runs out: a drawn voxel takes about 20 bytes."""
    count = math.prod(grid.shape)
    if count > MOST_VOXELS:
        raise ValueError(
            f"a scan of {count / 1e6:.0f} million voxels is above the limit of "
            f"{MOST_VOXELS / 1e6:.0f}: choose larger pixel_mm, thickness_mm or interval_ratio"
        )


def label(patient: Patient, grid: Grid, device: str = "cpu") -> Labels:
    """Label a patient on any grid, without drawing the rest."""
    labels = Labels.empty(grid.shape, device)
    canvas = Canvas(grid, 0.0, device)
    paint_spine(Paint(canvas, REFERENCE_BEAM, patient.tissues), patient, labels)
    return labels


@single_thread()
def draw_labels(
    recipe: dict[str, Any], seed: int, index: int, spacing_mm: float = 1.0
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Draw only the label map of bodies, T10 to sacrum, of patient `index` of scanner A's cohort.

    Args:
        recipe: A loaded recipe.
        seed: Seed of the cohort.
        index: Number of the patient.
        spacing_mm: Isotropic spacing.

    Returns:
        Labels uint8 [X, Y, Z] in RAS, the affine, and `sex` and `age`.
    """
    patient = _patient(for_scanner(recipe, "A"), seed, index, "A")
    grid = fine_grid(spine_bounds_mm(patient), spacing_mm, spacing_mm, 1, np.zeros(3))
    bodies = label(patient, grid).bodies.numpy()
    return bodies, grid.affine, {"sex": patient.sex, "age": patient.age}


def _patient(recipe: dict[str, Any], seed: int, index: int, scanner: str | None) -> Patient:
    name, chest = scanner or "", None
    if recipe["scan"]["field"] in CHEST_FIELDS:
        chest = _stream(seed, index, name, _CHEST).spawn(2)[0]
    population = recipe["population"]
    marrow = _stream(seed, index, name, _EXTRAS).spawn(2)[0]
    wanted = population["marrow_fat"]
    fat = float(marrow.uniform(*wanted["range"])) if wanted["mode"] == "independent" else None
    patient = draw_patient(
        _stream(seed, index, name, _PATIENT),
        population,
        recipe["scan"]["oral_contrast"],
        anatomy=recipe["anatomy"],
        variants=_stream(seed, index, name, _VARIANTS),
        alter=alteration(_stream(seed, index, name, _PATHOLOGY), recipe["pathology"]),
        chest=chest,
        given=from_recipe(recipe),
        marrow_fat=fat,
    )
    return conserve_mineral(patient)


def _stream(seed: int, index: int, scanner: str, purpose: int) -> np.random.Generator:
    """An independent random stream of one case."""
    name = int.from_bytes(scanner.encode(), "big")
    return np.random.default_rng(np.random.SeedSequence([seed, index, name, purpose]))


def _cut(volumes: list[torch.Tensor], cut: Truncation, grid: Grid) -> list[torch.Tensor]:
    """Write what a scanner writes outside its reconstruction circle: padding, and no labels."""
    shown, padding = cut.shown(grid), cut.padding_hu
    if shown is None or padding is None:
        return volumes
    image, *maps = volumes
    hidden = ~shown[:, :, None].to(image.device)
    return [
        image.masked_fill(hidden, padding),
        *(part.masked_fill(hidden, 0) for part in maps),
    ]


def _visible_levels(
    patient: Patient, grids: list[Grid], labels: torch.Tensor, cut: Truncation
) -> dict[str, Any]:
    """Truth of every level whose body lies at least partly in the field of the labels' grid.

    It is complete if it lies whole in that and every further grid; the last is the scan's.
    """
    levels = {}
    grid = grids[0]
    for level, vertebra in reversed(patient.spine.vertebrae.items()):
        rims = rim_points(vertebra)
        index = grid.to_index(rims)
        # Only the body's own surroundings are searched: the map is large.
        low = np.clip(np.floor(index.min(0)).astype(int) - 1, 0, grid.shape)
        high = np.clip(np.ceil(index.max(0)).astype(int) + 2, 0, grid.shape)
        near = labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        if not bool((near == LABEL_IDS[level]).any()):
            continue
        complete = all(_holds(one, rims) for one in grids)
        complete = complete and cut.holds(grids[-1].to_index(rims), grids[-1])
        levels[level] = {"complete": complete} | level_truth(patient, level)
    return levels


def _holds(grid: Grid, points_mm: np.ndarray) -> bool:
    """Tell whether all points lie in a grid's box."""
    index = grid.to_index(points_mm)
    return bool(np.all((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)))


def _plain(value: Any) -> Any:
    """JSON-ready copy with floats short enough to read and long enough to trust."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(float(value), 4)
    return value
