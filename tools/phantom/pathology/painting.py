"""Paints what lies outside of a deformed body: swelling, bridges, cement, screws and fragments."""

from __future__ import annotations

import numpy as np
import torch

from tools.phantom.anatomy.patient import Patient
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.drawing.canvas import CORNER_SIGNS
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.shapes import ellipsoid, smooth_min, superellipse
from tools.phantom.pathology.implants import HEAD_RADIUS_MM, Fragment

#: A bridge's outline relative to the body's: a fused pair has a waist at the former disc (design).
BRIDGE_SIZE = 0.86
#: A bridge reaches so far into the bodies above and below, mm; they then cover it.
BRIDGE_REACH_MM = 3.0
#: Softness of a swelling's edge, mm.
SWELLING_EDGE_MM = 2.5
#: Mineral of a loose fragment relative to the body's: mostly cortex (design).
FRAGMENT_DENSITY = 3.0


def paint_swellings(paint: Paint, patient: Patient) -> None:
    """Paint swollen soft tissue around bodies, before vessels, muscles and bone."""
    if patient.pathology is None:
        return
    canvas = paint.canvas
    for swelling in patient.pathology.swellings:
        body = patient.spine.vertebrae[swelling.level]
        shape = BodyShape(body)
        box = canvas.box(shape.corners(), 2 * swelling.thickness + 3)
        if box is None:
            continue
        u, v, w = box.coordinates(body.frame)
        aside = 1 + swelling.lopsided * (u / (body.width / 2)).clamp(-1, 1)
        high = 1 - (w / (0.85 * body.height)) ** 2
        thick = swelling.thickness * aside * high.clamp(min=-1)
        # None behind the body, where the canal is.
        thick = thick - swelling.thickness * (-0.3 - v / (body.depth / 2)).clamp(min=0) * 4
        distance = shape.outline(u, v, w) - thick
        soft = (0.5 - distance / SWELLING_EDGE_MM).clamp(0, 1)
        canvas.blend(box, paint.hu("ligament"), soft)


def paint_bridges(paint: Paint, patient: Patient) -> None:
    """Paint bone in place of the disc of fused bodies; the bodies painted later cover its ends."""
    if patient.pathology is None:
        return
    for level in patient.pathology.bridges:
        body, bone = patient.spine.vertebrae[level], patient.bones[level]
        frame = body.frame.moved(0.0, 0.0, -(body.height + body.disc_height) / 2)
        half_width, half_depth = BRIDGE_SIZE * body.width / 2, BRIDGE_SIZE * body.depth / 2
        reach = body.disc_height / 2 + BRIDGE_REACH_MM

        def bridge(
            u: torch.Tensor,
            v: torch.Tensor,
            w: torch.Tensor,
            half_width: float = half_width,
            half_depth: float = half_depth,
            reach: float = reach,
        ) -> torch.Tensor:
            side = superellipse(u, v, half_width, half_depth, 2.3)
            return torch.maximum(side, w.abs() - reach)

        half = np.array([half_width, half_depth, reach])
        box = paint.canvas.box(frame.to_world(CORNER_SIGNS * half), 1.5)
        hu = float(bone.hu(torch.tensor(1.3), paint.beam))
        paint.canvas.paint(box, hu, bridge, frame)


def paint_implants(paint: Paint, patient: Patient) -> None:
    """Paint cement, fragments, screws and rods, after the spine."""
    found = patient.pathology
    if found is None:
        return
    for fragment in found.fragments:
        _paint_fragment(paint, patient, fragment)
    _paint_cement(paint, patient)
    _paint_screws(paint, patient)


def _paint_fragment(paint: Paint, patient: Patient, fragment: Fragment) -> None:
    body, bone = patient.spine.vertebrae[fragment.level], patient.bones[fragment.level]
    frame = body.frame.moved(*fragment.center)

    def ossicle(u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return ellipsoid(u, v, w, fragment.half)

    box = paint.canvas.box(frame.to_world(CORNER_SIGNS * np.array(fragment.half)), 1.5)
    density = min(FRAGMENT_DENSITY, body.shell_ha / bone.ha)
    hu = float(bone.hu(torch.tensor(density), paint.beam))
    paint.canvas.paint(box, hu, ossicle, frame)


def _paint_cement(paint: Paint, patient: Patient) -> None:
    canvas = paint.canvas
    for part in patient.pathology.cement if patient.pathology else ():
        body, bone = patient.spine.vertebrae[part.level], patient.bones[part.level]
        shape = BodyShape(body)
        box = canvas.box(shape.corners(), 1.5)
        if box is None:
            continue
        u, v, w = box.coordinates(body.frame)
        lumps = None
        for u0, v0, w0, radius in part.lumps.tolist():
            ball = ellipsoid(u - u0, v - v0, w - w0, (radius, radius, 0.8 * radius))
            lumps = ball if lumps is None else smooth_min(lumps, ball, 3.0)
        if lumps is None:
            continue
        # Cement creeps between the trabeculae: its edge follows the texture.
        rough = lumps + 0.9 * bone.fine.sample(u + bone.shift, v, w)
        inside = torch.maximum(rough, shape.distance(u, v, w) + body.shell_mm)
        share = part.share * canvas.coverage(inside)
        canvas.blend(box, paint.hu("cement"), share)


def _paint_screws(paint: Paint, patient: Patient) -> None:
    screws = patient.pathology.screws if patient.pathology else None
    if screws is None:
        return
    metal = paint.hu("titanium")
    rods: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for level in screws.levels:
        body = patient.spine.vertebrae[level]
        for rod, course in zip(rods, screws.courses(body), strict=True):
            taper = [screws.radius, 0.75 * screws.radius]
            paint.tube(course, taper, metal, coarse_mm=None, frame=body.frame)
            world = body.frame.to_world(course[0])
            paint.ball(world, HEAD_RADIUS_MM, "titanium")
            rod.append(world)
    for rod in rods:
        along = rod[-1] - rod[0]
        ends = along / max(float(np.linalg.norm(along)), 1.0) * 8.0
        course = np.array([rod[0] - ends, *rod, rod[-1] + ends])
        paint.tube(course, [screws.rod] * len(course), metal, coarse_mm=None)
