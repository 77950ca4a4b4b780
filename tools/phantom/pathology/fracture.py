"""Osteoporotic fractures as a smooth warp: wedge, biconcave and crush.

Genant HK et al. Vertebral fracture assessment using a semiquantitative technique.
J Bone Miner Res 1993;8:1137-48.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.phantom.anatomy.spine import Vertebra
from tools.phantom.pathology.fields import Cleft, Dish, Field, Line, Scaled, Slide, Step, Waves
from tools.phantom.pathology.heights import sized
from tools.phantom.pathology.rear import settled
from tools.phantom.pathology.warp import Bulge, Layer, LayeredWarp

#: Depth of the step in a broken endplate, and of a cleft, mm (design).
STEP_MM = (0.6, 2.0)
CLEFT_MM = (1.5, 3.0)
#: Half width of a cleft and width of a step's edge, mm (design).
CLEFT_HALF_MM, EDGE_MM = 0.7, 0.35
#: Probability that a break also gapes.
CLEFT_SHARE = 0.35
#: RMS unevenness of a broken endplate, mm (design).
UNEVEN_MM = (0.15, 0.5)
#: Height of the band of squeezed bone, mm (design): higher the more was squeezed into it.
BAND_MM, BAND_PER_LOSS = (5.0, 8.0), 8.0
#: The front wall buckles by so many mm, and so many more per fraction of height lost (design; the
#: grade 3 of a real mask stands out by about 5 mm).
BUCKLE_MM, BUCKLE_PER_LOSS = (0.3, 1.0), (2.0, 5.0)


@dataclass(frozen=True)
class Fracture:
    """What was asked of one fracture.

    Attributes:
        kind: wedge, biconcave or crush.
        loss: Largest loss of height, in the sagittal plane of the deepest place.
        side: That plane, in half widths to the right.
        impaction: Whether squeezed bone makes a dense band; else it was remodelled since.
        swelling: Whether the soft tissue beside the body is swollen.
        threshold: Whether it belongs to the cases near the limits of the grades.
        generator: warp or collapse.
    """

    kind: str
    loss: float
    side: float
    impaction: bool
    swelling: bool
    threshold: bool
    generator: str = "warp"


def break_body(rng: np.random.Generator, body: Vertebra, fracture: Fracture) -> Vertebra:
    """Fracture a body.

    Args:
        rng: Random stream.
        body: With its mild warp.
        fracture: What is asked for.
    """
    warp = body.warp
    assert isinstance(warp, LayeredWarp)
    main = _profile(rng, fracture)
    upper = _upper_share(rng, fracture.kind)
    top, bottom = _break(rng, body, fracture), _break(rng, body, fracture)
    ends = (top if upper > 0.3 else (), bottom if upper < 0.6 else ())
    lower_main = main if fracture.kind == "wedge" else _profile(rng, fracture)
    bulges = _buckles(rng, body, fracture, upper)
    band = None
    if fracture.impaction:
        band = float(rng.uniform(*BAND_MM)) + BAND_PER_LOSS * fracture.loss

    def make(size_mm: float) -> Vertebra:
        layer = Layer(
            (*ends[0], Scaled(main, upper * size_mm)),
            (*ends[1], Scaled(lower_main, (1 - upper) * size_mm)),
        )
        return replace(body, warp=replace(warp, deep=layer, bulges=bulges, band=band))

    side_mm = fracture.side * body.width / 2
    return settled(sized(make, fracture.loss, side_mm))


def _upper_share(rng: np.random.Generator, kind: str) -> float:
    """Share of the loss that the upper endplate takes: most wedges break above."""
    if kind == "wedge":
        return float(rng.uniform(0.75, 1.0) if rng.random() < 0.85 else rng.uniform(0.0, 0.2))
    return float(rng.uniform(0.35, 0.8))


def _profile(rng: np.random.Generator, fracture: Fracture) -> Field:
    """Shape of the loss over the endplate, 1 at its deepest place."""
    one_sided = abs(fracture.side) > 0.2
    if fracture.kind == "wedge":
        fall = rng.uniform(0.45, 0.75) if one_sided else rng.uniform(0.0, 0.25)
        start, full = rng.uniform(-0.95, -0.5), rng.uniform(0.7, 1.05)
        base = float(rng.uniform(0.0, 0.1))
        return Slide(float(start), float(full), fracture.side, float(fall), base)
    if fracture.kind == "biconcave":
        # The hollow ends before the rims: front and rear height are what a biconcave body keeps.
        radii = (rng.uniform(0.75, 0.95), rng.uniform(0.75, 0.95))
        if one_sided:
            radii = (rng.uniform(0.6, 0.8), radii[1])
        middle = (fracture.side, float(rng.uniform(-0.1, 0.1)))
        rim, power = float(rng.uniform(0.02, 0.2)), float(rng.uniform(0.55, 0.9))
        return Dish(middle, (float(radii[0]), float(radii[1])), rim, power)
    fall = rng.uniform(0.4, 0.65) if one_sided else rng.uniform(0.0, 0.2)
    base = float(rng.uniform(0.7, 0.9))
    return Slide(-1.1, float(rng.uniform(0.0, 0.6)), fracture.side, float(fall), base)


def _break(rng: np.random.Generator, body: Vertebra, fracture: Fracture) -> tuple[Field, ...]:
    """The endplate's broken line: a step, perhaps a cleft, and unevenness."""
    half = body.depth / 2
    at = rng.uniform(-0.45, 0.25)
    line = Line(float(at), float(rng.normal(0, 0.15)), float(rng.normal(0, 0.2)))
    span = float(rng.uniform(0.6, 1.1))
    drop = float(rng.uniform(*STEP_MM))
    tail = float(rng.uniform(0.25, 0.5))
    fields: list[Field] = [
        Step(line, drop, EDGE_MM / half, tail, fracture.side, span),
        Waves.draw(rng, float(rng.uniform(*UNEVEN_MM))),
    ]
    depth = float(rng.uniform(*CLEFT_MM))
    if rng.random() < CLEFT_SHARE:
        fields.append(Cleft(line, depth, CLEFT_HALF_MM / half, fracture.side, 0.8 * span))
    return tuple(fields)


def _buckles(
    rng: np.random.Generator, body: Vertebra, fracture: Fracture, upper: float
) -> tuple[Bulge, ...]:
    """The front wall folds outwards under the broken edge; a crushed body's rear wall bulges."""
    amount = float(rng.uniform(*BUCKLE_MM)) + float(rng.uniform(*BUCKLE_PER_LOSS)) * fracture.loss
    amount *= 0.5 if fracture.kind == "biconcave" else 1.0
    left = body.height * (1 - fracture.loss)
    edge = body.height / 2 - upper * fracture.loss * body.height
    at = edge - float(rng.uniform(0.2, 0.4)) * left
    if upper < 0.3:
        at = -body.height / 2 + fracture.loss * body.height + float(rng.uniform(0.2, 0.4)) * left
    bulges = [Bulge(amount, at, float(rng.uniform(0.25, 0.4)) * left + 1.5)]
    if fracture.kind == "crush":
        middle = (0.5 - upper) * fracture.loss * body.height
        bulges.append(Bulge(float(rng.uniform(0.3, 1.5)), middle, 0.7 * left, front=False))
    return tuple(bulges)
