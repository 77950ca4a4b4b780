"""Patches without dense foci, as the central slab is read without them.

    hu = without_foci(patch)                      # [3, P, P], HU

A bone island in a patch of 20 mm moves its mean by more than a category is wide, and the network,
which has seen few, would read it as density.
"""

from __future__ import annotations

import numpy as np

from bmd_bundle.patches import Patch
from bmd_bundle.slab import dense_foci


def without_foci(patch: Patch) -> np.ndarray:
    """Give dense foci (`bmd_bundle.slab.dense_foci`) the mean of the other samples.

    Args:
        patch: Patch of a level.

    Returns:
        HU [3, P, P]; those of the patch where it holds no focus.
    """
    hu = np.asarray(patch.hu)
    spacing = np.linalg.norm(patch.affine[:3, :3], axis=0)
    dense = dense_foci(hu, np.ones(hu.shape, dtype=bool), spacing.tolist())
    return np.where(dense, hu[~dense].mean(), hu) if dense.any() else hu
