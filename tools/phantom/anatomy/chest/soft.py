"""Soft tissue of the chest: fat of mediastinum and armpits, planes of fat between muscles."""

from __future__ import annotations

import numpy as np
import torch

from tools.phantom.anatomy.chest.cage import on_cage
from tools.phantom.anatomy.chest.great_vessels import GreatVessels
from tools.phantom.anatomy.chest.outline import CAGE_WALL_MM, ChestTrunk
from tools.phantom.anatomy.chest.places import Places
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD, vec
from tools.phantom.drawing.painting import Paint, Piece
from tools.phantom.drawing.shapes import smooth_min, triple
from tools.phantom.drawing.texture import Texture

#: Fat about the great vessels, mm at BMI 24, and its growth per kg/m²; about the spine (design).
FAT_MM, FAT_GROWTH_MM, SPINE_FAT_MM = 2.5, 0.25, 2.5
#: Creases between vessels are filled over this many mm.
FILLED_MM = 18.0
#: Septum behind the sternum: radius at BMI 24, growth, mm.
SEPTUM_MM, SEPTUM_GROWTH_MM = 4.0, 0.35
SAMPLE_MM = 4.0
#: Armpit: thoracic level, angle about the cage, distance from it, radius of its fat, mm (design).
ARMPIT = (
    (7.0, 92.0, 12.0, 4.0), (6.0, 94.0, 18.0, 9.0), (5.0, 97.0, 20.0, 13.0), (4.0, 102.0, 19.0, 13.0),
    (3.0, 110.0, 19.0, 11.0), (2.3, 118.0, 18.0, 6.0),
)  # fmt: skip
#: A plane of fat between the cage and the muscles over it, mm from the cage; its HU share.
PLANE_MM, PLANE_SHARE = (2.0, 4.5), 0.75


def mediastinum(places: Places, vessels: GreatVessels) -> list[Piece]:
    """Pieces whose union is the mediastinum without the heart."""
    excess = places.trunk.bmi - 24.0
    fat = max(1.5, FAT_MM + FAT_GROWTH_MM * excess)
    parts = []
    for tube in (vessels.aorta, *vessels.others):
        stations = list(zip(tube.course, tube.radii, strict=True))
        for (start, first), (end, last) in zip(stations[:-1], stations[1:], strict=True):
            parts.append(Part(triple(start), triple(end), (first + fat, last + fat)))
    bodies = [places.spine.vertebrae[f"T{number}"] for number in range(1, 13)]
    for below, above in zip(bodies[1:], bodies[:-1], strict=True):
        radii = tuple(body.depth / 2 + SPINE_FAT_MM for body in (below, above))
        wide = below.width / below.depth
        ends = (triple(body.frame.origin) for body in (below, above))
        parts.append(Part(*ends, radii, (wide, 1.0, 1.0)))
    # Trachea, oesophagus and lymph nodes fill the space behind the arch.
    for level in np.arange(0.0, 10.0, 1.0):
        for ahead in (0.12, 0.28):
            wide = 13.0 if level < 6 else 8.0
            start, end = places.at(level, 0, ahead), places.at(level + 1, 0, ahead)
            parts.append(Part(triple(start), triple(end), (wide + fat - 2,) * 2))
    septum = max(2.0, SEPTUM_MM + SEPTUM_GROWTH_MM * excess)
    for level in np.arange(2.6, 9.0, 0.9):
        ends = (places.at(float(level), -4.0, ahead) for ahead in (0.6, 1.05))
        parts.append(Part(*(triple(end) for end in ends), (septum + 4, septum), (1.0, 1.0, 2.6)))
    return [Piece(np.array([p.start, p.end]), p.reach(), p.distance) for p in parts]


def paint_mediastinum(paint: Paint, pieces: list[Piece], trunk: ChestTrunk) -> None:
    """Paint the mediastinum's fat over the lungs.

    Args:
        paint: Canvas and HU.
        pieces: Its parts.
        trunk: The cage that holds it.
    """
    canvas = paint.canvas
    boxes = [canvas.box(piece.axis, piece.reach + 8.0) for piece in pieces]
    shown = [box for box in boxes if box is not None]
    if not shown:
        return
    hull = canvas.hull(shown)
    slow = hull.coarse(SAMPLE_MM)
    x, y, z = slow.coordinates(WORLD)
    union = torch.full(slow.counts, 50.0, device=canvas.device)
    for piece, box in zip(pieces, boxes, strict=True):
        if box is not None:
            union = smooth_min(union, piece.distance(x, y, z), FILLED_MM)
    held = torch.maximum(union, trunk.cage(x, y, z) + CAGE_WALL_MM - 1)
    held = torch.maximum(held, 2.0 - trunk.diaphragm(x, y, z))
    canvas.blend(hull, paint.hu("visceral_fat"), canvas.coverage(hull.coarse(SAMPLE_MM).refine(held)))


def paint_armpits(paint: Paint, places: Places) -> None:
    """Paint the fat of both armpits into the muscle of the wall."""
    for side in (1, -1):
        stations = [
            (on_cage(places.trunk, angle, places.height(level), side, away), radius)
            for level, angle, away, radius in ARMPIT
        ]
        course = np.array([place for place, _ in stations])
        radii = [radius * places.spine.scale for _, radius in stations]
        paint.tube(course, radii, paint.hu("subcutaneous_fat"), (1.0, 1.4, 1.0))


def paint_planes(paint: Paint, trunk: ChestTrunk, broad: Texture) -> None:
    """Paint the thin fat between the cage and the muscles over it.

    Args:
        paint: Canvas and HU.
        trunk: The chest.
        broad: Texture that makes the plane uneven.
    """
    canvas = paint.canvas
    z = canvas.grid.corners_mm()[:, 2]
    low, high = max(float(z.min()), trunk.joins[1]), min(float(z.max()), float(trunk.apex[2]))
    box = canvas.box(trunk.corners_mm(low, high), 0.0) if high > low else None
    if box is None:
        return
    slow = box.coarse(SAMPLE_MM)
    x, y, z_mm = slow.coordinates(WORLD)
    layer = slow.refine(trunk.cage(x, y, z_mm))
    uneven = slow.refine(torch.sigmoid(2.5 * broad.sample(x, y, z_mm)))
    inner, outer = PLANE_MM
    share = canvas.coverage(layer - outer) - canvas.coverage(layer - inner)
    muscle, fat = paint.hu("muscle"), paint.hu("subcutaneous_fat")
    inside = canvas.coverage(canvas.distance(box, trunk.wall_outside, WORLD, 6.0))
    canvas.blend(box, muscle + PLANE_SHARE * (fat - muscle), share * inside * uneven)


