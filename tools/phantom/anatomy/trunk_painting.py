"""Painting the trunk: the table, skin, fat with its septa, the muscular wall."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch

from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.drawing.canvas import Box
from tools.phantom.drawing.painting import Paint, paint_shell
from tools.phantom.drawing.texture import Texture

SKIN_MM = 2.2
#: Smooth layers are evaluated this far apart and interpolated, septa and mottling too, mm.
LAYER_STEP_MM = 6.0
SEPTA_STEP_MM = 4.0
#: HU of septa and vessels per SD of the texture above its first, under the skin and inside.
SEPTA_HU, MESENTERY_HU = 26.0, 55.0
#: Mottling of the wall's muscle, HU.
WALL_MOTTLE_HU = 9.0

#: The table: a curved box of plastic shells, foam inside (design).
TABLE_THICKNESS_MM = 2.5
TABLE_HALF_WIDTH_MM = 220.0
#: Radius of its curve, mm.
TABLE_CURVE_MM = 460.0
#: Distance of the table's upper and lower shell, mm.
TABLE_HEIGHT_MM = 45.0
TABLE_STEP_MM = 4.0


def paint_trunk(paint: Paint, trunk: Trunk, broad: Texture, strands: Texture) -> None:
    """Paint table, skin, fat, wall and the fat of the cavity.

    Args:
        paint: Canvas and HU.
        trunk: Its outline.
        broad: Slow texture of soft tissue.
        strands: Fine texture: septa in fat.
    """
    canvas = paint.canvas
    _paint_table(paint, trunk)
    z = canvas.grid.corners_mm()[:, 2]
    box = canvas.box(trunk.corners_mm(z.min(), z.max()), 2.0)
    if box is None:
        return
    septa = _strands(box, strands)
    skin = canvas.distance(box, trunk.skin, coarse_mm=LAYER_STEP_MM)
    fat = septa.mul(SEPTA_HU).add_(paint.hu("subcutaneous_fat"))
    paint_shell(canvas, box, skin, SKIN_MM, paint.hu("skin"), fat)
    del skin, fat
    wall = canvas.distance(box, trunk.wall_outside, coarse_mm=LAYER_STEP_MM)
    slow = box.coarse(LAYER_STEP_MM)
    mottled = broad.sample(*slow.coordinates()) * WALL_MOTTLE_HU + paint.hu("muscle")
    mottled = slow.refine(mottled)
    canvas.blend(box, mottled, canvas.coverage(wall))
    del wall, mottled
    cavity = canvas.distance(box, trunk.cavity, coarse_mm=LAYER_STEP_MM)
    fat = septa.mul_(MESENTERY_HU).add_(paint.hu("visceral_fat"))
    canvas.blend(box, fat, canvas.coverage(cavity))


def _strands(box: Box, texture: Texture) -> torch.Tensor:
    """Sparse positive streaks: septa and small vessels of fat, mostly 0."""
    coarse = box.coarse(SEPTA_STEP_MM)
    return coarse.refine((texture.sample(*coarse.coordinates()).abs() - 1.0).clamp(min=0))


def _paint_table(paint: Paint, trunk: Trunk) -> None:
    """A curved shell of plastic with foam inside, under the mattress."""
    canvas = paint.canvas
    top = trunk.back - trunk.table_gap
    z = canvas.grid.corners_mm()[:, 2]
    low = top - TABLE_HEIGHT_MM - 2 * TABLE_THICKNESS_MM
    high = top + TABLE_HALF_WIDTH_MM**2 / (2 * TABLE_CURVE_MM)
    sides = ((-TABLE_HALF_WIDTH_MM, TABLE_HALF_WIDTH_MM), (low, high), (z.min(), z.max()))
    box = canvas.box(np.array(list(product(*sides))), 2.0)
    if box is None:
        return
    for depth, inside in ((0.0, "table_foam"), (TABLE_HEIGHT_MM, "air")):

        def shell(
            x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, depth: float = depth
        ) -> torch.Tensor:
            surface = top + x * x / (2 * TABLE_CURVE_MM) - depth
            return torch.maximum(y - surface, x.abs() - TABLE_HALF_WIDTH_MM)

        distance = canvas.distance(box, shell, coarse_mm=TABLE_STEP_MM)
        paint_shell(
            canvas, box, distance, TABLE_THICKNESS_MM, paint.hu("table_skin"), paint.hu(inside)
        )
