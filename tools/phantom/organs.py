"""Solid organs, stomach and bladder: lumpy ellipsoids that stay inside the cavity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.canvas import WORLD, Texture
from tools.phantom.painting import Paint
from tools.phantom.shapes import smooth_max
from tools.phantom.spine import Spine
from tools.phantom.trunk import Trunk

#: Smooth shapes are sampled this far apart, mm.
SAMPLE_MM = 4.0


@dataclass(frozen=True)
class Blob:
    """An ellipsoid with an uneven surface.

    Attributes:
        tissue: What fills it.
        center: RAS+ millimetres.
        half: Half axes, mm.
        lumps: Unevenness of the surface, mm.
        chest: Whether it lies above the diaphragm.
        wall: Thickness of a wall around a hollow organ, mm; 0 for a solid one.
        gas: Share of a hollow organ's depth filled with gas, in front.
    """

    tissue: str
    center: tuple[float, float, float]
    half: tuple[float, float, float]
    lumps: float = 3.0
    chest: bool = False
    wall: float = 0.0
    gas: float = 0.0


def draw_organs(
    rng: np.random.Generator, spine: Spine, trunk: Trunk, sex: str, contrast: bool
) -> list[Blob]:
    """Draw the organs of the upper abdomen and the pelvis.

    Args:
        rng: Random stream.
        spine: Vertebrae; organs keep their usual level.
        trunk: The cavity they fill.
        sex: "F" or "M".
        contrast: Whether oral contrast medium was given.
    """
    z = {level: float(spine.vertebrae[level].frame.origin[2]) for level in spine.vertebrae}
    y = {level: float(spine.vertebrae[level].frame.origin[1]) for level in spine.vertebrae}
    wide, deep, back = trunk.half_width, trunk.half_depth, trunk.back
    middle = back + deep
    right, left = trunk.dome
    size = spine.scale * float(rng.normal(1, 0.06))

    def near(*values: float, sd: float = 5.0) -> tuple[float, float, float]:
        x, yy, zz = np.array(values) + rng.normal(0, sd, 3)
        return float(x), float(yy), float(zz)

    stomach = "oral_contrast" if contrast and rng.random() < 0.6 else "bowel_fluid"
    kidney = (27.0 * size, 29.0 * size, 56.0 * size)
    organs = [
        Blob("blood", near(-18, middle + 0.15 * deep, max(right, left) + 48), (62, 52, 60), 2, True),
        Blob("liver", near(0.50 * wide, middle + 2, right - 72 * size), (0.46 * wide, 0.82 * deep, 82 * size), 4),
        Blob("liver", near(0.05 * wide, middle + 0.42 * deep, right - 56 * size), (0.45 * wide, 0.34 * deep, 48 * size), 4),
        Blob("spleen", near(-0.66 * wide, back + 0.62 * deep, left - 58 * size), (26 * size, 48 * size, 50 * size), 3),
        Blob(stomach, near(-0.34 * wide, middle + 0.28 * deep, left - 62 * size), (40 * size, 42 * size, 56 * size), 5, False, 4.0, float(rng.uniform(0.1, 0.6))),
        Blob("pancreas", near(-12, y["L1"] + 46, z["L1"] + 8), (62 * size, 13 * size, 14 * size), 5),
        Blob("kidney", near(63 * size + 4, y["L2"] - 8, (z["L1"] + z["L2"]) / 2 - 14), kidney, 2),
        Blob("kidney", near(-63 * size - 4, y["L1"] - 8, (z["L1"] + z["L2"]) / 2), kidney, 2),
    ]  # fmt: skip
    pelvic = -118.0 * spine.scale
    bladder = float(rng.uniform(0.6, 1.2))
    organs += [
        Blob("bowel_fluid", near(0, 44 * size, pelvic + 4), (36 * bladder, 30 * bladder, 32 * bladder), 2, False, 3.5),
        Blob("bowel_wall", near(0, -36 * size, pelvic + 18), (18, 17, 40), 4, False, 4.0, float(rng.uniform(0, 0.7))),
        Blob("muscle", near(0, 8 * size, pelvic + (22 if sex == "F" else -14)), (25, 20, 26) if sex == "F" else (21, 17, 17), 3),
    ]  # fmt: skip
    return organs


def paint_organs(paint: Paint, organs: list[Blob], trunk: Trunk, texture: Texture) -> None:
    """Paint the organs, back to front as listed."""
    for number, organ in enumerate(organs):
        _paint_organ(paint, organ, trunk, texture, 37.0 * number)


def _paint_organ(paint: Paint, organ: Blob, trunk: Trunk, texture: Texture, shift: float) -> None:
    x0, y0, z0 = organ.center
    a, b, c = organ.half

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        q = ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 + ((z - z0) / c) ** 2
        uneven = organ.lumps * texture.sample(x + shift, y, z)
        blob = (q.clamp(min=1e-4).sqrt() - 1) * min(organ.half) + uneven
        height = trunk.diaphragm(x, y, z)
        within = smooth_max(trunk.cavity(x, y, z) + 5, 3 - height if organ.chest else height + 3, 8)
        return smooth_max(blob, within, 8)

    reach = np.array(organ.half) + 3 * organ.lumps
    signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    box = paint.canvas.box(np.array(organ.center) + signs * reach, 2.0)
    if box is None:
        return
    canvas = paint.canvas
    surface = canvas.distance(box, distance, WORLD, SAMPLE_MM)
    if not organ.wall:
        slow = box.coarse(6.0)
        mottled = slow.refine(texture.sample(*slow.coordinates()))
        canvas.blend(box, paint.hu(organ.tissue) + 3 * mottled, canvas.coverage(surface))
        return
    canvas.blend(box, paint.hu("bowel_wall"), canvas.coverage(surface))
    canvas.blend(box, paint.hu(organ.tissue), canvas.coverage(surface + organ.wall))
    if organ.gas:
        # Supine: gas collects in front of a flat fluid level.
        _, y, _ = box.coordinates()
        level = y0 + b * (1 - 2 * organ.gas)
        inside = torch.maximum(surface + organ.wall, level - y)
        canvas.blend(box, paint.hu("gas"), canvas.coverage(inside))
