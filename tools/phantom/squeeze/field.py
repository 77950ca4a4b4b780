"""The displacement field of a squeeze: for each place afterwards, where its tissue came from.

Within reach of the spine the field is that of the bones (`motion.py`); from there it fades out, to
the sides and in front over about seven centimetres of soft tissue, behind within the back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from tools.phantom.squeeze.motion import Passage, stack
from tools.phantom.squeeze.plates import Plates

#: Everything moves with the bones up to this far from the spine's line, and nothing from there on:
#: aside, in front, behind, mm (design: holds bodies and processes; the table stays).
WITH_BONES_MM = (50.0, 50.0, 62.0)
STILL_MM = (120.0, 120.0, 95.0)
#: Endplates' planes are level beyond this distance from the spine's line, so that they never
#: cross, mm.
PLATES_REACH_MM = 26.0
#: Biconcave: share of the loss that the upper endplate gives, extent of each hollow relative to the
#: endplate, and how flat its floor is (the power of the radius by which it rises; all design).
UPPER_SHARE = 0.55
HOLLOW_SHARE = 0.98
HOLLOW_POWER = 3.0
#: Height of a disc whose other endplate is not labelled, mm (design), and the least one.
DISC_MM, LEAST_DISC_MM = 9.0, 3.0


@dataclass(frozen=True)
class Squeeze:
    """One body's squeeze.

    Attributes:
        bodies: Endplates by level, foot to head.
        level: The squeezed one.
        loss: Share of its height that is lost where the kind loses most.
        kind: "wedge", "biconcave" or "crush".
    """

    bodies: Mapping[str, Plates]
    level: str
    loss: float
    kind: str

    @cached_property
    def passages(self) -> list[Passage]:
        """The bones' motions, foot to head."""
        return stack(self.bodies, self.level, self.loss, self.kind)

    def sources(self, points: np.ndarray) -> np.ndarray:
        """Where the tissue at places after the squeeze lay before it.

        Args:
            points: RAS+ millimetres, [..., 3].

        Returns:
            RAS+ millimetres, [..., 3].
        """
        moved = points + self._with_bones(points)
        return moved + self._hollows(moved) if self.kind == "biconcave" else moved

    def _with_bones(self, points: np.ndarray) -> np.ndarray:
        """Displacement back to the source by the rigid motions, [..., 3]."""
        passages = self.passages
        line = self._line(points, passages)
        off = points - line
        frame = self.bodies[self.level].shape.frame.axes
        aside, ahead = off @ frame[0], off @ frame[1]
        near = _norm(aside, ahead, WITH_BONES_MM)
        level = line + off * _limit(np.linalg.norm(off, axis=-1) / PLATES_REACH_MM)[..., None]
        held = line + off * _limit(near)[..., None]
        total = np.zeros_like(points)
        for passage in passages:
            low, high = passage.lower.above(level), -passage.upper.above(level)
            share = np.clip(low / np.maximum(low + high, 1.0), 0, 1)[..., None]
            total += share * (passage.above.undo(held) - passage.below.undo(held))
        return total * _fade(near, _norm(aside, ahead, STILL_MM))[..., None]

    def _line(self, points: np.ndarray, passages: list[Passage]) -> np.ndarray:
        """The point of the spine's line, as it lies after the squeeze, at each point's height."""
        names = list(self.bodies)
        first = names.index(self.level)
        motions = [passage.above for passage in passages]
        course = [self.bodies[name].middle for name in names[: first + 1]]
        for place, name in enumerate(names[first + 1 :]):
            course.append(motions[min(place, len(motions) - 1)](self.bodies[name].middle))
        w = self.bodies[self.level].shape.frame.axes[2]
        line = np.array(course)
        axis = line[-1] - line[0] if len(line) > 1 else w
        axis = axis / np.linalg.norm(axis)
        ends = [line[0] - axis * 1000, *line, line[-1] + axis * 1000]
        heights = np.array([point @ axis for point in ends])
        at = points @ axis
        return np.stack(
            [np.interp(at, heights, [point[row] for point in ends]) for row in range(3)], axis=-1
        )

    def _hollows(self, points: np.ndarray) -> np.ndarray:
        """Displacement back to the source where both endplates are pressed in, [..., 3]."""
        names = list(self.bodies)
        place = names.index(self.level)
        body = self.bodies[self.level]
        frame = body.shape.frame
        u, v, w = np.moveaxis(frame.to_local(points), -1, 0)
        top, bottom = (_height(body, plane, u, v) for plane in ("upper", "lower"))
        over = _neighbour(self.bodies, names[place + 1 : place + 2], "lower", body, u, v)
        under = _neighbour(self.bodies, names[:place][-1:], "upper", body, u, v)
        ceiling = top + (DISC_MM if over is None else np.maximum(over - top, LEAST_DISC_MM))
        floor = bottom - (DISC_MM if under is None else np.maximum(bottom - under, LEAST_DISC_MM))
        # Between the rims of both endplates: neither is pressed in.
        rims = [frame.to_local(plate)[[0, 2], 1] for plate in (body.shape.upper, body.shape.lower)]
        front, back = min(rim[0] for rim in rims), max(rim[1] for rim in rims)
        half_depth = HOLLOW_SHARE * (front - back) / 2
        half_width = HOLLOW_SHARE * body.shape.upper_width / 2
        q = (u / half_width) ** 2 + ((v - (front + back) / 2) / half_depth) ** 2
        depth = self.loss * (top - bottom) * np.clip(1 - q ** (HOLLOW_POWER / 2), 0, None)
        high, low = top - UPPER_SHARE * depth, bottom + (1 - UPPER_SHARE) * depth
        knots = [(floor, floor), (low, bottom), (high, top), (ceiling, ceiling)]
        source = w.copy()
        for (start, origin), (end, goal) in pairwise(knots):
            inside = (w >= start) & (w < end)
            share = (w - start) / np.maximum(end - start, 1e-3)
            source = np.where(inside, origin + share * (goal - origin), source)
        return (source - w)[..., None] * frame.axes[2]


def _height(body: Plates, which: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Height w in `body`'s own frame of one of its endplates at (u, v), mm."""
    return _in_frame(body, body, which, u, v)


def _in_frame(of: Plates, body: Plates, which: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Height w in `body`'s frame of an endplate of another body at (u, v), level far outside."""
    plane = of.upper if which == "upper" else of.lower
    axes = body.shape.frame.axes
    point, normal = body.shape.frame.to_local(plane.point), axes @ plane.normal
    reach = _limit(np.hypot(u, v) / PLATES_REACH_MM)
    return (
        point[2]
        - ((u * reach - point[0]) * normal[0] + (v * reach - point[1]) * normal[1]) / (normal[2])
    )


def _neighbour(
    bodies: Mapping[str, Plates],
    names: list[str],
    which: str,
    body: Plates,
    u: np.ndarray,
    v: np.ndarray,
) -> np.ndarray | None:
    return _in_frame(bodies[names[0]], body, which, u, v) if names else None


def _norm(aside: np.ndarray, ahead: np.ndarray, reach_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance from the spine's line, 1 at the given reach aside, in front and behind."""
    side, front, behind = reach_mm
    return np.hypot(aside / side, ahead / np.where(ahead > 0, front, behind))


def _limit(distance: np.ndarray) -> np.ndarray:
    """Factor that brings a relative distance down to 1 at most."""
    return 1 / np.maximum(distance, 1.0)


def _fade(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """1 where `near` is below 1, 0 where `far` is above 1, smooth between."""
    start, end = np.maximum(near - 1, 0), np.maximum(1 - far, 0)
    share = np.where(end > 0, start / np.maximum(start + end, 1e-9), 1.0)
    return 1 - share * share * (3 - 2 * share)
