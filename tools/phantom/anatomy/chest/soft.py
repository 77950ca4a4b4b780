"""Soft tissue of the chest: fat of mediastinum and armpits, planes of fat between muscles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from tools.phantom.anatomy.chest.cage import on_cage
from tools.phantom.anatomy.chest.great_vessels import GreatVessels
from tools.phantom.anatomy.chest.outline import CAGE_WALL_MM, ChestTrunk
from tools.phantom.anatomy.chest.places import Places
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import CORNER_SIGNS, WORLD
from tools.phantom.drawing.painting import FAR_MM, Paint
from tools.phantom.drawing.shapes import ellipsoid, smooth_min, triple
from tools.phantom.drawing.texture import Texture

#: Fat about the great vessels, mm at BMI 24, and its growth per kg/m²; about the spine (design).
FAT_MM, FAT_GROWTH_MM, SPINE_FAT_MM = 2.5, 0.25, 2.5
#: Creases between vessels are filled over this many mm.
FILLED_MM = 14.0
#: Septum behind the sternum: radius at BMI 24, growth, mm.
SEPTUM_MM, SEPTUM_GROWTH_MM = 4.0, 0.35
SAMPLE_MM = 4.0
#: Armpit: thoracic level, angle about the cage, distance from it, radius of its fat, mm (design).
ARMPIT = (
    (7.0, 90.0, 13.0, 5.0), (6.0, 91.0, 20.0, 9.0), (5.0, 93.0, 20.0, 11.0),
    (4.0, 98.0, 16.0, 10.0), (3.0, 106.0, 15.0, 8.0), (2.3, 116.0, 14.0, 5.0),
)  # fmt: skip
#: A plane of fat between the cage and the muscles over it, mm from the cage; its HU share.
PLANE_MM, PLANE_SHARE = (2.0, 4.5), 0.75
#: Sheets of fat between the muscles of the shoulder: scale of the texture, and its level.
SHEET_SCALE, SHEET_LEVEL = 0.42, 0.16
#: Gland: size relative to the breast; sampling, mm.
GLAND_SHARE, GLAND_SAMPLE_MM = 0.72, 2.5


def mediastinum(places: Places, vessels: GreatVessels) -> list[list[Part]]:
    """Groups of rods whose union is the mediastinum without the heart."""
    excess = places.trunk.bmi - 24.0
    fat = max(1.5, FAT_MM + FAT_GROWTH_MM * excess)
    groups = []
    for tube in (vessels.aorta, *vessels.others):
        stations = zip(tube.course, tube.radii, strict=True)
        groups.append(
            [
                Part(triple(start), triple(end), (first + fat, last + fat))
                for (start, first), (end, last) in pairwise(stations)
            ]
        )
    spine = []
    for above, below in pairwise(places.spine.vertebrae[f"T{number}"] for number in range(1, 13)):
        radii = (below.depth / 2 + SPINE_FAT_MM, above.depth / 2 + SPINE_FAT_MM)
        ends = (triple(below.frame.origin), triple(above.frame.origin))
        spine.append(Part(*ends, radii, (below.width / below.depth, 1.0, 1.0)))
    # Trachea, oesophagus and lymph nodes fill the space behind the arch.
    middle = []
    for level in np.arange(0.0, 10.0, 1.0):
        for ahead in (0.12, 0.26):
            radius = (11.0 if level < 6 else 7.0) + fat
            start, end = places.at(level, 1, ahead), places.at(level + 1, 1, ahead)
            middle.append(Part(triple(start), triple(end), (radius, radius)))
    septum = max(2.0, SEPTUM_MM + SEPTUM_GROWTH_MM * excess)
    front = []
    for level in np.arange(2.6, 9.0, 0.9):
        ends = (
            triple(places.at(float(level), -4.0, 0.6)),
            triple(places.at(float(level), -4.0, 1.05)),
        )
        front.append(Part(*ends, (septum + 4, septum), (1.0, 1.0, 2.6)))
    return [*groups, spine, middle, front]


def paint_mediastinum(paint: Paint, groups: list[list[Part]], trunk: ChestTrunk) -> None:
    """Paint the mediastinum's fat over the lungs.

    Args:
        paint: Canvas and HU.
        groups: Its parts; creases between groups are filled, not those inside a group.
        trunk: The cage that holds it.
    """
    canvas = paint.canvas
    placed = []
    for group in groups:
        for part in group:
            # A stretched rod's distance falls short of the true one: what may reach so far counts.
            axis = np.array([part.start, part.end])
            placed.append((canvas.box(axis, part.reach() + 2.6 * FILLED_MM), part))
    shown = [box for box, _ in placed if box is not None]
    if not shown:
        return
    near = {id(part) for box, part in placed if box is not None}
    hull = canvas.hull(shown)
    slow = hull.coarse(SAMPLE_MM)
    x, y, z = slow.coordinates(WORLD)
    far = torch.full(slow.counts, FAR_MM, device=canvas.device)
    union = far
    for group in groups:
        own = far
        for part in group:
            if id(part) in near:
                own = torch.minimum(own, part.distance(x, y, z))
        union = smooth_min(union, own, FILLED_MM)
    held = torch.maximum(union, trunk.cage(x, y, z) + CAGE_WALL_MM - 1)
    held = torch.maximum(held, 2.0 - trunk.diaphragm(x, y, z))
    canvas.blend(hull, paint.hu("visceral_fat"), canvas.coverage(slow.refine(held)))


def paint_armpits(paint: Paint, places: Places) -> None:
    """Paint the fat of both armpits into the muscle of the wall."""
    for side in (1, -1):
        stations = [
            (on_cage(places.trunk, angle, places.height(level), side, away), radius)
            for level, angle, away, radius in ARMPIT
        ]
        course = np.array([place for place, _ in stations])
        radii = [radius * places.spine.scale for _, radius in stations]
        paint.tube(course, radii, paint.hu("subcutaneous_fat"), (1.0, 1.7, 1.0))


def paint_planes(paint: Paint, trunk: ChestTrunk, broad: Texture) -> None:
    """Paint thin fat between the cage and the muscles over it, and between those muscles.

    Args:
        paint: Canvas and HU.
        trunk: The chest.
        broad: Texture that makes the planes uneven.
    """
    canvas = paint.canvas
    z = canvas.grid.corners_mm()[:, 2]
    low, high = max(float(z.min()), trunk.joins[1]), float(z.max())
    box = canvas.box(trunk.corners_mm(low, high), 0.0) if high > low else None
    if box is None:
        return
    slow = box.coarse(SAMPLE_MM)
    x, y, w = slow.coordinates(WORLD)
    cage = trunk.cage(x, y, w)
    texture = broad.sample(SHEET_SCALE * x, SHEET_SCALE * y, 0.5 * SHEET_SCALE * w)
    # Where a slow random field passes zero lie sheets, as fascia between muscles does; only the
    # shoulders, from the armpit upwards, are made of many muscles.
    shoulder = ((w - trunk.sheets_from) / 30).clamp(0, 1)
    deep = (cage / 8).clamp(0, 1) * (-trunk.wall_outside(x, y, w) / 4).clamp(0, 1)
    sheets = slow.refine((1 - texture.abs() / SHEET_LEVEL).clamp(min=0) * shoulder * deep)
    inner, outer = PLANE_MM
    layer = slow.refine(cage)
    plane = canvas.coverage(layer - outer) - canvas.coverage(layer - inner)
    plane *= slow.refine(torch.sigmoid(2.5 * broad.sample(x, y, w)) * (deep + 0.3).clamp(max=1))
    muscle, fat = paint.hu("muscle"), paint.hu("subcutaneous_fat")
    inside = canvas.coverage(canvas.distance(box, trunk.wall_outside, WORLD, 6.0))
    share = torch.maximum(sheets, plane) * inside
    canvas.blend(box, muscle + PLANE_SHARE * (fat - muscle), share)


def paint_glands(paint: Paint, trunk: ChestTrunk, strands: Texture, dense: float) -> None:
    """Paint glandular tissue into the fat of the breasts.

    Args:
        paint: Canvas and HU.
        trunk: The chest with its breasts.
        strands: Texture of the tissue.
        dense: Share of gland in its middle, 0-1.
    """
    for center, half in trunk.breasts:
        inner = triple(GLAND_SHARE * part for part in half)
        box = paint.canvas.box(np.array(center) + CORNER_SIGNS * inner, 1.0)
        if box is None:
            continue
        slow = box.coarse(GLAND_SAMPLE_MM)
        x, y, z = slow.coordinates(WORLD)
        blob = -ellipsoid(x - center[0], y - center[1] - 6, z - center[2], inner)
        away = (-trunk.wall_outside(x, y, z).clamp(max=0) / 3).clamp(max=1)
        share = (blob / 14).clamp(0, 1) * (1 - away)
        share = share * (dense + 0.45 * strands.sample(x, y, z)).clamp(0, 0.9)
        paint.canvas.blend(box, paint.hu("pancreas"), slow.refine(share))
