"""Heights of the vertebral bodies that the network found, and what share of them is lost.

    measured = heights.measure(probability, instances, affine, complete)
    lost = heights.losses({"T12": measured[6], "L1": measured[5], ...})
    heights.worst(lost["L1"]), heights.grade(heights.worst(lost["L1"]))

Endplates lie where the body's probability passes one half, found to a fraction of a voxel
(`tools.morphometry`). A loss is counted against the level's norm times what the patient's other
bodies reach of theirs, so that neither a small patient nor a naturally wedged level looks
fractured; bodies that are themselves low say nothing about the others.

    Genant HK et al. Vertebral fracture assessment using a semiquantitative technique.
    J Bone Miner Res 1993;8:1137-48.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from tools.levels import HEAD_TO_FOOT
from tools.morphometry.body import measure_shape
from tools.morphometry.frame import Occupancy
from tools.morphometry.model import Heights
from tools.screen.norms import HEIGHTS_MM, PLACES

#: Share of its height from which a body is suspected to be fractured, and from which the fracture
#: is moderate and severe (Genant 1993; architecture of the report).
GRADE_LIMITS = (0.20, 0.25, 0.40)

#: A probability from this on is bone.
INSIDE = 0.5
#: Voxels kept around a body: the surface is interpolated, and no body ends at the crop's border.
PAD = 2
#: A field narrower than this across shows slices of a body, not a body, mm.
NARROWEST_MM = 20.0
#: Bodies farther than this from where their neighbours' line points are not turned after it: the
#: axis of a body follows the spine within lordosis and scoliosis, degrees against the patient's.
STEEPEST_COSINE = 0.5

#: A body that has lost this share somewhere is no reference for others (design: half of the usual
#: spread of 4-5 % above it lies the least fracture).
REFERENCE_LOSS = 0.12
#: Of so many bodies, one that is this much higher somewhere than every other, as a share of its
#: norm, is outlined wrong and no reference: one by a third made all others look low (design: twice
#: what levels scatter; where most are fractured, two sound ones vouch for each other).
REFERENCE_GAIN, VOUCHED = 0.2, 5
#: First guess of the patient's scale: this quantile of the other bodies' share of their norm.
#: Fractures only make bodies lower, so it lies in the upper half (design): two fractured bodies of
#: four do not move it.
FIRST_QUANTILE = 0.75
#: How often suspects are chosen anew.
ROUNDS = 3


def measure(
    probability: np.ndarray,
    instances: np.ndarray,
    affine: np.ndarray,
    complete: Sequence[bool] | None = None,
) -> dict[int, Heights | None]:
    """Measure the heights of every body.

    Args:
        probability: Probability of "any body", float [X, Y, Z]; any orientation and spacing.
        instances: Number of each body, 1 at the bottom, 0 elsewhere, int [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix of both.
        complete: Whether each body lies wholly in the scanned field, in the order of the numbers;
            None takes those as whole that do not touch the border of the arrays.

    Returns:
        Number -> heights in mm; None for a body that is cut off or has no shape of a body.

    Raises:
        ValueError: If the arrays differ in shape or are not three-dimensional.
    """
    probability, instances = np.asarray(probability), np.asarray(instances)
    affine = np.asarray(affine, dtype=float)
    if probability.shape != instances.shape or instances.ndim != 3:
        raise ValueError(
            f"probability {probability.shape} and instances {instances.shape} must be two volumes "
            "on one grid"
        )
    boxes = ndimage.find_objects(instances.astype(np.int32, copy=False))
    shown = {number: box for number, box in enumerate(boxes, start=1) if box is not None}
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if (np.array(instances.shape) * edges).min() < NARROWEST_MM:
        return dict.fromkeys(shown)
    pieces = {
        number: _cut_out(probability, instances, affine, number, box)
        for number, box in shown.items()
    }
    ups = _axes({number: piece.points.mean(axis=0) for number, piece in pieces.items()})
    measured: dict[int, Heights | None] = {}
    for number, piece in pieces.items():
        cut = piece.touches_border or (complete is not None and not complete[number - 1])
        shape = None if cut else measure_shape(piece, ups[number])
        if shape is None:
            measured[number] = None
        else:
            front, middle, back = np.linalg.norm(shape.upper - shape.lower, axis=1)
            measured[number] = Heights(float(front), float(middle), float(back))
    return measured


def _cut_out(
    probability: np.ndarray,
    instances: np.ndarray,
    affine: np.ndarray,
    number: int,
    box: tuple[slice, ...],
) -> Occupancy:
    """Cut one body out, with the soft edge that its surface is found in and without neighbours."""
    size = np.array(instances.shape)
    first = np.array([part.start for part in box])
    last = np.array([part.stop for part in box]) - 1
    low, high = np.maximum(first - PAD, 0), np.minimum(last + PAD + 1, size)
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    own, soft = instances[part] == number, probability[part].astype(np.float32)
    # A vein inside the body is part of it; a neighbour's bone and its specks are not. Only the
    # surface is soft: how sure the network is deep inside says nothing about where the body ends.
    other = (instances[part] > 0) | (soft >= INSIDE)
    values = np.where(own, np.maximum(soft, INSIDE), np.where(other, 0.0, soft))
    values[ndimage.binary_erosion(own)] = 1.0
    moved = affine.copy()
    moved[:3, 3] += moved[:3, :3] @ (low - PAD)
    edge = float(abs(np.linalg.det(moved[:3, :3])) ** (1 / 3))
    touches = bool((first == 0).any() or (last == size - 1).any())
    return Occupancy(np.pad(values, PAD).astype(np.float32), moved, touches, edge)


def _axes(centres: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Rough cranial direction at each body, from its neighbours."""
    numbers = sorted(centres)
    found = {}
    for place, number in enumerate(numbers):
        below, above = numbers[max(place - 1, 0)], numbers[min(place + 1, len(numbers) - 1)]
        up = centres[above] - centres[below]
        steep = up[2] < STEEPEST_COSINE * np.linalg.norm(up)
        found[number] = np.array([0.0, 0.0, 1.0]) if above == below or steep else up
    return found


def named(
    measured: Mapping[int, Heights | None], names: Sequence[str | None]
) -> dict[str, Heights]:
    """Join heights with the names of the chain.

    Args:
        measured: From `measure`.
        names: Name of every body from the bottom up, None where it has none.

    Returns:
        Level -> heights, of bodies that have both.
    """
    return {
        name: heights
        for number, name in enumerate(names, start=1)
        if name is not None and (heights := measured.get(number)) is not None
    }


def losses(heights: Mapping[str, Heights]) -> dict[str, dict[str, float] | None]:
    """Share of its height that each body has lost in front, in the middle and behind.

    Args:
        heights: Level -> heights in mm, of all whole bodies that have a name, T4 to L6; the more
            neighbours, the surer the reference.

    Returns:
        Level -> `anterior`, `middle`, `posterior`; negative for a body higher than expected. None
        where no other body is known: one body alone has no reference.
    """
    levels = [level for level in HEAD_TO_FOOT if level in heights and level in HEIGHTS_MM]
    if len(levels) < 2:
        return dict.fromkeys(levels)
    reached = np.array([
        [getattr(heights[level], place) / getattr(HEIGHTS_MM[level], place) for place in PLACES]
        for level in levels
    ])  # fmt: skip
    order = np.array([HEAD_TO_FOOT.index(level) for level in levels])
    apart = np.abs(order[:, None] - order[None, :]).astype(float)
    weights = np.where(apart > 0, 1 / np.maximum(apart, 1), 0.0)  # the nearest tell most
    if len(levels) >= VOUCHED:
        second = np.sort(reached, axis=0)[-2]
        weights = weights * (reached <= (1 + REFERENCE_GAIN) * second).all(axis=1)[None, :]
    first = np.array([
        [_quantile(column, row, FIRST_QUANTILE) for column in reached.T] for row in weights
    ])  # fmt: skip
    lost = 1 - reached / first
    for _ in range(ROUNDS):
        sound = (lost < REFERENCE_LOSS).all(axis=1)
        trusted = weights * sound[None, :]
        total = trusted.sum(axis=1, keepdims=True)
        mean = trusted @ reached / np.where(total > 0, total, 1.0)
        lost = 1 - reached / np.where(total > 0, mean, first)
    return {
        level: {place: float(share) for place, share in zip(PLACES, row, strict=True)}
        for level, row in zip(levels, lost, strict=True)
    }


def _quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Value below which a share of the weight lies; an actual value, of positive weight."""
    kept = weights > 0
    values, weights = values[kept], weights[kept]
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(reached, share - 1e-9)])


def worst(loss: Mapping[str, float] | None) -> float | None:
    """Largest loss of a body, None if it is unknown.

    >>> worst({"anterior": 0.31, "middle": 0.2, "posterior": -0.02})
    0.31
    """
    return None if loss is None else max(loss.values())


def grade(loss: float) -> int:
    """Genant's grade of a share of height lost: 0 none, 1 mild, 2 moderate, 3 severe.

    >>> [grade(loss) for loss in (0.1, 0.2, 0.25, 0.41)]
    [0, 1, 2, 3]
    """
    if loss > GRADE_LIMITS[2]:
        return 3
    return sum(loss >= limit for limit in GRADE_LIMITS[:2])
