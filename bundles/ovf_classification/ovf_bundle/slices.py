"""`SagittalSlicesd`: a CT of any grid becomes sagittal pictures of its middle, or of its spine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from nibabel.affines import voxel_sizes

from ovf_bundle.canal import canal_points
from ovf_bundle.common import NARROW_MM, is_sagittal_reformat
from ovf_bundle.cutting import cut, to_patient_order
from ovf_bundle.planning import Choice, Layout, plan, refusal

#: Where the slices stand: the middle of the scan's extent (S1), or the spinal canal.
CENTRES = ("extent", "canal")


class SagittalSlices(Transform):
    """Cut the central sagittal slices out of a CT (S1), in patient space.

    A picture holds the whole slice: it is a square as long as the slice's longer edge, at least
    250 mm, padded with -1024 HU, so that a pixel is as high as wide in mm.

    Args:
        share: Central part of the scan's width from right to left, or of a reformat's slices.
        least: Fewest slices; a reformat with fewer gives all it has.
        slice_mm: Thickness of slices cut from a volume, mm; each is the mean over it. Reformats
            keep their own.
        most_mm: A scan longer than this along the spine, mm, is cut into the fewest equal
            overlapping parts, each with its own slices: shrunk to one picture, a body would be too
            small to judge. None: one picture however long (S1).
        centre: "extent" or "canal" (`CENTRES`).
        pixels: Edge of a picture, pixels.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        share: float = 0.05,
        least: int = 3,
        slice_mm: float = 3.0,
        most_mm: float | None = 560.0,
        centre: str = "extent",
        pixels: int = 512,
    ) -> None:
        if centre not in CENTRES:
            raise ValueError(f"centre is {centre!r}; choose {' or '.join(CENTRES)}")
        self.choice = Choice(share, least, slice_mm, most_mm, pixels)
        self.centre = centre

    def __call__(self, image: torch.Tensor) -> tuple[MetaTensor, Layout]:
        """Cut the slices.

        Args:
            image: HU [1, X, Y, Z] with an affine, as `CheckCT` leaves it.

        Returns:
            HU, float32 [1, S, pixels, pixels], from right to left, rows from head to foot, columns
            from front to back; the parts of a long scan follow each other, head first. And where
            they lie.
        """
        affine = np.asarray(getattr(image, "affine", np.eye(4)), dtype=float)
        array = image.detach().cpu().numpy()[0]
        view, matrix = to_patient_order(array, affine)
        reformat = is_sagittal_reformat(view.shape, matrix)
        # So narrow a stack shows no arch from side to side; it was laid over the spine.
        narrow = reformat and view.shape[0] * voxel_sizes(matrix)[0] < NARROW_MM
        spine = np.zeros((0, 3)) if narrow else canal_points(view, matrix)
        layout = plan(view.shape, matrix, self.choice, spine, self.centre == "canal")
        values = torch.from_numpy(cut(view, matrix, layout)[None])
        meta = {k: v for k, v in getattr(image, "meta", {}).items() if k != "affine"}
        return MetaTensor(values, affine=torch.from_numpy(layout.places[0]), meta=meta), layout


class SagittalSlicesd(MapTransform):
    """Dictionary form of `SagittalSlices`; also says where the slices lie and what they show.

    Args:
        keys: Key of the CT.
        share: As in `SagittalSlices`, like all up to `pixels`.
        least: Fewest slices.
        slice_mm: Thickness of slices cut from a volume, mm.
        most_mm: Longest part of the spine in one picture, mm; None for all of it.
        centre: "extent" or "canal".
        pixels: Edge of a picture.
        places_key: Where the matrix of each part goes, from (slice, row, column) of its pictures to
            RAS+ mm, float64 [parts, 4, 4].
        facts_key: Where a dictionary goes: `slices` (of each part), `parts`, `reformat`,
            `slice_mm`, `pixel_mm`, `shape` and `spacing_mm` (of the CT), `reason` (text, why the
            slices cannot show what is looked for; empty if they may).
    """

    def __init__(
        self,
        keys: KeysCollection,
        share: float = 0.05,
        least: int = 3,
        slice_mm: float = 3.0,
        most_mm: float | None = 560.0,
        centre: str = "extent",
        pixels: int = 512,
        places_key: str = "places",
        facts_key: str = "facts",
    ) -> None:
        super().__init__(keys)
        self.cut = SagittalSlices(share, least, slice_mm, most_mm, centre, pixels)
        self.places_key, self.facts_key = places_key, facts_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with pictures in place of the CT."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            image = changed[key]
            changed[key], layout = self.cut(image)
            slice_mm, pixel_mm, _ = voxel_sizes(layout.places[0]).tolist()
            changed[self.places_key] = torch.from_numpy(layout.places)
            changed[self.facts_key] = {
                "slices": layout.slices,
                "parts": len(layout.places),
                "reformat": layout.reformat,
                "slice_mm": slice_mm,
                "pixel_mm": pixel_mm,
                "shape": torch.tensor(image.shape[1:]),
                "spacing_mm": torch.from_numpy(voxel_sizes(np.asarray(image.affine, dtype=float))),
                "reason": refusal(layout),
            }
        return changed
