"""Lungs: their vessels as trees grown from each hilum, bronchi along the larger arteries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tools.phantom.anatomy.chest.outline import ChestTrunk
from tools.phantom.anatomy.chest.places import Places
from tools.phantom.drawing.canvas import WORLD
from tools.phantom.drawing.painting import Paint
from tools.phantom.drawing.texture import Texture

#: Hila of arteries and veins, right: level, mm from the middle, share of the way to the sternum.
ARTERY_HILUM, VEIN_HILUM = (5.8, 42.0, 0.35), (7.0, 38.0, 0.34)
#: Ends of vessels per lung, and how deep under the pleura they lie, mm.
ENDS, DEPTH_MM = (200, 150), 5.0
#: Radius of a last branch, mm, and the exponent with which branches add up (Murray: 3; design).
LAST_MM, MURRAY = 0.95, 2.7
#: A new branch leaves where the way back to the hilum and the gap are shortest together.
WAY_WEIGHT = 0.35
#: Arteries wider than this have a bronchus beside them: lumen and wall relative to the artery.
BRONCHUS_LEAST_MM, LUMEN, WALL_MM = 1.9, 0.75, 0.9
#: Smooth shape and background are sampled this far apart, mm.
SAMPLE_MM, BACKGROUND_MM = 4.0, 2.5
#: Unseen small vessels: HU per SD above this many SD of the texture; gravity, HU per 100 mm.
SMALL_HU, SMALL_LEVEL, GRAVITY_HU = 130.0, 1.5, 35.0


@dataclass(frozen=True)
class Branch:
    """A straight piece of a vessel: ends RAS+ mm, radii mm."""

    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    artery: bool


def draw_lung_vessels(rng: np.random.Generator, places: Places) -> list[Branch]:
    """Grow arteries and veins of both lungs.

    Args:
        rng: Random stream.
        places: The chest.
    """
    branches = []
    for side in (1, -1):
        inside = _points(rng, places, side, sum(ENDS))
        first = 0
        for hilum, count, artery in zip(
            (ARTERY_HILUM, VEIN_HILUM), ENDS, (True, False), strict=True
        ):
            level, right, ahead = hilum
            root = places.at(level, side * right, ahead)
            branches += _tree(root, inside[first : first + count], artery)
            first += count
    return branches


def _points(rng: np.random.Generator, places: Places, side: int, count: int) -> np.ndarray:
    """Random places inside one lung, RAS+ mm [count, 3]."""
    trunk = places.trunk
    low = np.array([trunk.lean, trunk.cage_back.at(places.height(8)), min(trunk.dome) - 60])
    high = np.array([trunk.lean, trunk.cage_front.at(places.height(9)), trunk.apex[2]])
    high[0] += side * float(trunk.cage_half.values.max())
    found = np.empty((0, 3))
    while len(found) < count:
        tries = rng.uniform(np.minimum(low, high), np.maximum(low, high), (6 * count, 3))
        x, y, z = torch.tensor(tries, dtype=torch.float32).T
        keep = (trunk.lungs(x, y, z) < -DEPTH_MM).numpy() & (np.abs(tries[:, 0] - trunk.lean) > 30)
        found = np.concatenate([found, tries[keep]])
    return found[:count]


def _tree(root: np.ndarray, ends: np.ndarray, artery: bool) -> list[Branch]:
    """Join ends to a root by a tree of short ways whose radii add up towards the root."""
    order = np.argsort(np.linalg.norm(ends - root, axis=1))
    nodes, ways, parents = [root], [0.0], [-1]
    for end in ends[order]:
        gaps = np.linalg.norm(np.array(nodes) - end, axis=1)
        near = int(np.argmin(gaps + WAY_WEIGHT * np.array(ways)))
        if gaps[near] > 25:  # a bend keeps long branches from running straight
            middle = (nodes[near] + end) / 2 + 0.12 * np.cross(end - nodes[near], [0.3, 0.2, 1.0])
            nodes.append(middle)
            ways.append(ways[near] + float(np.linalg.norm(middle - nodes[near])))
            parents.append(near)
            near = len(nodes) - 1
        nodes.append(end)
        ways.append(ways[near] + float(np.linalg.norm(end - nodes[near])))
        parents.append(near)
    load = np.zeros(len(nodes))
    leaves = set(range(1, len(nodes))) - set(parents)
    for number in range(len(nodes) - 1, 0, -1):
        load[number] += float(number in leaves)
        load[parents[number]] += load[number]
    radii = LAST_MM * load ** (1 / MURRAY)
    return [
        Branch(
            nodes[parent],
            nodes[number],
            (float(radii[number]) * 1.05, float(radii[number])),
            artery,
        )
        for number, parent in enumerate(parents)
        if parent >= 0
    ]


def paint_lungs(paint: Paint, trunk: ChestTrunk, strands: Texture) -> None:
    """Paint both lungs without the mediastinum, which is painted over them.

    Args:
        paint: Canvas and HU.
        trunk: Cage and diaphragm.
        strands: Texture of small vessels.
    """
    canvas = paint.canvas
    low = min(trunk.dome) - 2.2 * trunk.recess
    grid = canvas.grid.corners_mm()[:, 2]
    low, high = max(low, grid.min() - 5), min(float(trunk.apex[2]) + 15, grid.max() + 5)
    if high <= low:
        return
    half = float(trunk.cage_half.values.max())
    corners = trunk.corners_mm(low, high)
    corners[:, 0] = trunk.lean + np.sign(corners[:, 0] - trunk.lean) * half
    box = canvas.box(corners, 0.0)
    if box is None:
        return
    distance = canvas.distance(box, trunk.lungs, WORLD, SAMPLE_MM)
    slow = box.coarse(BACKGROUND_MM)
    x, y, z = slow.coordinates()
    small = SMALL_HU * (strands.sample(1.7 * x, 1.7 * y, 1.7 * z) - SMALL_LEVEL).clamp(min=0)
    heavy = -GRAVITY_HU * (y - trunk.back - trunk.half_depth) / 100
    canvas.blend(box, paint.hu("lung") + slow.refine(small + heavy), canvas.coverage(distance))


def paint_lung_vessels(paint: Paint, branches: list[Branch]) -> None:
    """Paint bronchi beside the arteries, then the vessels.

    Args:
        paint: Canvas and HU.
        branches: Their pieces.
    """
    blood = paint.hu("blood")
    for branch in branches:
        course = np.array([branch.start, branch.end])
        if branch.artery and branch.radii[1] > BRONCHUS_LEAST_MM:
            lumen = [LUMEN * radius for radius in branch.radii]
            beside = course + np.array([0.0, -1.0, 1.0]) * (branch.radii[0] + WALL_MM)
            paint.tube(beside, [r + WALL_MM for r in lumen], paint.hu("bowel_wall"), coarse_mm=None)
            paint.tube(beside, lumen, paint.hu("gas"), coarse_mm=None)
    for branch in branches:
        course = np.array([branch.start, branch.end])
        paint.tube(course, branch.radii, blood, coarse_mm=None)
