"""Transitional vertebrae: an L5 that has joined the sacrum, an S1 that has left it as L6."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tools.phantom.anatomy.sacrum import Sacrum
from tools.phantom.anatomy.trabecular import Trabecular
from tools.phantom.anatomy.variants.draft import Draft
from tools.phantom.drawing.canvas import Frame

#: Castellvi types and their shares: II joint, III fusion, IV one of each; 41.4, 11.5 and 5.2 % of
#: 841 transitional vertebrae, the rest being type I, large processes alone (Nardo, Radiology 2012;
#: 265: 497-503).
CASTELLVI = {"II": 41.4, "III": 11.5, "IV": 5.2}
#: Share of types II and III that are two-sided (design: about half).
BOTH_SIDES = 0.5
#: Middle height of the rudimentary disc under a sacralised L5, mm at scale 1: jointed and fused
#: (design: narrowed to a third).
RUDIMENTARY_MM = {"II": (4.0, 6.5), "III": (3.0, 4.5), "IV": (3.2, 5.0)}
#: Its body tapers downwards: lower over upper endplate ("wedged" towards the sacrum; design).
TAPER = (0.84, 0.93)
#: The disc under L6 relative to the usual L5/S1 disc (design: lower than usual, whole).
L6_DISC = (0.6, 0.85)
#: L6 relative to L5: height; it is squared, its endplates alike (design after O'Driscoll's S1/S2
#: squaring).
L6_HEIGHT = (0.92, 1.0)
L6_FLARE = (0.96, 1.02)
#: Shares of L5's segmental lordosis that stay at L5 and go to L6.
L5_LORDOSIS = (0.45, 0.6)
#: L5 above an L6 looks like an L4: lower endplate over upper, wedge relative to its own.
FREED_FLARE = (1.0, 1.05)
FREED_WEDGE = 0.6


class Side(NamedTuple):
    """One side of a sacralised L5: the Castellvi type of its process, or "" for a usual one."""

    left: str
    right: str


@dataclass(frozen=True)
class Transition:
    """A transitional vertebra.

    Attributes:
        kind: "sacralised_l5" or "lumbarised_s1".
        castellvi: Type with side, "IIa" to "IV"; "" for a lumbarised S1.
        sides: Type of either side.
        disc: Middle height of the disc under it: mm at scale 1, or relative to the usual one.
        flare: Lower endplate over the upper.
        share: L6 alone: share of L5's lordosis that stays there.
        height: L6 alone: its height over L5's.
    """

    kind: str
    castellvi: str
    sides: Side
    disc: float
    flare: float
    share: float
    height: float

    def as_dict(self) -> dict[str, Any]:
        """For the truth."""
        return {
            "kind": self.kind,
            "castellvi": self.castellvi or None,
            "left": self.sides.left or None,
            "right": self.sides.right or None,
        }


def draw_transition(
    rng: np.random.Generator, sacralised: float, lumbarised: float
) -> Transition | None:
    """Draw a transitional vertebra, or none; nobody has both kinds.

    Args:
        rng: Random stream.
        sacralised: Probability of a sacralised L5.
        lumbarised: Probability of a lumbarised S1.
    """
    lot = rng.random()
    kinds = np.array(list(CASTELLVI.values()))
    castellvi = str(rng.choice(list(CASTELLVI), p=kinds / kinds.sum()))
    both, right = rng.random() < BOTH_SIDES, rng.random() < 0.5
    disc = float(rng.uniform(*RUDIMENTARY_MM[castellvi]))
    taper = float(rng.uniform(*TAPER))
    l6 = [float(rng.uniform(*ends)) for ends in (L6_DISC, L6_FLARE, L5_LORDOSIS, L6_HEIGHT)]
    if lot < sacralised:
        if castellvi == "IV":
            sides, name = Side(*(("III", "II") if right else ("II", "III"))), "IV"
        else:
            sides = Side(castellvi if both or not right else "", castellvi if both or right else "")
            name = castellvi + ("b" if both else "a")
        return Transition("sacralised_l5", name, sides, disc, taper, 1.0, 1.0)
    if lot < sacralised + lumbarised:
        return Transition("lumbarised_s1", "", Side("", ""), *l6)
    return None


def change_junction(draft: Draft, transition: Transition) -> None:
    """Change the lowest vertebrae and discs; the lordosis stays as a whole.

    Args:
        draft: Changed in place.
        transition: What the patient has.
    """
    if transition.kind == "lumbarised_s1":
        _add_l6(draft, transition)
    else:
        _sacralise(draft, transition)


def _sacralise(draft: Draft, transition: Transition) -> None:
    draft.middles["L5"] = transition.disc * draft.scale
    draft.change("L5", flare=transition.flare)
    # The rudimentary disc opens little; those above make up for it.
    limit = draft.steepest("L5", draft.bodies["L5"].depth / 2)
    lost = draft.discs["L5"] - float(np.clip(draft.discs["L5"], 0.0, limit))
    draft.discs["L5"] -= lost
    draft.open("L4", draft.spread(lost, ["L4", "L3", "L2"]))


def _add_l6(draft: Draft, transition: Transition) -> None:
    old = draft.bodies["L5"]
    segment = draft.discs["L5"] - old.wedge
    upper = transition.share * segment
    freed = replace(old, lowest=False, wedge=FREED_WEDGE * old.wedge, flare=_freed_flare(old.flare))
    last = replace(
        old,
        level="L6",
        height=transition.height * old.height,
        flare=transition.flare,
        concavity=(old.concavity[1] * 0.6, old.concavity[0]),
        apex=1 - old.apex if old.apex > 0.65 else old.apex,
        wedge=0.8 * old.wedge,
    )
    usual = draft.middles["L5"]
    draft.bodies = {"L6": last} | draft.bodies | {"L5": freed}
    draft.middles = {"L6": transition.disc * usual} | draft.middles
    draft.discs["L5"] = upper + freed.wedge
    draft.discs["L6"] = segment - upper + last.wedge
    draft.leans["L6"] = 0.0


def _freed_flare(flare: float) -> float:
    """L5's taper turned into the flare of the levels above it."""
    return float(np.clip(2 - flare, *FREED_FLARE))


def shorten(sacrum: Sacrum, transition: Transition | None) -> Sacrum:
    """Take the last segment from the sacrum of a patient whose first one is L6.

    The coccyx moves up to the new end as it hung on the old one.

    Args:
        sacrum: Five segments.
        transition: What the patient has.
    """
    if transition is None or transition.kind != "lumbarised_s1":
        return sacrum
    *kept, _ = sacrum.segments
    turn = kept[-1].frame.axes @ sacrum.segments[-1].frame.axes.T
    old, new = (
        part.frame.point(0.0, 0.0, -part.height / 2) for part in (sacrum.segments[-1], kept[-1])
    )
    coccyx = tuple(
        (Frame(new + turn @ (frame.origin - old), turn @ frame.axes), half)
        for frame, half in sacrum.coccyx
    )
    return replace(sacrum, segments=tuple(kept), coccyx=coccyx)


def with_l6(bones: dict[str, Trabecular], transition: Transition | None) -> dict[str, Trabecular]:
    """Give L6 spongy bone like L5's, with a texture of its own.

    Args:
        bones: By level.
        transition: What the patient has.
    """
    if transition is None or transition.kind != "lumbarised_s1":
        return bones
    last = bones["L5"]
    return bones | {"L6": replace(last, shift=last.shift + 61.0)}
