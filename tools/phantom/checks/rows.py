"""Turns the measures of one label map into rows (place, measure, value)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tools.morphometry import Morphometry
from tools.morphometry.model import Body

LENGTHS = frozenset(
    {
        "height_anterior",
        "height_middle",
        "height_posterior",
        "depth_upper",
        "depth_middle",
        "depth_lower",
        "width_upper",
        "width_middle",
        "concavity",
        "disc_anterior",
        "disc_middle",
        "disc_posterior",
        "endplate_depth",
    }
)
"""Measures in mm; ``volume`` is in cm³, all others are in degrees."""


class Row(NamedTuple):
    """One measured value: ``place`` is a level, a disc or ``spine``."""

    place: str
    measure: str
    value: float


def flatten(found: Morphometry) -> list[Row]:
    """Lists all values of a spine; what was not measured is left out."""
    rows = [row for level, body in found.levels.items() for row in _body(level, body)]
    for place, disc in found.discs.items():
        rows += [
            Row(place, "disc_anterior", disc.height_mm.anterior),
            Row(place, "disc_middle", disc.height_mm.middle),
            Row(place, "disc_posterior", disc.height_mm.posterior),
            Row(place, "disc_angle", disc.angle_deg),
            Row(place, "segment_angle", disc.segment_deg),
        ]
    if found.sacrum is not None and found.sacrum.depth_mm is not None:
        rows.append(Row("S1", "endplate_depth", found.sacrum.depth_mm))
    angles = found.alignment
    for name in (
        "lordosis_t12_s1",
        "lordosis_l1_s1",
        "lordosis_l4_s1",
        "lordosis_l1_l5",
        "sacral_slope",
        "coronal_cobb",
    ):
        value = getattr(angles, name)
        if value is not None:
            rows.append(Row("spine", name, value))
    return rows


def _body(level: str, body: Body) -> list[Row]:
    """Lists the values of one body."""
    height, depth, width = body.height_mm, body.depth_mm, body.width_mm
    if height is None or depth is None or width is None:
        return []
    values = {
        "height_anterior": height.anterior,
        "height_middle": height.middle,
        "height_posterior": height.posterior,
        "depth_upper": depth.upper,
        "depth_middle": depth.middle,
        "depth_lower": depth.lower,
        "width_upper": width.upper,
        "width_middle": width.middle,
        "concavity": (height.anterior + height.posterior) / 2 - height.middle,
        "wedge": body.wedge_deg,
        "volume": None if body.volume_mm3 is None else body.volume_mm3 / 1000,
    }
    return [Row(level, name, value) for name, value in values.items() if value is not None]


def voxel_tolerance(measure: str, depth_mm: float, voxel_mm: float) -> float | None:
    """What one voxel is worth in a measure.

    A length may be off by one voxel. An angle is off by what moves one end of an endplate of
    ``depth_mm`` by one voxel.

    >>> voxel_tolerance("disc_middle", 35.0, 3.0)
    3.0
    >>> round(voxel_tolerance("wedge", 35.0, 3.0), 1)
    4.9

    Args:
        measure: name of the measure.
        depth_mm: front-to-back length of an endplate.
        voxel_mm: voxel edge.

    Returns:
        Tolerance in the measure's unit; None for a volume, which has no such number.
    """
    if measure == "volume":
        return None
    if measure in LENGTHS:
        return voxel_mm
    return float(np.degrees(np.arctan(voxel_mm / depth_mm)))
