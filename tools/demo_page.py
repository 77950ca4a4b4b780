"""The demo's page: one digital patient, its true bone density beside the measured one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tools import __version__, page
from tools import pictures as pic
from tools.levels import HEAD_TO_FOOT, LABEL_IDS, MEASURED_LEVELS
from tools.phantom.anatomy.slab import SLAB_MM
from tools.phantom.case import Case
from tools.report import schema

Measured = Mapping[str, Mapping[str, Any]]
"""Level -> its block of report.json."""

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


def write(
    case: Case, figures: list[page.Figure], seed: int, measured: Measured, again: str, report: str
) -> str:
    """Write the page.

    Args:
        case: The patient.
        figures: Pictures in the order to show them.
        seed: The patient's number.
        measured: What `screen` found.
        again: Command line that draws the same demo again.
        report: Where the report of the CT lies, relative to the page.

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
                "frontal projection of the mineral, as DXA sees it. Measured is the density of "
                "the report that counts, the network's, with its 95 % interval; HU-linear density "
                "stands beside it. Heights are those of the body in front, in the middle and "
                "behind. A dash: the level is not wholly in the scan, or was not measured."
            ),
            page.link("The report of this CT", report),
            page.footer(
                f"osteoct tools {__version__}. The volumes, the truth and the pictures lie beside "
                f"this page; the command was: {again}"
            ),
        ],
    )


def truth_table(levels: Mapping[str, Mapping[str, Any]], measured: Measured) -> str:
    """Write the levels' truth and what was measured as an HTML table, head to foot."""
    head = ["level", "HA mass, mg/cm³", "QCT density, mg/cm³", "measured, mg/cm³"]
    head += ["HU-linear, mg/cm³", "areal density, g/cm²"]
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
            _number(measured.get(name, {}).get("bmd_hu_linear_mg_cm3"), 1),
            _number(level.get("areal_bmd_g_cm2"), 3),
            *(_number(heights.get(place), 1) for place in ("anterior", "middle", "posterior")),
        ]
        if not level["complete"]:
            numbers = ["–"] * len(numbers)
        rows.append([f"{name} *" if name in MEASURED_LEVELS else name, *numbers])
    return page.table(head, rows, "What was put in, and measured. * levels that are measured")


def _density(level: Mapping[str, Any]) -> str:
    """Measured density that counts, with its interval."""
    interval = level.get("bmd_interval_95_mg_cm3")
    density = schema.density(level) if level else None
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
