"""A phantom of boxes, drawn in milliseconds, for the probe's own tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tools.levels import LABEL_IDS


@dataclass
class BoxCase:
    image: np.ndarray
    labels: np.ndarray
    affine: np.ndarray


def simulate_boxes(recipe: dict[str, Any], seed: int, index: int) -> BoxCase:
    """Draw box-shaped bodies over a box-shaped sacrum in soft tissue; LPS order, 2 mm voxels."""
    rng = np.random.default_rng([seed, index])
    levels = recipe.get("levels", ("sacrum", "L5", "L4", "L3"))
    image = np.full((40, 90, 12 + 22 * len(levels)), 40, np.int16)
    labels = np.zeros(image.shape, np.uint8)
    for place, level in enumerate(levels):
        low = 8 + 22 * place
        labels[8:32, 40:58, low : low + 15] = LABEL_IDS[level]
    image[labels > 0] = recipe.get("bone_hu", 300)
    image += rng.normal(0, 5, image.shape).astype(np.int16)
    affine = np.diag([-2.0, -2.0, 2.0, 1.0])
    affine[:3, 3] = 50.0, 70.0, -900.0
    return BoxCase(image, labels, affine)


@pytest.fixture
def box_case() -> BoxCase:
    return simulate_boxes({}, 0, 0)
