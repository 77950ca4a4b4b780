"""Does what is called sacrum hold L5? Its side view tells: it bends forwards, with L5 on it back.

    shape = SacralShape.of(offset, down, forward, top)
    shape.shown_mm, shape.turn_deg, shape.dip

Along the sacrum, from its upper end down, front and rear wall are read in its middle. S2 to S5 lie
ever further forward of S1's own direction (the pelvic surface is concave). Where L5 was taken for
the sacrum's upper end, the promontory lies inside, and what follows turns backwards; where the disc
between the two was left out, there is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Thickness of the layers that are read, mm.
LAYER_MM = 2.0
#: How far down the sacrum is read, mm.
DEEPEST_MM = 72.0
#: Layers with fewer voxels than this hold nothing.
LEAST_VOXELS = 3
#: S1, and what follows it, below the upper end, mm: the directions of both are compared.
FIRST_MM, NEXT_MM = (4.0, 26.0), (34.0, 60.0)
#: Where a gap below L5 would lie, and how far below a layer the sacrum is as deep again, mm.
GAP_MM, BEYOND_MM = (16.0, 44.0), 16.0
#: Bone further than this from the rest of a layer is the canal's roof, or a speck before it, mm.
CANAL_MM = 4.0


@dataclass(frozen=True)
class SacralShape:
    """The side view of a sacrum.

    Attributes:
        shown_mm: How much of it shows below its upper end.
        turn_deg: How far what follows S1 turns forwards from S1's direction, degrees; NaN where
            less than `DEEPEST_MM` shows.
        dip: Least depth of two layers relative to those just below them: 0 for a gap.
    """

    shown_mm: float
    turn_deg: float
    dip: float

    @staticmethod
    def of(middle: np.ndarray, down: np.ndarray, forward: np.ndarray, top: float) -> SacralShape:
        """Read the side view.

        Args:
            middle: Voxels of the sacrum's middle, from the lowest body's centre, mm [N, 3].
            down: Direction to S1, [3].
            forward: Direction to the front, at a right angle to `down`, [3].
            top: Upper end along `down`, mm.
        """
        along, front = middle @ down - top, middle @ forward
        places = np.arange(0.0, DEEPEST_MM, LAYER_MM)
        walls = np.array([
            _walls(front[(along >= at) & (along < at + LAYER_MM)]) for at in places
        ])  # fmt: skip
        depth = walls[:, 0] - walls[:, 1]
        between = walls.mean(axis=1)
        known = np.isfinite(depth)
        shown = float(places[known].max()) + LAYER_MM if known.any() else 0.0
        first, following = (_lean(places, between, reach) for reach in (FIRST_MM, NEXT_MM))
        # Layers near the field's edge are cut slantwise, which moves their middle.
        turn = following - first if shown >= DEEPEST_MM else float("nan")
        return SacralShape(shown, turn, _dip(places, np.nan_to_num(depth)))


def _walls(front: np.ndarray) -> tuple[float, float]:
    """Front and rear wall of a layer's largest part; gaps sever the canal's roof, and specks."""
    if len(front) < LEAST_VOXELS:
        return float("nan"), float("nan")
    places = np.sort(front)[::-1]
    parts = np.split(places, np.flatnonzero(-np.diff(places) > CANAL_MM) + 1)
    body = max(parts, key=len)
    return float(body[0]), float(body[-1])


def _lean(places: np.ndarray, between: np.ndarray, reach: tuple[float, float]) -> float:
    """Lean of the line through the layers' middles, degrees, forwards positive."""
    chosen = (places >= reach[0]) & (places < reach[1]) & np.isfinite(between)
    if chosen.sum() < 4:
        return float("nan")
    return float(np.degrees(np.arctan(np.polyfit(places[chosen], between[chosen], 1)[0])))


def _dip(places: np.ndarray, depth: np.ndarray) -> float:
    """Least share of two layers' depth of the largest in the layers just below them.

    Two, because a single layer may fall between the voxels of a grid.
    """
    beyond = round(BEYOND_MM / LAYER_MM)
    two = np.maximum(depth[:-1], depth[1:])
    shares = [
        two[k] / two[k + 1 : k + 1 + beyond].max()
        for k in np.flatnonzero((places[:-1] >= GAP_MM[0]) & (places[:-1] <= GAP_MM[1]))
        if two[k + 1 : k + 1 + beyond].max(initial=0.0) > 0
    ]
    return float(min(shares, default=1.0))
