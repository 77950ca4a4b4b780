"""The sacrum as anchor: is the lowest body of a chain really the one that stands on it?

    finding = judge_sacrum(points, chain, votes, size_mm3, edges, slices)

Three errors of a segmentation make a false anchor, and each leaves traces that need no names: the
lowest body may be S1 (the rest of the sacrum then starts close below it, is much shallower, and
continues in its direction), a body may be missing above the sacrum (too much room), or the sacrum
may have swallowed L5 (it then bends backwards below its upper end, or has a disc inside).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lumbar_bundle.chain import WIDEST_DISC_MM, Body, gap_mm
from lumbar_bundle.sacral_shape import CANAL_MM, SacralShape

#: Sacrum within this distance of the lowest body's middle is its upper end, mm: S1's far corner.
NEAR_MM = 45.0
#: Half width of the middle in which outlines are compared, mm: beside it lie the wings.
MIDDLE_MM = 10.0
#: Least of the sacrum that must show below its upper end, mm: S1 is 30 mm high.
LEAST_SHOWN_MM = 16.0
#: Least size, mm³ in +-30 mm (about 100,000 shown whole).
LEAST_SIZE_MM3 = 10000.0
#: Thickness of the slices at facing ends that are compared, mm.
END_MM = 8.0
#: What tells L5 above S1 from S1 above S2: where both are equally likely, and the distance to
#: either in which it becomes clear. Disc 10.8 ± 2.4 mm against a remnant of 1-4 mm (as outlined);
#: promontory 17 ± 5 degrees against about none; upper end as deep as the bodies against 0.75
#: (27 phantoms each).
MARKS = {"gap_mm": (5.2, 2.0), "promontory_deg": (8.0, 5.0), "depth_share": (0.86, 0.08)}
#: One mark decides no more than this; the three add up.
MOST_OF_A_MARK = 2.0
#: A vote for "sacrum" counts against L5 by this.
SACRUM_VOTE = 4.0
#: Sum from which the lowest body is L5: of 27 phantoms each, all L5 and two of 26 S1 are above.
LEAST_SUM = 0.1
#: The sacrum bends forwards below S1, at least no further back than this, degrees, and has no gap:
#: its least depth relative to what follows. 52 phantoms in the shipped network's outlines, one by
#: its labels: -0.2 to 35 degrees, 0.72 to 1. With L5 counted as sacrum, its disc filled: -28 to -5
#: degrees, one 13 with a gap; its disc open: gaps of 0 to 0.31. The limits lie halfway.
LEAST_TURN_DEG = -2.8
LEAST_DIP = 0.5
#: Where less shows than that takes, the wings of S1 are looked for so far beside the middle and
#: below the upper end, mm, as a share of S1's middle of equal width: at least 0.31 in the same
#: phantoms, at most 0.26 with L5 counted as sacrum.
WING_MM = (25.0, 30.1)
WING_BELOW_MM = (6.0, 26.0)
LEAST_WINGS = 0.29
#: The canal's roof, further behind the body's middle than this, mm, is no part of the middle.
REAR_MM = -25.0
#: A severed part of the sacrum this large, relative to its upper part, makes that part a body.
LARGE_PART = 0.4


@dataclass(frozen=True)
class SacrumFinding:
    """What was found below a chain.

    Attributes:
        trusted: Whether the lowest body is taken to stand on the sacrum.
        why: In words, if not.
        gap_mm: Room between the two.
        promontory_deg: How far the direction turns backwards at the sacrum.
        depth_share: Depth of the sacrum's upper end to that of the lowest bodies.
    """

    trusted: bool
    why: str = ""
    gap_mm: float = float("nan")
    promontory_deg: float = float("nan")
    depth_share: float = float("nan")


def judge_sacrum(
    sacrum: np.ndarray,
    chain: list[Body],
    votes: np.ndarray,
    size_mm3: float,
    edges: np.ndarray,
    slices: np.ndarray,
) -> SacrumFinding:
    """Judge whether the chain's lowest body stands on the sacrum.

    Args:
        sacrum: Its voxels along x, y, z of the working grid, mm [N, 3].
        chain: Bodies from bottom to top.
        votes: Of the lowest body (`votes.level_votes`).
        size_mm3: Size of the sacrum, of few slices that of one of usual width.
        edges: Voxel size of the working grid, mm [3].
        slices: Places of its slices beside the lowest body's middle, mm [X].
    """
    if size_mm3 < LEAST_SIZE_MM3:
        return SacrumFinding(False, "no sacrum")
    lowest = chain[0]
    offset = sacrum - lowest.centroid
    near = (np.linalg.norm(offset, axis=1) < NEAR_MM) & (np.abs(offset[:, 0]) < MIDDLE_MM)
    near &= offset[:, 2] < 0
    if not near.any():
        return SacrumFinding(False, "sacrum too far below the lowest body")
    down, top, front_end = _upper_end(offset[near])
    gap = gap_mm(lowest.points, sacrum[near], lowest.centroid, down)
    if not gap <= WIDEST_DISC_MM:
        return SacrumFinding(False, "room for a body above the sacrum", gap)
    along = offset @ down
    shown = max(float(along.max()) - top, 0.0)
    if shown < LEAST_SHOWN_MM:
        return SacrumFinding(False, "only the sacrum's edge shows", gap)
    depths = [_lower_depth(body, down) for body in chain[:2]]
    share = front_end / max(depths)
    bend = _promontory(chain, down)
    marks = {"gap_mm": gap, "promontory_deg": bend, "depth_share": share}
    if _is_l5(marks) - SACRUM_VOTE * float(votes[0]) < LEAST_SUM:
        return SacrumFinding(False, "the lowest body may be S1", gap, bend, share)
    shape = SacralShape.of(offset[np.abs(offset[:, 0]) < MIDDLE_MM], down, _forward(down), top)
    if np.isfinite(shape.turn_deg):
        whole = shape.turn_deg >= LEAST_TURN_DEG
    else:
        wings = _wings(offset, down, top, slices)
        whole = wings >= LEAST_WINGS and not _second_part(sacrum, near, edges)
    if not whole or shape.dip < LEAST_DIP:
        return SacrumFinding(False, "the sacrum may hold L5", gap, bend, share)
    return SacrumFinding(True, "", gap, bend, share)


def _is_l5(marks: dict[str, float]) -> float:
    """Sum of the marks: above 0 for L5 on S1, below for S1 on S2."""
    total = 0.0
    for name, (middle, spread) in MARKS.items():
        total += float(np.clip((marks[name] - middle) / spread, -MOST_OF_A_MARK, MOST_OF_A_MARK))
    return total


def _upper_end(near: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Direction to the body of the sacrum's first segment, its upper face and its depth, mm."""
    down = near.mean(0) / np.linalg.norm(near.mean(0))
    top = depth = 0.0
    # Twice: the canal's roof pulls the first direction backwards.
    for _ in range(2):
        along = near @ down
        aside = np.linalg.norm(near - along[:, None] * down, axis=1)
        core = along[aside < MIDDLE_MM]
        top = float(np.quantile(core, 0.03)) if len(core) else float(along.min())
        forward = _forward(down)
        face = near[(along > top) & (along < top + END_MM)]
        if len(face) == 0:
            break
        places = np.sort(face @ forward)[::-1]
        breaks = np.flatnonzero(-np.diff(places) > CANAL_MM)
        rear = places[breaks[0]] if len(breaks) else places[-1]
        depth = float(places[0] - rear)
        segment = near[(near @ forward > rear - 1) & (along < top + 30)]
        down = segment.mean(0) / np.linalg.norm(segment.mean(0))
    return down, top, depth


def _forward(down: np.ndarray) -> np.ndarray:
    """Direction to the front, at a right angle to `down` and to x."""
    forward = np.cross([1.0, 0.0, 0.0], -down)
    forward = forward * np.sign(forward[1]) if forward[1] else forward
    return forward / np.linalg.norm(forward)


def _lower_depth(body: Body, down: np.ndarray) -> float:
    """Depth of a body's lower end in its middle, mm."""
    offset = body.points - body.centroid
    offset = offset[np.abs(offset[:, 0]) < MIDDLE_MM]
    along = offset @ down
    places = offset[along > np.quantile(along, 0.97) - END_MM] @ _forward(down)
    return float(np.quantile(places, 0.98) - np.quantile(places, 0.02))


def _promontory(chain: list[Body], down: np.ndarray) -> float:
    """Turn backwards, in the sagittal plane, from the lowest link to the sacrum, degrees."""
    if len(chain) < 2:
        return float("inf")
    link = chain[0].centroid - chain[1].centroid
    tilts = [np.degrees(np.arctan2(-part[1], -part[2])) for part in (link, down)]
    return float(tilts[1] - tilts[0])


def _wings(offset: np.ndarray, down: np.ndarray, top: float, slices: np.ndarray) -> float:
    """Sacrum beside the first segment relative to its middle; 1 where no slice shows it."""
    lateral = (np.abs(slices) > WING_MM[0]) & (np.abs(slices) <= WING_MM[1])
    central = np.abs(slices) <= WING_MM[1] - WING_MM[0]
    if not ((lateral & (slices > 0)).any() and (lateral & (slices < 0)).any() and central.any()):
        return 1.0
    along = offset @ down
    aside = np.abs(offset[:, 0])
    level = (along > top + WING_BELOW_MM[0]) & (along < top + WING_BELOW_MM[1])
    beside = (level & (aside > WING_MM[0]) & (aside <= WING_MM[1])).sum() / lateral.sum()
    middle = level & (aside <= WING_MM[1] - WING_MM[0]) & (offset @ _forward(down) > REAR_MM)
    return float(beside / max(middle.sum() / central.sum(), 1e-6))


def _second_part(sacrum: np.ndarray, first: np.ndarray, edges: np.ndarray) -> bool:
    """Whether a large part of the sacrum is severed from that below the lowest body."""
    index = np.round(sacrum / edges).astype(int)
    low = index.min(0)
    mask = np.zeros(index.max(0) - low + 1, dtype=bool)
    mask[tuple((index - low).T)] = True
    parts, _ = ndimage.label(mask)
    own = parts[tuple((index - low).T)]
    heights = {number: sacrum[own == number][:, 2] for number in np.unique(own).tolist()}
    upper = heights[int(np.bincount(own[first]).argmax())]
    return any(
        len(part) > LARGE_PART * len(upper) and part.mean() < upper.mean()
        for part in heights.values()
    )
