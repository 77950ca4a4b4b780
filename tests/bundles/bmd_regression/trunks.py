"""A tiny cohort for areal density: drawn abdomens, their label maps, and a datalist by DXA."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.bundles.bmd_regression.abdomen import Abdomen
from tests.bundles.cohorts import save_case, save_lists

#: A field that holds the drawn trunk, mm.
LOW_MM, HIGH_MM = np.array([-156.0, -150.0, -90.0]), np.array([156.0, 150.0, 90.0])
LEVELS = ("L2", "L3")


def trunk(
    abdomen: Abdomen | None = None,
    spacing: Sequence[float] = (4.0, 4.0, 4.0),
    turn_deg: Sequence[float] = (0.0, 0.0, 0.0),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU int16 [X, Y, Z], 4x4 affine, label map uint8 [X, Y, Z] of an abdomen with L2 and L3."""
    image, affine, labels = (abdomen or Abdomen()).draw(spacing, turn_deg, LOW_MM, HIGH_MM)
    labels = np.where(np.isin(labels, [2, 3]), labels, 0).astype(np.uint8)
    return np.rint(image).astype(np.int16), affine, labels


def denser(image: np.ndarray, labels: np.ndarray, areal: float) -> np.ndarray:
    """Make the bodies as dense as their areal density wants: 150 HU for 1 g/cm²."""
    return np.where(labels > 0, np.rint(150 * areal), image).astype(np.int16)


def record(areal: dict[str, float | None]) -> dict[str, Any]:
    """What a record by DXA says of densities."""
    return {"bmd": areal, "unit": "g/cm2", "reference": "DXA"}


def draw(folder: Path) -> None:
    """Four patients: two to train on, one to validate, one to test."""
    image, affine, labels = trunk()
    records = []
    for number, value in enumerate((0.6, 1.2, 0.9, 0.7)):
        arrays = {"image": denser(image, labels, value), "mask": labels}
        reference = record({"L1": None} | dict.fromkeys(LEVELS, value))
        records.append(save_case(folder, number, arrays, affine, **reference))
    lists = {"training": records[:2], "validation": records[2:3], "test": records[3:]}
    save_lists(folder, "bmd_regression_dxa", **lists)
