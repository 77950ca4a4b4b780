"""Bone followed from beside the spine outwards, sheet by sheet, on a grid straightened along it.

One side at a time, as an array [sheets outwards, behind to before, foot to head] at 3 mm, the first
sheet in the midline. Bone is a fixed HU threshold, so nothing is scaled by the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

#: Step of the straightened grid, mm; that of the volume given.
STEP_MM = 3.0
#: The grid's reach to each side of, behind and before the line through the bodies, mm. Up to 78 mm
#: to the side ribs lie behind the bodies; a patient turned by 15 degrees adds 20 mm.
SIDE_MM, BEHIND_MM, BEFORE_MM = 78.0, 84.0, 27.0

#: Bone, HU: above muscle (70) by more than its noise, below thin bone blurred by 3 mm voxels.
#: Chosen on phantoms whose bones were faded to 35 % of their contrast, the ribs to 160-250 HU.
BONE_HU = 130.0
#: Bone stands out by this from what is left once everything thinner than 15 mm is gone, HU. A
#: rib's section is about 12 x 7 mm; enhanced kidneys, liver, spleen and bowel are larger and even.
STAND_OUT_HU, STAND_OUT_MM = 80.0, 15.0
#: Nothing was measured at or below this, HU: filling, or air outside the patient; lung is denser.
BLANK_HU = -970.0

#: Length beside the body from which bone is a rib, mm: it then reaches 65 mm from the midline, or
#: falls steeply. No transverse process does; short twelfth ribs (12.6 % of people) and lumbar ribs
#: (1.5-5.8 %) may end before.
RIB_MM = 45.0
#: From this far from the midline no rib is joined to the bones of the spine any more, mm ...
FREE_MM = 45.0
#: ... and pieces higher than this in a sagittal plane are hip bone, mm: a rib of 12 mm that falls
#: at 70 degrees is 35 mm high there.
HIGHEST_MM = 45.0
#: Ribs of levels above the field come in through its top this far from the midline or farther, mm;
#: nearer to it such bone may be the top body's own.
STRANGER_MM = 33.0
#: A track that ends this near to what is not shown may go on there, mm.
EDGE_MM = 9.0
#: Sheets beside the body in which a rib may begin: heads have a joint's gap before them.
ROOT_SHEETS = 3
#: Share of the root's neighbourhood that must be shown to call it empty.
ROOT_SHOWN = 0.9
#: From one sheet to the next a track moves by 3 mm, and within the bone found there by this much
#: more, mm: so that ribs that fall or go back steeply are followed ...
STEEP_MM = 9.0
#: ... but up or down only by 3 mm more up to this far from the midline, mm: there the joints of
#: neighbouring vertebrae form a column.
JOINTS_MM = 36.0

_SQUARE = np.ones((3, 3), dtype=bool)
_BACK = np.array([[0, 1, 0]] * 3, dtype=bool)
_CUBE = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Root:
    """Where a body's rib begins, in voxels of a side: first sheet and bounds of the sheets' axes.

    Attributes:
        start: First sheet beside the body.
        depth: Bounds [low, high) along behind to before.
        height: Bounds [low, high) along foot to head; may lie outside the field.
        known: Whether it is one of the given bodies, not only a place where one would be.
    """

    start: int
    depth: tuple[int, int]
    height: tuple[int, int]
    known: bool


def straighten(
    wide: np.ndarray, affine: np.ndarray, centroids_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Sample a volume on a grid that follows the line through the bodies.

    Args:
        wide: HU [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
        centroids_mm: Centres of the bodies, bottom to top, RAS+ mm [N, 3].

    Returns:
        HU [left to right, behind to before, foot to head] at 3 mm, NaN outside the field; heights
        of the bodies along its last axis, mm [N]; height of its first plane, mm.
    """
    up = np.array([0.0, 0.0, 1.0])
    if len(centroids_mm) > 1:
        # The main direction of all bodies: that from first to last would trust two alone.
        up = np.linalg.svd(centroids_mm - centroids_mm.mean(0))[2][0]
        up = up if up[2] > 0 else -up
    right = np.array([1.0, 0.0, 0.0]) - up[0] * up
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(up, right), up], 1)
    local = centroids_mm @ axes
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(wide.shape) - 1)
    field = (corners @ affine[:3, :3].T + affine[:3, 3]) @ up
    levels = np.arange(field.min(), field.max() + STEP_MM, STEP_MM)
    order = np.argsort(local[:, 2])
    line = [np.interp(levels, local[order, 2], local[order, axis]) for axis in (0, 1)]
    sides = np.arange(-SIDE_MM, SIDE_MM + 1, STEP_MM)[:, None, None] + line[0]
    depths = np.arange(-BEHIND_MM, BEFORE_MM + 1, STEP_MM)[None, :, None] + line[1]
    to_voxel = np.linalg.inv(affine)
    turned = to_voxel[:3, :3] @ axes
    places = [
        row[0] * sides + row[1] * depths + row[2] * levels + shift
        for row, shift in zip(turned, to_voxel[:3, 3], strict=True)
    ]
    volume = ndimage.map_coordinates(
        np.asarray(wide, dtype=np.float32), places, order=1, mode="constant", cval=np.nan
    )
    return volume, local[:, 2], float(levels[0])


def lengths_mm(half: np.ndarray, roots: list[Root]) -> list[float | None]:
    """Follow bone outwards from every root of one side.

    Upper roots come first: what they take as a rib is no longer there for those below, which would
    reach it over their transverse process where the rib sinks past its tip.

    Args:
        half: HU of one side, NaN outside the field.
        roots: Bottom to top.

    Returns:
        For every known root, bottom to top: how far from the body's side wall the bone ends, mm;
        None where it may go on outside the field, or belong to a body that was not given.
    """
    bone, shown = _bone(half)
    strange = _strangers(bone, shown)
    lengths: list[float | None] = []
    for root in reversed(roots):
        end, track = _follow(bone & ~strange, root)
        if not root.known:
            strange |= (end >= round(FREE_MM / STEP_MM)) & _claimed(track)
            continue
        length = _length_mm(track, root.start, end)
        if length >= RIB_MM:
            bone &= ~_claimed(track)
            lengths.append(length)
            continue
        doubtful = ~np.pad(shown & ~strange, 1, constant_values=False)
        edge = ndimage.binary_dilation(doubtful, iterations=round(EDGE_MM / STEP_MM))
        ends_inside = _inside(shown, root) and not (edge[1:-1, 1:-1, 1:-1][end] & track[end]).any()
        lengths.append(length if ends_inside else None)
    return lengths[::-1]


def noise_hu(volume: np.ndarray) -> float:
    """Standard deviation of soft tissue's noise, HU, from differences of neighbours."""
    near, far = volume[:-1], volume[1:]
    soft = (np.abs(near) < 150) & (np.abs(far) < 150)
    # 0.6745: median of |x| for a normal distribution of SD 1; a difference has SD sqrt(2).
    return float(np.median(np.abs(far - near)[soft])) / 0.6745 / np.sqrt(2) if soft.any() else 0.0


def _bone(half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where slender bone is, and where the field shows what it is; hip bone counts as not shown."""
    shown = half > BLANK_HU  # False for NaN
    filled = np.where(shown, half, -1000.0).astype(np.float32)
    rest = ndimage.grey_opening(filled, size=(round(STAND_OUT_MM / STEP_MM),) * 3)
    bone = (filled > BONE_HU) & (filled - rest > STAND_OUT_HU)
    free = bone.copy()
    free[: round(FREE_MM / STEP_MM)] = False
    pieces, count = ndimage.label(free, _CUBE)
    hip = np.zeros(count + 1, dtype=bool)
    for sheet, parts in zip(free, pieces, strict=True):
        sections, _ = ndimage.label(sheet, _SQUARE)
        for number, box in enumerate(ndimage.find_objects(sections), start=1):
            if (box[1].stop - box[1].start) * STEP_MM > HIGHEST_MM:
                hip[parts[box][sections[box] == number]] = True
    hidden = hip[pieces]
    return bone & ~hidden, shown & ~hidden


def _strangers(bone: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Ribs of levels above the field: bone that comes in through its top."""
    above = np.pad(shown, ((0, 0), (0, 0), (0, 2)), constant_values=False)
    seeds = bone & ~(above[..., 1:-1] & above[..., 2:])
    seeds[: round(STRANGER_MM / STEP_MM)] = False
    track = np.zeros_like(bone)
    for sheet in range(round(STRANGER_MM / STEP_MM), len(bone)):
        track[sheet] = _next(bone, track, sheet, seeds[sheet])
    return _claimed(track)


def _follow(bone: np.ndarray, root: Root) -> tuple[int, np.ndarray]:
    """Follow bone from a root outwards.

    Returns:
        The last sheet reached (-1: no bone at the root) and the bone that leads there.
    """
    zone = np.zeros(bone.shape[1:], dtype=bool)
    zone[slice(*root.depth), slice(*(max(bound, 0) for bound in root.height))] = True
    nowhere = np.zeros_like(zone)
    track = np.zeros_like(bone)
    end = -1
    for sheet in range(root.start, len(bone)):
        begins = sheet < root.start + ROOT_SHEETS
        track[sheet] = _next(bone, track, sheet, zone if begins else nowhere)
        if track[sheet].any():
            end = sheet
        elif not begins and sheet > end + 1:
            break
    # On the way back one of several ribs is kept: over the joints a lower one may be reached too.
    for sheet in range(end, root.start - 1, -1):
        if sheet < end:
            led = ndimage.binary_dilation(track[sheet + 1 : sheet + 3].any(0), _SQUARE)
            track[sheet] = _grown(track[sheet] & led, track[sheet], sheet)
        if sheet >= round(JOINTS_MM / STEP_MM):
            track[sheet] = _highest(track[sheet])
    return end, track


def _next(bone: np.ndarray, track: np.ndarray, sheet: int, also: np.ndarray) -> np.ndarray:
    """Bone of a sheet that goes on from the two sheets before: one may miss it."""
    near = ndimage.binary_dilation(track[sheet - 1] | track[sheet - 2], _SQUARE)
    return _grown(bone[sheet] & (near | also), bone[sheet], sheet)


def _grown(reached: np.ndarray, bone: np.ndarray, sheet: int) -> np.ndarray:
    """Follow bone within one sheet from where it was reached."""
    reached = ndimage.binary_dilation(reached, _SQUARE, mask=bone)
    wider = _BACK if sheet < round(JOINTS_MM / STEP_MM) else _SQUARE
    steps = round(STEEP_MM / STEP_MM) - 1
    return np.asarray(ndimage.binary_dilation(reached, wider, iterations=steps, mask=bone))


def _highest(reached: np.ndarray) -> np.ndarray:
    """The piece of a sheet whose top is nearest to the head."""
    pieces, count = ndimage.label(reached, _SQUARE)
    if count < 2:
        return reached
    tops = [box[1].stop for box in ndimage.find_objects(pieces)]
    return np.asarray(pieces == 1 + int(np.argmax(tops)))


def _length_mm(track: np.ndarray, start: int, end: int) -> float:
    """Straight distance from the body's side wall, one sheet before the start, to the end."""
    if end < 0:
        return 0.0
    first = start + int(np.argmax(track[start : end + 1].any((1, 2))))
    ends = [np.array([sheet, *np.argwhere(track[sheet]).mean(0)]) for sheet in (first, end)]
    return (float(np.linalg.norm(ends[1] - ends[0])) + first - start + 1) * STEP_MM


def _inside(shown: np.ndarray, root: Root) -> bool:
    """Whether the field shows a root's neighbourhood."""
    low, high = root.height
    if low < 0 or high > shown.shape[2]:
        return False
    zone = shown[root.start : root.start + ROOT_SHEETS, slice(*root.depth), low:high]
    return bool(zone.mean() > ROOT_SHOWN)


def _claimed(track: np.ndarray) -> np.ndarray:
    """A track with the bone's blurred rim; beside the joints bone stays everyone's."""
    claimed = np.asarray(ndimage.binary_dilation(track))
    claimed[: round(JOINTS_MM / STEP_MM)] = False
    return claimed
