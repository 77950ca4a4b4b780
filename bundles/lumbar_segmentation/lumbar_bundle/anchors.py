"""Positions of bodies, counted from an anchor that can be seen: the sacrum, or T12 by its ribs.

A chain with a hole is several runs of bodies; each run is named by its own anchor or not at all.
The level channels vote: a position that they contradict decisively is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.special import logsumexp

from lumbar_bundle.chain import WIDEST_DISC_MM, Body, chain_gaps, chain_heights
from lumbar_bundle.ribs import PROCESS_MM, RIB_MM, SEEN_MM, RibEvidence, last_ribbed
from lumbar_bundle.sacrum import SacrumFinding
from lumbar_bundle.votes import L1_POSITION, T12_POSITION, log_likelihood

#: A step between neighbours outside these shares of the steps around it has a body too many or too
#: few. Neighbouring steps differ by 10 %, those around a body half collapsed by 25 %.
STEP_SHARES = (0.62, 1.42)
#: A body this many times as high as those around it is two.
DOUBLE_HEIGHT = 1.5
#: Steps and bodies to either side that one is compared with.
AROUND = 2
#: An anchor gives way to no position by the votes unless that is more likely by this, natural log.
VETO = 1.5
#: Ribs are judged with more suspicion (short and lumbar ribs): the votes must be for them, by this.
RIBS_LEAD = 1.0
#: How much more likely the position by a trusted anchor is than either neighbour, before the votes.
#: Where ribs do not confirm a count from the sacrum, one person in twenty has a sixth lumbar body
#: (lumbarisation in 4-6 %).
PRIOR_ODDS = {"sacrum and ribs": 40.0, "sacrum": 18.0, "ribs": 10.0}
#: Positions that votes may prefer.
POSITIONS = range(-1, 8)


@dataclass(frozen=True)
class Run:
    """Bodies without a gap between them.

    Attributes:
        first: Index in the chain of its lowest body.
        last: Index of its highest.
        anchor: "sacrum", "ribs", or None if it could not be placed.
        position: Of its lowest body: 0 = L5, 1 = L4 …; None likewise.
        probability: Of that position, by anchor and votes.
        why: In words, if not placed.
    """

    first: int
    last: int
    anchor: str | None = None
    position: int | None = None
    probability: float = 0.0
    why: str = ""


@dataclass
class Evidence:
    """What is known of a chain, bottom to top.

    Attributes:
        chain: Bodies.
        votes: Of every body, [N, 9].
        complete: Whether each lies in the field whole.
        sacrum: Below it.
        ribs: Beside each; empty if not looked for.
    """

    chain: list[Body]
    votes: np.ndarray
    complete: list[bool]
    sacrum: SacrumFinding
    ribs: Sequence[RibEvidence] = field(default_factory=list)


def place(evidence: Evidence) -> list[Run]:
    """Place every run of a chain.

    Args:
        evidence: What is known.

    Returns:
        Runs from bottom to top; positions rise from each to the next.
    """
    runs: list[Run] = []
    ribbed = last_ribbed(evidence.ribs, evidence.complete) if evidence.ribs else None
    for first, last in split(evidence.chain, evidence.complete):
        run = _place_run(evidence, first, last, ribbed)
        below = [r for r in runs if r.position is not None]
        if run.position is not None and below:
            under = below[-1]
            # Between two runs at least one body is missing.
            if run.position <= (under.position or 0) + under.last - under.first + 1:
                return [Run(r.first, r.last, why="anchors contradict each other") for r in runs] + [
                    Run(first, last, why="anchors contradict each other")
                ]
        runs.append(run)
    return runs


def split(chain: list[Body], complete: Sequence[bool]) -> list[tuple[int, int]]:
    """Split a chain where a body is missing, or one is too many.

    Args:
        chain: Bodies, bottom to top.
        complete: Whether each lies in the field whole: the middle of a cut body says little.

    Returns:
        First and last index of every run.
    """
    steps = np.array([np.linalg.norm(two.centroid - one.centroid) for one, two in pairwise(chain)])
    whole = np.array([one and two for one, two in pairwise(complete)], dtype=bool)
    double = _shares(chain_heights(chain), np.array(complete, dtype=bool)) > DOUBLE_HEIGHT
    shares = _shares(steps, whole)
    runs, first = [], 0
    for index, gap in enumerate(chain_gaps(chain)):
        fits = shares[index] <= STEP_SHARES[1]
        fits &= shares[index] >= STEP_SHARES[0] or not whole[index]
        if gap > WIDEST_DISC_MM or not fits or double[index] or double[index + 1]:
            runs.append((first, index))
            first = index + 1
    return [*runs, (first, len(chain) - 1)] if chain else []


def _shares(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Each value relative to the median of the usable ones around it; 1 where there are none."""
    place = np.arange(len(values))
    shares = np.ones(len(values))
    for index in place:
        near = usable & (np.abs(place - index) <= AROUND) & (place != index)
        if near.any():
            shares[index] = values[index] / np.median(values[near])
    return shares


def _place_run(evidence: Evidence, first: int, last: int, ribbed: int | None) -> Run:
    votes = evidence.votes[first : last + 1]
    by_ribs = None
    if ribbed is not None and first <= ribbed <= last:
        by_ribs = T12_POSITION - (ribbed - first)
    if first == 0 and evidence.sacrum.trusted:
        seen = "sacrum and ribs" if by_ribs == 0 else "sacrum"
        lead, probability = _lead(votes, 0, 0, PRIOR_ODDS[seen])
        if lead < -VETO:
            return Run(first, last, why="names by the network contradict the sacrum")
        if (why := _contradiction(evidence, last, by_ribs)) is not None:
            return Run(first, last, why=why)
        return Run(first, last, "sacrum", 0, probability)
    if by_ribs is not None:
        lead, probability = _lead(votes, by_ribs, (ribbed or 0) - first, PRIOR_ODDS["ribs"])
        # Below L5 no body stands; and the lowest may be S1 unless the sacrum was seen below.
        if lead < RIBS_LEAD or by_ribs < 0:
            return Run(first, last, why="names by the network do not confirm the ribs")
        return Run(first, last, "ribs", by_ribs, probability)
    return Run(first, last, why=evidence.sacrum.why if first == 0 else "no anchor in this part")


def _lead(votes: np.ndarray, position: int, root: int, odds: float) -> tuple[float, float]:
    """Lead of a position in the votes over all others, and its probability with the anchor."""
    logs = {p: log_likelihood(votes, p, root) for p in {*POSITIONS, position}}
    others = [value for p, value in logs.items() if p != position]
    own = logs[position] + np.log(odds)
    return logs[position] - max(others), float(np.exp(own - logsumexp([own, *others])))


def _contradiction(evidence: Evidence, last: int, by_ribs: int | None) -> str | None:
    """Why a count from the sacrum cannot stand beside the ribs, if it cannot.

    A long rib at L1 or below means a body too few was counted. That T11 is the last with ribs means
    a sixth lumbar body or short twelfth ribs. The network counts from the sacrum, too, so its votes
    cannot tell which.
    """
    for item in evidence.ribs[: min(L1_POSITION, last) + 1]:
        sides = [side for side in (item.left_mm, item.right_mm) if side is not None]
        if len(sides) == 2 and min(sides) >= RIB_MM:
            return "a body counted as lumbar carries ribs"
    if by_ribs not in (None, 0) or _without_twelfth_ribs(evidence, last):
        return "ribs end elsewhere than counted"
    return None


def _without_twelfth_ribs(evidence: Evidence, last: int) -> bool:
    """Whether the body counted as T12 shows a transverse process and that above it both ribs.

    One side is enough where the other cannot be seen or wavers; a rib on either confirms T12.
    """
    if last <= T12_POSITION or len(evidence.ribs) <= T12_POSITION + 1:
        return False
    counted, above = evidence.ribs[T12_POSITION], evidence.ribs[T12_POSITION + 1]
    sides = [side for side in (counted.left_mm, counted.right_mm) if side is not None]
    ribbed = [side for side in (above.left_mm, above.right_mm) if side is not None]
    process = any(SEEN_MM <= side <= PROCESS_MM for side in sides)
    return process and max(sides) < RIB_MM and len(ribbed) == 2 and min(ribbed) >= RIB_MM
