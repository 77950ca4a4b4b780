"""Which variants a patient has, drawn from a stream of their own.

    plan = draw_plan(rng, recipe["anatomy"], sex="F", age=67.0)

Every variant has its own child stream, so that one probability does not move another's draw.
Rates and sources: `docs/variants.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools.phantom.anatomy.variants.degeneration import Degeneration, draw_degeneration
from tools.phantom.anatomy.variants.last_ribs import LastRibs, draw_last_ribs
from tools.phantom.anatomy.variants.scoliosis import Curve, draw_curve
from tools.phantom.anatomy.variants.transitional import Transition, draw_transition


@dataclass(frozen=True)
class Plan:
    """Variants of one patient; None is the usual anatomy.

    Attributes:
        transition: At the lumbosacral junction.
        ribs: The last ribs.
        curve: Structural scoliosis.
        degeneration: Worn discs.
    """

    transition: Transition | None = None
    ribs: LastRibs = field(default_factory=LastRibs)
    curve: Curve | None = None
    degeneration: Degeneration | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the truth: what differs from the usual anatomy; null where nothing does."""
        return {
            "transitional": self.transition.as_dict() if self.transition else None,
            "lumbar_rib_mm": self.ribs.lumbar_mm(),
            "t12_rib_mm": self.ribs.short_mm(),
            "scoliosis": self.curve.as_dict() if self.curve else None,
            "degeneration": self.degeneration.as_dict() if self.degeneration else None,
        }


#: The usual anatomy.
USUAL = Plan()


def draw_plan(rng: np.random.Generator, anatomy: dict[str, float], sex: str, age: float) -> Plan:
    """Draw the variants of one patient.

    Args:
        rng: Random stream of the variants alone.
        anatomy: Probabilities, the recipe's section of that name.
        sex: "F" or "M".
        age: Years; wear gets worse with it.
    """
    junction, last, bend, wear = rng.spawn(4)
    return Plan(
        draw_transition(junction, anatomy["sacralised_l5"], anatomy["lumbarised_s1"]),
        draw_last_ribs(last, anatomy["lumbar_rib"], anatomy["short_t12_rib"]),
        draw_curve(bend, anatomy["scoliosis"]),
        draw_degeneration(wear, anatomy["degeneration"], sex, age),
    )
