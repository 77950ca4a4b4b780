"""Worn discs: which ones, how badly, and what they do to the bodies beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tools.phantom.anatomy.variants.draft import Draft

#: Severity 0-1 at 30, its rise per year and SD (design: disc height loss is seen in a quarter of
#: people at 20 and three quarters at 80; Brinjikji, AJNR 2015; 36: 811-6).
AT_30, YEARLY, SEVERITY_SD, SEVERITY_RANGE = 0.2, 0.012, 0.15, (0.08, 1.0)
#: How often each disc is worn relative to the others (design: the lowest bear most).
LEVEL_WEIGHTS = {"L5": 1.0, "L4": 1.0, "L3": 0.7, "L2": 0.6, "L1": 0.4, "T12": 0.3, "T11": 0.3}
#: Factor on a disc's height at severity 0 and 1.
NARROWING = (0.9, 0.3)
#: Vacuum: probability at severity 0 and 1 per disc (38 % of people of 76 years have at least one
#: disc with gas, 25 % sclerosis; Camino-Willhuber, Acta Radiol 2023; 64: 1566-73).
GAS_SHARE = (0.0, 0.25)
SCLEROSIS_SHARE = (0.02, 0.22)
#: Longest osteophytes at severity 1, mm (design; claws of 10 mm are seen).
SPUR_MM = (4.5, 10.5)
#: Bearings of osteophytes from the front, degrees: in front and to the right rather than to the
#: left, where the aorta beats.
BEARINGS_DEG = ((-75.0, -45.0), (-25.0, 25.0), (40.0, 60.0), (65.0, 90.0))
SPREAD_DEG = (13.0, 24.0)
#: Share of claws (the others are traction spurs), and of those that reach their neighbour at most.
CLAW_SHARE, BRIDGING_SHARE = 0.7, 0.3
#: Loss of a body's height at severity 1, and wedging, degrees, at most (below a fracture's 20 %).
FLATTENING, WEDGING_DEG = 0.06, 2.5
#: L4 slides forwards on L5: probability at severity 1, women and men (three times as many women);
#: distance relative to the body's depth: grade 1 ends at 25 %.
SLIP_SHARE = {"F": 0.35, "M": 0.12}
SLIP_DEPTHS = (0.08, 0.22)
#: T12's upper endplate leans forwards by no more than this in a supine patient, degrees.
MOST_FORWARDS_DEG = 12.0
#: Facets grow by this factor at severity 1.
FACETS = 0.45


class WornDisc(NamedTuple):
    """One worn disc and its rims.

    Attributes:
        severity: 0-1.
        height: Factor on the disc's height.
        spurs: Bearing and spread, degrees, length, mm, and kind of each pair of osteophytes:
            "claw", "bridging" or "traction".
        sclerosis: Mineral added at both endplates, mg HA/cm³, 0 for none; depth, mm; place.
        gas: Clefts: middle and half axes in half widths, half depths and gaps.
        facets: Factor on the facets.
    """

    severity: float
    height: float
    spurs: tuple[tuple[float, float, float, str], ...]
    sclerosis: tuple[float, float, float, float, float]
    gas: tuple[tuple[float, float, float, float, float], ...]
    facets: float


@dataclass(frozen=True)
class Degeneration:
    """A degenerate spine.

    Attributes:
        severity: 0-1, rising with age.
        discs: Worn discs by the level above them.
        flattening: Share of its height that a body beside worn discs loses.
        wedging: And how much lower it gets in front, degrees.
        slip: How far L4 has slid forwards on L5, in depths of the body.
    """

    severity: float
    discs: dict[str, WornDisc]
    flattening: float
    wedging: float
    slip: float

    def as_dict(self) -> dict[str, Any]:
        """For the truth."""
        discs = {
            level: {
                "height_factor": disc.height,
                "osteophyte_mm": max((spur[2] for spur in disc.spurs), default=0.0),
                "bridging": any(spur[3] == "bridging" for spur in disc.spurs),
                "sclerosis": disc.sclerosis[0] > 0,
                "vacuum": bool(disc.gas),
            }
            for level, disc in self.discs.items()
        }
        return {"severity": self.severity, "discs": discs, "l4_slip_share": self.slip}


def draw_degeneration(
    rng: np.random.Generator, probability: float, sex: str, age: float
) -> Degeneration | None:
    """Draw worn discs, or none.

    Args:
        rng: Random stream.
        probability: Of a degenerate spine.
        sex: "F" or "M": women's L4 slides more often.
        age: Years.
    """
    present = rng.random() < probability
    mean = AT_30 + YEARLY * (age - 30)
    severity = float(np.clip(rng.normal(mean, SEVERITY_SD), *SEVERITY_RANGE))
    count = int(np.clip(rng.poisson(1 + 3.5 * severity), 1, len(LEVEL_WEIGHTS)))
    weights = np.array(list(LEVEL_WEIGHTS.values()))
    chosen = rng.choice(len(weights), size=count, replace=False, p=weights / weights.sum())
    levels = [list(LEVEL_WEIGHTS)[place] for place in sorted(chosen)]
    discs = {level: _draw_disc(rng, severity) for level in levels}
    slips = rng.random() < SLIP_SHARE[sex] * severity and "L4" in discs
    slip = float(rng.uniform(*SLIP_DEPTHS))
    flattening, wedging = (
        float(rng.uniform(0, most)) * severity for most in (FLATTENING, WEDGING_DEG)
    )
    found = Degeneration(severity, discs, flattening, wedging, slip if slips else 0.0)
    return found if present else None


def _draw_disc(rng: np.random.Generator, patient: float) -> WornDisc:
    severity = float(np.clip(patient + rng.normal(0, 0.15), 0.05, 1.0))
    height = NARROWING[0] + (NARROWING[1] - NARROWING[0]) * severity
    spurs = []
    for low, high in BEARINGS_DEG:
        length = float(rng.uniform(*SPUR_MM)) * severity * float(rng.uniform(0.4, 1.0))
        claw, bridging = rng.random() < CLAW_SHARE, rng.random() < BRIDGING_SHARE * severity
        kind = ("bridging" if bridging else "claw") if claw else "traction"
        spread = float(rng.uniform(*SPREAD_DEG))
        bearing = float(rng.uniform(low, high))
        if rng.random() < 0.75:
            spurs.append((bearing, spread, length, kind))
    dense = rng.random() < _between(SCLEROSIS_SHARE, severity)
    patch = (
        float(rng.uniform(150, 420)) * (0.5 + 0.5 * severity) * dense,
        float(rng.uniform(2.0, 5.0)),
        float(rng.uniform(-0.4, 0.4)),
        float(rng.uniform(-0.2, 0.6)),
        float(rng.uniform(0.4, 0.8)),
    )
    gas = tuple(
        (
            float(rng.uniform(-0.35, 0.35)),
            float(rng.uniform(-0.3, 0.45)),
            float(rng.uniform(0.18, 0.5)),
            float(rng.uniform(0.15, 0.45)),
            float(rng.uniform(0.12, 0.3)),
        )
        for _ in range(int(rng.integers(1, 4)))
    )
    full = rng.random() < _between(GAS_SHARE, severity)
    facets = 1 + FACETS * severity * float(rng.uniform(0.3, 1.0))
    return WornDisc(severity, height, tuple(spurs), patch, gas if full else (), facets)


def wear_down(draft: Draft, plan: Degeneration) -> None:
    """Narrow the worn discs, flatten and wedge the bodies above them, slide L4 forwards.

    A thin disc cannot stay angled: the sound lumbar discs take over what they can, and some of the
    lordosis is lost, as flat backs of the old show; never so much that the patient falls forwards.

    Args:
        draft: Changed in place.
        plan: What the patient has.
    """
    lost: dict[str, float] = {}
    for level, disc in plan.discs.items():
        body = draft.bodies[level]
        draft.middles[level] *= disc.height
        share = disc.severity / max(plan.severity, disc.severity)
        draft.change(
            level,
            height=body.height * (1 - plan.flattening * share),
            wedge=body.wedge + plan.wedging * share,
            facets=disc.facets,
            slip=plan.slip * body.depth if level == "L4" else 0.0,
        )
        limit = draft.steepest(level, body.depth / 2)
        kept = float(np.clip(draft.discs[level], -limit, limit))
        # What the body's wedging takes from the lordosis is to be made up for, too.
        lost[level] = draft.discs[level] - kept + plan.wedging * share
        draft.discs[level] = kept
    sound = [level for level in draft.bodies if level.startswith("L") and level not in plan.discs]
    draft.spread(sum(lost.values()), sound)
    _keep_upright(draft, {level: max(angle, 0.0) for level, angle in lost.items()})


def _keep_upright(draft: Draft, lost: dict[str, float]) -> None:
    """Open worn discs in front, and make them higher, until the chest leans forwards no more."""
    lacking = draft.alignment.slope - draft.lordosis() - MOST_FORWARDS_DEG
    whole = sum(lost.values())
    if lacking <= 0 or whole <= 0:
        return
    for level, angle in lost.items():
        draft.open(level, angle * lacking / whole)


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share
