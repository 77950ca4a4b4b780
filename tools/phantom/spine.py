"""Alignment of the spine: where every vertebra is and how it is turned.

The spine is built on the sacrum's endplate, disc by disc and body by body, so that lordosis,
wedges and heights add up exactly as they are measured on images. Recumbent values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy import (
    CONCAVITY_LOWER_MM,
    CONCAVITY_UPPER_MM,
    DISCS,
    FOOT_TO_HEAD,
    LEVEL_SD,
    LEVEL_SIZES,
    SHELL_HA,
    SHELL_MEAN_MM,
    SHELL_RANGE_MM,
    SIZE_MEN,
    SIZE_SD,
    SIZE_WOMEN,
    WAIST,
    WEDGE_SD,
)
from tools.phantom.canvas import Frame

#: Pelvic incidence, degrees, mean and SD (Mac-Thiong 2011).
PELVIC_INCIDENCE = (53.0, 10.5)
#: Sacral slope allowed, degrees.
SACRAL_SLOPE_RANGE = (20.0, 60.0)
#: Lordosis T12-S1 recumbent, degrees, mean and SD.
LORDOSIS = (36.8, 13.2)
#: Tilt of T12's upper endplate that a supine patient may show, degrees forwards.
T12_TILT_RANGE = (-26.0, 8.0)
#: |Cobb| of the coronal curve: half-normal SD, degrees; a few patients are clearly scoliotic.
COBB_SD = 6.0
SCOLIOSIS_SHARE = 0.05
SCOLIOSIS_COBB = (15.0, 30.0)
#: Share of patients over 60 with narrowed discs, and the factor on their height (design).
NARROWED_SHARE = 0.30
NARROWED_AGE = 60.0
NARROWED_FACTOR = (0.3, 0.8)


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
        disc_height: The disc below it.
        scale: Size factor of everything without a size of its own.
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


@dataclass(frozen=True)
class Spine:
    """All vertebrae on one sacrum.

    Attributes:
        vertebrae: By level name, T4 to L5.
        sacral_frame: Middle of S1's upper endplate; w is its normal.
        pelvic_incidence: Degrees.
        sacral_slope: Degrees, S1's endplate against the axial plane.
        lordosis: Degrees, upper endplate of T12 to S1.
        cobb: Degrees of the coronal curve, + = convex to the right.
        scale: Size factor of the patient.
    """

    vertebrae: dict[str, Vertebra]
    sacral_frame: Frame
    pelvic_incidence: float
    sacral_slope: float
    lordosis: float
    cobb: float
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
    incidence = float(np.clip(rng.normal(*PELVIC_INCIDENCE), 30, 82))
    # Slope follows incidence; recumbent it spreads like the standing series.
    slope = float(np.clip(rng.normal(11.5 + 0.5 * incidence, 5.5), *SACRAL_SLOPE_RANGE))
    # Lordosis follows slope so that the upper lumbar spine stays near the table's direction.
    lordosis = float(np.clip(rng.normal(LORDOSIS[0] + 0.9 * (slope - 38), 10.0), 8, 70))
    lordosis = float(np.clip(lordosis, slope - T12_TILT_RANGE[1], slope - T12_TILT_RANGE[0]))
    cobb = _draw_cobb(rng)

    wedges = {
        level: float(rng.normal(size.wedge_women if sex == "F" else size.wedge_men, WEDGE_SD))
        for level, size in LEVEL_SIZES.items()
    }
    shares = {level: max(0.0, disc.share + rng.normal(0, 0.03)) for level, disc in DISCS.items()}
    shares = {level: shares[level] if DISCS[level].share else 0.0 for level in shares}
    total = sum(shares.values())
    # What the bodies do not give, the discs must.
    from_bodies = -sum(wedges[level] for level in ("T12", "L1", "L2", "L3", "L4", "L5"))
    from_discs = lordosis - from_bodies
    disc_angles = {level: from_discs * shares[level] / total for level in DISCS}
    coronal = _coronal_angles(rng, cobb)

    narrowed = _draw_narrowing(rng, age)
    frame = Frame(np.zeros(3), _tilt(slope, 0.0))
    point, axes = frame.origin, frame.axes
    vertebrae: dict[str, Vertebra] = {}
    depth_below = 33.5 * scale
    for level in FOOT_TO_HEAD:
        size, disc = LEVEL_SIZES[level], DISCS[level]
        disc_height = scale * float(np.clip(rng.normal(disc.height, disc.sd), 2.5, 18))
        disc_height = max(2.0, disc_height * narrowed.get(level, 1.0))
        factor = scale * float(np.clip(rng.normal(1, LEVEL_SD), 0.92, 1.08))
        depth = size.depth * factor * float(rng.normal(1, 0.02))
        width = size.width * factor * float(rng.normal(1, 0.02))
        posterior = size.height * factor
        wedge = wedges[level]
        height = posterior - depth * np.tan(np.radians(wedge / 2))
        # Disc: half the angle, up, half the angle. Posterior walls stay in line.
        angle = disc_angles[level]
        axes = axes @ _tilt(-angle / 2, coronal[level] / 2)
        point = point + axes @ np.array([0.0, (depth - depth_below) / 2, disc_height])
        axes = axes @ _tilt(-angle / 2, coronal[level] / 2)
        # Body: to its mid-plane, then to its upper endplate.
        lean = coronal[level] * 0.3
        axes = axes @ _tilt(wedge / 2, lean / 2)
        center = point + axes @ np.array([0.0, 0.0, height / 2])
        vertebrae[level] = Vertebra(
            level=level,
            frame=Frame(center, axes),
            height=height,
            wedge=wedge,
            lean=lean,
            depth=depth,
            width=width,
            flare=float(rng.uniform(1.0, 1.06)),
            concavity=(
                float(rng.uniform(*CONCAVITY_UPPER_MM)) * _concave(level),
                float(rng.uniform(*CONCAVITY_LOWER_MM)) * _concave(level),
            ),
            apex=float(rng.uniform(0.05, 0.35)),
            waist=float(rng.uniform(*WAIST)),
            dent=float(rng.uniform(0.8, 2.8)) * (0.2 if level == "L5" else 1.0),
            squareness=float(rng.uniform(2.15, 2.7)),
            shell_mm=float(np.clip(rng.normal(SHELL_MEAN_MM, 0.1), *SHELL_RANGE_MM)),
            shell_ha=float(rng.uniform(*SHELL_HA)),
            canal_width=size.canal_width * factor,
            canal_depth=size.canal_depth * factor,
            pedicle_width=size.pedicle_width * factor * float(rng.normal(1, 0.08)),
            disc_height=disc_height,
            scale=factor,
        )
        point = center + axes @ np.array([0.0, 0.0, height / 2])
        axes = axes @ _tilt(wedge / 2, lean / 2)
        depth_below = depth
    return Spine(vertebrae, frame, incidence, slope, lordosis, cobb, scale)


def _tilt(forwards: float, rightwards: float) -> np.ndarray:
    """Rotation of a frame whose w axis leans forwards (v) and to the right (u), degrees."""
    a, b = np.radians(forwards), np.radians(rightwards)
    sagittal = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    coronal = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return sagittal @ coronal


def _concave(level: str) -> float:
    """Thoracic endplates are flatter than lumbar ones."""
    return 0.6 if level.startswith("T") and level != "T12" else 1.0


def _draw_cobb(rng: np.random.Generator) -> float:
    scoliotic = rng.random() < SCOLIOSIS_SHARE
    size = rng.uniform(*SCOLIOSIS_COBB) if scoliotic else abs(rng.normal(0, COBB_SD))
    return float(size * rng.choice([-1, 1]))


def _coronal_angles(rng: np.random.Generator, cobb: float) -> dict[str, float]:
    """Lean added at each disc so that the curve's end vertebrae differ by the Cobb angle."""
    apex = rng.uniform(3, 7)  # discs above the sacrum: L2/3 to T10/11
    place = np.arange(len(FOOT_TO_HEAD))
    bend = -np.exp(-0.5 * ((place - apex) / 2.2) ** 2)
    # The curve starts tilted the other way and ends near upright.
    bend = bend / np.abs(bend).sum() * cobb
    bend[:3] += cobb / 2 / 3
    return dict(zip(FOOT_TO_HEAD, bend.tolist(), strict=True))


def _draw_narrowing(rng: np.random.Generator, age: float) -> dict[str, float]:
    """Factors on disc heights of a degenerate spine; empty for a healthy one."""
    if age < NARROWED_AGE or rng.random() > NARROWED_SHARE:
        return {}
    levels = rng.choice(["L5", "L4", "L3", "L2", "L1"], size=rng.integers(1, 4), replace=False)
    return {str(level): float(rng.uniform(*NARROWED_FACTOR)) for level in levels}
