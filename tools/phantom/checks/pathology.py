"""One sheet of every fracture, mimic and implant: planes through the body that has it.

python -m tools.phantom.checks.pathology tools/phantom/docs/images/pathology.png
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import gaussian_filter

from tools.files import write_atomically
from tools.phantom import recipe
from tools.phantom.anatomy.patient import Patient, draw_patient
from tools.phantom.draw import draw
from tools.phantom.pathology import plan
from tools.phantom.pathology.findings import Alter
from tools.phantom.pathology.mimics import MIMICS
from tools.phantom.pathology.mineral import conserve_mineral
from tools.phantom.pathology.warp import LayeredWarp
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.volumes import Grid

#: Bone window, HU, and noise and blur of a picture, HU and pixels.
WINDOW_HU = (-150.0, 850.0)
NOISE_HU, BLUR = 12.0, 0.6
#: Pixel and edge of a picture, mm.
PIXEL_MM, EDGE_MM = 0.7, 98.0
#: Array axis that a plane leaves out.
PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
#: Mimics that are best seen in another plane than the sagittal one.
CORONAL = ("cupid", "hemivertebra", "butterfly")
#: Patients that are tried until one has its finding in the lumbar spine.
TRIES = 60
COLUMNS, GREYS = 8, 40


@dataclass(frozen=True)
class View:
    """A picture: whose, title, level, plane, and where it cuts in the body's frame, mm."""

    patient: Patient
    title: str
    level: str
    plane: str
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)


def picture(view: View) -> np.ndarray:
    """HU of one plane along the body's own frame, [N, N], with a little noise."""
    body = view.patient.spine.vertebrae[view.level]
    axis = PLANES[view.plane]
    counts = np.full(3, round(EDGE_MM / PIXEL_MM))
    counts[axis] = 2
    behind = 0.0 if view.plane == "coronal" else -12.0
    centre = body.frame.point(view.place[0], view.place[1] + behind, view.place[2])
    affine = np.eye(4)
    affine[:3, :3] = body.frame.axes * PIXEL_MM
    affine[:3, 3] = centre - affine[:3, :3] @ ((counts - 1) / 2)
    grid = Grid((int(counts[0]), int(counts[1]), int(counts[2])), affine)
    hu = draw(view.patient, grid, REFERENCE_BEAM).hu.numpy().take(0, axis)
    noise = np.random.default_rng(0).normal(0, 2.5 * NOISE_HU, hu.shape)
    return np.asarray(gaussian_filter(hu, BLUR) + gaussian_filter(noise, 0.8))


def views() -> list[View]:
    """Every picture of the sheet."""
    found = []
    for generator in plan.GENERATORS:
        for kind in ("wedge", "biconcave", "crush"):
            for grade in (1, 2, 3):
                wanted = {"kinds": [kind], "grades": [grade], "generator": generator}
                patient = _patient(8, fractured=1.0, one_sided=0.0, impaction=grade % 2, **wanted)
                title = f"{kind}, grade {grade}" + (", collapse" * (generator == "collapse"))
                found.append(View(patient, title, _fractured(patient), "sagittal"))
    aside = _patient(8, fractured=1.0, one_sided=1.0, kinds=["wedge"], grades=[3])
    level = _fractured(aside)
    found.append(View(aside, "one-sided, coronal", level, "coronal", (0.0, 8.0, 0.0)))
    for number, kind in enumerate(MIMICS):
        found += _mimic_views(_patient(20 + number, mimics=1.0, mimic_kinds=[kind]), kind)
    filled = _patient(40, cement=1.0, screws=1.0)
    return found + _implant_views(filled)


def _patient(seed: int, **changed: object) -> Patient:
    """The first patient whose finding lies between T12 and L4."""
    standard = recipe.load("standard")
    settings = standard["pathology"] | {"highest": "T12"} | changed
    for attempt in range(TRIES):
        alter: Alter = partial(plan.alter, np.random.default_rng([seed, attempt]), settings)
        rng = np.random.default_rng(seed)
        patient = conserve_mineral(draw_patient(rng, standard["population"], 0.0, alter=alter))
        found = patient.pathology
        assert found is not None
        levels = {*found.fractures, *found.mimics}
        if found.cement or (levels and "L5" not in levels):
            return patient
    raise ValueError(f"no patient with {changed}")


def _fractured(patient: Patient) -> str:
    """The first fractured level."""
    assert patient.pathology is not None
    return next(iter(patient.pathology.fractures))


def _mimic_views(patient: Patient, kind: str) -> list[View]:
    found = patient.pathology
    assert found is not None
    level = found.bridges[0] if found.bridges else next(iter(found.mimics))
    body = patient.spine.vertebrae[level]
    place = (0.0, 0.0, 0.0)
    warp = body.warp
    assert isinstance(warp, LayeredWarp)
    if kind == "schmorl":
        # Its dense rim has the pit's middle.
        place = (warp.sclerosis[0].middle[0] * body.width / 2, 0.0, 0.0)
    if kind in ("lytic", "blastic", "pathologic"):
        place = warp.tumours[0].center
    title = "physiological wedge" if kind == "wedge" else kind
    if kind in CORONAL:
        behind = (0.0, -6.0 if kind == "cupid" else 0.0, 0.0)
        return [View(patient, f"{title}, coronal", level, "coronal", behind)]
    shown = [View(patient, title, level, "sagittal", (place[0], 0.0, 0.0))]
    if kind == "burst":
        shown.append(View(patient, "burst, axial", level, "axial", (0.0, 0.0, 3.0)))
    return shown


def _implant_views(patient: Patient) -> list[View]:
    found = patient.pathology
    assert found is not None
    assert found.screws is not None
    level = found.cement[0].level
    u, _, w, _ = found.cement[0].lumps[0].tolist()
    held = found.screws.levels[-1]
    head, tip = found.screws.courses(patient.spine.vertebrae[held])[1]
    across, _, high = ((head + tip) / 2).tolist()
    return [
        View(patient, "cement", level, "sagittal", (u, 0.0, 0.0)),
        View(patient, "cement, axial", level, "axial", (0.0, 0.0, w)),
        View(patient, "screws", held, "sagittal", (across, 0.0, 0.0)),
        View(patient, "screws, axial", held, "axial", (0.0, 0.0, high)),
    ]


def sheet(path: str) -> None:
    """Draw the sheet.

    Args:
        path: PNG to write.
    """
    shown = views()
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 2.3 * rows), layout="constrained")
    for axes in (grid := figure.subplots(rows, COLUMNS)).flat:
        axes.set_axis_off()
    for axes, view in zip(grid.flat, shown, strict=False):
        low, high = WINDOW_HU
        axes.imshow(picture(view).T, origin="lower", cmap="gray", vmin=low, vmax=high)
        axes.set_title(view.title, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=62)
    small = Image.open(buffer).convert("L").quantize(GREYS)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, lambda part: small.save(part, format="PNG", optimize=True))


if __name__ == "__main__":
    sheet(sys.argv[1])
