"""Which vertebral bodies carry ribs, read from the CT itself: the anchor where no sacrum shows.

The lowest body with ribs is T12 if a complete body without ribs lies below it. A rib is bone that
can be followed without a break from beside its body to where no transverse process reaches: those
of L1-L4 end 35-50 mm from the midline, a rib goes on. In doubt the answer is a length between the
two limits, or None.

    evidence = ribbed_bodies(wide, affine, centroids_mm)
    t12 = last_ribbed(evidence, complete)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbar_bundle.rib_tracks import (
    BEHIND_MM,
    RIB_MM,
    STEP_MM,
    Root,
    lengths_mm,
    noise_hu,
    straighten,
)

#: Noise on the 3 mm grid above which soft tissue passes for bone too often, HU.
MOST_NOISE_HU = 40.0

#: Side wall of a body from its middle where its extent is not given, and bounds of it, mm.
HALF_WIDTH_MM, HALF_WIDTHS_MM = 22.0, (18.0, 28.0)
#: A rib's neck is looked for this far before and behind the middle of its body, mm: heads lie at
#: the back half of the side wall, transverse processes up to 30 mm behind the rear wall.
ROOT_BEFORE_MM, ROOT_BEHIND_MM = 5.0, 48.0
#: ... and so far below and above the middle, as shares of the distance between bodies. Heads of
#: T11 and T12 join their own pedicles, those of T10 and higher also the disc above.
ROOT_BELOW, ROOT_ABOVE = 0.20, 0.65
#: Distance between neighbouring bodies: usual, and bounds, mm (T10 to L5).
PITCH_MM, PITCHES_MM = 30.0, (20.0, 42.0)
#: A body nearer to its neighbour than this is cut by the field, mm: T10 of a small woman and the
#: disc below it are 25 mm high.
LEAST_PITCH_MM = 25.0

#: Length beside the body up to which bone is a transverse process, mm: L3's, the longest, ends
#: about 50 mm from the midline.
PROCESS_MM = 30.0
#: Length from which a transverse process is seen, mm: L1's ends about 36 mm from the midline, those
#: of T12 are knobs that end at about 24. A body whose rib is too faint to see is then not taken
#: for a lumbar one.
SEEN_MM = 9.0


@dataclass(frozen=True)
class RibEvidence:
    """Bone followed outwards from beside one body, mm; None where the field cannot tell.

    Attributes:
        left_mm: On the patient's left.
        right_mm: On the patient's right.
    """

    left_mm: float | None
    right_mm: float | None


def ribbed_bodies(
    wide: np.ndarray,
    affine: np.ndarray,
    centroids_mm: np.ndarray,
    extents_mm: np.ndarray | None = None,
) -> list[RibEvidence]:
    """Follow bone outwards from every vertebral body.

    Args:
        wide: HU [X, Y, Z], about 90 mm to each side of the spine, isotropic 3 mm.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        centroids_mm: Centres of the bodies from bottom to top, RAS+ mm [N, 3].
        extents_mm: Sizes of the bodies along x, y, z, mm [N, 3]; usual ones if not given.

    Returns:
        One per body, bottom to top: lengths in mm from the body's side wall; up to `PROCESS_MM`
        is no rib, from `RIB_MM` is one, between is uncertain; None where the field is too small,
        blank or too noisy.

    Raises:
        ValueError: If the volume or the centroids have the wrong shape.
    """
    centroids = np.asarray(centroids_mm, dtype=float)
    if wide.ndim != 3 or centroids.ndim != 2 or centroids.shape[1] != 3:
        raise ValueError(
            f"need a volume [X, Y, Z] and centroids [N, 3], not {wide.shape}, {centroids.shape}"
        )
    if len(centroids) == 0:
        return []
    volume, heights, low = straighten(wide, np.asarray(affine, dtype=float), centroids)
    if noise_hu(volume) > MOST_NOISE_HU:
        return [RibEvidence(None, None)] * len(centroids)
    roots = _roots(_completed(heights) - low, extents_mm, volume.shape[2])
    middle = volume.shape[0] // 2
    sides = [lengths_mm(half, roots) for half in (volume[middle::-1], volume[middle:])]
    return [RibEvidence(left, right) for left, right in zip(*sides, strict=True)]


def last_ribbed(evidence: Sequence[RibEvidence], complete: Sequence[bool]) -> int | None:
    """The lowest body with ribs, if it is certain.

    It carries ribs and no body above it is surely without; the next body below is complete and
    surely without, and none further below carries any. To be without, both sides must show it, one
    of them surely; one side is enough to carry them if the body above does too, but the highest
    body must carry them on both.

    Args:
        evidence: Of every body, bottom to top.
        complete: Whether each body lies in the field whole.

    Returns:
        Its index, or None if the evidence is missing, uncertain or contradicts itself.

    Raises:
        ValueError: If the two differ in length.
    """
    if len(evidence) != len(complete):
        raise ValueError(f"{len(evidence)} bodies with evidence, but {len(complete)} complete")
    signs = [_carries(item) for item in evidence]
    last = next((index for index, sign in enumerate(signs) if sign is True), 0)
    sure = last > 0 and complete[last - 1] and signs[last - 1] is False
    if not sure or any(sign is False for sign in signs[last:]):
        return None
    both = all(side is not None and side >= RIB_MM for side in _sides(evidence[last]))
    return last if both or any(sign is True for sign in signs[last + 1 : last + 2]) else None


def _sides(evidence: RibEvidence) -> tuple[float | None, float | None]:
    return evidence.left_mm, evidence.right_mm


def _carries(evidence: RibEvidence) -> bool | None:
    """Whether a body carries ribs; None if the sides disagree, waver or are not to be seen."""
    sides = [side for side in _sides(evidence) if side is not None]
    if not sides:
        return None
    if max(sides) >= RIB_MM and min(sides) > PROCESS_MM:
        return True
    process = any(SEEN_MM <= side <= PROCESS_MM for side in sides)
    return False if len(sides) == 2 and max(sides) < RIB_MM and process else None


def _roots(heights: np.ndarray, extents_mm: np.ndarray | None, planes: int) -> list[Root]:
    """Where ribs begin: at the given bodies, and above them where more bodies would be.

    Args:
        heights: Of the bodies above the first plane, mm [N].
        extents_mm: Sizes of the bodies, mm [N, 3], or None.
        planes: Number of planes of the field.
    """
    gaps = np.diff(heights)
    pitch = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    pitch = np.clip(np.where(np.isfinite(pitch), pitch, PITCH_MM), *PITCHES_MM)
    half = np.full(len(heights), HALF_WIDTH_MM)
    if extents_mm is not None:
        half = np.clip(np.asarray(extents_mm, dtype=float)[:, 0] / 2, *HALF_WIDTHS_MM)
    places = [(*place, True) for place in zip(heights, pitch, half, strict=True)]
    while (above := places[-1][0] + pitch[-1]) < planes * STEP_MM:
        places.append((above, pitch[-1], half[-1], False))
    depth = (
        round((BEHIND_MM - ROOT_BEHIND_MM) / STEP_MM),
        round((BEHIND_MM + ROOT_BEFORE_MM) / STEP_MM) + 1,
    )
    return [
        Root(
            start=round(side / STEP_MM) + 1,
            depth=depth,
            height=(
                round((at - ROOT_BELOW * gap) / STEP_MM),
                round((at + ROOT_ABOVE * gap) / STEP_MM) + 1,
            ),
            known=known,
        )
        for at, gap, side, known in places
    ]


def _completed(heights: np.ndarray) -> np.ndarray:
    """Put the end bodies where they would be if the field did not cut them, mm [N].

    A cut body's middle lies nearer to its neighbour than the neighbours' do to each other.
    """
    heights = heights.copy()
    if len(heights) > 1:
        below, above = heights[1] - heights[0], heights[-1] - heights[-2]
        if len(heights) > 2:
            below, above = heights[2] - heights[1], heights[-2] - heights[-3]
        heights[0] = min(heights[0], heights[1] - max(below, LEAST_PITCH_MM))
        heights[-1] = max(heights[-1], heights[-2] + max(above, LEAST_PITCH_MM))
    return heights
