"""A level's own picture: its patch and its outline, in the patch's plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tools import page
from tools import pictures as pic
from tools.levels import LABEL_IDS
from tools.report import words
from tools.report.scene import GREY, WHITE, PatchView, Scan, figure
from tools.report.schema import density
from tools.report.views import oblique_about

PIXEL_MM = 0.25
SIZE_MM = (74.0, 84.0)
"""Height and width of the picture, mm: the widest body with its arch."""

SHIFT_MM = 8.0
"""How far the picture's middle lies behind the patch's, so that the canal shows, mm."""

BAR_MM = 20.0
TEXT = 15
"""Height of the text, pixels: still readable where four pictures stand side by side."""

WINDOW = (150.0, 700.0)
"""Window level and width, HU: narrower than bone's, to tell trabeculae from fat."""

DIMMED = 0.45
"""Brightness that is left to the picture of a refused level."""


def axial(name: str, level: Mapping[str, Any], scan: Scan, patch: PatchView | None) -> page.Figure:
    """Draw a level in its patch's plane, or in the axial plane of its centre.

    Args:
        name: "L1" to "L4".
        level: Its block of report.json; without a patch it has a centroid.
        scan: The CT.
        patch: The level's patch; None if it has none.

    Returns:
        The picture; a refused level's is dimmed and names the reason.
    """
    if patch is None:
        centre, normal = np.array(level["centroid_ras_mm"], dtype=float), np.array([0.0, 0.0, 1.0])
    else:
        centre, normal = np.asarray(patch.centre_mm), np.asarray(patch.normal)
    behind = centre - [0, SHIFT_MM, 0]
    view = oblique_about(behind, normal, SIZE_MM, PIXEL_MM)
    measured = level["status"] == "measured"
    grey = pic.window(view.sample(scan.image, scan.affine), WINDOW)
    if not measured:
        grey = (grey * DIMMED).astype(np.uint8)
    number = LABEL_IDS[name]
    why = words.left_out(level)
    colour = GREY if why else pic.LABEL_COLOURS[number]
    body = scan.bodies.cut(view, name).astype(np.uint8) * number
    picture = pic.overlay(grey, body, {number: colour}, opacity=0.0)
    canvas = Image.fromarray(pic.annotate(picture, view, bar_mm=BAR_MM, size=TEXT))
    draw_on = ImageDraw.Draw(canvas)
    pic.write(draw_on, (6, 6), name, "la", TEXT + 6, GREY if why else WHITE)
    if patch is not None and measured:
        _draw_square(draw_on, view, patch)
    if why is not None:
        title = words.finding(why).title
        middle = (view.shape[1] / 2, 6 + (TEXT + 6) / 2)
        pic.write(
            draw_on, middle, title if measured else f"not measured: {title}", "mm", TEXT, WHITE
        )
    return figure(np.asarray(canvas), _caption(name, level, patch))


def _draw_square(draw_on: ImageDraw.ImageDraw, view: pic.View, patch: PatchView) -> None:
    """Draw a patch's outline, whatever the order of its corners."""
    corners = view.to_pixels(patch.corners_mm)
    spokes = corners - corners.mean(axis=0)
    around = corners[np.argsort(np.arctan2(spokes[:, 1], spokes[:, 0]))]
    outline = [(float(column), float(row)) for column, row in [*around, around[0]]]
    draw_on.line(outline, fill=(0, 0, 0), width=4, joint="curve")
    draw_on.line(outline, fill=WHITE, width=2, joint="curve")


def _caption(name: str, level: Mapping[str, Any], patch: PatchView | None) -> str:
    if level["status"] == "refused":
        reasons = words.listed([words.finding(code).title for code in level["reasons"]])
        return f"{name}, not measured: {reasons}"
    value, why = density(level), words.left_out(level)
    if why is not None:
        name = f"{name}, not in the mean ({words.finding(why).title})"
    said = f"{level['hu_trabecular']:.0f} HU" if value is None else f"{value:.0f} mg/cm³ HA"
    if patch is None:
        return f"{name}, axial: {said}"
    # The square's edge: the distance to the nearest other corner.
    edge = float(np.sort(np.linalg.norm(patch.corners_mm - patch.corners_mm[0], axis=1))[1])
    return f"{name}, in its patch's plane: {said}; the square of {edge:.0f} mm is the patch"
