"""Seeded variants of one labelled CT: turned, resampled, mirrored, noisy, scaled, and cut short.

The reference labels go through the same change of geometry, so every variant knows its answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from tools.levels import LABEL_IDS, TOTALSEGMENTATOR_BODY_IDS
from tools.phantom.real import Scan
from tools.stress.sample import (
    Cut,
    Sample,
    body_points_mm,
    complete_levels,
    cropped_affine,
    cut_field,
    grid_of,
    sacrum_below,
)
from tools.volumes import Grid

BLANK_HU = -1024
"""What lies outside the scanned field, HU: scanners fill with it."""

LARGEST_TURN_DEG = 15.0
SPACINGS_MM = (1.0, 5.0)
HU_FACTORS = (0.9, 1.1)
NOISE_HU = (5.0, 40.0)
"""Ranges that random variants are drawn from; noise is a standard deviation per voxel."""

TOPS: tuple[Cut, ...] = ("T12 through",) + tuple(
    f"L{n} {where}" for n in range(1, 6) for where in ("beside", "through")
)
BOTTOMS: tuple[Cut, ...] = (
    "sacrum through",
    *(f"L{n} {where}" for n in range(5, 0, -1) for where in ("beside", "through")),
    "T12 beside",
)
"""Places where a field is cut: above from the head on, below from the feet on. A field cut at both
ends shows at least one whole level between them, with half of another at each end."""

HALF_SACRUM_MM = 57.0
"""From the centre of L5 to the middle of the sacrum, along the table, mm."""


@dataclass(frozen=True)
class Change:
    """What is done to the CT, in this order.

    Attributes:
        mirrored: Right and left are exchanged.
        rotation_deg: The patient turns about the R, A and S axes.
        regrid: Whether the grid stays with the world (empty corners are blank) or turns along with
            the patient (an oblique affine).
        spacing_mm: New voxel edges; None keeps them.
        noise_hu: Standard deviation of white noise.
        hu_factor: Factor on HU.
        top: Where the field ends above.
        bottom: Where the field ends below.
        seed: Seed of the noise.
    """

    mirrored: bool = False
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    regrid: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    noise_hu: float = 0.0
    hu_factor: float = 1.0
    top: Cut = ""
    bottom: Cut = ""
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """What differs from the unchanged CT, JSON-ready."""
        plain = asdict(Change())
        return {key: value for key, value in asdict(self).items() if value != plain[key]}


def labelled(scan: Scan) -> Scan:
    """Return a CT whose body ids are those of this project.

    Args:
        scan: A CT with ids of TotalSegmentator's vertebral bodies (19 = T12, 20-24 = L1-L5).
    """
    assert scan.bodies is not None  # variants are made of a CT with a reference
    bodies = np.zeros(scan.bodies.shape, np.uint8)
    for level, label in TOTALSEGMENTATOR_BODY_IDS.items():
        bodies[scan.bodies == label] = LABEL_IDS[level]
    return Scan(scan.name, scan.image, scan.affine, bodies)


def systematic() -> list[Change]:
    """One change at a time: the CT itself, every cut, and the ends of every range."""
    turns = [
        Change(rotation_deg=(turn[0], turn[1], turn[2]), regrid=regrid)
        for axis, sign, regrid in product(range(3), (-1, 1), (False, True))
        for turn in [[sign * LARGEST_TURN_DEG if other == axis else 0.0 for other in range(3)]]
    ]
    spacings = [Change(spacing_mm=(edge, edge, edge)) for edge in (1.0, 2.0, 4.0, 5.0)]
    slices = [Change(spacing_mm=(1.0, 1.0, 5.0)), Change(spacing_mm=(5.0, 5.0, 1.0))]
    tones = [Change(hu_factor=factor) for factor in HU_FACTORS]
    noise = [Change(noise_hu=sd) for sd in (10.0, 25.0, 40.0)]
    cuts = [Change(top=top) for top in TOPS] + [Change(bottom=bottom) for bottom in BOTTOMS]
    return [Change(), Change(mirrored=True), *cuts, *turns, *spacings, *slices, *tones, *noise]


def draw(count: int, seed: int) -> list[Change]:
    """Draw variants: the systematic ones first, then random combinations.

    Args:
        count: How many.
        seed: Seed of the random ones.
    """
    first = systematic()[:count]
    rng = np.random.default_rng(seed)
    return first + [_random(rng, seed + number) for number in range(count - len(first))]


def _random(rng: np.random.Generator, seed: int) -> Change:
    """Draw one combination."""
    turned, spaced, noisy, scaled = rng.random(4) < (0.7, 0.6, 0.5, 0.5)
    turn = rng.uniform(-LARGEST_TURN_DEG, LARGEST_TURN_DEG, 3).round(1) if turned else np.zeros(3)
    in_plane, along = rng.uniform(*SPACINGS_MM, 2).round(2)
    alike = rng.random() < 0.5
    top = str(rng.choice(TOPS)) if rng.random() < 0.3 else ""
    lower = BOTTOMS[: max(1, 9 - 2 * ((TOPS.index(top) + 1) // 2))] if top else BOTTOMS
    bottom = str(rng.choice(lower)) if rng.random() < 0.4 else ""
    return Change(
        mirrored=bool(rng.random() < 0.5),
        rotation_deg=(float(turn[0]), float(turn[1]), float(turn[2])),
        regrid=bool(turned and rng.random() < 0.5),
        spacing_mm=(float(in_plane), float(in_plane), float(in_plane if alike else along))
        if spaced
        else None,
        noise_hu=round(rng.uniform(*NOISE_HU), 1) if noisy else 0.0,
        hu_factor=round(rng.uniform(*HU_FACTORS), 3) if scaled else 1.0,
        top=top,
        bottom=bottom,
        seed=seed,
    )


def apply(scan: Scan, change: Change) -> Sample:
    """Change a CT and its reference.

    Args:
        scan: A CT in RAS order with body ids of this project (`labelled`).
        change: What to do.

    Raises:
        ValueError: If the change leaves nothing.
    """
    assert scan.bodies is not None  # variants are made of a CT with a reference
    image, labels = scan.image, scan.bodies
    if change.mirrored:
        image, labels = image[::-1], labels[::-1]
    rotation = Rotation.from_euler("xyz", change.rotation_deg, degrees=True).as_matrix()
    center = scan.grid.center_mm
    affine = np.eye(4)
    affine[:3, :3] = rotation @ scan.affine[:3, :3]
    affine[:3, 3] = rotation @ (scan.affine[:3, 3] - center) + center
    points = body_points_mm(labels, affine)
    l5 = points["L5"].mean(axis=0)
    caudal = rotation @ np.array([0.0, 0.0, -1.0])
    points["sacrum"] = (l5 + HALF_SACRUM_MM * caudal)[None]
    target = _target(grid_of(image, affine), scan.grid, change)
    if target is not None:
        image = resample(image, affine, target)
        labels = resample_labels(labels, affine, target)
        affine = target.affine
    grid = grid_of(image, affine)
    box = cut_field(points, grid, change.top, change.bottom)
    affine = cropped_affine(affine, box)
    seen = grid_of(image[box], affine)
    return Sample(
        image=_tone(image[box], change),
        affine=affine,
        labels=np.ascontiguousarray(labels[box]),
        complete=complete_levels(points, seen),
        sacrum=sacrum_below(l5, seen, caudal),
        across=rotation @ np.array([1.0, 0.0, 0.0]),
    )


def _target(turned: Grid, fixed: Grid, change: Change) -> Grid | None:
    """Return the grid to resample to; None if the voxels stay as they are."""
    rotated = any(change.rotation_deg)
    if change.spacing_mm is None and not (rotated and change.regrid):
        return None
    base = fixed if change.regrid else turned
    old = np.array(base.spacing_mm)
    new = np.array(change.spacing_mm or base.spacing_mm)
    shape = np.maximum(1, np.floor(np.array(base.shape) * old / new + 1e-6)).astype(int)
    affine = base.affine.copy()
    affine[:3, :3] = base.affine[:3, :3] / old * new
    # Both grids have the same first corner: half a voxel outside the first centre.
    affine[:3, 3] += (base.affine[:3, :3] / old) @ ((new - old) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def resample(image: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    """Interpolate a CT on another grid, averaged where voxels grow; blank outside, float32."""
    old = np.linalg.norm(affine[:3, :3], axis=0)
    ratio = np.maximum(1.0, np.array(grid.spacing_mm) / old)
    # A box as wide as the new voxel has the variance width^2 / 12; linear interpolation between
    # the old ones has some already.
    blurred = ndimage.gaussian_filter(
        image.astype(np.float32), np.sqrt((ratio**2 - 1) / 12), mode="nearest"
    )
    matrix = np.linalg.inv(affine) @ grid.affine
    return ndimage.affine_transform(
        blurred, matrix[:3, :3], matrix[:3, 3], grid.shape, order=1, cval=BLANK_HU
    )


def resample_labels(labels: np.ndarray, affine: np.ndarray, grid: Grid) -> np.ndarray:
    """Interpolate each label on another grid and keep what is at least half inside, uint8."""
    found = np.zeros(grid.shape, np.uint8)
    matrix = np.linalg.inv(affine) @ grid.affine
    for level, points in body_points_mm(labels, affine).items():
        index = grid.to_index(points)
        margin = 2 + np.ceil(np.linalg.norm(affine[:3, :3], axis=0) / grid.spacing_mm)
        low = np.clip(np.floor(index.min(axis=0) - margin), 0, grid.shape).astype(int)
        high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, 0, grid.shape).astype(int)
        if np.any(high <= low):
            continue
        mask = (labels == LABEL_IDS[level]).astype(np.float32)
        offset = matrix[:3, :3] @ low + matrix[:3, 3]
        share = ndimage.affine_transform(
            mask, matrix[:3, :3], offset, tuple(high - low), order=1, cval=0.0
        )
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        found[box][share >= 0.5] = LABEL_IDS[level]
    return found


def _tone(image: np.ndarray, change: Change) -> np.ndarray:
    """Scale HU and add noise; int16."""
    toned = image * np.float32(change.hu_factor)
    if change.noise_hu:
        rng = np.random.default_rng(change.seed)
        toned = toned + rng.normal(0.0, change.noise_hu, image.shape).astype(np.float32)
    return np.clip(np.rint(toned), BLANK_HU, 32767).astype(np.int16)


def named(changes: Iterable[Change], prefix: str = "v") -> dict[str, Change]:
    """Give every variant a name: v000, v001 and so on."""
    return {f"{prefix}{number:03d}": change for number, change in enumerate(changes)}
