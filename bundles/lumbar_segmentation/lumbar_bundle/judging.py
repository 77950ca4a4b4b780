"""Status and reasons of the levels, and a description of the chain, from what was counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from lumbar_bundle.anchors import Evidence, Run
from lumbar_bundle.classes import CHANNELS, LEVELS
from lumbar_bundle.votes import UPWARDS

#: Names of positions along the chain from L5 up.
POSITION_NAMES = ("L5", "L4", "L3", "L2", "L1", *(f"T{number}" for number in range(12, 3, -1)))
MEASURED, REFUSED = "measured", "refused"
#: Votes below this are not written down.
LEAST_WRITTEN_VOTE = 0.01


def body_positions(runs: list[Run], count: int) -> list[int | None]:
    """Position of each of `count` bodies of a chain, None where its run has none."""
    positions: list[int | None] = [None] * count
    for run in runs:
        if run.position is not None:
            for index in range(run.first, run.last + 1):
                positions[index] = run.position + index - run.first
    return positions


def name_of(position: int | None) -> str | None:
    """Name of a position; None for none, and above T4."""
    known = position is not None and position < len(POSITION_NAMES)
    return POSITION_NAMES[position] if known and position is not None else None


def judge_levels(
    evidence: Evidence, runs: list[Run], positions: list[int | None]
) -> dict[str, dict[str, Any]]:
    """Accept or refuse L1-L4.

    Args:
        evidence: What is known of the chain.
        runs: Placed runs of the chain.
        positions: Of every body (`body_positions`).

    Returns:
        For each level `status`, `reasons`, `warnings`, `confidence`.
    """
    return {
        name: _judge(position, evidence, runs, positions)
        for position, name in enumerate(POSITION_NAMES)
        if name in LEVELS
    }


def _judge(
    position: int, evidence: Evidence, runs: list[Run], positions: list[int | None]
) -> dict[str, Any]:
    if position not in positions:
        return refused(_missing_reason(position, positions))
    index = positions.index(position)
    if not evidence.complete[index]:
        return refused("touches_border")
    run = next(run for run in runs if run.first <= index <= run.last)
    confidence = run.probability * evidence.chain[index].certainty
    return {
        "status": MEASURED,
        "reasons": [],
        "warnings": [],
        "confidence": round(float(confidence), 3),
    }


def _missing_reason(position: int, positions: list[int | None]) -> str:
    """Why no body stands at a position."""
    known = [place for place in positions if place is not None]
    if not known:
        return "no_anchor"
    # Bodies without a name that lie on the level's side of the named ones: the count broke off.
    above = position > max(known)
    unnamed = positions[-1] is None if above else positions[0] is None
    between = min(known) < position < max(known)
    next_to = min(abs(position - place) for place in known) == 1
    if between or (unnamed and not next_to):
        return "chain_broken"
    return "level_not_found"


def refused(reason: str) -> dict[str, Any]:
    """A level that is not written, and why."""
    return {"status": REFUSED, "reasons": [reason], "warnings": [], "confidence": None}


def describe_chain(
    evidence: Evidence, runs: list[Run], positions: list[int | None], centroids: np.ndarray
) -> list[dict[str, Any]]:
    """Describe every body from bottom to top, ready for JSON.

    Args:
        evidence: What is known of the chain.
        runs: Placed runs.
        positions: Of every body.
        centroids: RAS+ mm, [N, 3].

    Returns:
        `name` or None, `centroid_ras_mm`, `votes` by channel, `complete`, the `anchor` of its run
        and, without one, `why`.
    """
    labels = [CHANNELS[channel] for channel in UPWARDS]
    described = []
    for index, position in enumerate(positions):
        run = next(run for run in runs if run.first <= index <= run.last)
        described.append(
            {
                "name": name_of(position),
                "centroid_ras_mm": [round(float(value), 1) for value in centroids[index]],
                "votes": {
                    label: round(float(vote), 2)
                    for label, vote in zip(labels, evidence.votes[index], strict=True)
                    if vote >= LEAST_WRITTEN_VOTE
                },
                "complete": evidence.complete[index],
                "anchor": run.anchor,
                "why": run.why or None,
            }
        )
    return described
