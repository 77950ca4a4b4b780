"""Hip bones and femora: wings fanned out of rods, acetabulum, pubis with symphysis, ischium."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tools.phantom.anatomy.bones import rods
from tools.phantom.anatomy.sacrum import Sacrum
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD, vec
from tools.phantom.drawing.painting import Paint, paint_union
from tools.phantom.drawing.shapes import triple

CORTEX_MM = 1.6
FEMUR_CORTEX_MM = 1.8
#: Spongy bone of the femur relative to the hip bones' (design: fattier marrow).
FEMUR_DENSITY = 0.6
#: Fillet between rods, mm.
FILLET_MM = 6.0
#: Rods of one iliac wing; so many that their fillets leave no gap.
WING_RODS = 18
#: Of them, this many start at the sacroiliac joint.
JOINT_RODS = 4
#: From the middle of the sacral endplate to the hip axis, and from the midline to the hip's centre,
#: mean and SD at scale 1, mm (design after pelvic radiographs).
HIP_REACH_MM = (107.0, 6.0)
HIP_SIDE_MM = (87.0, 4.0)
#: Radius of the femoral head, mean and SD at scale 1, mm; and the joint space about it (design).
HEAD_MM = (23.5, 1.2)
JOINT_SPACE_MM = 3.5
#: Width of the wings, women and men.
WIDE_WOMEN, WIDE_MEN = 1.06, 0.98


@dataclass(frozen=True)
class Pelvis:
    """Right half in RAS+ millimetres relative to the middle of the sacral endplate; mirrored left.

    Attributes:
        parts: Rods of one side.
        hip: Centre of the right femoral head.
        head_radius: Of the femoral head.
        neck: End of the right femoral neck.
        symphysis: Middle of the pubic symphysis.
    """

    parts: tuple[Part, ...]
    hip: np.ndarray
    head_radius: float
    neck: np.ndarray
    symphysis: np.ndarray


def draw_pelvis(
    rng: np.random.Generator, sacrum: Sacrum, incidence: float, slope: float, sex: str
) -> Pelvis:
    """Draw hip bones that fit the sacrum and the pelvic incidence.

    The hip axis lies where incidence = slope + tilt puts it, one hip-sacrum distance from the
    middle of the endplate.

    Args:
        rng: Random stream.
        sacrum: Between the hip bones.
        incidence: Pelvic incidence, degrees.
        slope: Sacral slope, degrees.
        sex: "F" or "M".
    """
    scale = sacrum.scale
    tilt = np.radians(incidence - slope)
    reach = float(rng.normal(*HIP_REACH_MM)) * scale
    side = float(rng.normal(*HIP_SIDE_MM)) * scale
    hip = vec(side, reach * np.sin(tilt), -reach * np.cos(tilt))
    symphysis = hip * vec(0, 1, 1) + vec(0.0, 48 * scale, -32 * scale)
    wide = (WIDE_WOMEN if sex == "F" else WIDE_MEN) * scale
    joint_low = sacrum.segments[2].frame.point(38 * scale, -10 * scale, -8 * scale)
    parts = [*_wing(sacrum, hip, joint_low, wide), *_lower_half(hip, joint_low, symphysis, scale)]
    neck = hip + vec(46 * scale, -6.0, -24 * scale)
    return Pelvis(tuple(parts), hip, float(rng.normal(*HEAD_MM)) * scale, neck, symphysis)


def _rod(start: np.ndarray, end: np.ndarray, first: float, last: float) -> Part:
    return Part(triple(start), triple(end), (first, last))


def _wing(sacrum: Sacrum, hip: np.ndarray, joint_low: np.ndarray, wide: float) -> list[Part]:
    """The right iliac wing: a fan of rods up to the crest, and the crest."""
    scale = sacrum.scale
    first = sacrum.segments[0].frame
    joint_top = first.point(54 * scale, -9 * scale, 4 * scale)
    rear = first.point(44 * scale, -44 * scale, -2 * scale)
    # Crest: from the posterior spine over its top near L4 to the anterior superior spine.
    crest_top = vec(118 * wide, 8.0, 42 * scale)
    front = hip + vec(34 * wide, 22 * scale, 82 * scale)
    t = np.linspace(0, 1, WING_RODS)[:, None]
    bend = 2 * crest_top - (rear + front) / 2  # the parabola's control point
    crest = (1 - t) ** 2 * rear + 2 * t * (1 - t) * bend + t**2 * front
    root = hip + vec(4, 2, 24 * scale)
    at_joint = np.linspace(0, 1, JOINT_RODS)[:, None]
    at_brim = np.linspace(0.3, 1, WING_RODS - JOINT_RODS)[:, None]
    roots = np.concatenate(
        [joint_top + at_joint * (joint_low - joint_top), joint_low + at_brim * (root - joint_low)]
    )
    fan = zip(roots, crest, strict=True)
    return [
        *(_rod(low, high, 5.0 * scale, 3.6 * scale) for low, high in fan),
        *(_rod(a, b, 4.6 * scale, 4.6 * scale) for a, b in pairwise(crest)),
    ]


def _lower_half(
    hip: np.ndarray, joint_low: np.ndarray, symphysis: np.ndarray, scale: float
) -> list[Part]:
    """Pelvic brim, acetabulum, pubis and ischium of the right side."""
    rim = hip + vec(-6, -4, 22 * scale)
    pubis = symphysis + vec(4, 0, 0)
    lower = pubis + vec(2, -10 * scale, -26 * scale)
    sit = hip + vec(-22 * scale, -34 * scale, -66 * scale)
    floor = hip + vec(-20 * scale, 0, 4)
    upper_pubis = (hip + vec(-6, 20 * scale, 8), pubis + vec(3, 0, 4))
    behind = hip + vec(-4, -22 * scale, -6)
    roof = hip + vec(10, 4, 27 * scale)
    return [
        _rod(joint_low, rim, 9 * scale, 13 * scale),  # brim
        _rod(*upper_pubis, 9 * scale, 7.5 * scale),
        _rod(pubis + vec(3, 0, 6), lower, 7 * scale, 6 * scale),  # body of the pubis
        _rod(lower, sit, 5.5 * scale, 10 * scale),  # lower pubis and ischium
        _rod(behind, sit, 13 * scale, 11 * scale),  # ischium
        _rod(floor, hip + vec(-20 * scale, -4, 2), 17 * scale, 17 * scale),  # acetabular floor
        _rod(rim, roof, 12 * scale, 10 * scale),  # acetabular roof
    ]


def femur(pelvis: Pelvis) -> list[Part]:
    """Head, neck and upper shaft of the right thigh bone."""
    hip, neck, radius = pelvis.hip, pelvis.neck, pelvis.head_radius
    return [
        _rod(hip, hip + vec(0.1, 0, 0), radius, radius),
        _rod(hip, neck, 16, 15),
        _rod(neck + vec(0, 0, 12), neck + vec(6, 0, -60), 17, 15),
    ]


def paint_pelvis(paint: Paint, pelvis: Pelvis, cortex: float, spongy: float) -> None:
    """Paint both hip bones, the symphysis and the upper ends of the femora.

    Args:
        paint: Canvas and HU.
        pelvis: Their sizes and places.
        cortex: HU of the cortex.
        spongy: HU inside.
    """
    for side in (-1, 1):
        mirror = vec(side, 1, 1)
        bones = rods([_mirrored(part, mirror) for part in pelvis.parts])
        paint_union(paint.canvas, WORLD, bones, FILLET_MM, CORTEX_MM, cortex, spongy)
        # Joint space, then the head in it.
        paint.ball(pelvis.hip * mirror, pelvis.head_radius + JOINT_SPACE_MM, "cartilage")
        thigh = rods([_mirrored(part, mirror) for part in femur(pelvis)])
        inside = FEMUR_DENSITY * spongy
        paint_union(paint.canvas, WORLD, thigh, FILLET_MM, FEMUR_CORTEX_MM, cortex, inside)
    course = np.array([pelvis.symphysis + vec(0, 3, 12), pelvis.symphysis + vec(0, -6, -22)])
    paint.tube(course, (3.0, 3.0), paint.hu("cartilage"), (1.0, 3.0, 1.0), None)


def _mirrored(part: Part, mirror: np.ndarray) -> Part:
    start, end = np.array(part.start) * mirror, np.array(part.end) * mirror
    return Part(triple(start), triple(end), part.radii, part.flatten)
