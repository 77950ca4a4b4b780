"""`RestoreLevelsd`: named levels brought from the working grid to the input's own grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform

from lumbar_bundle.classes import LEVELS
from lumbar_bundle.grids import box_in, check_grid, sample, shifted, to_ras, to_world

#: A voxel belongs to a body from this probability on.
INSIDE = 0.5
#: Voxels of the working grid kept about the levels, and of the input's: room to interpolate.
MARGIN = 2


class RestoreLevels(Transform):
    """Draw named levels on the grid that the input was stored on.

    A voxel of the input gets the nearest name where the body probability, interpolated linearly, is
    at least 0.5: so names, which are coarse, end inside and the outline is as fine as the input.
    Only the levels' bounding box is looked at; the rest is 0.
    """

    def __call__(  # type: ignore[override]
        self, names: MetaTensor, body: torch.Tensor
    ) -> MetaTensor:
        """Draw the levels.

        Args:
            names: Ids on the working grid, reaching past the bodies' edges, uint8 [1, X, Y, Z];
                meta data hold the input's `original_affine` and `spatial_shape`.
            body: Probability of a vertebral body, float [1, X, Y, Z].

        Returns:
            Ids on the input's grid, uint8 [1, X, Y, Z], with the input's affine.

        Raises:
            ValueError: If the meta data do not tell the input's grid, or the shapes differ.
        """
        affine, shape = _input_grid(names)
        if names.shape != body.shape:
            raise ValueError(
                f"names {tuple(names.shape)} and body probability {tuple(body.shape)} differ in "
                "shape; both must be on the working grid"
            )
        stored = np.zeros(shape, dtype=np.uint8)
        ids = names.detach().cpu().numpy()[0].astype(np.uint8)
        if ids.any():
            grid = np.asarray(names.affine, dtype=float)
            found = tuple(
                slice(max(0, int(at.min()) - MARGIN), int(at.max()) + MARGIN + 1)
                for at in np.nonzero(ids)
            )
            ids, grid = ids[found], shifted(grid, found)
            probability = body.detach().cpu().numpy()[0][found].astype(np.float32)
            view, ras = to_ras(stored, affine)
            part = box_in(view.shape, ras, ids.shape, grid, MARGIN)
            if part is not None:
                size, corner = view[part].shape, shifted(ras, part)
                nearest = sample(ids, grid, size, corner, order=0, outside=0)
                inside = sample(probability, grid, size, corner, order=1, outside=0) >= INSIDE
                view[part] = nearest * inside
        meta = {key: value for key, value in names.meta.items() if key != "affine"}
        return MetaTensor(
            torch.from_numpy(stored[None]), affine=torch.from_numpy(affine), meta=meta
        )


class RestoreLevelsd(MapTransform):
    """Dictionary form of `RestoreLevels`; also measures each level where it was drawn.

    `levels[name]["centroid_ras_mm"]` becomes the level's centre of mass, RAS+ mm [3], and
    `["volume_mm3"]` its volume: both None for a level without voxels, the volume None for a single
    slice, which has none.

    Args:
        keys: Names, the key that gets the restored ids.
        body_key: Body probability on the working grid.
        levels_key: Dictionary of the levels; nothing is measured where it is missing.
        allow_missing_keys: As in MONAI.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        body_key: str = "body",
        levels_key: str = "levels",
        allow_missing_keys: bool = False,
    ) -> None:
        """Store the settings."""
        super().__init__(keys, allow_missing_keys)
        self.body_key = body_key
        self.levels_key = levels_key
        self.restore = RestoreLevels()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Restore and measure."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.restore(result[key], result[self.body_key])
            if self.levels_key in result:
                measured = measure(result[key])
                result[self.levels_key] = {
                    name: {**level, **measured.get(name, {})}
                    for name, level in result[self.levels_key].items()
                }
        return result


def measure(ids: MetaTensor) -> dict[str, dict[str, Any]]:
    """Measure every level of a label map.

    Args:
        ids: Label ids 1-4, [1, X, Y, Z], affine to RAS+ millimetres.

    Returns:
        For every level, drawn or not: `centroid_ras_mm` and `volume_mm3`.
    """
    array = ids.detach().cpu().numpy()[0]
    view, ras = to_ras(array, np.asarray(ids.affine, dtype=float))
    voxel_mm3 = float(abs(np.linalg.det(ras[:3, :3])))
    places = np.argwhere(view)
    numbers = view[tuple(places.T)]
    measured: dict[str, dict[str, Any]] = {}
    for name, number in LEVELS.items():
        voxels = places[numbers == number]
        empty = len(voxels) == 0
        centre = None if empty else to_world(ras, voxels.mean(axis=0)).tolist()
        volume = None if empty or view.shape[0] == 1 else len(voxels) * voxel_mm3
        measured[name] = {"centroid_ras_mm": centre, "volume_mm3": volume}
    return measured


def _input_grid(names: MetaTensor) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of the file that a working-grid tensor was made from."""
    meta = names.meta
    missing = [key for key in ("original_affine", "spatial_shape") if key not in meta]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} missing from the meta data of the levels; keep the meta data "
            "that SpineSlabd wrote"
        )
    affine = np.array(meta["original_affine"], dtype=float)
    shape = tuple(int(size) for size in np.asarray(meta["spatial_shape"]).ravel())
    check_grid(shape, affine, str(meta.get("filename_or_obj", "image")))
    return affine, (shape[0], shape[1], shape[2])
