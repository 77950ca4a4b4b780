"""The sacrum as anchor: is the lowest body of a chain really the one that stands on it?

    finding = judge_sacrum(points, chain, votes, size_mm3, edges, slices)

Three errors of a segmentation make a false anchor, and each leaves traces that need no names: the
lowest body may be S1 (the rest of the sacrum then starts close below it, is much shallower, and
continues in its direction), a body may be missing above the sacrum (too much room), or the sacrum
may have swallowed L5 (it then has no wings beside
its upper end, or a disc inside).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lumbar_bundle.chain import WIDEST_DISC_MM, Body, gap_mm

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
#: Bone further behind than this from the rest of a slice is the canal's roof, mm.
CANAL_MM = 4.0
#: S1 below L5: disc above 6 mm (10.8 ± 2.4), promontory of more than 8 degrees, upper end at least
#: 0.75 as deep as L5. S2 below S1: remnant of 1-4 mm, no promontory, 0.6 as deep.
LEAST_DISC_MM, LEAST_PROMONTORY_DEG, LEAST_DEPTH_SHARE = 6.0, 8.0, 0.75
#: Share of the votes for "sacrum" that casts doubt on a body.
SACRUM_VOTE = 0.3
#: So many doubts of the four are one too many.
MOST_DOUBTS = 1
#: The wings of S1 are looked for so far beside the middle and below the upper end, mm, as a share
#: of S1's middle of equal width: here 0.5 and more, beside L5 less than 0.2 (40 phantoms).
WING_MM = (25.0, 29.0)
WING_BELOW_MM = (6.0, 26.0)
LEAST_WINGS = 0.3
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
    doubts = [
        gap < LEAST_DISC_MM,
        bend < LEAST_PROMONTORY_DEG,
        share < LEAST_DEPTH_SHARE,
        float(votes[0]) > SACRUM_VOTE,
    ]
    if sum(doubts) > MOST_DOUBTS:
        return SacrumFinding(False, "the lowest body may be S1", gap, bend, share)
    wings = _wings(offset, down, top, slices)
    if wings < LEAST_WINGS or _second_part(sacrum, near, edges):
        return SacrumFinding(False, "the sacrum may hold L5", gap, bend, share)
    return SacrumFinding(True, "", gap, bend, share)


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
    upper = np.bincount(own[first]).argmax()
    sizes = np.bincount(own)
    below = np.array([
        size * (number != upper and sacrum[own == number][:, 2].mean() < sacrum[first][:, 2].mean())
        for number, size in enumerate(sizes)
    ])  # fmt: skip
    return bool(below.max() > LARGE_PART * sizes[upper])
