"""Laying osteophytes, sclerosis and gas onto a stacked spine: only there the gaps are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.variants.degeneration import Degeneration
from tools.phantom.anatomy.variants.growths import Gas, Sclerosis, Spur, Wear

#: Share of the gap at its place that a claw bends into it, and a bridging one; two of the latter
#: meet in the middle.
CLAW_RISE, BRIDGING_RISE = 0.30, 0.56
#: No tip rises more than this over its endplate, mm.
MOST_RISE_MM = 6.0
#: A traction spur points sideways from this far below the endplate, mm.
TRACTION_RISE_MM = -2.5
#: Shorter ones are left out, mm.
LEAST_SPUR_MM = 0.8
#: The cleft's half height, mm.
GAS_HALF_MM = (0.5, 1.8)
#: A pair's lower and upper spur are this much unlike, relative.
UNLIKE = 0.85


def grow(spine: Spine, plan: Degeneration) -> Spine:
    """Give every vertebra its share of what wear adds.

    Args:
        spine: Stacked.
        plan: Worn discs.

    Returns:
        The same spine, its vertebrae with `wear`.
    """
    levels = list(spine.vertebrae)
    bodies = dict(spine.vertebrae)
    for level, disc in plan.discs.items():
        above = bodies[level]
        pairs = [_pair(spine, above, spur) for spur in disc.spurs]
        pairs = [pair for pair in pairs if pair[0].length >= LEAST_SPUR_MM]
        dense = disc.sclerosis
        patch = [Sclerosis(-1, *dense)] if dense[0] else []
        gas = tuple(_gas(above, cleft) for cleft in disc.gas)
        bodies[level] = _with(above, [pair[0] for pair in pairs], patch, gas)
        place = levels.index(level)
        if place:  # below the lowest lies the sacrum
            below = levels[place - 1]
            patch = [Sclerosis(+1, 0.8 * dense[0], *dense[1:])] if dense[0] else []
            bodies[below] = _with(bodies[below], [pair[1] for pair in pairs], patch, ())
    return replace(spine, vertebrae=bodies)


def _pair(
    spine: Spine, above: Vertebra, drawn: tuple[float, float, float, str]
) -> tuple[Spur, Spur]:
    """The lower rim's spur of the body above and the upper rim's of the one below."""
    bearing, spread, length, kind = drawn
    if kind == "traction":
        rise = TRACTION_RISE_MM
    else:
        share = BRIDGING_RISE if kind == "bridging" else CLAW_RISE
        rise = min(share * _gap(spine, above, bearing), MOST_RISE_MM)
    return (
        Spur(-1, bearing, spread, length, rise),
        Spur(+1, bearing, spread * UNLIKE, length * UNLIKE, rise),
    )


def _gap(spine: Spine, above: Vertebra, bearing: float) -> float:
    """Gap between the rims at a bearing, mm."""
    angle = np.radians(bearing)
    opening = np.tan(np.radians(spine.alignment.discs[above.level]))
    lean = np.tan(np.radians(spine.alignment.leans[above.level]))
    forward, right = above.depth / 2 * np.cos(angle), above.width / 2 * np.sin(angle)
    return float(max(above.disc_height + opening * forward - lean * right, 1.0))


def _gas(above: Vertebra, drawn: tuple[float, float, float, float, float]) -> Gas:
    right, forward, wide, deep, high = drawn
    half_width, half_depth = above.width / 2, above.depth / 2
    thick = float(np.clip(high * (above.disc_height + 2), *GAS_HALF_MM))
    return Gas(
        (right * half_width, forward * half_depth, 0.4 * above.concavity[1]),
        (wide * half_width, deep * half_depth, thick),
    )


def _with(
    body: Vertebra, spurs: list[Spur], sclerosis: list[Sclerosis], gas: tuple[Gas, ...]
) -> Vertebra:
    old = body.wear or Wear()
    wear = Wear(old.spurs + tuple(spurs), old.sclerosis + tuple(sclerosis), old.gas + gas)
    return replace(body, wear=wear)
