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
    """

    read: Callable[[], Scan]
    scan: dict[str, Any]
    note: str


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
        {"pixel_mm": [0.7, 0.95], "thickness_mm": [1.0, 1.5], "kernel": ["sharp"]},
        "resampled to 1.5 mm by others, kernel unknown",
    ),
    Match(
        real.thorax,
        {"pixel_mm": [0.7, 0.95], "thickness_mm": [1.0, 1.5, 2.0], "kernel": ["soft"]},
        "chest, contrast in the blood, resampled to 1.5 mm by others",
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
    ),
)


def settings(recipe: dict[str, Any], match: Match) -> dict[str, Any]:
    """Return the recipe with the match's scan settings, T11 to S2, upright and untilted."""
    scan = recipe["scan"] | {"field": "lumbar", "tilt_deg": 0.0, "orientation": ["RAS"]}
    return recipe | {"scan": scan | match.scan}


def like(case: Any, name: str, spacing: tuple[float, float, float]) -> Scan:
    """Bring a phantom case onto a RAS grid of the real scan's spacing.

    By cubic splines without averaging, as the makers of the real files did: their noise is nearly
    white at 1.5 and 3 mm, which a mean over each new voxel would not leave.

    Args:
        case: `image` HU, `labels` (ids of `tools.levels`), `affine`.
        name: Name of the result.
        spacing: Voxel edges, mm.

    Returns:
        The phantom as a scan; its bodies are labelled where they fill half a voxel.
    """
    source = Grid(case.image.shape, case.affine)
    grid = covering_grid(source, spacing)
    step = np.linalg.inv(case.affine) @ grid.affine
    image = ndimage.affine_transform(
        case.image.astype(np.float32), step[:3, :3], step[:3, 3], grid.shape, mode="nearest"
    )
    levels = [level for level in np.unique(case.labels) if level not in (0, LABEL_IDS["sacrum"])]
    bodies = np.zeros(grid.shape, np.uint8)
    for level in levels:
        mask = torch.from_numpy((case.labels == level).astype(np.float32))[None]
        bodies[(resample(mask, case.affine, grid, 0.0)[0] > HALF).numpy()] = level
    return Scan(name, image, grid.affine, bodies)
