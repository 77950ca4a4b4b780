"""Solid organs, stomach and bladder: lumpy ellipsoids that stay inside the cavity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.trunk import Trunk
from tools.phantom.drawing.canvas import CORNER_SIGNS, WORLD
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.shapes import Triple, ellipsoid, smooth_max, triple
from tools.phantom.drawing.texture import Texture

#: Smooth shapes are sampled this far apart, their mottling this far, mm.
SAMPLE_MM = 4.0
MOTTLE_STEP_MM = 6.0
#: Mottling of parenchyma, HU (design: vessels and lobules).
MOTTLE_HU = 3.0
#: SD of an organ's place per axis, mm, and of the size of all organs, relative (design).
PLACE_SD_MM = 5.0
SIZE_SD = 0.06
#: How far the abdominal organs keep from the wall and from the diaphragm, mm.
WALL_GAP_MM = 5.0
DIAPHRAGM_GAP_MM = 3.0
#: Rounding where an organ meets the wall, mm.
ROUNDING_MM = 8.0
#: Share of patients with oral contrast in whom the stomach still holds some.
STOMACH_CONTRAST = 0.6
#: z of the bladder's floor below the sacral endplate in a person of scale 1, mm.
PELVIC_FLOOR_MM = -118.0


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
    center: Triple
    half: Triple
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
    size = spine.scale * float(rng.normal(1, SIZE_SD))
    return [
        *_upper_organs(rng, spine, trunk, size, contrast),
        *_pelvic_organs(rng, spine.scale, size, sex),
    ]


def _near(rng: np.random.Generator, x: float, y: float, z: float) -> Triple:
    """An organ's centre: its usual place, RAS+ millimetres, and some chance."""
    return triple(np.array([x, y, z]) + rng.normal(0, PLACE_SD_MM, 3))


def _upper_organs(
    rng: np.random.Generator, spine: Spine, trunk: Trunk, size: float, contrast: bool
) -> list[Blob]:
    """Heart, liver, spleen, stomach, pancreas and kidneys; places and sizes are design."""
    wide, deep, back = trunk.half_width, trunk.half_depth, trunk.back
    middle = back + deep
    right, left = trunk.dome
    (_, y_l1, z_l1), (_, y_l2, z_l2) = (
        spine.vertebrae[level].frame.origin for level in ("L1", "L2")
    )
    kidney = (27.0 * size, 29.0 * size, 56.0 * size)
    stomach = "oral_contrast" if contrast and rng.random() < STOMACH_CONTRAST else "bowel_fluid"
    heart = Blob(
        "heart",
        center=_near(rng, -18, middle + 0.15 * deep, max(right, left) + 48),
        half=(62, 52, 60),
        lumps=2,
        chest=True,
    )
    right_lobe = Blob(
        "liver",
        center=_near(rng, 0.50 * wide, middle + 2, right - 72 * size),
        half=(0.46 * wide, 0.82 * deep, 82 * size),
        lumps=4,
    )
    left_lobe = Blob(
        "liver",
        center=_near(rng, 0.05 * wide, middle + 0.42 * deep, right - 56 * size),
        half=(0.45 * wide, 0.34 * deep, 48 * size),
        lumps=4,
    )
    spleen = Blob(
        "spleen",
        center=_near(rng, -0.66 * wide, back + 0.62 * deep, left - 58 * size),
        half=(26 * size, 48 * size, 50 * size),
    )
    stomach_bag = Blob(
        stomach,
        center=_near(rng, -0.34 * wide, middle + 0.28 * deep, left - 62 * size),
        half=(40 * size, 42 * size, 56 * size),
        lumps=5,
        wall=4.0,
        gas=float(rng.uniform(0.1, 0.6)),
    )
    pancreas = Blob(
        "pancreas",
        center=_near(rng, -12, y_l1 + 46, z_l1 + 8),
        half=(62 * size, 13 * size, 14 * size),
        lumps=5,
    )
    # The right kidney lies lower, under the liver.
    right_kidney = Blob(
        "kidney",
        center=_near(rng, 63 * size + 4, y_l2 - 8, (z_l1 + z_l2) / 2 - 14),
        half=kidney,
        lumps=2,
    )
    left_kidney = Blob(
        "kidney",
        center=_near(rng, -63 * size - 4, y_l1 - 8, (z_l1 + z_l2) / 2),
        half=kidney,
        lumps=2,
    )
    return [
        heart,
        right_lobe,
        left_lobe,
        spleen,
        stomach_bag,
        pancreas,
        right_kidney,
        left_kidney,
    ]


def _pelvic_organs(rng: np.random.Generator, scale: float, size: float, sex: str) -> list[Blob]:
    """Bladder, rectum, and uterus or prostate; places and sizes are design."""
    floor = PELVIC_FLOOR_MM * scale
    filling = float(rng.uniform(0.6, 1.2))
    bladder = Blob(
        "bowel_fluid",
        center=_near(rng, 0, 44 * size, floor + 4),
        half=(36 * filling, 30 * filling, 32 * filling),
        lumps=2,
        wall=3.5,
    )
    rectum = Blob(
        "bowel_wall",
        center=_near(rng, 0, -36 * size, floor + 18),
        half=(18, 17, 40),
        lumps=4,
        wall=4.0,
        gas=float(rng.uniform(0, 0.7)),
    )
    # The uterus lies on the bladder, the prostate under it.
    rise, half = (22, (25, 20, 26)) if sex == "F" else (-14, (21, 17, 17))
    last = Blob("muscle", center=_near(rng, 0, 8 * size, floor + rise), half=half)
    return [bladder, rectum, last]


def paint_organs(paint: Paint, organs: list[Blob], trunk: Trunk, texture: Texture) -> None:
    """Paint the organs in the order given; later ones cover earlier ones.

    Args:
        paint: Canvas and HU.
        organs: What is painted.
        trunk: The cavity that holds them.
        texture: Makes surfaces and parenchyma uneven.
    """
    for number, organ in enumerate(organs):
        _paint_organ(paint, organ, trunk, texture, 37.0 * number)


def _paint_organ(paint: Paint, organ: Blob, trunk: Trunk, texture: Texture, shift: float) -> None:
    """Paint one organ; `shift`, mm, gives each its own part of the texture."""
    x0, y0, z0 = organ.center

    def distance(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        uneven = organ.lumps * texture.sample(x + shift, y, z)
        blob = ellipsoid(x - x0, y - y0, z - z0, organ.half) + uneven
        height = trunk.diaphragm(x, y, z)
        gap = DIAPHRAGM_GAP_MM - height if organ.chest else height + DIAPHRAGM_GAP_MM
        within = smooth_max(trunk.cavity(x, y, z) + WALL_GAP_MM, gap, ROUNDING_MM)
        return smooth_max(blob, within, ROUNDING_MM)

    canvas = paint.canvas
    reach = np.array(organ.half) + 3 * organ.lumps
    box = canvas.box(np.array(organ.center) + CORNER_SIGNS * reach, 2.0)
    if box is None:
        return
    surface = canvas.distance(box, distance, WORLD, SAMPLE_MM)
    if not organ.wall:
        slow = box.coarse(MOTTLE_STEP_MM)
        mottled = slow.refine(texture.sample(*slow.coordinates()))
        hu = paint.hu(organ.tissue) + MOTTLE_HU * mottled
        canvas.blend(box, hu, canvas.coverage(surface))
        return
    canvas.blend(box, paint.hu("bowel_wall"), canvas.coverage(surface))
    canvas.blend(box, paint.hu(organ.tissue), canvas.coverage(surface + organ.wall))
    if organ.gas:
        # Supine: gas collects in front of a flat fluid level.
        _, y, _ = box.coordinates()
        level = y0 + organ.half[1] * (1 - 2 * organ.gas)
        inside = torch.maximum(surface + organ.wall, level - y)
        canvas.blend(box, paint.hu("gas"), canvas.coverage(inside))
