"""Real vertebral body masks in this project's label ids, held against the phantom's range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.levels import LABEL_IDS, TOTALSEGMENTATOR_BODY_IDS, VERSE_IDS
from tools.morphometry import measure
from tools.phantom import real
from tools.phantom.checks.rows import Row, flatten, voxel_tolerance

S1_ID = 26
"""Id of S1 in `lumbar_ct_3mm/vertebrae.nii.gz`."""


@dataclass(frozen=True)
class RealMask:
    """A real label map of bodies.

    Attributes:
        name: Folder of the data.
        labels: uint8 [X, Y, Z], ids of `tools.levels`.
        affine: 4x4 voxel to RAS mm.
        voxel_mm: Voxel edge.
        phantom_mm: Spacing of the phantom maps it is compared with.
        reason: Why values of this mask may lie outside.
    """

    name: str
    labels: np.ndarray
    affine: np.ndarray
    voxel_mm: float
    phantom_mm: int
    reason: str


def lumbar(folder: Path) -> RealMask:
    """Read T12-L5 and S1 of the lumbar CT."""
    bodies, affine = real.read_nifti(folder / "vertebral_bodies.nii.gz")
    whole, _ = real.read_nifti(folder / "vertebrae.nii.gz")
    labels = np.zeros(bodies.shape, np.uint8)
    labels[whole == S1_ID] = LABEL_IDS["sacrum"]
    for level, number in TOTALSEGMENTATOR_BODY_IDS.items():
        labels[bodies == number] = LABEL_IDS[level]
    reason = "a network's mask at 3 mm (TotalSegmentator), whose corners and endplates are blunt"
    return RealMask("lumbar_ct_3mm", labels, affine, 3.0, 3, reason)


def l3_crop(folder: Path) -> RealMask:
    """Read the body of L3 of the crop: its border and its interior."""
    parts, affine = real.read_nifti(folder / "subregions.nii.gz")
    vertebrae, _ = real.read_nifti(folder / "vertebrae.nii.gz")
    body = np.isin(parts, (real.BODY_BORDER, real.BODY_INTERIOR)) & (vertebrae == VERSE_IDS["L3"])
    labels = np.where(body, LABEL_IDS["L3"], 0).astype(np.uint8)
    reason = "the rims of this L3 reach 10-15 % beyond its waist, as spurs do"
    return RealMask("l3_crop", labels, affine, 1.5, 1, reason)


def available() -> list[RealMask]:
    """Read the masks whose files are there. `verse004_mask` holds whole vertebrae, no bodies."""
    found = []
    for folder, read in ((real.LUMBAR_BODIES.parent, lumbar), (real.L3_CROP, l3_crop)):
        if folder.is_dir():
            found.append(read(folder))
    return found


@dataclass(frozen=True)
class Verdict:
    """One real value against the phantom's 1st to 99th percentile, widened by one voxel."""

    row: Row
    low: float
    high: float
    tolerance: float

    @property
    def inside(self) -> bool:
        """Whether the value lies in the widened range."""
        return self.low - self.tolerance <= self.row.value <= self.high + self.tolerance

    @property
    def off(self) -> float:
        """Distance to the range itself, without the voxel; 0 inside it."""
        return max(self.low - self.row.value, self.row.value - self.high, 0.0)


def compare(
    mask: RealMask, ranges: Mapping[tuple[str, str], tuple[float, float]]
) -> tuple[list[Verdict], dict[str, str]]:
    """Hold a real mask against the phantom.

    Args:
        mask: Real mask.
        ranges: (place, measure) -> 1st and 99th percentile of the phantom at the mask's spacing.

    Returns:
        Verdicts, and level -> reason for every level that is not measured.
    """
    found = measure(mask.labels, mask.affine)
    rows = flatten(found)
    depths = [row.value for row in rows if row.measure == "depth_upper"]
    depth = float(np.mean(depths)) if depths else 1.0
    verdicts = []
    for row in rows:
        tolerance = voxel_tolerance(row.measure, depth, mask.voxel_mm)
        if tolerance is not None and (row.place, row.measure) in ranges:
            low, high = ranges[row.place, row.measure]
            verdicts.append(Verdict(row, low, high, tolerance))
    missing = {
        level: body.reason or "" for level, body in found.levels.items() if not body.complete
    }
    return verdicts, missing
