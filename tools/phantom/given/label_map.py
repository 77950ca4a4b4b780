"""Reading a vertebra label map: which level each label is, or one line on why it is no spine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tools.levels import HEAD_TO_FOOT, TOTALSEGMENTATOR_IDS, VERSE_IDS
from tools.phantom.anatomy.sizes import LEVEL_SIZES
from tools.volumes import read_nifti

#: Label systems of whole vertebrae that are understood.
SCHEMES: Mapping[str, Mapping[str, int]] = {
    "verse": VERSE_IDS,
    "totalsegmentator": TOTALSEGMENTATOR_IDS,
}
#: VerSe's T13, which the phantom has no place for.
VERSE_T13 = 28
#: Voxels coarser than this along an axis show no vertebra, mm.
COARSEST_MM = 4.0


@dataclass(frozen=True)
class LabelMap:
    """Whole vertebrae of one person.

    Attributes:
        name: File name, for messages.
        levels: Level -> voxels of the vertebra, bool [X, Y, Z], head to foot; contiguous.
        affine: 4x4 voxel to RAS+ millimetre matrix, of any orientation and obliquity.
    """

    name: str
    levels: dict[str, np.ndarray]
    affine: np.ndarray


def read(path: Path, scheme: str) -> LabelMap:
    """Read a label map of whole vertebrae.

    Args:
        path: NIfTI of any orientation, spacing and obliquity; floats must hold whole numbers.
        scheme: A key of `SCHEMES`.

    Raises:
        ValueError: If the file is no label map of a spine; one line that says why.
    """
    try:
        array, affine = read_nifti(path)
    except ValueError as error:
        raise ValueError(f"given_map.path: {error}") from error
    return interpret(array, affine, scheme, path.name)


def interpret(array: np.ndarray, affine: np.ndarray, scheme: str, name: str) -> LabelMap:
    """Find the levels of a label map in memory; arguments and errors as in `read`."""
    found = f"given_map: {name}"
    if array.ndim != 3:
        raise ValueError(f"{found}: has {array.ndim} axes; a label map has three")
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise ValueError(f"{found}: holds {array.dtype} values; a label map holds whole numbers")
    if np.issubdtype(array.dtype, np.floating) and not np.array_equal(array, np.rint(array)):
        raise ValueError(f"{found}: holds fractions; a label map holds whole numbers")
    volume = abs(np.linalg.det(affine[:3, :3])) if np.isfinite(affine).all() else 0.0
    if volume < 1e-6 or np.linalg.norm(affine[:3, :3], axis=0).max() > COARSEST_MM:
        raise ValueError(f"{found}: its voxels are no boxes of at most {COARSEST_MM:g} mm")
    ids = {int(value) for value in np.unique(array) if value}
    if not ids:
        raise ValueError(f"{found}: is empty")
    known = SCHEMES[scheme]
    odd = [level for level in ("L6",) if known.get(level) in ids]
    if scheme == "verse" and VERSE_T13 in ids:
        odd.append("T13")
    if odd:
        raise ValueError(f"{found}: holds {' and '.join(odd)}, for which the phantom has no place")
    levels = {level: array == known[level] for level in LEVEL_SIZES if known[level] in ids}
    if not levels:
        shown = ", ".join(str(value) for value in sorted(ids)[:6])
        raise ValueError(f"{found}: no label of T4 to L5 in the {scheme} scheme; it holds {shown}")
    _refuse_gaps(found, levels)
    _refuse_bad_order(found, levels, affine, scheme)
    return LabelMap(name, levels, affine)


def _refuse_gaps(found: str, levels: dict[str, np.ndarray]) -> None:
    order = list(HEAD_TO_FOOT)
    places = [order.index(level) for level in levels]
    for level in order[min(places) : max(places)]:
        if level not in levels:
            raise ValueError(f"{found}: {level} is missing between its neighbours")


def _refuse_bad_order(
    found: str, levels: dict[str, np.ndarray], affine: np.ndarray, scheme: str
) -> None:
    heights = [
        float((affine @ [*np.argwhere(inside).mean(0), 1.0])[2]) for inside in levels.values()
    ]
    if any(above <= below for above, below in pairwise(heights)):
        raise ValueError(f"{found}: its levels do not follow head to foot; are its ids {scheme}?")
