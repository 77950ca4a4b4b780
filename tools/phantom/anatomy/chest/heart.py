"""The heart: four chambers in fat, inside the pericardium, on the diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy.chest.outline import CAGE_WALL_MM
from tools.phantom.anatomy.chest.places import Places
from tools.phantom.drawing.canvas import CORNER_SIGNS, WORLD, Frame
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.shapes import Triple, ellipsoid, smooth_max, smooth_min

#: Direction of the heart's long axis, RAS+: to the left, forwards, down (design).
LONG_AXIS = (-0.74, 0.50, -0.45)
#: Level of the heart's middle where the domes stand at T10, and how much of a difference follows.
MIDDLE_LEVEL, USUAL_DOME_LEVEL, FOLLOWS = 7.9, 10.0, 0.5
#: Where the middle lies between spine and sternum, and to the left of the middle, mm.
AHEAD, LEFT_MM = 0.60, 16.0
#: Pericardial and epicardial fat about the chambers, mm: least and most (design).
FAT_MM = (3.0, 8.0)
#: How far the heart stays above the diaphragm and inside the cage, mm.
DIAPHRAGM_MM, CAGE_MM, ROUNDING_MM = 2.0, 3.0, 8.0
#: And in front of the spine, where oesophagus and aorta pass.
SPINE_MM, SPINE_HALF_MM = 11.0, 24.0
SAMPLE_MM = 3.0


@dataclass(frozen=True)
class Chamber:
    """One chamber in the heart's frame.

    Attributes:
        center: mm from the heart's middle, u across to the right, v to the back, w to the apex.
        half: Half axes with the wall, mm.
        wall: Thickness of its muscle, mm.
    """

    center: Triple
    half: Triple
    wall: float


#: In a person of scale 1 (design after cardiac CT): atria, right and left ventricle.
CHAMBERS = (
    Chamber((-26.0, 20.0, -34.0), (30.0, 22.0, 26.0), 2.5),
    Chamber((28.0, -4.0, -30.0), (26.0, 28.0, 27.0), 2.5),
    Chamber((16.0, -16.0, 12.0), (28.0, 24.0, 42.0), 4.0),
    Chamber((-17.0, 6.0, 14.0), (29.0, 30.0, 47.0), 10.0),
)


@dataclass(frozen=True)
class Heart:
    """A heart.

    Attributes:
        frame: Its middle and axes: w points to the apex, u to the patient's right and front.
        size: Factor on every length.
        fat: Thickness of fat about the chambers, mm.
    """

    frame: Frame
    size: float
    fat: float


def draw_heart(rng: np.random.Generator, places: Places) -> Heart:
    """Draw a heart; its height follows the domes of the diaphragm.

    Args:
        rng: Random stream.
        places: The chest.
    """
    dome = places.level(float(np.mean(places.trunk.dome)))
    level = MIDDLE_LEVEL + FOLLOWS * (dome - USUAL_DOME_LEVEL) + float(rng.normal(0, 0.2))
    middle = places.at(level, -LEFT_MM + float(rng.normal(0, 4)), AHEAD)
    w = np.array(LONG_AXIS) / np.linalg.norm(LONG_AXIS)
    # v points backwards, at right angles to the long axis; u to the right and forwards.
    v = np.array([0.0, -1.0, 0.0]) - w * -w[1]
    v /= np.linalg.norm(v)
    axes = np.stack([np.cross(v, w), v, w], 1)
    fat = float(np.clip(2.0 + 0.15 * places.trunk.fat[1] + rng.normal(0, 1), *FAT_MM))
    return Heart(Frame(middle, axes), places.spine.scale * float(rng.normal(1.0, 0.05)), fat)


def paint_heart(paint: Paint, heart: Heart, places: Places) -> None:
    """Paint fat, muscle and blood.

    Args:
        paint: Canvas and HU.
        heart: What is painted.
        places: Cage, diaphragm and spine that hold it.
    """
    canvas = paint.canvas
    reach = 95.0 * heart.size
    box = canvas.box(heart.frame.origin + CORNER_SIGNS * reach, 1.0)
    if box is None:
        return
    slow = box.coarse(SAMPLE_MM)
    x, y, z = slow.coordinates(WORLD)
    u, v, w = slow.coordinates(heart.frame)
    trunk = places.trunk
    outside = smooth_max(
        DIAPHRAGM_MM - trunk.diaphragm(x, y, z),
        trunk.cage(x, y, z) + CAGE_WALL_MM + CAGE_MM,
        ROUNDING_MM,
    )
    beside = (x - float(places.spine.vertebrae["T7"].frame.origin[0])) / SPINE_HALF_MM
    spine = places.spine.front(z) + SPINE_MM * (1 - beside * beside) - y
    outside = smooth_max(outside, spine, ROUNDING_MM)
    pericardium: torch.Tensor | None = None
    shapes = []
    for chamber in CHAMBERS:
        distance = _distance(u, v, w, chamber, heart.size)
        held = smooth_max(distance, outside + heart.fat, ROUNDING_MM)
        shapes.append((held, chamber.wall * heart.size))
        pericardium = distance if pericardium is None else smooth_min(pericardium, distance, 26.0)
    assert pericardium is not None
    sac = slow.refine(smooth_max(pericardium - heart.fat, outside, ROUNDING_MM))
    canvas.blend(box, paint.hu("visceral_fat"), canvas.coverage(sac))
    for held, wall in shapes:
        surface = box.coarse(SAMPLE_MM).refine(held)
        canvas.blend(box, paint.hu("muscle"), canvas.coverage(surface))
        canvas.blend(box, paint.hu("blood"), canvas.coverage(surface + wall))


def _distance(
    u: torch.Tensor, v: torch.Tensor, w: torch.Tensor, chamber: Chamber, size: float
) -> torch.Tensor:
    """Signed distance to a chamber's outside."""
    a, b, c = (part * size for part in chamber.center)
    p, q, r = (part * size for part in chamber.half)
    return ellipsoid(u - a, v - b, w - c, (p, q, r))
