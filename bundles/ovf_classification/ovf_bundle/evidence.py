"""Where in a CT the evidence of a fracture lies: occlusion maps of the slices that show it best.

A patch the size of a vertebra is moved over a slice, and what the slice's logit loses where it lies
is the map (S1; MONAI's `OcclusionSensitivity`). Logits, because a probability near 1 hardly moves.

    evidence = occlude(network, image, places)
    evidence[0].peak_ras_mm
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from monai.visualize import OcclusionSensitivity
from nibabel.affines import apply_affine, voxel_sizes
from torch import nn

from ovf_bundle.shrink import to_source

#: Edge of the patch, mm: about the height of a lumbar body with its endplates.
MASK_MM = 30.0
#: How much two patches beside each other share.
OVERLAP = 0.4
#: Window value of bone: 150 HU in the window -250 to 750.
BONE = 0.4
#: Part of a slice's bone that may lie beyond the field looked at without a box, on each side.
BEYOND = 0.05


@dataclass(frozen=True)
class Evidence:
    """What occlusion shows of one slice.

    Attributes:
        slice: Its number among all slices of the CT.
        logit: What the slice says unchanged.
        drop: What the logit loses where the patch lies, float32 [rows, columns]; NaN outside the
            field looked at. Below 0 the patch makes a fracture more likely.
        peak_ras_mm: Where it loses most, RAS+ mm [3].
    """

    slice: int
    logit: float
    drop: np.ndarray
    peak_ras_mm: np.ndarray


class OneSlice(nn.Module):
    """The slice head of a `SliceSequenceNet` as a network of its own: [N, C, H, W] -> [N, 1]."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Read slices, one by one."""
        logits: torch.Tensor = self.network.slice_logits(image.unsqueeze(2))
        return logits


def occlude(
    network: Any,
    image: torch.Tensor,
    places: np.ndarray | torch.Tensor,
    source_pixels: int = 512,
    slices: int = 1,
    box_ras_mm: np.ndarray | None = None,
    mask_mm: float = MASK_MM,
    overlap: float = OVERLAP,
    fill: str | float = "mean_patch",
    batch: int = 8,
) -> list[Evidence]:
    """Occlude the slices that speak loudest for a fracture.

    Args:
        network: `SliceSequenceNet`; used as it is in evaluation.
        image: What it sees of one CT, [C, S, rows, columns].
        places: Matrices that `SagittalSlicesd` left, [parts, 4, 4].
        source_pixels: Edge of the pictures that the matrices are of.
        slices: How many slices, those with the highest logits.
        box_ras_mm: Two opposite corners of a box to look at, RAS+ mm [2, 3], such as that of the
            bodies; of slices beside it too. None: where a slice shows bone.
        mask_mm: Edge of the patch, mm.
        overlap: Part that two patches beside each other share, 0 to below 1; the higher, the finer
            and slower.
        fill: What the patch becomes, as in `OcclusionSensitivity`: a value, or "mean_patch", its
            own mean, so that a body turns into a block as dense as itself.
        batch: Slices the network sees at a time.

    Returns:
        One for each slice, the highest logit first.
    """
    one = OneSlice(network)
    pictures = image.as_subclass(torch.Tensor).transpose(0, 1)
    with torch.no_grad():
        logits = one(pictures).flatten()
    matrices = torch.as_tensor(places).cpu().numpy() @ to_source(
        (source_pixels,) * 2, image.shape[-1]
    )
    per_part = len(pictures) // len(matrices)
    found = []
    for number in logits.topk(min(slices, len(pictures))).indices.tolist():
        place, picture = matrices[number // per_part], pictures[number]
        field = (
            box_of_bone(picture[0]) if box_ras_mm is None else box_in(box_ras_mm, place, picture)
        )
        edge = max(1, round(mask_mm / float(voxel_sizes(place)[1])))
        occlusion = OcclusionSensitivity(
            one, mask_size=edge, n_batch=batch, verbose=False, mode=fill, overlap=overlap,
            activate=False,
        )  # fmt: skip
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using a non-tuple sequence")  # of MONAI's own code
            occluded, _ = occlusion(picture[None], b_box=field)
        drop = np.full(picture.shape[1:], np.nan, dtype=np.float32)
        rows, columns = slice(*field[:2]), slice(*field[2:])
        drop[rows, columns] = float(logits[number]) - occluded[0, 0].cpu().numpy()
        at = [number % per_part, *peak(drop)]
        found.append(Evidence(number, float(logits[number]), drop, apply_affine(place, at)))
    return found


def peak(drop: np.ndarray) -> np.ndarray:
    """Middle of the highest values of a map, (row, column); patches leave plateaus."""
    return np.argwhere(drop >= np.nanmax(drop)).mean(axis=0)


def box_of_bone(picture: torch.Tensor) -> list[int]:
    """Rows and columns that show bone, [first row, end, first column, end]; all without bone."""
    field = []
    for axis, size in ((1, picture.shape[0]), (0, picture.shape[1])):
        bone = (picture > BONE).sum(dim=axis).cumsum(dim=0).double().cpu().numpy()
        if not bone[-1]:
            return [0, picture.shape[0], 0, picture.shape[1]]
        ends = np.searchsorted(bone, [BEYOND * bone[-1], (1 - BEYOND) * bone[-1]])
        field += [int(ends[0]), min(int(ends[1]) + 1, size)]
    return field


def box_in(box_ras_mm: np.ndarray, place: np.ndarray, picture: torch.Tensor) -> list[int]:
    """Rows and columns of a picture [C, rows, columns] that a box covers, at least one of each."""
    corners = np.array(list(product(*np.asarray(box_ras_mm, dtype=float).T)))
    index = apply_affine(np.linalg.inv(place), corners)[:, 1:]
    field = []
    for axis, size in enumerate(picture.shape[1:]):
        first = int(np.clip(np.floor(index[:, axis].min()), 0, size - 1))
        field += [first, int(np.clip(np.ceil(index[:, axis].max()) + 1, first + 1, size))]
    return field
