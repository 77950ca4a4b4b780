"""Bodies in their order from bottom to top, and whether any is missing between them.

    chain = find_chain(measure_bodies(labels, body, spacing_mm))

Instances that do not stand in line (hips, ribs, contrast in the bowel, specks) are left out. All
places are millimetres along the axes of the working grid, whose z runs up the spine to within the
patient's tilt and curves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

#: Instances smaller than this share of the usual body are fragments: no link of the chain. A body
#: half collapsed, or half cut by the field, is one.
LEAST_SHARE = 0.25
#: No body is smaller, mm³: T9 of a small woman, half cut by the field.
LEAST_SIZE_MM3 = 3000.0
#: The usual body is the median of so many of the largest.
LARGEST = 6
#: Width that a body of a single slice, or of few, is taken to have, mm.
NOMINAL_WIDTH_MM = 40.0
#: Distances between the middles of neighbours, mm: T9 to T10 of a small woman half collapsed; and
#: L4 to L5 with one body missing between them, which is a chain with a hole.
STEPS_MM = (14.0, 90.0)
#: Steepest link against z: lordosis, tilt by 15 degrees and scoliosis together, degrees.
STEEPEST_DEG = 60.0
#: What a bend of `BEND_DEG` costs in the search for the chain, in bodies, and what a step costs
#: per `LONG_MM` beyond `USUAL_MM`.
BEND_COST, BEND_DEG = 0.3, 30.0
USUAL_MM, LONG_MM, LONG_COST = 45.0, 30.0, 0.5
#: Gaps between neighbours are measured this close to the line through their middles, mm.
CORE_MM = 10.0
#: Share of the core's voxels beyond which an end face is taken to lie.
FACE = 0.03
#: Widest disc, mm: L5/S1 10.8 + 3 x 2.4, and outlines that are a voxel too small on both sides. A
#: missing body leaves 30 mm, a missing collapsed one 22.
WIDEST_DISC_MM = 20.0


@dataclass(frozen=True)
class Body:
    """One instance.

    Attributes:
        number: In the map of instances.
        centroid: Along x, y, z of the working grid, mm [3].
        points: Its voxels, mm [N, 3].
        size_mm3: Volume; of few slices, that of a body of usual width.
        certainty: Mean probability of "body" inside.
    """

    number: int
    centroid: np.ndarray
    points: np.ndarray
    size_mm3: float
    certainty: float


def measure_bodies(labels: np.ndarray, body: np.ndarray, spacing_mm: np.ndarray) -> list[Body]:
    """Measure every instance that is large enough to be a body.

    Args:
        labels: Instance numbers, [X, Y, Z].
        body: Probability of "body", [X, Y, Z].
        spacing_mm: Voxel size, [3].

    Returns:
        Bodies from bottom to top.
    """
    voxel = float(np.prod(spacing_mm))
    shown = labels.shape[0] * spacing_mm[0]
    factor = max(1.0, NOMINAL_WIDTH_MM / shown) * voxel
    bodies = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        inside = labels[box] == number
        size = factor * float(inside.sum())
        if size < LEAST_SIZE_MM3:
            continue
        first = np.array([part.start for part in box])
        points = (np.argwhere(inside) + first) * spacing_mm
        certainty = float(body[box][inside].mean())
        bodies.append(Body(number, points.mean(0), points, size, certainty))
    return sorted(bodies, key=lambda item: float(item.centroid[2]))


def find_chain(bodies: list[Body]) -> list[Body]:
    """Choose the bodies that stand in line.

    Args:
        bodies: Measured instances, bottom to top.

    Returns:
        The chain, bottom to top: the sequence with the most whole bodies and the fewest bends.
    """
    if not bodies:
        return []
    sizes = sorted((body.size_mm3 for body in bodies), reverse=True)[:LARGEST]
    usual = float(np.median(sizes))
    bodies = [body for body in bodies if body.size_mm3 >= LEAST_SHARE * usual]
    weights = [min(1.0, body.size_mm3 / usual) * body.certainty for body in bodies]
    # best[j][i]: worth of the best chain that ends with bodies i, j (i = -1: j alone).
    best: list[dict[int, tuple[float, int]]] = [{-1: (weight, -1)} for weight in weights]
    for j, upper in enumerate(bodies):
        for i, lower in enumerate(bodies[:j]):
            cost = _step_cost(lower, upper)
            if not math.isfinite(cost):
                continue
            before = [
                (worth - _bend_cost(bodies[h] if h >= 0 else None, lower, upper), h)
                for h, (worth, _) in best[i].items()
            ]
            worth, h = max(before)
            best[j][i] = (worth + weights[j] - cost, h)
    _, j, i = max((worth, j, i) for j, ends in enumerate(best) for i, (worth, _) in ends.items())
    chain = [bodies[j]]
    while i >= 0:
        chain.append(bodies[i])
        i, j = best[j][i][1], i
    return chain[::-1]


def _step_cost(lower: Body, upper: Body) -> float:
    """What a link costs, in bodies; infinite if two neighbours cannot lie so."""
    step = upper.centroid - lower.centroid
    length = float(np.linalg.norm(step))
    steep = step[2] < length * math.cos(math.radians(STEEPEST_DEG))
    if steep or not STEPS_MM[0] <= length <= STEPS_MM[1]:
        return math.inf
    return LONG_COST * max(0.0, length - USUAL_MM) / LONG_MM


def _bend_cost(lowest: Body | None, lower: Body, upper: Body) -> float:
    if lowest is None:
        return 0.0
    angle = angle_deg(lower.centroid - lowest.centroid, upper.centroid - lower.centroid)
    return BEND_COST * (angle / BEND_DEG) ** 2


def angle_deg(one: np.ndarray, other: np.ndarray) -> float:
    """Angle between two directions, degrees."""
    cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def gap_mm(lower: np.ndarray, upper: np.ndarray, origin: np.ndarray, up: np.ndarray) -> float:
    """Measure the room between two sets of voxels along a line.

    Args:
        lower: Voxels of the lower one, mm [N, 3].
        upper: Voxels of the upper one, mm [M, 3].
        origin: A point of the line.
        up: Its direction, from the lower to the upper.

    Returns:
        Millimetres between the facing ends near the line; infinite if either is not met there.
    """
    up = up / np.linalg.norm(up)
    ends = []
    for points, share in ((lower, 1 - FACE), (upper, FACE)):
        along = (points - origin) @ up
        aside = np.linalg.norm(points - origin - along[:, None] * up, axis=1)
        if not (aside < CORE_MM).any():
            return math.inf
        ends.append(float(np.quantile(along[aside < CORE_MM], share)))
    return ends[1] - ends[0]


def chain_gaps(chain: list[Body]) -> list[float]:
    """Room between the neighbours of a chain, bottom to top, mm: one less than bodies."""
    return [
        gap_mm(lower.points, upper.points, lower.centroid, upper.centroid - lower.centroid)
        for lower, upper in pairwise(chain)
    ]


def chain_heights(chain: list[Body]) -> np.ndarray:
    """Heights of the bodies near the line through their neighbours, mm [N]."""
    heights = []
    for index, body in enumerate(chain):
        lower, upper = chain[max(0, index - 1)], chain[min(len(chain) - 1, index + 1)]
        up = upper.centroid - lower.centroid if len(chain) > 1 else np.array([0.0, 0.0, 1.0])
        up = up / np.linalg.norm(up)
        offset = body.points - body.centroid
        along = offset @ up
        core = along[np.linalg.norm(offset - along[:, None] * up, axis=1) < CORE_MM]
        core = core if len(core) else along
        heights.append(float(np.quantile(core, 1 - FACE) - np.quantile(core, FACE)))
    return np.array(heights)
