"""A tiny cohort for areal density: drawn abdomens, their label maps, and a datalist by DXA."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.bundles.bmd_regression.abdomen import Abdomen
from tests.bundles.cohorts import save_case, save_lists

#: A field that holds the drawn trunk, mm.
LOW_MM, HIGH_MM = np.array([-156.0, -150.0, -90.0]), np.array([156.0, 150.0, 90.0])
LEVELS = ("L1", "L2", "L3", "L4")


def trunk(
    abdomen: Abdomen | None = None,
    spacing: Sequence[float] = (4.0, 4.0, 4.0),
    turn_deg: Sequence[float] = (0.0, 0.0, 0.0),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU int16 [X, Y, Z], 4x4 affine, label map uint8 [X, Y, Z] of an abdomen."""
    image, affine, labels = (abdomen or Abdomen()).draw(spacing, turn_deg, LOW_MM, HIGH_MM)
    return np.rint(image).astype(np.int16), affine, labels


def denser(image: np.ndarray, labels: np.ndarray, areal: float) -> np.ndarray:
    """Make the bodies as dense as their areal density wants: 150 HU for 1 g/cm²."""
    return np.where(labels > 0, np.rint(150 * areal), image).astype(np.int16)


def record(areal: dict[str, float | None]) -> dict[str, Any]:
    """What a record by DXA says of densities."""
    return {"bmd": areal, "unit": "g/cm2", "reference": "DXA"}


def draw(folder: Path, patients: int = 6) -> None:
    """Half of them to train on, all but one of the others to validate, one to test."""
    image, affine, labels = trunk()
    records = []
    for number in range(patients):
        value = 0.6 + 0.7 * number / (patients - 1)
        arrays = {"image": denser(image, labels, value), "mask": labels}
        reference = record(dict.fromkeys(LEVELS, value) | {"L1": None})
        records.append(save_case(folder, number, arrays, affine, **reference))
    half = patients // 2
    lists = {"training": records[:half], "validation": records[half:-1], "test": records[-1:]}
    save_lists(folder, "bmd_regression_dxa", **lists)
