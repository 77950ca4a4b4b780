"""Transverse processes that meet the sacrum's wings, and those that give way to a lumbar rib."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from tools.phantom.anatomy.bones import rods
from tools.phantom.anatomy.sacrum import Sacrum, alae
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.variants.last_ribs import stump
from tools.phantom.anatomy.variants.plan import Plan
from tools.phantom.anatomy.vertebra import Part
from tools.phantom.drawing.canvas import WORLD, Frame
from tools.phantom.drawing.painting import Piece
from tools.phantom.drawing.shapes import Distance, smooth_max, smooth_min, triple

#: Radii of a process that has broadened to a wing, at root and end, mm at scale 1: at least 19 mm
#: high (Castellvi).
BROAD_MM = (9.5, 10.5)
#: Where its rods begin, forwards of the body's rear wall, and end, to the side and forwards of the
#: middle of S1's endplate, mm at scale 1.
RODS_MM = ((7.0, 39.0, -3.0), (-4.0, 38.0, -13.0))
#: Width of the joint of a type II process, and how deep the ends lie in the wing, mm.
JOINT_MM, SUNK_MM = 1.8, 5.0
#: Fillet of the wing's rods, and rounding of the joint's edge, mm.
WING_FILLET_MM, EDGE_MM = 5.0, 2.0
#: The wing's surface is searched this far below the endplate, mm.
SEARCH_MM = 40.0
#: Core of spongy bone that runs through a fusion: radius and length below the process' end, mm.
CORE_MM, CORE_REACH_MM = 7.5, 13.0


@dataclass(frozen=True)
class Jointed(Part):
    """A rod that ends at a joint with the sacrum's wing, whose surface it follows.

    Attributes:
        frame: The vertebra's.
        wing: Rods of the wing, in world coordinates.
        plate: Frame of the sacral endplate, above which there is no wing.
    """

    frame: Frame = WORLD
    wing: tuple[Part, ...] = ()
    plate: Frame = WORLD

    def distance(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Signed distance in the vertebra's frame, mm."""
        rod = super().distance(u, v, w)
        x, y, z = _world(self.frame, u, v, w)
        wing = _wing_distance(self.wing, self.plate, x, y, z)
        return smooth_max(rod, JOINT_MM - wing, EDGE_MM)


def join(spine: Spine, sacrum: Sacrum, plan: Plan) -> Spine:
    """Give a sacralised L5 its broad processes, and L1 the stumps that carry lumbar ribs.

    Args:
        spine: Stacked.
        sacrum: Under it.
        plan: What is unusual.
    """
    bodies = dict(spine.vertebrae)
    if plan.transition and plan.transition.castellvi:
        sides = zip((-1, 1), plan.transition.sides, strict=True)
        broad = {
            side: _broad(bodies["L5"], spine.sacral_frame, sacrum, side, form == "II")
            for side, form in sides
            if form
        }
        bodies["L5"] = replace(bodies["L5"], processes=tuple(broad.items()))
    if plan.ribs.lumbar:
        stumps = {side: (Part(*stump(bodies["L1"], side)),) for side, _ in plan.ribs.lumbar}
        bodies["L1"] = replace(bodies["L1"], processes=tuple(stumps.items()))
    return replace(spine, vertebrae=bodies)


def _broad(
    vertebra: Vertebra, plate: Frame, sacrum: Sacrum, side: int, jointed: bool
) -> tuple[Part, ...]:
    """Rods of a broad process that reaches the sacrum's wing, in the vertebra's frame."""
    scale = vertebra.scale
    root = side * (vertebra.canal_width / 2 + vertebra.pedicle_width - 4)
    radii = (BROAD_MM[0] * scale, BROAD_MM[1] * scale)
    wing = _side(sacrum, side)
    parts: list[Part] = []
    for behind, aside, forward in RODS_MM:
        u, v = side * aside * scale, forward * scale
        end = plate.point(u, v, _top(wing, plate, u, v) + radii[1] - SUNK_MM)
        start = (root, -vertebra.depth / 2 + behind * scale, 0.0)
        last = triple(vertebra.frame.axes.T @ (end - vertebra.frame.origin))
        if jointed:
            parts.append(Jointed(start, last, radii, (1.0,) * 3, vertebra.frame, wing, plate))
        else:
            parts.append(Part(start, last, radii))
    return tuple(parts)


def _top(wing: tuple[Part, ...], plate: Frame, u: float, v: float) -> float:
    """Height of the wing's surface over a place of the endplate's plane, mm."""
    heights = np.arange(0.0, -SEARCH_MM, -0.5)
    line = np.array([plate.point(u, v, height) for height in heights])
    x, y, z = torch.tensor(line, dtype=torch.float32).T
    inside = _wing_distance(wing, plate, x, y, z).numpy() < 0
    return float(heights[int(inside.argmax())]) if inside.any() else -SEARCH_MM / 4


def _wing_distance(
    wing: tuple[Part, ...], plate: Frame, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor
) -> torch.Tensor:
    first, *others = (part.distance(x, y, z) for part in wing)
    for other in others:
        first = smooth_min(first, other, WING_FILLET_MM)
    _, _, above = plate.local(x, y, z)
    return torch.maximum(first, above)


def _world(
    frame: Frame, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """RAS+ coordinates of local ones, all mm."""
    x, y, z = (
        float(start) + u * float(row[0]) + v * float(row[1]) + w * float(row[2])
        for start, row in zip(frame.origin, frame.axes, strict=True)
    )
    return x, y, z


def fusion(
    vertebra: Vertebra, sacrum: Sacrum, plate: Frame, side: int
) -> tuple[list[Piece], Distance, Distance]:
    """Where bone runs through a fused process into the wing.

    Args:
        vertebra: The sacralised L5.
        sacrum: Whose wing it has joined.
        plate: Frame of the sacral endplate.
        side: +1 right.

    Returns:
        Rods of a core through the seam; the distance to process and wing together, beyond whose
        cortex the core shall not go; and the depth under the processes' ends: all RAS+, mm.
    """
    up = plate.axes[:, 2]
    processes = dict(vertebra.processes)[side]
    ends = [vertebra.frame.point(*part.end) for part in processes]
    wide, narrow = (radius * vertebra.scale for radius in (CORE_MM, 0.7 * CORE_MM))
    core = [Part(triple(end), triple(end - up * CORE_REACH_MM), (wide, narrow)) for end in ends]
    wing = _side(sacrum, side)

    def whole(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        bone = _wing_distance(wing, plate, x, y, z)
        local = vertebra.frame.local(x, y, z)
        for part in processes:
            bone = smooth_min(bone, part.distance(*local), EDGE_MM)
        return bone

    seam = np.mean(ends, axis=0)

    def depth(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        gaps = (part - float(place) for part, place in zip((x, y, z), seam, strict=True))
        return sum((gap * -float(step) for gap, step in zip(gaps, up, strict=True)), 0 * x)

    return rods(core), whole, depth


def _side(sacrum: Sacrum, side: int) -> tuple[Part, ...]:
    """Rods of one wing, RAS+ millimetres."""
    return tuple(part for part in alae(sacrum) if part.end[0] * side > 0)
