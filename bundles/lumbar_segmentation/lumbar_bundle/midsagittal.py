"""S2 section 3.1 as it stands: the foramen in native slices, and ten sagittal slices about it.

`foramen_s2` is kept for comparison: in thick slices it finds next to nothing. `MidSagittalSlicesd`
takes the place of `SpineSlabd` in the study's ten-slice mode (`configs/slab_s2.yaml`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.config import KeysCollection
from scipy import ndimage

from lumbar_bundle.foramen import BONE_HU, label_holes
from lumbar_bundle.grids import spacing_mm, to_index, to_ras, to_world, unpack
from lumbar_bundle.planning import Slab, in_plane_grid, plan_slab
from lumbar_bundle.slab import SpineSlab, SpineSlabd

#: Radius of the closing; the study gives none: about two pixels of its scans, mm.
CLOSING_MM = 1.5
#: Smallest hole in space that is no noise; the study gives none: 5 mm of a canal of 1 cm2, mm3.
LEAST_MM3 = 500.0
#: Candidates of the study: ten consecutive sagittal slices.
SLICES = 10


def foramen_s2(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Find the vertebral foramen on each axial slice by the study's recipe.

    Threshold at 150 HU, closing, NOT, remove background, 3-D denoising, all on the scan's own
    slices; the centre is that of what is left on a slice.

    Args:
        array: HU [X, Y, Z], any orientation.
        affine: Its 4x4 voxel to RAS+ millimetre matrix.

    Returns:
        Centres from bottom to top, RAS+ millimetres [N, 3]; slices without a hole have none.
    """
    view, ras = to_ras(array, affine)
    labels = label_holes(view > BONE_HU, spacing_mm(ras), CLOSING_MM)
    solid, count = ndimage.label(labels > 0)
    sizes_mm3 = np.bincount(solid.ravel(), minlength=count + 1) * abs(np.linalg.det(ras[:3, :3]))
    kept = (solid > 0) & (sizes_mm3 >= LEAST_MM3)[solid]
    centres = [
        [*(float(axis.mean()) for axis in np.nonzero(kept[:, :, z])), z]
        for z in np.flatnonzero(kept.any(axis=(0, 1)))
    ]
    return to_world(ras, np.array(centres).reshape(-1, 3))


class MidSagittalSlices(SpineSlab):
    """Cut the consecutive sagittal slices that hold the spinal centre out of a CT.

    The spinal centre is the mean of the canal's centres over the axial slices (S2 section 3.1).
    The slices are the scan's own: as far apart as its voxels from right to left, not turned.

    Args:
        slices: How many; fewer where the scan has fewer.
        spacing_mm: Pixel edge within the slices, mm.
        method: "curve" takes the centre from the canal curve, which is found at any thickness;
            "s2" from the study's own recipe. Without a foramen the stack's middle is taken.

    Raises:
        ValueError: If the method is unknown or no slice is asked for.
    """

    def __init__(
        self, slices: int = SLICES, spacing_mm: float = 2.0, method: str = "curve"
    ) -> None:
        """Store the settings."""
        if method not in ("curve", "s2"):
            raise ValueError(f"method is {method!r}; choose curve or s2")
        if slices < 1:
            raise ValueError(f"slices is {slices}; ask for one or more")
        super().__init__(spacing_mm=spacing_mm)
        self.slices = slices
        self.method = method

    def plan(self, image: torch.Tensor) -> Slab:
        """Choose the slices of a CT [1, X, Y, Z] in HU.

        Raises:
            ValueError: If it is no volume in space, or holds values that are not finite.
        """
        array, affine, name = unpack(image)
        found = plan_slab(array, affine, self.reach, name)
        centres = foramen_s2(array, affine) if self.method == "s2" else found.curve
        view, ras = to_ras(array, affine)
        middle = (view.shape[0] - 1) / 2
        at = float(to_index(ras, centres)[:, 0].mean()) if len(centres) else middle
        count = min(self.slices, view.shape[0])
        first = int(np.clip(np.round(at - (count - 1) / 2), 0, view.shape[0] - count))
        step = np.array([spacing_mm(ras)[0], *self.reach.step[1:]])
        shape, grid = in_plane_grid(view.shape, ras, step, first, count)
        return Slab(shape, grid, found.curve, found.coarse)


class MidSagittalSlicesd(SpineSlabd):
    """Dictionary form of `MidSagittalSlices`; gives the same keys as `SpineSlabd`.

    Args:
        keys: CT first, then labels, if any.
        mode: "bilinear" or "nearest", one for all keys or one per key.
        slices: How many slices.
        spacing_mm: Pixel edge within the slices, mm.
        method: "curve" or "s2".
        curve_key: Where the canal curve goes, float32 [N, 3], RAS+ mm.
        wide_key: Where the CT on the 3 mm grid for the ribs goes; None: not made.
        allow_missing_keys: As in MONAI.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mode: str | Sequence[str] = "bilinear",
        slices: int = SLICES,
        spacing_mm: float = 2.0,
        method: str = "curve",
        curve_key: str | None = "curve",
        wide_key: str | None = "wide",
        allow_missing_keys: bool = False,
    ) -> None:
        """Store the settings."""
        super().__init__(
            keys,
            mode,
            curve_key=curve_key,
            wide_key=wide_key,
            allow_missing_keys=allow_missing_keys,
        )
        self.slab = MidSagittalSlices(slices, spacing_mm, method)
