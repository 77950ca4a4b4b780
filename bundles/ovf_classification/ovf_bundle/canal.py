"""Where the spinal canal lies from right to left: holes of the vertebral arches, on coarse voxels.

A canal is a hole in the bone of an axial slice with a vertebral body in front and a lamina behind.
Arches are open on most slices, since pedicles and laminae lie at different heights; a maximum along
the body axis joins them. Of the holes of a canal's size the column that holds most is the canal;
bowel with contrast medium, pelvis and porous bodies leave others.
"""

from __future__ import annotations

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy import ndimage

#: Bone, HU.
BONE_HU = 150.0
#: Voxel edge within axial slices and distance of slices, mm, of the coarse volume.
IN_PLANE_MM, ALONG_MM = 2.0, 3.0
#: Run of the maximum along the body axis, mm: pedicle and lamina of one vertebra lie within it.
RUN_MM = 18.0
#: Gaps up to about twice this close, mm: clefts of facet joints.
CLOSING_MM = 4.0
#: Area of a hole; a canal is 15-28 mm wide, 15-18 mm deep, and the maximum eats part of it, mm2.
HOLE_MM2 = (24.0, 700.0)
#: Boxes before and behind the hole's middle where body and lamina lie, mm, and their half width.
FRONT_MM, BACK_MM, SIDE_MM = (10.0, 34.0), (6.0, 22.0), 10.0
#: Shares of bone in the two boxes, added, that a canal has at least.
LEAST_BONE = 0.6
#: The canal's middle stays within this to each side of the column, mm: a scoliosis bends it so far.
COLUMN_MM = 15.0
#: Less of the body axis with a hole is no canal, mm: about a vertebra.
LEAST_LENGTH_MM = 24.0


def canal_points(view: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Find middles of the canal.

    Args:
        view: HU, axes right to left, head to foot, front to back (`cutting.to_patient_order`).
        affine: Its matrix to RAS+ mm.

    Returns:
        RAS+ mm [N, 3], one for each axial slice that shows it; [0, 3] where too few do.
    """
    volume, grid = coarse(view, affine)
    step = voxel_sizes(grid)
    tall = ndimage.maximum_filter1d(volume, 2 * int(RUN_MM / 2 / step[1]) + 1, axis=1)
    bone = tall > BONE_HU
    labels, count = label_holes(bone, step)
    areas = np.bincount(labels.ravel(), minlength=count + 1) * step[0] * step[2]
    sized = np.flatnonzero((areas >= HOLE_MM2[0]) & (areas <= HOLE_MM2[1]))
    sized = sized[sized > 0]
    if not len(sized):
        return np.zeros((0, 3))
    at = np.nonzero(labels)
    number = labels[at]
    mass = np.bincount(number, minlength=count + 1)[sized]
    sums = [np.bincount(number, weights=index, minlength=count + 1)[sized] for index in at]
    middles = np.stack(sums, axis=1) / mass[:, None]
    worth = np.array([arch_bone(bone, middle, step) for middle in middles]) - LEAST_BONE
    middles, worth = middles[worth > 0], worth[worth > 0]
    if not len(middles):
        return np.zeros((0, 3))
    beside = np.abs(middles[:, None, 0] - middles[None, :, 0]) * step[0]
    held = (beside <= COLUMN_MM) @ worth
    chosen = middles[beside[int(np.argmax(held))] <= COLUMN_MM]
    if len(np.unique(np.rint(chosen[:, 1]))) * step[1] < LEAST_LENGTH_MM:
        return np.zeros((0, 3))
    return apply_affine(grid, chosen)


def coarse(view: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average voxels within axial slices, and take every so many slices; float32 and its matrix."""
    wanted = np.array([IN_PLANE_MM, ALONG_MM, IN_PLANE_MM])
    factor = np.clip(np.rint(wanted / voxel_sizes(affine)).astype(int), 1, view.shape)
    x, z, y = np.array(view.shape) // factor
    kept = view[: x * factor[0], : z * factor[1] : factor[1], : y * factor[2]]
    means = kept.reshape(x, factor[0], z, y, factor[2]).mean(axis=(1, 4), dtype=np.float32)
    grid = affine @ np.diag([*factor.astype(float), 1.0])
    grid[:3, 3] += affine[:3, 0] * (factor[0] - 1) / 2 + affine[:3, 2] * (factor[2] - 1) / 2
    return means, grid


def label_holes(bone: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the holes that bone encloses on each axial slice, after a closing.

    Args:
        bone: Booleans, axes right to left, head to foot, front to back.
        step: Voxel edges, mm [3].
    """
    x, y = (np.arange(-(r := int(CLOSING_MM / mm)), r + 1) * mm for mm in (step[0], step[2]))
    disk = np.hypot(x[:, None], y[None]) <= CLOSING_MM
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[:, 1, 1] = in_plane[1, 1, :] = True
    rim = [(len(x) // 2 + 1,) * 2, (0, 0), (len(y) // 2 + 1,) * 2]  # closing eats bone at an edge
    closed = ndimage.binary_closing(np.pad(bone, rim), disk[:, None])
    holes = ndimage.binary_fill_holes(closed, in_plane) & ~closed
    inner = holes[rim[0][0] : -rim[0][0], :, rim[2][0] : -rim[2][0]]
    return ndimage.label(inner, in_plane)


def arch_bone(bone: np.ndarray, middle: np.ndarray, step: np.ndarray) -> float:
    """Shares of bone before and behind a hole, added; what lies beyond the scan is none."""
    x, z, y = np.rint(middle).astype(int)
    half = int(SIDE_MM / step[0])
    total = 0.0
    for sign, ends in ((-1, FRONT_MM), (1, BACK_MM)):
        near, far = sorted(y + sign * round(mm / step[2]) for mm in ends)
        box = bone[max(0, x - half) : x + half + 1, z, max(0, near) : max(0, far + 1)]
        total += box.sum() / ((2 * half + 1) * (far - near + 1))
    return float(total)
