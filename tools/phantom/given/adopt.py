"""A drawn spine takes the given vertebrae in; the levels that the map lacks are stacked on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tools.phantom.anatomy.alignment import Alignment, tilt
from tools.phantom.anatomy.sizes import LEVEL_SIZES
from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.drawing.canvas import Frame
from tools.phantom.given.person import Given

#: Sacral slope stays within this whatever L5 leans by, degrees.
SLOPE_RANGE = (18.0, 62.0)
#: A disc's tissue reaches this far into the hollows beside it, mm, beyond their measured depth.
DISC_RESERVE_MM = 1.5


def adopt(drawn: Spine, given: Mapping[str, Given]) -> Spine:
    """Put given vertebrae into a drawn spine.

    Args:
        drawn: Spine of the patient as drawn; it gives cortex, bone and the levels the map lacks.
        given: Level -> vertebra, foot to head, contiguous.

    Returns:
        The spine, in the patient's coordinates: S1's endplate is the origin.
    """
    factor = float(
        np.median([vertebra.width / LEVEL_SIZES[level].width for level, vertebra in given.items()])
    )
    growth = factor / drawn.scale
    bodies = {level: _sized(body, growth) for level, body in drawn.vertebrae.items()}
    taken = {level: _taken(bodies[level], vertebra) for level, vertebra in given.items()}
    names = list(bodies)
    low, high = names.index(next(iter(given))), names.index(list(given)[-1])
    placed: dict[str, Vertebra] = {}
    for place, (level, body) in enumerate(bodies.items()):
        if level in taken:
            placed[level] = taken[level]
            continue
        anchor = names[low] if place < low else names[high]
        frame = _stacked(taken[anchor], bodies[anchor], body.frame, place > high)
        placed[level] = replace(body, frame=frame)
    anchor = names[low]
    sacral = Frame(drawn.sacral_frame.origin * growth, drawn.sacral_frame.axes)
    plate = _stacked(taken[anchor], bodies[anchor], sacral, False)
    slope = float(np.clip(_slope(plate.axes), *SLOPE_RANGE))
    moved = {
        level: replace(body, frame=Frame(body.frame.origin - plate.origin, body.frame.axes))
        for level, body in placed.items()
    }
    return Spine(
        vertebrae=_with_discs(moved, names),
        sacral_frame=Frame(np.zeros(3), tilt(slope, 0.0)),
        alignment=_alignment(drawn.alignment, moved, slope),
        scale=factor,
    )


def _sized(body: Vertebra, growth: float) -> Vertebra:
    """A drawn vertebra made as large as the given ones are for their levels."""
    lengths = (
        "height",
        "depth",
        "width",
        "dent",
        "canal_width",
        "canal_depth",
        "pedicle_width",
        "disc_height",
        "scale",
    )
    sizes = {name: getattr(body, name) * growth for name in lengths}
    return replace(body, frame=Frame(body.frame.origin * growth, body.frame.axes), **sizes)


def _taken(body: Vertebra, given: Given) -> Vertebra:
    """A vertebra of the given shape, with the cortex that was drawn."""
    width, depth = given.canal
    return replace(
        body,
        frame=given.frame,
        height=given.height,
        wedge=given.wedge,
        lean=0.0,
        depth=given.depth,
        width=given.width,
        flare=1.0,
        concavity=given.concavity,
        apex=0.0,
        waist=0.0,
        dent=0.0,
        canal_width=width,
        canal_depth=depth,
        scale=given.width / LEVEL_SIZES[body.level].width,
        solid=given.solid,
    )


def _stacked(anchor: Vertebra, before: Vertebra, frame: Frame, above: bool) -> Frame:
    """Where a drawn frame comes to lie when its drawn neighbour is replaced by a given one.

    Args:
        anchor: The given vertebra.
        before: The drawn one in its place.
        frame: What was drawn above or below it.
        above: Which.
    """
    turn = anchor.frame.axes @ before.frame.axes.T
    rise = (anchor.height - before.height) / 2
    # Posterior walls stay in line.
    shift = np.array([0.0, (before.depth - anchor.depth) / 2, rise if above else -rise])
    origin = anchor.frame.to_world(shift) + turn @ (frame.origin - before.frame.origin)
    return Frame(origin, turn @ frame.axes)


def _slope(axes: np.ndarray) -> float:
    """Sagittal tilt of a frame's w, degrees, + as a sacral slope."""
    sign = float(np.sign(tilt(10.0, 0.0)[1, 2]))
    return sign * float(np.degrees(np.arctan2(axes[1, 2], axes[2, 2])))


def _with_discs(bodies: dict[str, Vertebra], names: list[str]) -> dict[str, Vertebra]:
    """Heights of the discs below given vertebrae, and how far they reach into their hollows."""
    done = dict(bodies)
    for below, level in zip([None, *names[:-1]], names, strict=True):
        body = bodies[level]
        if body.solid is None or below is None:
            continue
        under = bodies[below]
        bottom = body.frame.point(0.0, 0.0, -body.height / 2)
        top = under.frame.point(0.0, 0.0, under.height / 2)
        gap = max(float((bottom - top) @ body.frame.axes[:, 2]), 1.5)
        bend = np.arccos(np.clip(body.frame.axes[:, 2] @ under.frame.axes[:, 2], -1, 1))
        wedges = (abs(np.radians(body.wedge)) + abs(np.radians(under.wedge))) / 2
        lever = body.depth / 2
        reserves = (
            body.concavity[1] + DISC_RESERVE_MM + lever * np.tan(abs(np.radians(body.wedge)) / 2),
            under.concavity[0] + DISC_RESERVE_MM + lever * np.tan(bend + wedges / 2),
        )
        solid = replace(body.solid, reserves=(float(reserves[0]), float(reserves[1])))
        done[level] = replace(body, disc_height=gap, solid=solid)
    return done


def _alignment(drawn: Alignment, bodies: Mapping[str, Vertebra], slope: float) -> Alignment:
    """The angles of the spine as it is now; pelvic tilt stays as drawn."""
    twelfth = bodies["T12"]
    lordosis = slope - _slope(twelfth.frame.axes @ tilt(twelfth.wedge / 2, 0.0))
    leans = [
        float(np.degrees(np.arctan2(body.frame.axes[0, 2], body.frame.axes[2, 2])))
        for level, body in bodies.items()
        if level in ("T12", "L1", "L2", "L3", "L4", "L5")
    ]
    return replace(
        drawn,
        slope=slope,
        incidence=drawn.incidence + slope - drawn.slope,
        lordosis=lordosis,
        cobb=max(leans) - min(leans),
        wedges=drawn.wedges | {level: body.wedge for level, body in bodies.items()},
    )
