"""Signed distances of osteophytes, the mineral of sclerosis, and the painting of gas.

A spur is drawn in the plane of two distances, outwards from the body's wall and upwards from its
endplate, and its length changes along the rim: so it always grows out of the rim, whatever the
body's shape, and ends smoothly.
"""

from __future__ import annotations

import torch

from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.anatomy.variants.growths import Spur
from tools.phantom.anatomy.vertebra import BodyShape
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.shapes import ellipsoid, smooth_min

#: Radius of a root, mm, and its growth per mm of length: long spurs have a broad base, filled
#: with spongy bone. The root lies just inside the wall and under the endplate.
ROOT_RADIUS_MM, ROOT_SHARE, ROOT_COVER_MM = 2.4, 0.28, 0.1
#: Radius of a tip, mm, per mm of length, and its bounds: short lips are sharp, long claws blunt.
TIP_SHARE, TIP_MM = 0.3, (0.3, 1.6)
#: A claw turns towards the disc at this share of its length.
ELBOW = 0.8
#: Fillet between spur and wall, mm.
SPUR_FILLET_MM = 2.0
#: Mineral that a spur holds more than the body's spongy bone, mg HA/cm³ (design: dense, no shell of
#: its own at the root).
SPUR_HA = 260.0
#: Over this distance outside the true wall it sets in, mm.
SPUR_EDGE_MM = 1.5


def overhang(vertebra: Vertebra) -> float:
    """Margin that variants need beyond a usual body's, mm."""
    lean = abs(vertebra.lean) / 114.6 * vertebra.width / 2 if vertebra.turn else 0.0
    return lean + (vertebra.wear.reach() if vertebra.wear else 0.0)


def with_spurs(
    vertebra: Vertebra,
    distance: torch.Tensor,
    u: torch.Tensor,
    v: torch.Tensor,
    w: torch.Tensor,
) -> torch.Tensor:
    """Distance to a body together with its osteophytes, mm.

    Args:
        vertebra: Whose body.
        distance: To its true body.
        u: To the right, mm.
        v: Forwards, mm.
        w: Upwards, mm.
    """
    if vertebra.wear is None or not vertebra.wear.spurs:
        return distance
    shape = BodyShape(vertebra)
    out = shape.outline(u, v, w)
    top, bottom = shape.endplates(u, v)
    bearing = torch.rad2deg(torch.atan2(u / vertebra.width, v / vertebra.depth))
    whole = distance
    for spur in vertebra.wear.spurs:
        up = w - top if spur.end > 0 else bottom - w
        whole = torch.minimum(whole, _spur(spur, out, up, bearing, distance))
    return whole


def _spur(
    spur: Spur,
    out: torch.Tensor,
    up: torch.Tensor,
    bearing: torch.Tensor,
    body: torch.Tensor,
) -> torch.Tensor:
    """The body with one spur: two tapering stretches, root to elbow and elbow to tip."""
    away = (bearing - spur.bearing + 180) % 360 - 180
    grown = torch.exp(-0.5 * (away / spur.spread) ** 2)
    length = spur.length * grown
    tip = (TIP_SHARE * length).clamp(*TIP_MM)
    rise = spur.rise * grown
    claw = spur.rise > 0
    # A claw runs out along the endplate, then bends; a traction spur points straight outwards.
    bend = (ELBOW * length - tip, -0.8 * tip) if claw else (0.6 * length, 0.6 * rise - tip)
    end = (length - tip, rise - tip)
    root = ROOT_RADIUS_MM + ROOT_SHARE * length
    start = -(root + ROOT_COVER_MM)
    middle = 0.5 * (root + tip) * grown + tip * (1 - grown)
    first = _stretch(out, up, (start, start), bend, root, middle)
    last = _stretch(out, up, bend, end, middle, tip)
    # The fillet fades with the spur, so that no ridge runs round the rim where none has grown.
    filled = smooth_min(body, torch.minimum(first, last), SPUR_FILLET_MM)
    return torch.lerp(body, filled, (2 * length).clamp(0, 1))


def _stretch(
    out: torch.Tensor,
    up: torch.Tensor,
    start: tuple[float | torch.Tensor, float | torch.Tensor],
    end: tuple[float | torch.Tensor, float | torch.Tensor],
    first: torch.Tensor,
    last: torch.Tensor,
) -> torch.Tensor:
    """Distance to a tapering rod in the plane of two distances, mm."""
    across, along = end[0] - start[0], end[1] - start[1]
    x, y = out - start[0], up - start[1]
    squared = torch.as_tensor(across * across + along * along).clamp(min=1e-3)
    share = ((x * across + y * along) / squared).clamp(0, 1)
    gap = torch.hypot(x - share * across, y - share * along)
    return gap - (first + (last - first) * share)


def added_mineral(
    vertebra: Vertebra, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    """Mineral that sclerosis and spurs add to the spongy bone, mg HA/cm³.

    Args:
        vertebra: With wear.
        u: To the right, mm.
        v: Forwards, mm.
        w: Upwards, mm.
    """
    assert vertebra.wear is not None
    shape = BodyShape(vertebra)
    top, bottom = shape.endplates(u, v)
    added = torch.zeros(torch.broadcast_shapes(u.shape, v.shape, w.shape), device=w.device)
    for patch in vertebra.wear.sclerosis:
        depth = (top - w if patch.end > 0 else w - bottom).clamp(min=0)
        x = u / (vertebra.width / 2) - patch.side
        y = v / (vertebra.depth / 2) - patch.forward
        spread = torch.exp(-0.5 * (x * x + y * y) / patch.reach**2)
        added = added + patch.mineral * spread * torch.exp(-((depth / patch.depth) ** 2))
    if vertebra.wear.spurs:
        out = shape.outline(u, v, w)
        added = added + SPUR_HA * ((out + SPUR_EDGE_MM) / SPUR_EDGE_MM).clamp(0, 1)
    return added


def paint_gas(paint: Paint, vertebra: Vertebra) -> None:
    """Paint the gas in the disc below a vertebra; bodies painted later cut it to the gap.

    Args:
        paint: Canvas and HU.
        vertebra: The one above the disc.
    """
    if vertebra.wear is None:
        return
    drop = vertebra.height / 2 + vertebra.disc_height / 2
    for cleft in vertebra.wear.gas:
        u, v, w = cleft.middle
        frame = vertebra.frame.moved(u, v, w - drop)

        def shape(
            a: torch.Tensor,
            b: torch.Tensor,
            c: torch.Tensor,
            half: tuple[float, float, float] = cleft.half,
        ) -> torch.Tensor:
            return ellipsoid(a, b, c, half)

        box = paint.canvas.box([frame.origin], max(cleft.half) + 2)
        paint.canvas.paint(box, paint.hu("gas"), shape, frame)
