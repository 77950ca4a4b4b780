"""The pictures of a report: the spine from the side with its levels, and each level's patch.

    figures = pictures.draw(report, image, affine, labels, patches)
    figures["sagittal_levels"].png

Everything is cut from the stored volume in patient millimetres, so orientation, spacing and
obliquity do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tools import page
from tools import pictures as pic
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.report import words
from tools.report.axial import axial
from tools.report.scene import GREY, WHITE, Bodies, PatchView, Scan, figure
from tools.report.schema import density
from tools.report.views import CurvedView
from tools.volumes import Grid

SAGITTAL_PIXEL_MM = 0.4
"""Pixel edge from the side, mm: a lumbar spine of 250 mm fills 625 pixels."""

SAGITTAL_MARGINS_MM = {"anterior": 82.0, "posterior": 78.0, "head": 60.0, "foot": 85.0}
"""What is shown around the levels' centres, mm: names in front, spinous processes behind, T12
above, and L5 with the sacrum below."""

SPINE_WINDOW = (250.0, 800.0)
"""Window level and width from the side, HU: bone's window, with its dense end cut off, because
the trabeculae of interest are the dark part of it."""


def draw(
    report: Mapping[str, Any],
    image: np.ndarray,
    affine: np.ndarray,
    labels: np.ndarray,
    patches: Iterable[PatchView] = (),
    chain: Sequence[Mapping[str, Any]] = (),
) -> dict[str, page.Figure]:
    """Draw every picture of a report.

    Args:
        report: Content of report.json.
        image: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetres.
        labels: Ids 1-4 = L1-L4 on the image's grid [X, Y, Z].
        patches: Of the levels that have one.
        chain: Every body found, each with `name` (or None) and `centroid_ras_mm`; it bends the
            sagittal view and names the neighbours.

    Returns:
        File stem -> picture: "sagittal", "sagittal_levels", and "axial_L1" to "axial_L4" of the
        levels whose place is known. Without any body there is only "sagittal", and none is axial
        where the input holds no axial data.
    """
    scan = Scan(np.asarray(image), np.asarray(affine, dtype=float), Bodies(labels, affine))
    patch_of = {patch.level: patch for patch in patches}
    places = _places(report, chain)
    levels_mm = _stack(places[name] for name in MEASURED_LEVELS if name in places)
    path_mm = _stack(body["centroid_ras_mm"] for body in chain) if len(chain) else levels_mm
    view = sagittal_view(scan.image.shape, scan.affine, path_mm, levels_mm)
    plain = pic.window(view.sample(scan.image, scan.affine), SPINE_WINDOW)
    where = "the middle of the bodies along the spine's curve" if places else "the scan's middle"
    caption = f"Sagittal, through {where}; window {SPINE_WINDOW[0]:.0f} / {SPINE_WINDOW[1]:.0f} HU"
    figures = {"sagittal": figure(pic.annotate(plain, view), caption)}
    if places:
        marked = _with_levels(report, scan, view, plain, patch_of, places)
        figures["sagittal_levels"] = figure(marked, _sagittal_caption(report))
    if report["input"]["sagittal_reformat"]:
        return figures
    for name in MEASURED_LEVELS:
        level = report["levels"][name]
        if name in patch_of or level["centroid_ras_mm"] is not None:
            figures[f"axial_{name}"] = axial(name, level, scan, patch_of.get(name))
    return figures


def sagittal_view(
    shape: tuple[int, ...], affine: np.ndarray, path_mm: np.ndarray, levels_mm: np.ndarray
) -> pic.View:
    """Lay the sagittal view: along the spine and about L1-L4, or flat and whole without a spine.

    Args:
        shape: Voxels of the scan along [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        path_mm: Centres of all bodies that were found, RAS+ mm [N, 3]; N may be 0.
        levels_mm: Centres of those of L1-L4, RAS+ mm [M, 3]; without any, all bodies are shown.

    Returns:
        The view, no larger than the scan.
    """
    middle = float(Grid((shape[0], shape[1], shape[2]), affine).center_mm[0])
    whole = pic.view_through(shape, affine, "sagittal", middle, SAGITTAL_PIXEL_MM)
    if not len(path_mm):
        return whole
    shown = levels_mm if len(levels_mm) else path_mm
    last = whole.to_world(np.array([whole.shape[1] - 1, whole.shape[0] - 1]))
    front = min(whole.top_left_mm[1], shown[:, 1].max() + SAGITTAL_MARGINS_MM["anterior"])
    back = max(last[1], shown[:, 1].min() - SAGITTAL_MARGINS_MM["posterior"])
    top = min(whole.top_left_mm[2], shown[:, 2].max() + SAGITTAL_MARGINS_MM["head"])
    bottom = max(last[2], shown[:, 2].min() - SAGITTAL_MARGINS_MM["foot"])
    rows, columns = (round(edge / SAGITTAL_PIXEL_MM) + 1 for edge in (top - bottom, front - back))
    corner = np.array([0.0, front, top])
    return CurvedView("sagittal", corner, SAGITTAL_PIXEL_MM, (rows, columns), path_mm)


def _places(
    report: Mapping[str, Any], chain: Sequence[Mapping[str, Any]]
) -> dict[str, Sequence[float]]:
    """Centre of every named body, RAS+ mm; a level that was refused may be known to the chain."""
    places = {body["name"]: body["centroid_ras_mm"] for body in chain if body["name"]}
    for name, level in report["levels"].items():
        if level["centroid_ras_mm"] is not None:
            places[name] = level["centroid_ras_mm"]
    return places


def _stack(centres: Iterable[Sequence[float]]) -> np.ndarray:
    """Lay centres below each other, [N, 3], also for none."""
    return np.array(list(centres), dtype=float).reshape(-1, 3)


def _with_levels(
    report: Mapping[str, Any],
    scan: Scan,
    view: pic.View,
    grey: np.ndarray,
    patch_of: Mapping[str, PatchView],
    places: Mapping[str, Sequence[float]],
) -> np.ndarray:
    """Lay outlines, names, densities and patches over the sagittal picture."""
    labels = np.zeros(view.shape, dtype=np.uint8)
    for name in MEASURED_LEVELS:
        labels[scan.bodies.cut(view, name)] = LABEL_IDS[name]
    picture = pic.overlay(grey, labels, _colours(report), opacity=0.12)
    canvas = Image.fromarray(pic.annotate(picture, view))
    draw_on = ImageDraw.Draw(canvas)
    size = pic.text_size(view.shape)
    for name, centre_mm in places.items():
        column, row = map(float, view.to_pixels(np.array(centre_mm, dtype=float)))
        if name not in MEASURED_LEVELS:
            pic.write(draw_on, (column, row), name, "mm", size, GREY)
            continue
        level = report["levels"][name]
        own = np.argwhere(labels == LABEL_IDS[name])
        front = float(own[:, 1].min()) - size / 2 if len(own) else column - 2 * size
        colour = GREY if words.left_out(level) else WHITE
        pic.write(draw_on, (front, row), name, "rb", size + 3, colour)
        pic.write(draw_on, (front, row + 3), _beside(level), "rt", size - 1, colour)
        if name in patch_of and level["status"] == "measured":
            _draw_edge_on(draw_on, view, patch_of[name])
    return np.asarray(canvas)


def _colours(report: Mapping[str, Any]) -> dict[int, pic.Colour]:
    return {
        LABEL_IDS[name]: GREY
        if words.left_out(report["levels"][name])
        else pic.LABEL_COLOURS[LABEL_IDS[name]]
        for name in MEASURED_LEVELS
    }


def _beside(level: Mapping[str, Any]) -> str:
    """What stands under a level's name: its density, its HU where there is none, or the reason."""
    why = words.left_out(level)
    if why is not None:
        return words.finding(why).title
    value = density(level)
    return (
        f"{level['hu_trabecular']:.0f} HU" if value is None else f"{value:.0f} mg/cm3"
    )  # the font holds no ³


def _draw_edge_on(draw_on: ImageDraw.ImageDraw, view: pic.View, patch: PatchView) -> None:
    """Draw a patch as it is seen from the side: a line from front to back."""
    corners = patch.corners_mm[np.argsort(patch.corners_mm[:, 1])]
    ends = np.array([corners[:2].mean(axis=0), corners[2:].mean(axis=0)])
    line = [(float(column), float(row)) for column, row in view.to_pixels(ends)]
    draw_on.line(line, fill=(0, 0, 0), width=5)
    draw_on.line(line, fill=WHITE, width=3)


def _sagittal_caption(report: Mapping[str, Any]) -> str:
    counted = [name for name, one in report["levels"].items() if not words.left_out(one)]
    if not counted:
        return "The same view with what was found; no level counts"
    return (
        f"The same view with outlines and names: {words.listed(counted)} in colour, with their "
        "patches seen from the side as lines; grey is left out"
    )
