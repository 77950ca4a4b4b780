"""Hip bones and femora: wings fanned out of rods, acetabulum, pubis with symphysis, ischium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.bones import rods
from tools.phantom.canvas import WORLD
from tools.phantom.painting import Paint, paint_shell, union_distance
from tools.phantom.sacrum import Sacrum
from tools.phantom.vertebra import Part

CORTEX_MM = 1.6
#: Rods of one iliac wing; so many that their fillets leave no gap.
WING_RODS = 18


@dataclass(frozen=True)
class Pelvis:
    """Right half in RAS+ millimetres relative to the middle of the sacral endplate; mirrored left.

    Attributes:
        parts: Rods of one side as (start, end, radii).
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


def draw_pelvis(rng: np.random.Generator, sacrum: Sacrum, incidence: float, slope: float, sex: str) -> Pelvis:  # fmt: skip
    """Draw hip bones that fit the sacrum and the pelvic incidence.

    The hip axis lies where incidence = slope + tilt puts it, one hip-sacrum distance from the
    middle of the endplate.
    """
    scale = sacrum.scale
    tilt = np.radians(incidence - slope)
    reach = float(rng.normal(107, 6)) * scale
    hip = np.array([float(rng.normal(87, 4)) * scale, reach * np.sin(tilt), -reach * np.cos(tilt)])
    wide = 1.06 if sex == "F" else 0.98
    first = sacrum.segments[0].frame
    joint_top = first.to_world(np.array([54 * scale, -9 * scale, 4 * scale]))
    joint_low = sacrum.segments[2].frame.to_world(np.array([38 * scale, -10 * scale, -8 * scale]))
    rear = first.to_world(np.array([44 * scale, -44 * scale, -2 * scale]))
    # Crest: from the posterior spine over its top near L4 to the anterior superior spine.
    crest_top = np.array([118 * wide * scale, 8.0, 42 * scale])
    front = hip + np.array([34 * wide * scale, 22 * scale, 82 * scale])
    t = np.linspace(0, 1, WING_RODS)[:, None]
    crest = (1 - t) ** 2 * rear + 2 * t * (1 - t) * (2 * crest_top - (rear + front) / 2) + t**2 * front  # fmt: skip
    root = hip + np.array([4, 2, 24 * scale])
    roots = np.concatenate([
        joint_top + np.linspace(0, 1, 4)[:, None] * (joint_low - joint_top),
        joint_low + np.linspace(0.3, 1, WING_RODS - 4)[:, None] * (root - joint_low),
    ])  # fmt: skip
    parts = [
        Part(tuple(low), tuple(high), (5.0 * scale, 3.6 * scale))
        for low, high in zip(roots, crest, strict=True)
    ]
    parts += [
        Part(tuple(a), tuple(b), (4.6 * scale, 4.6 * scale))
        for a, b in zip(crest[:-1], crest[1:], strict=True)
    ]
    symphysis = hip * [0, 1, 1] + np.array([0.0, 48 * scale, -32 * scale])
    pubis = symphysis + np.array([4.0, 0.0, 0.0])
    sit = hip + np.array([-22 * scale, -34 * scale, -66 * scale])
    lower = pubis + np.array([2.0, -10 * scale, -26 * scale])
    rim = hip + np.array([-6, -4, 22 * scale])
    parts += [
        Part(tuple(joint_low), tuple(rim), (9 * scale, 13 * scale)),
        Part(tuple(hip + [-6, 20 * scale, 8]), tuple(pubis + [3, 0, 4]), (9 * scale, 7.5 * scale)),
        Part(tuple(pubis + [3, 0, 6]), tuple(lower), (7 * scale, 6 * scale)),
        Part(tuple(lower), tuple(sit), (5.5 * scale, 10 * scale)),
        Part(tuple(hip + [-4, -22 * scale, -6]), tuple(sit), (13 * scale, 11 * scale)),
        Part(tuple(hip + [-20 * scale, 0, 4]), tuple(hip + [-20 * scale, -4, 2]), (17 * scale,) * 2),
        Part(tuple(rim), tuple(hip + [10, 4, 27 * scale]), (12 * scale, 10 * scale)),
    ]  # fmt: skip
    neck = hip + np.array([46 * scale, -6.0, -24 * scale])
    return Pelvis(tuple(parts), hip, float(rng.normal(23.5, 1.2)) * scale, neck, symphysis)


def paint_pelvis(paint: Paint, pelvis: Pelvis, cortex: float, spongy: float) -> None:
    """Paint both hip bones, the symphysis and the upper ends of the femora."""
    for side in (-1, 1):
        mirror = np.array([side, 1, 1])
        drawn = union_distance(
            paint.canvas, WORLD, rods([_mirrored(p, mirror) for p in pelvis.parts]), 6.0
        )
        if drawn is not None:
            paint_shell(paint.canvas, drawn[0], drawn[1], CORTEX_MM, cortex, spongy)
        hip, neck = pelvis.hip * mirror, pelvis.neck * mirror
        # Joint space, then the head in it.
        radius = pelvis.head_radius
        paint.ellipsoid_box(hip, (radius + 3.5,) * 3, "cartilage", coarse_mm=2.0)
        shaft = neck + np.array([side * 6.0, 0, -60])
        femur = [
            Part(tuple(hip), tuple(hip + [0.1, 0, 0]), (radius, radius)),
            Part(tuple(hip), tuple(neck), (16, 15)),
            Part(tuple(neck + [0, 0, 12]), tuple(shaft), (17, 15)),
        ]
        drawn = union_distance(paint.canvas, WORLD, rods(femur), 6.0)
        if drawn is not None:
            paint_shell(paint.canvas, drawn[0], drawn[1], 1.8, cortex, 0.6 * spongy)
    paint.tube(
        np.array([pelvis.symphysis + [0, 3, 12], pelvis.symphysis + [0, -6, -22]]),
        (3.0, 3.0), paint.hu("cartilage"), (1.0, 3.0, 1.0), None,
    )  # fmt: skip


def _mirrored(part: Part, mirror: np.ndarray) -> Part:
    start, end = np.array(part.start) * mirror, np.array(part.end) * mirror
    return Part(tuple(start), tuple(end), part.radii, part.flatten)
