"""Where the vertebral bodies lie, in patient millimetres: what metal and aorta are looked for by.

bodies.points_mm(instances, affine, ["L4", "L3", None])    # {"L4": [N, 3], ..., "#3": ...}
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage


def points_mm(
    instances: np.ndarray, affine: np.ndarray, names: Sequence[str | None] = ()
) -> dict[str, np.ndarray]:
    """Collect the voxels of every body.

    Args:
        instances: Number of each body, 1 at the bottom, 0 elsewhere, int [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        names: Name of every body from the bottom up, None where it has none.

    Returns:
        Name, or "#<number>" of a body without one, -> voxel centres, RAS+ mm [N, 3]; from the
        bottom up.
    """
    instances = np.asarray(instances)
    found = {}
    for number, box in enumerate(ndimage.find_objects(instances.astype(np.int32)), start=1):
        if box is None:
            continue
        index = np.argwhere(instances[box] == number) + [part.start for part in box]
        name = names[number - 1] if number <= len(names) else None
        found[name or f"#{number}"] = index @ affine[:3, :3].T + affine[:3, 3]
    return found
