"""How well label maps agree, per level, with S2's rules for what counts.

S2 section 3.2: DSC = 2 TP / (2 TP + FP + FN), PPV = TP / (TP + FP), sensitivity = TP / (TP + FN); a
scan is valid for measuring density when all four DSC exceed 0.5. A level that was refused, or whose
case failed, has DSC 0; a level that the reference does not show completely is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics import compute_confusion_matrix_metric, compute_dice, get_confusion_matrix
from monai.metrics.utils import get_surface_distance
from scipy import ndimage

from lumbar_bundle.classes import LEVELS

#: S2: a scan is valid when the DSC of all levels exceeds this.
VALID_DSC = 0.5
#: Ids of vertebral bodies in reference maps; the sacrum (6) is none.
BODY_IDS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
#: A field this narrow cuts every body on purpose (sagittal reformats), mm; along that axis a body
#: at the border still counts as complete.
NARROW_MM = 60.0


@dataclass(frozen=True)
class Score:
    """Agreement of one level.

    Attributes:
        present: Whether the reference shows the whole body; None if there is no reference.
        dsc: Dice coefficient; 0 if nothing was written, None if not present.
        ppv: Share of the written voxels that are right; None if nothing was written.
        sensitivity: Share of the body that was written.
        msd_mm: Mean symmetric surface distance, mm; None if nothing was written.
        named_right: Whether the level written lies mostly on the reference body of that name;
            None if nothing was written.
    """

    present: bool | None
    dsc: float | None = None
    ppv: float | None = None
    sensitivity: float | None = None
    msd_mm: float | None = None
    named_right: bool | None = None


def score_levels(
    pred: np.ndarray, reference: np.ndarray, spacing_mm: tuple[float, float, float]
) -> dict[str, Score]:
    """Compare two label maps of one grid.

    Args:
        pred: Label ids written, [X, Y, Z].
        reference: Label ids of all visible bodies, [X, Y, Z].
        spacing_mm: Voxel edges, mm.

    Returns:
        A score per level, L1 to L4.

    Raises:
        ValueError: If the maps differ in shape.
    """
    if pred.shape != reference.shape:
        raise ValueError(f"label maps of shape {pred.shape} and {reference.shape} do not compare")
    whole = complete_levels(reference, spacing_mm)
    return {
        level: _score(pred == label, reference, label, whole[level], spacing_mm)
        for level, label in LEVELS.items()
    }


def complete_levels(
    reference: np.ndarray, spacing_mm: tuple[float, float, float]
) -> dict[str, bool]:
    """Tell which levels the reference shows completely: there, and off the borders of the field.

    Args:
        reference: Label ids [X, Y, Z].
        spacing_mm: Voxel edges, mm.
    """
    extent = np.array(reference.shape) * np.array(spacing_mm)
    cut = np.zeros(reference.shape, dtype=bool)
    for axis in np.flatnonzero(extent >= NARROW_MM):
        for end in (0, -1):
            cut[(slice(None),) * axis + (end,)] = True
    ids, border = set(np.unique(reference).tolist()), set(np.unique(reference[cut]).tolist())
    return {level: label in ids and label not in border for level, label in LEVELS.items()}


def refused_scores(present: Mapping[str, bool | None]) -> dict[str, Score]:
    """Score a case that failed: nothing was written.

    Args:
        present: Per level whether the reference shows it; None if there is no reference.
    """
    return {level: _nothing_written(present[level]) for level in LEVELS}


def scan_valid(scores: Mapping[str, Score]) -> bool | None:
    """Apply S2's rule: all four DSC exceed 0.5.

    Returns:
        None if the reference does not show all four levels completely.

    Examples:
        >>> four = {level: Score(True, dsc=0.9) for level in ("L1", "L2", "L3", "L4")}
        >>> scan_valid(four), scan_valid({**four, "L4": Score(True, dsc=0.5)})
        (True, False)
    """
    if not all(score.present for score in scores.values()):
        return None
    return all((score.dsc or 0.0) > VALID_DSC for score in scores.values())


def name_is_right(mask: np.ndarray, reference: np.ndarray, label: int) -> bool:
    """Tell whether a mask lies mostly on the reference body of its name.

    Args:
        mask: Where the level was written, bool [X, Y, Z], not empty.
        reference: Label ids of all visible bodies, same shape.
        label: Id of the level.

    Returns:
        True if more voxels lie on that body than on any other, and on it more than on all others
        together. A mask that lies on no body at all is wrong.
    """
    counts = np.bincount(reference[mask].astype(np.int64), minlength=max(BODY_IDS) + 1)
    own = int(counts[label])
    return own > 0 and 2 * own > int(counts[list(BODY_IDS)].sum())


def _nothing_written(present: bool | None) -> Score:
    return Score(present, dsc=0.0, sensitivity=0.0) if present else Score(present)


def _score(
    mask: np.ndarray,
    reference: np.ndarray,
    label: int,
    present: bool,
    spacing_mm: tuple[float, float, float],
) -> Score:
    """Score one level; see `Score`."""
    if not mask.any():
        return _nothing_written(present)
    right = name_is_right(mask, reference, label)
    if not present:
        return Score(False, named_right=right)
    body = reference == label
    box = _box(mask | body)
    mask, body = np.ascontiguousarray(mask[box]), np.ascontiguousarray(body[box])
    one, other = (torch.from_numpy(part)[None, None].float() for part in (mask, body))
    matrix = get_confusion_matrix(one, other)
    return Score(
        True,
        dsc=float(compute_dice(one, other)),
        ppv=float(compute_confusion_matrix_metric("precision", matrix)),
        sensitivity=float(compute_confusion_matrix_metric("sensitivity", matrix)),
        msd_mm=surface_distance_mm(mask, body, spacing_mm),
        named_right=right,
    )


def surface_distance_mm(
    one: np.ndarray, other: np.ndarray, spacing_mm: tuple[float, float, float]
) -> float:
    """Mean distance of two surfaces, each surface voxel to the nearest of the other mask.

    What lies at the border of the array is no surface there: the slices of a sagittal reformat,
    above all a single one, have outlines only.

    Args:
        one: Mask [X, Y, Z], not empty.
        other: Mask of the same shape, not empty.
        spacing_mm: Voxel edges, mm.

    Examples:
        >>> one, other = np.zeros((2, 1, 9, 9), dtype=bool)
        >>> one[0, 2:5, 2:7], other[0, 2:6, 2:7] = True, True
        >>> round(surface_distance_mm(one, other, (1.0, 2.0, 1.0)), 3)  # 14 mm over 26 voxels
        0.538
    """
    edges = [mask & ~ndimage.binary_erosion(mask, border_value=1) for mask in (one, other)]
    there = get_surface_distance(edges[0], edges[1], spacing=spacing_mm)
    back = get_surface_distance(edges[1], edges[0], spacing=spacing_mm)
    return float(np.concatenate([np.ravel(there), np.ravel(back)]).mean())


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Box about a mask with a margin of one voxel where the field has one."""
    box = []
    for axis, size in enumerate(mask.shape):
        held = np.flatnonzero(mask.any(axis=tuple(i for i in range(mask.ndim) if i != axis)))
        box.append(slice(max(0, held[0] - 1), min(size, held[-1] + 2)))
    return tuple(box)
