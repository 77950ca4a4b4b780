"""A piece of lumbar spine with bodies of known density, in a trunk of soft tissue."""

from collections.abc import Mapping

import numpy as np

from bmd_bundle.calibration import reference
from bmd_bundle.levels import LEVEL_IDS
from tests.bundles.bmd_regression.solids import grid, solid

#: Distance of two bodies' middles, mm.
PITCH_MM = 36.0
STEP_MM = 2.0


def spine(
    densities: Mapping[str, float], seed: int = 0, noise_hu: float = 8.0, kvp: float = 120.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw bodies one under the other.

    Args:
        densities: Level -> mg/cm³ HA, head to foot.
        seed: Of the noise.
        noise_hu: Its standard deviation.
        kvp: Tube voltage, kV.

    Returns:
        CT in HU, int16, and label ids, uint8, [X, Y, Z], and their matrix to RAS+ mm.
    """
    affine, shape = grid((STEP_MM,) * 3)
    tall = (shape[0], shape[1], int((90 + PITCH_MM * (len(densities) - 1)) / STEP_MM))
    image = np.full(tall, 50.0)
    labels = np.zeros(tall, dtype=np.uint8)
    slope = reference(kvp).slope_hu_per_mg_cm3
    for place, (level, density) in enumerate(reversed(densities.items())):
        one = solid(affine, tall, centre=(2.0, -3.0, 1.0 + PITCH_MM * place), size=(46, 36, 29))
        spongy = one.body & (one.image == 120.0)
        image[one.body] = one.image[one.body]
        image[spongy] = density * slope
        labels[one.body] = LEVEL_IDS[level]
    image[:2], image[-2:] = -1000.0, -1000.0  # air beside the patient
    image[:, :2], image[:, -2:] = -100.0, -100.0  # fat
    image += np.random.default_rng(seed).normal(0.0, noise_hu, tall)
    return np.rint(image).astype(np.int16), labels, affine
