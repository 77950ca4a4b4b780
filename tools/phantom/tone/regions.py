"""Tissues found in a CT by rules that look at the image (and, for bone, a body mask) alone.

The same rules run on real scans and on phantoms, so that what they cut off, they cut off of both.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from tools.phantom.real import Scan

#: Median-filtered values called fat and muscle, HU.
FAT_HU = (-140.0, -60.0)
MUSCLE_HU = (20.0, 80.0)
#: Regions keep this distance from their edge, mm, so that no other tissue shares their voxels.
MARGIN_MM = 2.5
#: Trabecular bone keeps this distance from the body's surface, mm.
CORE_MARGIN_MM = 5.0
#: Above this a median-filtered voxel is bone (or contrast), HU.
BONE_HU = 200.0
#: Bone and back muscle are looked for in a strip of this half width about the patient's middle, mm;
#: further to the side lie liver, kidneys and ribs.
STRIP_MM = 45.0
#: Back muscle begins this far behind the middle of the spine's bone, mm.
BEHIND_SPINE_MM = 15.0
#: Above this a voxel belongs to the patient or lies on the table, HU.
PATIENT_HU = -400.0

TISSUES = ("fat", "muscle", "trabecular", "rim")


def deeper_than(mask: np.ndarray, margin_mm: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Keep voxels whose distance to the nearest voxel outside the mask exceeds a margin.

    Args:
        mask: Boolean [X, Y, Z].
        margin_mm: Distance; one voxel is taken off in any case.
        spacing: Voxel edges, mm.

    Returns:
        Boolean [X, Y, Z].
    """
    if not mask.any():
        return mask
    depth = ndimage.distance_transform_edt(mask, sampling=spacing)
    return depth > max(margin_mm, 1.01 * max(spacing[:2]))


def patient(image: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Largest connected part above -400 HU after an opening that cuts table and clothes off.

    Args:
        image: HU [X, Y, Z].
        spacing: Voxel edges, mm.

    Returns:
        Boolean [X, Y, Z], gas inside filled slice by slice.
    """
    radius = max(1, round(4.0 / spacing[0]))
    cross = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), radius)
    dense = image > PATIENT_HU
    opened = np.stack([ndimage.binary_opening(layer, cross, border_value=0) for layer in dense.T]).T
    parts, count = ndimage.label(opened)
    if count == 0:
        return opened
    largest = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return np.stack([ndimage.binary_fill_holes(layer) for layer in largest.T]).T


def tissues(scan: Scan) -> dict[str, np.ndarray]:
    """Find fat, back muscle and, where a body mask exists, trabecular bone and the body's rim.

    Args:
        scan: A CT in RAS order.

    Returns:
        Tissue -> boolean [X, Y, Z].
    """
    spacing = scan.grid.spacing_mm
    smooth = ndimage.median_filter(scan.image, size=3)
    inside = deeper_than(patient(scan.image, spacing), 4.0, spacing)
    found = {
        "fat": _between(smooth, FAT_HU) & inside,
        "muscle": _between(smooth, MUSCLE_HU) & inside & _behind_spine(smooth, inside, scan),
    }
    found = {name: deeper_than(mask, MARGIN_MM, spacing) for name, mask in found.items()}
    if scan.bodies is not None:
        bodies = scan.bodies > 0
        depth = ndimage.distance_transform_edt(bodies, sampling=spacing)
        found["trabecular"] = depth > CORE_MARGIN_MM
        found["rim"] = bodies & (depth <= 1.01 * max(spacing))
    return found


def _between(image: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (image >= limits[0]) & (image <= limits[1])


def _behind_spine(smooth: np.ndarray, inside: np.ndarray, scan: Scan) -> np.ndarray:
    """Voxels of a strip about the midline that lie behind the middle of its bone."""
    places = np.argwhere(inside)
    if len(places) == 0:
        return np.zeros_like(inside)
    spacing = scan.grid.spacing_mm
    middle = places.mean(axis=0)
    half = round(STRIP_MM / spacing[0])
    left, right = max(0, round(float(middle[0])) - half), round(float(middle[0])) + half
    strip = np.zeros_like(inside)
    strip[left:right] = True
    # The back half only: sternum, contrast in the heart and bowel lie in the front half.
    back = strip.copy()
    back[:, round(float(middle[1])) :] = False
    bone = np.argwhere((smooth > BONE_HU) & inside & back)
    edge = np.median(bone[:, 1]) if len(bone) else middle[1]
    strip[:, max(0, round(float(edge - BEHIND_SPINE_MM / spacing[1]))) :] = False
    return strip
