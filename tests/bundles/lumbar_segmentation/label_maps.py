"""Label maps of boxes, whose scores can be worked out by hand."""

import numpy as np

SPACING = (2.0, 1.0, 1.5)
SHAPE = (60, 80, 70)


def box(*bounds: tuple[int, int], shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(*bound) for bound in bounds)] = True
    return mask


def four_bodies(shift: int = 0) -> np.ndarray:
    """L4 to L1 as boxes of 10 x 10 x 8 voxels, bottom to top, moved forward by `shift`."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for place, label in enumerate((4, 3, 2, 1)):
        low = 5 + 12 * place
        labels[box((20, 30), (20 + shift, 30 + shift), (low, low + 8))] = label
    return labels
