"""Whether a scan's numbers are HU: air beside the patient must read -1000.

    scale.air_hu(image, affine)      # -998.0, or None where the field shows no air
    scale.problem(image, affine)     # None, or what is wrong

A volume stored without its rescale intercept, or normalised by someone's preprocessing, looks like
a CT and gives any density one likes. Air is read by `bmd_bundle.air`.
"""

from __future__ import annotations

import numpy as np

from tools import bundles, density

#: Every patient has fat, so that one voxel in a hundred is darker than this, HU; a volume without
#: its intercept has none.
DARKEST_HU, DARKEST_PERCENT = -20.0, 1.0

_air = bundles.module(density.NAME, "bmd_bundle.air")

air_hu = _air.air_hu
AIR_HU, DARK_HU, TOLERANCE_HU = _air.AIR_HU, _air.DARK_HU, _air.TOLERANCE_HU


def problem(image: np.ndarray, affine: np.ndarray) -> str | None:
    """Say what is wrong with a scan's scale.

    Args:
        image: HU [X, Y, Z] as the scan holds them: cut off at -1024, air of any lower reading would
            look right.
        affine: 4x4 voxel to RAS+ millimetre matrix.

    Returns:
        One line for the log, or None: nothing wrong, or nothing to tell it by.
    """
    air = air_hu(image, affine)
    if air is not None and abs(air - _air.AIR_HU) > _air.TOLERANCE_HU:
        return f"air beside the patient reads {air:.0f} HU, not {_air.AIR_HU:.0f}"
    view, _, _ = _air.thinned(np.asarray(image), np.asarray(affine, dtype=float))
    lowest = float(np.percentile(view, DARKEST_PERCENT))
    if lowest > DARKEST_HU:
        return f"nothing is darker than {lowest:.0f} HU, where every patient has fat"
    return None
