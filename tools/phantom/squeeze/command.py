"""Squeezing one body of a labelled CT: the function behind `python -m tools.phantom.squeeze`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tools.levels import LABEL_IDS
from tools.phantom.squeeze import warp
from tools.phantom.squeeze.field import Squeeze
from tools.phantom.squeeze.motion import RIM_SHARES
from tools.phantom.squeeze.plates import find

#: What is left of a body must still have endplates.
MOST_LOSS = 0.6
#: A broken body may be raised again by so much of its height, all of it alike.
MOST_GAIN = 0.6
KINDS = tuple(RIM_SHARES)


@dataclass(frozen=True)
class Squeezed:
    """A squeezed CT; all volumes [X, Y, Z] on the grid it came with.

    Attributes:
        ct: HU, of the type it came with.
        labels: Vertebral bodies, of the type they came with.
        coverage: Share of each voxel that a body fills, 0-1, float32: endplates lie where it
            passes one half, to a fraction of a voxel (`tools.screen.heights.measure`).
    """

    ct: np.ndarray
    labels: np.ndarray
    coverage: np.ndarray


def squeeze(
    ct: np.ndarray,
    labels: np.ndarray,
    affine: np.ndarray,
    level: str,
    loss: float,
    kind: str = "wedge",
    *,
    impaction: bool = False,
    seed: int | None = None,
    ids: Mapping[str, int] = LABEL_IDS,
) -> tuple[np.ndarray, np.ndarray]:
    """Make one vertebral body lower: CT and labels of `squeeze_softly`, with its arguments."""
    done = squeeze_softly(
        ct, labels, affine, level, loss, kind, impaction=impaction, seed=seed, ids=ids
    )
    return done.ct, done.labels


def squeeze_softly(
    ct: np.ndarray,
    labels: np.ndarray,
    affine: np.ndarray,
    level: str,
    loss: float,
    kind: str = "wedge",
    *,
    impaction: bool = False,
    seed: int | None = None,
    ids: Mapping[str, int] = LABEL_IDS,
) -> Squeezed:
    """Make one vertebral body of a CT lower by a known share of its height.

    What lies above comes down with it; soft tissue about the spine follows, fading out. A loss of
    0 goes through the same resampling as any other, so that texture does not tell it.

    Args:
        ct: HU [X, Y, Z]; any orientation, spacing and obliquity.
        labels: Vertebral bodies on the same grid, int [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix of both.
        level: Name, "L1".
        loss: Share of the body's height, 0 to 0.6: in front for a wedge, in the middle for a
            biconcave body, everywhere for a crushed one. Below 0, down to -0.6, the kind "crush"
            raises the body instead.
        kind: "wedge", "biconcave" or "crush".
        impaction: Whether mineral is kept, so that squeezed bone is denser; else HU are only moved.
        seed: Of noise that replaces what interpolation has taken, place by place; None adds none.
        ids: Level name -> id in `labels`.

    Returns:
        CT, labels and their coverage after the squeeze. Where tissue from above the field would
        come down, the field's last voxels are repeated.

    Raises:
        ValueError: If the loss, the kind or the level is unusable, the volumes differ in shape, or
            the body is cut off or has no shape of one.
    """
    least = -MOST_GAIN if kind == "crush" else 0
    if not least <= loss <= MOST_LOSS:
        raise ValueError(f"a loss of {loss} is outside {least} to {MOST_LOSS}")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    if ct.shape != labels.shape or ct.ndim != 3:
        raise ValueError(f"CT {ct.shape} and labels {labels.shape} are not two volumes of one grid")
    affine = np.asarray(affine, dtype=float)
    change = Squeeze(find(labels, affine, ids, level), level, loss, kind)
    inverse = np.linalg.inv(affine)

    def sources(index: np.ndarray) -> np.ndarray:
        points = index @ affine[:3, :3].T + affine[:3, 3]
        return change.sources(points) @ inverse[:3, :3].T + inverse[:3, 3]

    warped = warp.image(ct, sources)
    moved, coverages = warp.label_map(labels, sources)
    if impaction:
        warped = warp.thicken(warped, coverages[ids[level]], sources)
    if seed is not None:
        warped = warp.renoise(warped, ct, sources, seed)
    if np.issubdtype(ct.dtype, np.integer):
        limits = np.iinfo(ct.dtype)
        warped = np.clip(np.rint(warped), limits.min, limits.max)
    coverage = np.minimum(np.sum(list(coverages.values()), axis=0), 1).astype(np.float32)
    return Squeezed(warped.astype(ct.dtype), moved, coverage)
