"""Tables of pairs that nobody measured, but that could have been."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

LEVELS = ("L1", "L2", "L3")


def drawn(
    patients: int = 24,
    slope: float = 1.1,
    intercept: float = -6.0,
    error: float = 4.0,
    seed: int = 0,
    spread: float = 28.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readings, references = slope * reading + intercept, and patients; errors in both, mg/cm³."""
    rng = np.random.default_rng(seed)
    true = np.repeat(rng.normal(120, spread, patients), len(LEVELS))
    true = true + rng.normal(0, 6 * min(1.0, spread), len(true))
    patient = np.repeat(np.arange(patients), len(LEVELS))
    reading = true + rng.normal(0, error, len(true))
    return reading, slope * true + intercept + rng.normal(0, error, len(true)), patient


def rows(reading: np.ndarray, reference: np.ndarray, patient: np.ndarray, **more: Any) -> list:
    """Rows of PAIRS, three levels for each patient."""
    return [
        {"case": f"P{number}", "level": LEVELS[index % 3], "bmd_hu_linear_mg_cm3": repr(float(x)),
         "reference_mg_cm3": repr(float(y)), "mineral": "HA", "kvp": "120"} | more
        for index, (x, y, number) in enumerate(zip(reading, reference, patient, strict=True))
    ]  # fmt: skip


def write(path: Path, lines: Iterable[Mapping[str, Any]], delimiter: str = ",") -> Path:
    """Write rows as a CSV with a head."""
    lines = list(lines)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(lines)
    return path
