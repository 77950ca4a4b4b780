"""Tiny patients: a column of blocks, one of them low where there is a fracture."""

from pathlib import Path

import numpy as np

from tests.bundles.cohorts import save_case, save_lists

#: Voxel edge, mm.
STEP_MM = 4.0


def column(fractured: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a trunk of water with five blocks.

    Args:
        fractured: Whether the third block has half its height.
        seed: Of the noise.

    Returns:
        CT in HU, int16 [30, 20, 50], and its matrix to RAS+ mm.
    """
    image = np.full((30, 20, 50), -1000.0)
    image[2:-2, 1:-1] = 40.0
    for number in range(5):
        top = 4 if fractured and number == 2 else 8
        image[10:20, 8:16, 2 + 10 * number : 2 + 10 * number + top] = 300.0
    image += np.random.default_rng(seed).normal(0.0, 15.0, image.shape)
    return np.rint(image).astype(np.int16), np.diag([STEP_MM] * 3 + [1.0])


def draw(folder: Path) -> None:
    """Write eight patients: four to train on, two to validate, two to test."""
    records = []
    for number in range(8):
        label = number % 2
        image, affine = column(bool(label), seed=number)
        more = {"label": label, "age": 60 + number, "sex": "F"}
        records.append(save_case(folder, number, {"image": image}, affine, **more))
    save_lists(
        folder,
        "ovf_classification",
        training=records[:4],
        validation=records[4:6],
        test=records[6:],
    )
