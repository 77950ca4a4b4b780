"""Where in a body the patch fits: at its middle, as large as the margin to the surface allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle.body_frame import Body, PatchError

#: Step at which places and sizes are tried, mm.
STEP_MM = 0.5
#: The patch moves at most this far from the body's middle to keep its size, mm: further, it would
#: no longer be the middle.
MOST_SHIFT_MM = 3.0
#: A smaller square is no patch, mm: it would hold a quarter of the usual area and less.
LEAST_SIZE_MM = 10.0
#: A patch reaches at least this far up and down, mm: S2's slices.
LEAST_REACH_MM = 1.0


@dataclass(frozen=True)
class Place:
    """Where a patch lies.

    Attributes:
        centre_mm: Its middle, RAS+ mm, [3].
        axes: Rows right, forward, up, [3, 3].
        size_mm: Edge of the square, mm.
    """

    centre_mm: np.ndarray
    axes: np.ndarray
    size_mm: float


def place(body: Body, axes: np.ndarray, size_mm: float, margin_mm: float, reach_mm: float) -> Place:
    """Put a square with what lies above and below it into a body.

    It keeps its size where a shift of at most `MOST_SHIFT_MM` within its plane lets it, else it is
    as large as fits; of all places the one nearest the body's middle is taken.

    Args:
        body: The body.
        axes: Rows right, forward, up of the patch, [3, 3].
        size_mm: Largest edge, mm.
        margin_mm: Least distance to the body's surface, mm.
        reach_mm: Distance of the outermost planes from the middle one, mm.

    Raises:
        PatchError: `patch_outside_body` if not even a square of `LEAST_SIZE_MM` fits.
    """
    reach = int(np.ceil((size_mm / 2 + MOST_SHIFT_MM) / STEP_MM)) + 1
    offsets = STEP_MM * np.arange(-reach, reach + 1)
    u, v = np.meshgrid(offsets, offsets, indexing="ij")
    plane = body.frame.centre_mm + u[..., None] * axes[0] + v[..., None] * axes[1]
    depth = np.min(
        [body.depth_at(plane + lift * reach_mm * axes[2]) for lift in (-1, 0, 1)], axis=0
    )
    away = np.hypot(u, v)
    away[away > MOST_SHIFT_MM] = np.inf
    # Twice the step, so that the square is centred on a point of the grid.
    for size in _sizes(size_mm):
        cells = 2 * int(np.ceil(size / 2 / STEP_MM - 1e-9)) + 1
        clear = ndimage.minimum_filter(depth, cells, mode="constant", cval=0.0) >= margin_mm
        if (clear & np.isfinite(away)).any():
            at = np.unravel_index(np.argmin(np.where(clear, away, np.inf)), away.shape)
            return Place(plane[at], axes, size)
    text = f"no square of {min(size_mm, LEAST_SIZE_MM):g} mm keeps {margin_mm:g} mm to the surface"
    raise PatchError("patch_outside_body", text)


def place_deep(
    body: Body, axes: np.ndarray, size_mm: float, margin_mm: float, reach_mm: float
) -> tuple[Place, float]:
    """Put a square into a body, as far up and down as costs it nothing of its size.

    A body too low for the whole reach gets less of it, at the least `LEAST_REACH_MM`: it is refused
    only where three thin slices would be.

    Args:
        body: The body.
        axes: Rows right, forward, up of the patch, [3, 3].
        size_mm: Largest edge, mm.
        margin_mm: Least distance to the body's surface, mm.
        reach_mm: Largest distance of the outermost planes from the middle one, mm.

    Returns:
        The place, and how far it reaches up and down, mm.

    Raises:
        PatchError: As `place`.
    """
    least = min(reach_mm, LEAST_REACH_MM)
    flat = place(body, axes, size_mm, margin_mm, least)
    for reach in np.arange(reach_mm, least, -STEP_MM):
        try:
            found = place(body, axes, size_mm, margin_mm, float(reach))
        except PatchError:
            continue
        if found.size_mm >= flat.size_mm:
            return found, float(reach)
    return flat, least


def _sizes(size_mm: float) -> np.ndarray:
    """Edges to try, largest first, mm."""
    least = min(size_mm, LEAST_SIZE_MM)
    count = int((size_mm - least) / (2 * STEP_MM) + 1e-9)
    return size_mm - 2 * STEP_MM * np.arange(count + 1)
