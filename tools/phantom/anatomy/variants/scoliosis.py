"""A structural curve: bodies lean, turn to the convex side and are wedged along a smooth arc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.variants.draft import Draft

#: Cobb angle, degrees (the curves that are more than a lean and need no operation).
COBB_DEG = (15.0, 35.0)
#: Lower end vertebrae of the curve, and its length in segments (design: thoracolumbar and lumbar
#: curves, which lie in an abdominal field; apex L2 to T11).
LOW_LEVELS = ("L4", "L3")
SEGMENTS = (4, 6)
#: Axial rotation of the apex per degree of Cobb (design, after Nash-Moe grades 1-2).
TURN_SHARE = (0.35, 0.65)
#: Share of a segment's coronal angle that the bodies' wedges give, not the discs (design).
WEDGE_SHARE = (0.25, 0.45)
#: Over so many segments above the curve the spine straightens up.
RETURN_SEGMENTS = 5
#: Steps that make the frames' coronal tilts the asked ones.
STEPS = 4


@dataclass(frozen=True)
class Curve:
    """A scoliotic curve.

    Attributes:
        cobb: Degrees, + = convex to the right.
        low: Lower end vertebra.
        segments: To the upper end vertebra.
        turn: Axial rotation at the apex, degrees, > 0: the front turns to the convex side.
        wedge_share: Share of the coronal angles that the bodies give.
    """

    cobb: float
    low: str
    segments: int
    turn: float
    wedge_share: float

    def as_dict(self) -> dict[str, Any]:
        """For the truth."""
        return {
            "cobb_deg": abs(self.cobb),
            "convex": "right" if self.cobb > 0 else "left",
            "lower_end": self.low,
            "segments": self.segments,
            "apex_turn_deg": self.turn,
        }


def draw_curve(rng: np.random.Generator, probability: float) -> Curve | None:
    """Draw a curve, or none.

    Args:
        rng: Random stream.
        probability: Of having one.
    """
    present = rng.random() < probability
    cobb = float(rng.uniform(*COBB_DEG) * rng.choice([-1, 1]))
    low = str(rng.choice(LOW_LEVELS))
    segments = int(rng.integers(SEGMENTS[0], SEGMENTS[1] + 1))
    turn = abs(cobb) * float(rng.uniform(*TURN_SHARE))
    curve = Curve(cobb, low, segments, turn, float(rng.uniform(*WEDGE_SHARE)))
    return curve if present else None


def bend(draft: Draft, curve: Curve) -> None:
    """Lay a curve into a spine; the lean everybody has gives way to it.

    Args:
        draft: Changed in place.
        curve: Asked for.
    """
    levels = list(draft.bodies)
    first = levels.index(curve.low)
    tilts = np.array([_tilt(place - first, first, curve) for place in range(len(levels))])
    ahead = np.append(tilts[1:], tilts[-1])
    below = np.insert(tilts[:-1], 0, 0.0)
    wedges = curve.wedge_share * (ahead - below) / 2
    sign = np.sign(curve.cobb)
    for place, level in enumerate(levels):
        share = np.clip((place - first) / curve.segments, 0, 1)
        turn = float(sign * curve.turn * np.sin(np.pi * share))
        draft.change(level, lean=float(wedges[place]), turn=turn)
    draft.cobb = curve.cobb
    under = np.insert(wedges[:-1], 0, 0.0)
    leans = tilts - below - (wedges + under) / 2
    for _ in range(STEPS):
        _lay(draft, levels, leans, wedges)
        lacking = tilts - np.array([coronal_tilt(body) for body in _stacked(draft)])
        leans = leans + lacking - np.insert(lacking[:-1], 0, 0.0)
    _lay(draft, levels, leans, wedges)


def coronal_tilt(vertebra: Vertebra) -> float:
    """Angle of a body's axis to the head's direction seen from the front, degrees, + = right."""
    right, _, up = vertebra.frame.axes[:, 2]
    return float(np.degrees(np.arctan2(right, up)))


def measured_cobb(spine: Spine) -> float:
    """Largest angle between two bodies seen from the front, degrees."""
    tilts = [coronal_tilt(vertebra) for vertebra in spine.vertebrae.values()]
    return max(tilts) - min(tilts)


def _stacked(draft: Draft) -> list[Vertebra]:
    return list(draft.spine().vertebrae.values())


def _lay(draft: Draft, levels: list[str], leans: np.ndarray, wedges: np.ndarray) -> None:
    """Give the discs their leans; what would close a thin disc goes into the body above."""
    for level, lean, wedge in zip(levels, leans, wedges, strict=True):
        limit = draft.steepest(level, draft.bodies[level].width / 2)
        kept = float(np.clip(lean, -limit, limit))
        draft.leans[level] = kept
        draft.change(level, lean=float(wedge) + float(lean) - kept)


def _tilt(above: int, below: int, curve: Curve) -> float:
    """Coronal tilt of the body so many segments above the lower end vertebra, degrees."""
    half = curve.cobb / 2
    if above < 0:  # from the level sacrum to the tilted end vertebra
        return half * (above + below + 1) / (below + 1)
    if above <= curve.segments:
        return float(half * np.cos(np.pi * above / curve.segments))
    past = min((above - curve.segments) / RETURN_SEGMENTS, 1.0)
    return float(-half * (1 + np.cos(np.pi * past)) / 2)
