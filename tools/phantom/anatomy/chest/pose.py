"""Lying down: a spine bent at the thoracolumbar discs until sacrum and chest rest on the table.

A patient drawn for the fields of the abdomen may lean forwards above T12 by more than a table
allows. Here the discs between T11 and L4 share what brings the thoracic spinous processes to the
height of the sacrum's crest; what is left of a strong kyphosis stays, and the back follows it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tools.phantom.anatomy.spine import Spine, Vertebra
from tools.phantom.anatomy.vertebra import posterior_parts
from tools.phantom.drawing.canvas import Frame

#: Share of the bend per disc, named by the vertebra above it (design): the junction yields most.
BEND_SHARES = {"L3": 0.12, "L2": 0.18, "L1": 0.25, "T12": 0.25, "T11": 0.20}
#: Bend backwards (+) or forwards (-) that a supine patient may show, degrees (design).
BEND_RANGE_DEG = (-10.0, 26.0)
#: Levels whose spinous processes come to rest beside the sacrum's crest, and how far in front of
#: it they end, mean and SD, mm (design).
RESTING = ("T6", "T7", "T8", "T9", "T10")
RESTING_MM = (4.0, 7.0)
#: Discs that the lordosis T12 to S1 counts.
LORDOTIC = ("L3", "L2", "L1")
#: Trial bends between which the wanted one is interpolated, degrees.
TRIALS = 7


def lie_down(rng: np.random.Generator, spine: Spine, rearmost_mm: float) -> Spine:
    """Bend a spine until the chest rests as high as the sacrum.

    Args:
        rng: Random stream.
        spine: As drawn.
        rearmost_mm: Y of the sacrum's rearmost point, mm.

    Returns:
        The same vertebrae in new places; its alignment holds the new disc angles and lordosis.
    """
    wanted = rearmost_mm + float(rng.normal(*RESTING_MM))
    bends = np.linspace(*BEND_RANGE_DEG, TRIALS)
    resting = [_resting_mm(bent(spine, float(bend))) for bend in bends]
    # Bending backwards brings the tips backwards: they fall with the bend.
    return bent(spine, float(np.interp(-wanted, -np.array(resting), bends)))


def bent(spine: Spine, bend_deg: float) -> Spine:
    """Bend a spine backwards by so many degrees in all, shared among `BEND_SHARES`."""
    vertebrae, angles = dict(spine.vertebrae), dict(spine.alignment.discs)
    levels = list(vertebrae)  # foot to head
    for level, share in BEND_SHARES.items():
        angle = share * bend_deg
        body = vertebrae[level]
        hinge = body.frame.point(0.0, 0.0, -body.height / 2 - body.disc_height / 2)
        turn = _turn(body.frame.axes[:, 0], angle)
        for above in levels[levels.index(level) :]:
            frame = vertebrae[above].frame
            moved = Frame(hinge + turn @ (frame.origin - hinge), turn @ frame.axes)
            vertebrae[above] = replace(vertebrae[above], frame=moved)
        angles[level] += angle
    more = bend_deg * sum(BEND_SHARES[level] for level in (*LORDOTIC, "T12"))
    alignment = replace(spine.alignment, discs=angles, lordosis=spine.alignment.lordosis + more)
    return replace(spine, vertebrae=vertebrae, alignment=alignment)


def spinous_tip(vertebra: Vertebra) -> np.ndarray:
    """RAS+ millimetres of the rearmost point of the spinous process, [3]."""
    process = posterior_parts(vertebra)[-1]
    return vertebra.frame.point(*process.end) - np.array([0.0, process.radii[1], 0.0])


def _resting_mm(spine: Spine) -> float:
    """Mean y of the tips that shall rest, mm."""
    return float(np.mean([spinous_tip(spine.vertebrae[level])[1] for level in RESTING]))


def _turn(axis: np.ndarray, backwards_deg: float) -> np.ndarray:
    """Rotation about an axis that points to the right, + = the head goes backwards, [3, 3]."""
    angle = np.radians(backwards_deg)
    a, b, c = axis
    cross = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
