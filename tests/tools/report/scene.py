"""A CT that is easy to foresee: a bent column of four cubes in a block of soft tissue."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tests.tools.report import made_up
from tools.report.scene import PatchView

SPACING_MM = 2.0
SHAPE = (90, 90, 120)
ORIGIN_MM = np.array([-90.0, -110.0, -120.0])
AFFINE = np.block(
    [[np.eye(3) * SPACING_MM, ORIGIN_MM[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]]
)
HALF_MM = 14.0
"""Half a cube's edge, mm."""

PATCH_MM = 20.0

CENTRES_MM = {
    # To the patient's left at the top: a flat cut through L4 misses L1.
    "L1": np.array([40.0, -20.0, 60.0]),
    "L2": np.array([20.0, -20.0, 20.0]),
    "L3": np.array([0.0, -20.0, -20.0]),
    "L4": np.array([0.0, -20.0, -60.0]),
}
TISSUE_HU, BONE_HU = 40.0, 400.0


@cache
def scan() -> tuple[np.ndarray, np.ndarray]:
    """HU, int16, and labels, uint8, both [X, Y, Z] on `AFFINE`."""
    points = np.moveaxis(np.indices(SHAPE), 0, -1) * SPACING_MM + ORIGIN_MM
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for number, centre in enumerate(CENTRES_MM.values(), start=1):
        labels[np.all(np.abs(points - centre) <= HALF_MM, axis=-1)] = number
    return np.where(labels, BONE_HU, TISSUE_HU).astype(np.int16), labels


def patches(*names: str) -> list[PatchView]:
    """Level squares of 20 mm about the cubes' centres, corners in an odd order."""
    signs = np.array([(1, 1), (-1, -1), (1, -1), (-1, 1)]) * PATCH_MM / 2
    corners = np.column_stack([signs, np.zeros(4)])
    up = np.array([0.0, 0.0, 1.0])
    return [
        PatchView(name, CENTRES_MM[name] + corners, CENTRES_MM[name], up)
        for name in names or CENTRES_MM
    ]


def report(levels: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """A report whose levels lie where the cubes do; `levels` changes it."""
    found = {
        name: made_up.level(centroid_ras_mm=centre.tolist()) for name, centre in CENTRES_MM.items()
    }
    return made_up.report(found | (levels or {}))
