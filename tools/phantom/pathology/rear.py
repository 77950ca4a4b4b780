"""Where the pedicles stand on a deformed body's rear wall."""

from __future__ import annotations

from dataclasses import replace

import torch

from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.anatomy.vertebra import BodyShape, posterior_parts
from tools.phantom.pathology.warp import LayeredWarp

#: A pedicle keeps at least this far from the endplates, mm.
CLEAR_MM = 0.5


def rear_shift(body: Vertebra) -> float:
    """Shift along w that keeps the pedicles between the endplates' rear edges, mm."""
    warp = body.warp
    assert isinstance(warp, LayeredWarp)
    plain = replace(body, warp=replace(warp, rear_shift=0.0))
    # The first part of either side's list is its pedicle.
    pedicle = posterior_parts(plain)[0]
    height = pedicle.start[2]
    half = pedicle.radii[0] * pedicle.flatten[2]
    shape = BodyShape(body)
    u = torch.tensor([-1.0, 1.0]) * abs(pedicle.start[0])
    v = torch.full((2,), -body.depth / 2 + body.dent)
    then, now = shape.intact_endplates(u, v), shape.endplates(u, v)
    before = float(then[0].mean()), float(then[1].mean())
    after = float(now[0].mean()), float(now[1].mean())
    # A pedicle that reached beyond the rim before may do so after.
    above = min(after[0] - before[0], 0.0) + max(before[0] - CLEAR_MM, height + half)
    below = max(after[1] - before[1], 0.0) + min(before[1] + CLEAR_MM, height - half)
    if above - below < 2 * half:
        return (above + below) / 2 - height
    return min(0.0, above - (height + half)) + max(0.0, below - (height - half))


def settled(body: Vertebra) -> Vertebra:
    """Move the posterior elements with the rear wall, so that the pedicles stay on it."""
    warp = body.warp
    assert isinstance(warp, LayeredWarp)
    return replace(body, warp=replace(warp, rear_shift=rear_shift(body)))
