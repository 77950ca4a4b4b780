"""Phantoms scanned and resampled as the real CTs they are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from tools.levels import LABEL_IDS
from tools.phantom import real
from tools.phantom.real import Scan
from tools.phantom.resample import covering_grid, resample
from tools.volumes import Grid

#: A voxel belongs to a body if more than this share of it does.
HALF = 0.5


@dataclass(frozen=True)
class Match:
    """A real CT and the scan settings of the phantoms beside it.

    Attributes:
        read: Reads the real CT.
        scan: Settings that replace those of the recipe `standard`. What a scan's header does not
            tell is drawn over the range that its image allows.
        note: What is known of the real scan.
        extent_mm: Box about the middle of the bodies that is compared, x, y, z; the rest is left
            out to save time.
    """

    read: Callable[[], Scan]
    scan: dict[str, Any]
    note: str
    extent_mm: tuple[float, float, float] = (np.inf, np.inf, np.inf)


#: Kernels and thickness of the two NIfTI scans without a header are unknown; the crop's noise (84
#: to 91 HU at 1.5 mm) fits thin slices of a sharp kernel only.
MATCHES = (
    Match(
        real.lumbar,
        {"pixel_mm": [0.7, 0.95], "thickness_mm": [2.0, 3.0, 5.0], "kernel": ["soft"]},
        "unenhanced, resampled to 3 mm by others, kernel unknown",
    ),
    Match(
        real.l3_crop,
        {
            "field": "sagittal_slab",
            "pixel_mm": [0.7, 0.95],
            "thickness_mm": [1.0, 1.5],
            "kernel": ["sharp"],
        },
        "resampled to 1.5 mm by others, kernel unknown",
        (np.inf, 130.0, 110.0),
    ),
    Match(
        real.thorax,
        {"pixel_mm": [0.7, 0.95], "thickness_mm": [1.5, 2.0], "kernel": ["soft"]},
        "chest, contrast in the blood, resampled to 1.5 mm by others",
        (np.inf, np.inf, 80.0),
    ),
    Match(
        real.upper_abdomen,
        {
            "pixel_mm": [0.9766, 0.9766],
            "thickness_mm": [3.0],
            "interval_ratio": [0.6667, 0.6667],
            "kernel": ["soft"],
        },
        "Siemens Br38f, 120 kV, 3 mm every 2 mm, contrast in the blood",
        (np.inf, np.inf, 80.0),
    ),
)


#: The real patients' ages are unknown; their trabecular HU (46 to 109) is that of people about 70.
AGE_YEARS = {"mean": 70, "sd": 8, "min": 50, "max": 90}


def settings(recipe: dict[str, Any], match: Match) -> dict[str, Any]:
    """Return the recipe with the match's scan settings, T11 to S2, untilted, and older patients."""
    scan = recipe["scan"] | {"field": "lumbar", "tilt_deg": 0.0, "orientation": ["RAS"]}
    population = recipe["population"] | {"age_years": AGE_YEARS}
    return recipe | {"population": population, "scan": scan | match.scan}


def like(case: Any, name: str, real_grid: Grid, extent_mm: tuple[float, float, float]) -> Scan:
    """Bring a phantom case onto a RAS grid of the real scan's spacing.

    By cubic splines without averaging, as the makers of the real files did: their noise is nearly
    white at 1.5 and 3 mm, which a mean over each new voxel would not leave.

    Args:
        case: `image` HU, `labels` (ids of `tools.levels`), `affine`, in RAS order.
        name: Name of the result.
        real_grid: Grid of the real scan; its spacing is taken.
        extent_mm: Box about the middle of the bodies that is kept.

    Returns:
        The phantom as a scan; its bodies are labelled where they fill half a voxel.
    """
    whole = Grid(case.image.shape, case.affine)
    bodies = (case.labels > 0) & (case.labels != LABEL_IDS["sacrum"])
    half = np.minimum(np.array(extent_mm) / 2 / whole.spacing_mm, whole.shape)
    middle = np.argwhere(bodies).mean(axis=0)
    low = np.maximum(0, np.ceil(middle - half)).astype(int)
    high = np.minimum(whole.shape, np.floor(middle + half) + 1).astype(int)
    box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
    image, labels = case.image[box].astype(np.float32), np.where(bodies, case.labels, 0)[box]
    affine = case.affine.copy()
    affine[:3, 3] = whole.to_world(low)
    grid = covering_grid(Grid(image.shape, affine), real_grid.spacing_mm)
    step = np.linalg.inv(affine) @ grid.affine
    smooth = ndimage.affine_transform(
        image, step[:3, :3], step[:3, 3], grid.shape, output=np.float32, mode="nearest"
    )
    found = np.zeros(grid.shape, np.uint8)
    for level in np.unique(labels[labels > 0]):
        mask = torch.from_numpy((labels == level).astype(np.float32))[None]
        found[(resample(mask, affine, grid, 0.0)[0] > HALF).numpy()] = level
    return Scan(name, smooth, grid.affine, found)
