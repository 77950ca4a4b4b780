"""Alignment of the spine: pelvic incidence, slope, lordosis and coronal curve, recumbent.

Every angle of the chain follows: the bodies' wedges are drawn, the lordosis is shared out among the
segments, and each disc makes up what its segment's body does not give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.phantom.anatomy.sizes import DISCS, FOOT_TO_HEAD, LEVEL_SIZES, WEDGE_SD

#: Pelvic incidence, degrees, mean and SD (Mac-Thiong 2011), and what is allowed.
PELVIC_INCIDENCE = (53.0, 10.5)
PELVIC_INCIDENCE_RANGE = (30.0, 82.0)
#: Sacral slope = this + half the incidence, and its residual SD, degrees; recumbent, a little less
#: than the 39.5 degrees of standing adults (Mac-Thiong 2011).
SACRAL_SLOPE = (11.5, 0.5, 5.5)
SACRAL_SLOPE_RANGE = (20.0, 60.0)
#: Lordosis T12-S1 at a slope of 38 degrees, change per degree of slope and residual SD, degrees;
#: together 36.8 +- 13.2 recumbent (627 volunteers, Asian Spine J 2019).
LORDOSIS = (36.8, 0.9, 10.0)
LORDOSIS_RANGE = (8.0, 70.0)
LORDOSIS_SLOPE_DEG = 38.0
#: Tilt of T12's upper endplate that a supine patient may show, degrees forwards.
T12_TILT_RANGE = (-26.0, 8.0)
#: Angle of the disc under T12, degrees (design).
T12_DISC = (2.0, 1.0)
#: SD of a segment's share of the lordosis (design).
SHARE_SD = 0.03
#: |Cobb| of the coronal curve: half-normal SD, degrees; a few patients are clearly scoliotic.
COBB_SD = 6.0
SCOLIOSIS_SHARE = 0.05
SCOLIOSIS_COBB = (15.0, 30.0)


@dataclass(frozen=True)
class Alignment:
    """Angles of a spine, degrees.

    Attributes:
        incidence: Pelvic incidence.
        slope: Sacral slope, S1's endplate against the axial plane.
        lordosis: Upper endplate of T12 to S1.
        cobb: Coronal curve, + = convex to the right.
        wedges: Wedge of every body, + = lower in front.
        discs: Angle of the disc under every body, + = higher in front.
        leans: Coronal angle of the disc under every body, + = the spine above leans to the right.
    """

    incidence: float
    slope: float
    lordosis: float
    cobb: float
    wedges: dict[str, float]
    discs: dict[str, float]
    leans: dict[str, float]


def draw_alignment(rng: np.random.Generator, sex: str) -> Alignment:
    """Draw the angles of one spine.

    Args:
        rng: Random stream.
        sex: "F" or "M"; women's lower lumbar bodies are more lordotic.
    """
    incidence = float(np.clip(rng.normal(*PELVIC_INCIDENCE), *PELVIC_INCIDENCE_RANGE))
    base, gain, sd = SACRAL_SLOPE
    slope = float(np.clip(rng.normal(base + gain * incidence, sd), *SACRAL_SLOPE_RANGE))
    mean, gain, sd = LORDOSIS
    lordosis = rng.normal(mean + gain * (slope - LORDOSIS_SLOPE_DEG), sd)
    lordosis = float(np.clip(lordosis, *LORDOSIS_RANGE))
    # The spine above must stay near the table's direction.
    lordosis = float(np.clip(lordosis, slope - T12_TILT_RANGE[1], slope - T12_TILT_RANGE[0]))
    cobb = _draw_cobb(rng)
    wedges = {
        level: float(rng.normal(size.wedge_women if sex == "F" else size.wedge_men, WEDGE_SD))
        for level, size in LEVEL_SIZES.items()
    }
    discs = _disc_angles(rng, lordosis, wedges)
    return Alignment(incidence, slope, lordosis, cobb, wedges, discs, _disc_leans(rng, cobb))


def tilt(forwards: float, rightwards: float) -> np.ndarray:
    """Rotation of a frame whose w axis leans forwards (v) and to the right (u), degrees, [3, 3]."""
    a, b = np.radians(forwards), np.radians(rightwards)
    sagittal = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    coronal = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return sagittal @ coronal


def turned(degrees: float) -> np.ndarray:
    """Rotation of a frame about its own w axis, + = its front (v) to the right (u), [3, 3]."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])


def _disc_angles(
    rng: np.random.Generator, lordosis: float, wedges: dict[str, float]
) -> dict[str, float]:
    """Disc angles that, with the bodies' wedges, add up to the lordosis in published shares."""
    angles = dict.fromkeys(DISCS, 0.0)
    angles["T12"] = float(rng.normal(*T12_DISC))
    below_t12 = lordosis + wedges["T12"] - angles["T12"]
    shares = {
        level: disc.share + rng.normal(0, SHARE_SD) for level, disc in DISCS.items() if disc.share
    }
    whole = sum(shares.values())
    for level, share in shares.items():
        angles[level] = float(below_t12 * share / whole + wedges[level])
    return angles


def _draw_cobb(rng: np.random.Generator) -> float:
    scoliotic = rng.random() < SCOLIOSIS_SHARE
    size = rng.uniform(*SCOLIOSIS_COBB) if scoliotic else abs(rng.normal(0, COBB_SD))
    return float(size * rng.choice([-1, 1]))


def _disc_leans(rng: np.random.Generator, cobb: float) -> dict[str, float]:
    """Lean added at each disc so that the curve's end vertebrae differ by the Cobb angle."""
    apex = rng.uniform(3, 7)  # discs above the sacrum: L2/3 to T10/11
    place = np.arange(len(FOOT_TO_HEAD))
    bend = -np.exp(-0.5 * ((place - apex) / 2.2) ** 2)
    # The curve starts tilted the other way and ends near upright.
    bend = bend / np.abs(bend).sum() * cobb
    bend[:3] += cobb / 2 / 3
    return dict(zip(FOOT_TO_HEAD, bend.tolist(), strict=True))
