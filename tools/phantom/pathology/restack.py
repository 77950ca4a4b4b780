"""Stacks deformed bodies anew: the spine sits on the broken body, and stays as curved as it was.

Each body's deformation moves the planes of its rims. Discs keep their height between these planes,
so no gap opens; and the angle that a body's planes have gained is given back by the discs around
it, so that the curve of the whole spine does not tell who is fractured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.drawing.canvas import Frame, vec
from tools.phantom.pathology.warp import LayeredWarp

#: Weights with which the first, second and third disc above, and below, give half the angle back.
GIVE_BACK = (0.5, 0.3, 0.2)
#: Height of the discs above the highest body, mm.
UNSEEN_GAP_MM = 2.5
#: Rims stay at least this far apart behind and in front, mm.
LEAST_GAP_MM = 0.8
#: Where on a body's section its rim is read, in half sizes, and how many points.
RIM, RIM_POINTS = 0.86, 24


@dataclass(frozen=True)
class Rims:
    """How a body's rims moved: mm, radians; + is into the body, lower in front, lower on the right.

    Attributes:
        top: Shift of the upper rim's plane.
        bottom: Shift of the lower rim's plane.
        top_tilt: Forward and rightward tilt of the upper plane.
        bottom_tilt: The same of the lower one.
        hollow: Deepest place of either endplate under its rim's plane.
    """

    top: float
    bottom: float
    top_tilt: tuple[float, float]
    bottom_tilt: tuple[float, float]
    hollow: tuple[float, float]

    def angle(self) -> np.ndarray:
        """Forward and rightward angle between the planes that was not there before, radians."""
        return np.add(self.top_tilt, self.bottom_tilt)


def restack(spine: Spine, warped: dict[str, Vertebra]) -> Spine:
    """Place deformed bodies on each other.

    Args:
        spine: The spine before.
        warped: Its vertebrae with their deformations, in its order, foot to head.

    Returns:
        The same spine, with new frames, deformed bodies, and T12-S1 lordosis as it became.
    """
    levels = list(spine.vertebrae)
    rims = {level: moved_rims(warped[level]) for level in levels}
    back = _given_back(rims, warped)
    old_below, new_below = spine.sacral_frame, spine.sacral_frame
    half_below, depth_below = 0.0, spine.vertebrae[levels[0]].depth
    hollow_below = 0.0
    seat = (np.eye(3), np.zeros(3))
    placed: dict[str, Vertebra] = {}
    for level in levels:
        body, rim = warped[level], rims[level]
        # Pose on the body below as it was, in that body's frame.
        turn = old_below.axes.T @ body.frame.axes
        step = old_below.axes.T @ (body.frame.origin - old_below.origin)
        step[2] += body.disc_height - spine.vertebrae[level].disc_height
        # The disc's own angle, about its middle; it opens where it would close altogether.
        angle = back[level]
        middle = vec(0.0, 0.0, half_below + body.disc_height / 2)
        closing = np.abs(np.tan(angle)) * np.array([depth_below, body.width]) / 2
        lift = max(0.0, float(closing.max()) + LEAST_GAP_MM - body.disc_height)
        pivot = _rotation(*angle)
        step = pivot @ (step - middle) + middle + vec(0.0, 0.0, lift)
        turn = pivot @ turn
        # The seat below has sunk, and this body's lower plane has risen.
        step, turn = seat[0] @ step + seat[1], seat[0] @ turn
        lower = _rotation(-rim.bottom_tilt[0], -rim.bottom_tilt[1])
        base = vec(0.0, 0.0, -body.height / 2)
        shift = base + vec(0.0, 0.0, rim.bottom) - lower @ base
        turn, step = turn @ lower.T, step - turn @ lower.T @ shift
        frame = Frame(new_below.origin + new_below.axes @ step, new_below.axes @ turn)
        extra = hollow_below + rim.hollow[1] + abs(rim.bottom) + float(closing.max()) + lift
        warp = body.warp
        assert isinstance(warp, LayeredWarp)
        placed[level] = replace(body, frame=frame, warp=replace(warp, disc_reserve=extra))
        upper = _rotation(*rim.top_tilt)
        tip = vec(0.0, 0.0, body.height / 2)
        seat = (upper, tip - vec(0.0, 0.0, rim.top) - upper @ tip)
        old_below, new_below = spine.vertebrae[level].frame, frame
        half_below, depth_below = body.height / 2, body.depth
        hollow_below = rim.hollow[0]
    tilted = _pitch(placed["T12"], rims["T12"]) - _pitch(spine.vertebrae["T12"], None)
    alignment = replace(spine.alignment, lordosis=spine.alignment.lordosis - tilted)
    return replace(spine, vertebrae=placed, alignment=alignment)


def moved_rims(body: Vertebra) -> Rims:
    """Read from a body's shape how its deformation moved its rims' planes."""
    shape = BodyShape(body)
    angle = np.linspace(0, 2 * np.pi, RIM_POINTS, endpoint=False)
    u = torch.tensor(RIM * body.width / 2 * np.cos(angle), dtype=torch.float32)
    v = torch.tensor(RIM * body.depth / 2 * np.sin(angle), dtype=torch.float32)
    plan = np.stack([np.ones(RIM_POINTS), u.numpy(), v.numpy()], 1)
    inner_u, inner_v = torch.meshgrid(
        torch.linspace(-0.8, 0.8, 9) * body.width / 2,
        torch.linspace(-0.8, 0.8, 9) * body.depth / 2,
        indexing="ij",
    )
    fits, hollows = [], []
    for end, way in ((0, 1.0), (1, -1.0)):

        def depth(u: torch.Tensor, v: torch.Tensor, end: int = end, way: float = way) -> np.ndarray:
            sunk = shape.intact_endplates(u, v)[end] - shape.endplates(u, v)[end]
            return (way * sunk).double().numpy()

        fit = np.linalg.lstsq(plan, depth(u, v), rcond=None)[0]
        plane = fit[0] + fit[1] * inner_u.numpy() + fit[2] * inner_v.numpy()
        fits.append(fit)
        hollows.append(max(0.0, float((depth(inner_u, inner_v) - plane).max())))
    (top, top_u, top_v), (bottom, bottom_u, bottom_v) = (fit.tolist() for fit in fits)
    return Rims(
        top=top,
        bottom=bottom,
        top_tilt=(float(np.arctan(top_v)), float(np.arctan(top_u))),
        bottom_tilt=(float(np.arctan(bottom_v)), float(np.arctan(bottom_u))),
        hollow=(hollows[0], hollows[1]),
    )


def _given_back(rims: dict[str, Rims], bodies: dict[str, Vertebra]) -> dict[str, np.ndarray]:
    """Angle that the disc under each level adds, forward and rightward, radians.

    High discs take more. The discs above the highest body are not drawn, but would take theirs;
    the sacrum does not move, so what lies below L5 takes what it can.
    """
    levels = list(bodies)
    gaps = [body.disc_height for body in bodies.values()] + [UNSEEN_GAP_MM] * len(GIVE_BACK)
    angles = [np.zeros(2) for _ in gaps]
    for number, level in enumerate(levels):
        below = {number - k: share for k, share in enumerate(GIVE_BACK) if k <= number}
        above = {number + 1 + k: share for k, share in enumerate(GIVE_BACK)}
        for side in (below, above):
            weights = {place: share * gaps[place] for place, share in side.items()}
            whole = 2 * sum(weights.values())
            for place, weight in weights.items():
                angles[place] -= weight / whole * rims[level].angle()
    return dict(zip(levels, angles, strict=False))


def _rotation(forwards: float, rightwards: float) -> np.ndarray:
    """Rotation that leans w forwards (towards +v) and to the right (+u), radians, [3, 3]."""
    a, b = forwards, rightwards
    sagittal = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    coronal = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return sagittal @ coronal


def _pitch(body: Vertebra, rims: Rims | None) -> float:
    """Forward lean of a body's upper plane against the patient's axis, degrees."""
    axis = body.frame.axes
    if rims is not None:
        axis = axis @ _rotation(*rims.top_tilt)
    half_wedge = float(np.radians(body.wedge / 2))
    normal = axis @ _rotation(half_wedge, 0.0) @ vec(0.0, 0.0, 1.0)
    return float(np.degrees(np.arctan2(normal[1], normal[2])))
