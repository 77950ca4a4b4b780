"""The spine: sizes of all vertebrae, stacked on the sacrum by their alignment.

Disc by disc and body by body from the sacrum's endplate upwards, so that lordosis, wedges and
heights add up exactly as they are measured on images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tools.phantom.anatomy.alignment import Alignment, draw_alignment, tilt, turned
from tools.phantom.anatomy.sizes import (
    CONCAVITY_LOWER_MM,
    CONCAVITY_UPPER_MM,
    DENT_MM,
    DISCS,
    FLARE,
    FLARE_L5,
    FOOT_TO_HEAD,
    LENGTH_SD,
    LEVEL_SD,
    LEVEL_SIZES,
    SHELL_HA,
    SHELL_MEAN_MM,
    SHELL_RANGE_MM,
    SHELL_SD_MM,
    SIZE_MEN,
    SIZE_SD,
    SIZE_WOMEN,
    WAIST,
)
from tools.phantom.anatomy.variants.growths import Wear
from tools.phantom.anatomy.warp import BodyWarp
from tools.phantom.drawing.canvas import Frame

if TYPE_CHECKING:
    from tools.phantom.anatomy.vertebra import Part
    from tools.phantom.given.solid import Solid

#: Share of patients over 60 with narrowed discs, and the factor on their height (design).
NARROWED_SHARE = 0.30
NARROWED_AGE = 60.0
NARROWED_FACTOR = (0.3, 0.8)
#: Discs stay at least this high in the middle, and this much apart at the rims, mm.
MIN_DISC_MM = 2.5
MIN_RIM_GAP_MM = 1.2
#: Depth of S1's endplate at scale 1, mm.
S1_DEPTH_MM = 33.5
#: Share of a disc's coronal lean that the body above it takes as a wedge (design).
BODY_LEAN_SHARE = 0.3


@dataclass(frozen=True)
class Vertebra:
    """One vertebra's size and place; lengths in mm, angles in degrees.

    Attributes:
        level: Name, "L1".
        frame: Body centre between the endplates' planes; u right, v forwards, w to the head.
        height: Between the planes of the endplates, in the middle.
        wedge: + = lower in front.
        lean: Height difference left to right as an angle.
        depth: Upper endplate, antero-posterior.
        width: Upper endplate, transverse.
        flare: Lower endplate's size over the upper's.
        concavity: Depth of the upper and the lower endplate.
        apex: Where the concavity is deepest, as a fraction of half the depth behind the middle.
        waist: Narrowing in the middle, as a fraction.
        dent: Concavity of the posterior wall.
        squareness: Exponent of the outline (2 = ellipse).
        shell_mm: Cortical shell thickness.
        shell_ha: Its mineral, mg HA/cm³.
        canal_width: Canal, transverse.
        canal_depth: Canal, sagittal.
        pedicle_width: Pedicle, transverse.
        disc_height: Gap between the rims of the disc below it.
        scale: Size factor of everything without a size of its own.
        warp: Deformation of the body, or None.
        lowest: Whether it carries the short spine and stout processes of the last lumbar vertebra.
        turn: Axial rotation, + = its front turned to the right.
        slip: How far it has slid forwards on the body below.
        facets: Factor on the radii of the articular processes.
        processes: Transverse processes that differ from the usual ones, by side (+1 right).
        wear: Osteophytes, sclerosis and gas, if degenerate.
        solid: Surface of a vertebra from a given label map, in place of the drawn shape.
    """

    level: str
    frame: Frame
    height: float
    wedge: float
    lean: float
    depth: float
    width: float
    flare: float
    concavity: tuple[float, float]
    apex: float
    waist: float
    dent: float
    squareness: float
    shell_mm: float
    shell_ha: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    disc_height: float
    scale: float
    warp: BodyWarp | None = None
    lowest: bool = False
    turn: float = 0.0
    slip: float = 0.0
    facets: float = 1.0
    processes: tuple[tuple[int, tuple[Part, ...]], ...] = ()
    wear: Wear | None = None
    solid: Solid | None = None

    @property
    def front(self) -> float:
        """How far bone reaches forwards of the body's middle, mm."""
        return self.depth / 2 + (self.wear.overhang_front() if self.wear else 0.0)


@dataclass(frozen=True)
class Spine:
    """All vertebrae on one sacrum.

    Attributes:
        vertebrae: By level name, foot to head; L6 only in those who have one.
        sacral_frame: Middle of S1's upper endplate; w is its normal.
        alignment: Its angles.
        scale: Size factor of the patient.
    """

    vertebrae: dict[str, Vertebra]
    sacral_frame: Frame
    alignment: Alignment
    scale: float

    def front(self, z: torch.Tensor) -> torch.Tensor:
        """Y of the front of the lumbar spine and sacrum at height z, mm, interpolated."""
        bodies = [
            body.frame.to_world(np.array([0.0, body.depth / 2, 0.0]))
            for body in self.vertebrae.values()
        ]
        tail = self.sacral_frame.to_world(np.array([[0, -8, -75], [0, 6, -40], [0, 14, -10]]))
        course = np.array([*tail, *bodies])
        course = course[np.argsort(course[:, 2])]
        heights = torch.tensor(course[:, 2], dtype=torch.float32, device=z.device)
        fronts = torch.tensor(course[:, 1], dtype=torch.float32, device=z.device)
        above = torch.bucketize(z, heights).clamp(1, len(course) - 1)
        low, high = heights[above - 1], heights[above]
        share = ((z - low) / (high - low)).clamp(0, 1)
        return torch.lerp(fronts[above - 1], fronts[above], share)


def draw_spine(rng: np.random.Generator, sex: str, age: float) -> Spine:
    """Draw sizes and alignment of one person's spine.

    Args:
        rng: Random stream.
        sex: "F" or "M".
        age: Years.
    """
    scale = (SIZE_WOMEN if sex == "F" else SIZE_MEN) * float(
        np.clip(rng.normal(1, SIZE_SD), 0.84, 1.16)
    )
    alignment = draw_alignment(rng, sex)
    narrowed = _draw_narrowing(rng, age)
    bodies = [_draw_body(rng, level, scale, alignment) for level in FOOT_TO_HEAD]
    discs = [_draw_disc(rng, level, scale) * narrowed.get(level, 1.0) for level in FOOT_TO_HEAD]
    return stack(bodies, discs, alignment, scale)


def stack(bodies: list[Vertebra], discs: list[float], alignment: Alignment, scale: float) -> Spine:
    """Stack vertebrae on the sacrum.

    Args:
        bodies: Foot to head; their frames and `disc_height` are found here.
        discs: Height of the disc under each in its middle, mm.
        alignment: Angles of the discs.
        scale: Size factor of the patient.
    """
    sacral = Frame(np.zeros(3), tilt(alignment.slope, 0.0))
    point, axes = sacral.origin, sacral.axes
    depth_below, dish_below = S1_DEPTH_MM * scale, 0.0
    vertebrae: dict[str, Vertebra] = {}
    for body, disc in zip(bodies, discs, strict=True):
        level = body.level
        middle = max(disc, MIN_DISC_MM)
        # A disc's height is measured in its middle, where both endplates are hollow.
        gap = max(middle - body.concavity[1] - dish_below, MIN_RIM_GAP_MM)
        # Disc: half its angle, up, half its angle. Posterior walls stay in line.
        half = tilt(-alignment.discs[level] / 2, alignment.leans[level] / 2)
        axes = axes @ half
        point = point + axes @ np.array([0.0, (body.depth - depth_below) / 2 + body.slip, gap])
        # Body: to its mid-plane, then to its upper endplate.
        half_body = tilt(body.wedge / 2, body.lean / 2)
        axes = axes @ half @ half_body
        rise = axes @ np.array([0.0, 0.0, body.height / 2])
        # A rotated body turns about its own axis; the column goes on along the same curve.
        own = axes @ turned(body.turn) if body.turn else axes
        vertebrae[level] = replace(body, frame=Frame(point + rise, own), disc_height=gap)
        point, axes = point + 2 * rise, axes @ half_body
        depth_below, dish_below = body.depth, body.concavity[0]
    return Spine(vertebrae, sacral, alignment, scale)


def _draw_body(
    rng: np.random.Generator, level: str, scale: float, alignment: Alignment
) -> Vertebra:
    """Draw a vertebra's size and shape; its place comes when it is stacked."""
    size = LEVEL_SIZES[level]
    factor = scale * float(np.clip(rng.normal(1, LEVEL_SD), 0.95, 1.05))
    last = level == "L5"
    dent = float(rng.uniform(*DENT_MM)) * (0.2 if last else 1.0)
    # Published depths are taken in the mid-sagittal plane, from the hollow of the posterior wall.
    depth = size.depth * factor * float(rng.normal(1, LENGTH_SD)) + dent
    wedge = alignment.wedges[level]
    flat = (
        0.6 if level.startswith("T") and level != "T12" else 1.0
    )  # thoracic endplates are flatter
    return Vertebra(
        level=level,
        frame=Frame(np.zeros(3)),
        height=size.height * factor * float(rng.normal(1, LENGTH_SD))
        - depth * float(np.tan(np.radians(wedge / 2))),
        wedge=wedge,
        lean=alignment.leans[level] * BODY_LEAN_SHARE,
        depth=depth,
        width=size.width * factor * float(rng.normal(1, LENGTH_SD)),
        flare=float(rng.uniform(*(FLARE_L5 if last else FLARE))),
        concavity=(
            float(rng.uniform(*CONCAVITY_UPPER_MM)) * flat,
            float(rng.uniform(*CONCAVITY_LOWER_MM)) * flat,
        ),
        apex=float(rng.uniform(0.05, 0.35)),
        waist=float(rng.uniform(*WAIST)),
        dent=dent,
        squareness=float(rng.uniform(2.15, 2.7)),
        shell_mm=float(np.clip(rng.normal(SHELL_MEAN_MM, SHELL_SD_MM), *SHELL_RANGE_MM)),
        shell_ha=float(rng.uniform(*SHELL_HA)),
        canal_width=size.canal_width * factor,
        canal_depth=size.canal_depth * factor,
        pedicle_width=size.pedicle_width * factor * float(rng.normal(1, 0.08)),
        disc_height=0.0,
        scale=factor,
        lowest=last,
    )


def _draw_disc(rng: np.random.Generator, level: str, scale: float) -> float:
    """Draw the middle height of the disc under a level, mm."""
    disc = DISCS[level]
    return scale * float(np.clip(rng.normal(disc.height, disc.sd), MIN_DISC_MM, 18))


def _draw_narrowing(rng: np.random.Generator, age: float) -> dict[str, float]:
    """Factors on disc heights of a degenerate spine; empty for a healthy one."""
    if age < NARROWED_AGE or rng.random() > NARROWED_SHARE:
        return {}
    levels = rng.choice(["L5", "L4", "L3", "L2", "L1"], size=rng.integers(1, 4), replace=False)
    return {str(level): float(rng.uniform(*NARROWED_FACTOR)) for level in levels}
