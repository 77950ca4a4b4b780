"""The vertebrae of a given label map, measured once: what is adopted by every patient drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from tools.phantom.anatomy.slab import SLAB_DEPTH_MM
from tools.phantom.drawing.canvas import Frame
from tools.phantom.given.label_map import LabelMap, read
from tools.phantom.given.solid import STEP_MM, Solid
from tools.phantom.given.split import Parts, part

#: Vertebrae smaller than this are fragments, mm³.
SMALLEST_MM3 = 4000.0
#: Heights are read in a band about the mid-sagittal plane, mm to each side, and near both walls
#: between these shares of the depth, behind the rounding of the rims.
BAND_MM = 6.0
RIM_SHARE = (0.06, 0.16)
#: The body's rear half is at most this much broader to each side than its front half, mm (design).
SIDE_MM = 1.0
PLACES = ("anterior", "middle", "posterior")


@dataclass(frozen=True, eq=False)
class Given:
    """One vertebra of a given map.

    Attributes:
        frame: Body's middle, in the map's RAS+ millimetres.
        solid: Its surface.
        height: Between the endplates' rims, in the middle.
        wedge: Angle between the endplates' rims, degrees, + = lower in front.
        depth: Of the upper endplate.
        width: Of the upper endplate.
        concavity: Depth of the upper and of the lower endplate.
        canal: Width and depth.
    """

    frame: Frame
    solid: Solid
    height: float
    wedge: float
    depth: float
    width: float
    concavity: tuple[float, float]
    canal: tuple[float, float]


@cache
def load(path: str, scheme: str) -> dict[str, Given]:
    """Read and measure a map; see `label_map.read` and `measure`."""
    return measure(read(Path(path).expanduser(), scheme))


def measure(label_map: LabelMap) -> dict[str, Given]:
    """Measure every vertebra of a map.

    Returns:
        Level -> vertebra, foot to head. Those cut off by the map's border at its ends are left out.

    Raises:
        ValueError: If a vertebra between others cannot be measured, or none can, or if a body is
            too low to hold trabecular bone whose density could be known.
    """
    levels = dict(reversed(label_map.levels.items()))
    centres = np.array(
        [
            np.argwhere(inside).mean(0) @ label_map.affine[:3, :3].T + label_map.affine[:3, 3]
            for inside in levels.values()
        ]
    )
    ups = np.gradient(centres, axis=0) if len(centres) > 1 else np.array([[0.0, 0.0, 1.0]])
    found: dict[str, Parts] = {}
    missed = []
    for (level, inside), up in zip(levels.items(), ups, strict=True):
        parts = _parts(inside, label_map.affine, up)
        if parts is None:
            missed.append(level)
        else:
            found[level] = parts
    names = list(levels)
    if not found:
        raise ValueError(f"given_map: {label_map.name}: no label has body, arch and canal")
    first, last = names.index(next(iter(found))), names.index(list(found)[-1])
    for level in missed:
        if first < names.index(level) < last:
            raise ValueError(
                f"given_map: {label_map.name}: {level} lacks the body, arch or canal of a vertebra"
            )
    for level, parts in found.items():
        if not (parts.distance[parts.body] < -SLAB_DEPTH_MM - STEP_MM).any():
            raise ValueError(f"given_map: {label_map.name}: {level} has no trabecular core left")
    return {level: _given(parts) for level, parts in found.items()}


def _parts(inside: np.ndarray, affine: np.ndarray, up: np.ndarray) -> Parts | None:
    """Cut one vertebra out and part it; None for one that is cut off or a fragment."""
    where = np.argwhere(inside)
    low, high = where.min(0), where.max(0)
    if (low == 0).any() or (high == np.array(inside.shape) - 1).any():
        return None
    if len(where) * abs(np.linalg.det(affine[:3, :3])) < SMALLEST_MM3:
        return None
    box = tuple(slice(max(a - 2, 0), b + 3) for a, b in zip(low, high, strict=True))
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array([s.start for s in box])
    return part(inside[box], moved, up)


def _given(parts: Parts) -> Given:
    """Measure one vertebra in its own frame."""
    places = np.argwhere(parts.body) * STEP_MM + parts.start
    band = places[np.abs(places[:, 0]) < BAND_MM]
    front, back = np.quantile(band[:, 1], [0.995, 0.005])
    rims = [_endplates(band, low, high) for low, high in _stretches(float(front), float(back))]
    heights = {place: top - bottom for place, (top, bottom) in zip(PLACES, rims, strict=True)}
    depth = float(front - back)
    (top_front, low_front), (top, bottom), (top_back, low_back) = rims
    chords = (top_front + top_back) / 2, (low_front + low_back) / 2
    slopes = [
        float(np.degrees(np.arctan2(ahead - behind, depth * (1 - sum(RIM_SHARE)))))
        for ahead, behind in ((top_front, top_back), (low_front, low_back))
    ]
    across = places[places[:, 1] > (front + back) / 2][:, 0]
    sides = float(across.min()) - SIDE_MM, float(across.max()) + SIDE_MM
    places = places[(places[:, 0] > sides[0]) & (places[:, 0] < sides[1])]
    # The frame's zero is moved to half the height.
    middle = sum(chords) / 2
    half = (chords[0] - chords[1]) / 2
    shift = np.array([0.0, 0.0, middle])
    solid = Solid(
        samples=torch.from_numpy(parts.distance),
        start=parts.start - shift,
        wall=parts.wall,
        sides=sides,
        half=half,
        low=places.min(0) - 1 - shift,
        high=places.max(0) + 1 - shift,
        heights=heights,
    )
    return Given(
        frame=parts.frame.moved(0.0, 0.0, middle),
        solid=solid,
        height=2 * half,
        wedge=slopes[1] - slopes[0],
        depth=depth,
        width=float(np.ptp(across)) + STEP_MM,
        concavity=(max(0.0, chords[0] - top), max(0.0, bottom - chords[1])),
        canal=parts.canal,
    )


def _stretches(front: float, back: float) -> list[tuple[float, float]]:
    """Where along v heights are read: behind the front rim, in the middle, before the back rim."""
    near, far = (share * (front - back) for share in RIM_SHARE)
    middle = (front + back) / 2
    return [
        (front - far, front - near),
        (middle - (far - near) / 2, middle + (far - near) / 2),
        (back + near, back + far),
    ]


def _endplates(band: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Mean heights w of both endplates over a stretch of v, mm."""
    columns: dict[tuple[float, float], list[float]] = {}
    for u, v, w in band[(band[:, 1] >= low) & (band[:, 1] <= high)]:
        columns.setdefault((u, v), []).append(w)
    tops = [max(column) for column in columns.values()]
    bottoms = [min(column) for column in columns.values()]
    return float(np.mean(tops)) + STEP_MM / 2, float(np.mean(bottoms)) - STEP_MM / 2
