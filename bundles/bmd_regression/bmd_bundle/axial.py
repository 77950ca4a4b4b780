"""Whole axial slices of the trunk at the lumbar bodies, cut in patient space (S4).

    found = axial.cut(image, affine, labels, Slices())
    found["L3"]              # HU [3, 128, 128], from below up; or why there are none

Every slice stands perpendicular to the patient's head-foot axis and shows one field in millimetres
about its body, whatever the scan's orientation, spacing and obliquity; HU stay what they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle.body_frame import LEAST_VOLUME_MM3, PatchError
from bmd_bundle.geometry import bounds, to_index, to_world
from bmd_bundle.levels import LEVEL_IDS

#: The field's middle lies this far before the body's, mm: of the trunk's 200 to 300 mm about 90 lie
#: behind the body's middle.
FORWARD_MM = 40.0
#: HU are averaged over samples at most this far apart, mm: the pixels of a CT.
SAMPLE_MM = 1.1
#: Beyond the scan's edge there is air, HU.
OUTSIDE_HU = -1000.0
#: A slice that shows less than this share of its field is none of a whole trunk: 0.35 of 400 mm
#: squared is a square of 237 mm, or a slender trunk's own width and depth.
LEAST_SEEN = 0.35
#: Slices farther apart than this, mm, cannot be told apart within a body of 25 mm.
COARSEST_MM = 10.0


@dataclass(frozen=True)
class Slices:
    """Which slices are cut.

    Attributes:
        pixels: Pixels along each edge.
        size_mm: Edge of the field, mm.
        step_mm: Distance of the outer slices from the one through the body's middle, mm; each level
            has three.
        thickness_mm: Height over which a slice is averaged, mm; None for single planes.

    Raises:
        ValueError: A number is not positive.
    """

    pixels: int = 128
    size_mm: float = 400.0
    step_mm: float = 6.0
    thickness_mm: float | None = 5.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        given = (self.pixels, self.size_mm, self.step_mm, self.thickness_mm or 1.0)
        if min(given) <= 0:
            raise ValueError(f"{self}: pixels and millimetres must be positive")

    @property
    def heights_mm(self) -> tuple[float, ...]:
        """Places of the slices against the body's middle, mm, from below up."""
        return -self.step_mm, 0.0, self.step_mm


def cut(
    image: np.ndarray, affine: np.ndarray, labels: np.ndarray, slices: Slices
) -> dict[str, np.ndarray | PatchError]:
    """Cut the slices of every level in a label map.

    Args:
        image: HU [X, Y, Z]; any orientation, spacing and obliquity.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        labels: Label map on the same grid [X, Y, Z], ids 1 to 4 = whole bodies L1 to L4.
        slices: Which slices.

    Returns:
        Level -> HU float32 [3, P, P]: slices from below up, rows from the front back, columns from
        the patient's right to the left, as a radiologist sees them; or why there are none. Levels
        absent from the map are left out.

    Raises:
        ValueError: Image and label map are not volumes of one shape.
    """
    if image.ndim != 3 or image.shape != labels.shape:
        raise ValueError(f"image {image.shape} and mask {labels.shape} are not of one grid")
    found: dict[str, np.ndarray | PatchError] = {}
    for level, number in LEVEL_IDS.items():
        body = labels == number
        if not body.any():
            continue
        try:
            middle = _middle(body, affine)
            found[level] = np.stack(
                [_slice(image, affine, middle + [0, 0, z], slices) for z in slices.heights_mm]
            )
        except PatchError as error:
            found[level] = error
    return found


def _middle(body: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Middle of a whole body, RAS+ mm [3].

    Raises:
        PatchError: It is too small for a body, the scan cuts it, or is too coarse along it.
    """
    inverse = np.linalg.inv(affine[:3, :3])
    # Between slices, not along the steps: those of a tilted gantry lie farther apart.
    along = int(np.argmax(np.abs(affine[2, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))
    step = round(1 / float(np.linalg.norm(inverse[along])), 2)
    if step > COARSEST_MM:
        raise PatchError("no_axial_data", f"slices {step:g} mm apart are too coarse for a level")
    box = bounds(body)
    assert box is not None  # the caller has seen the body
    if box[along].start == 0 or box[along].stop == body.shape[along]:
        raise PatchError("no_axial_data", "the CT shows only a part of the body")
    index = np.argwhere(body[box]) + [each.start for each in box]
    volume = len(index) * abs(float(np.linalg.det(affine[:3, :3])))
    if volume < LEAST_VOLUME_MM3:
        text = f"the level's mask holds {volume / 1000:.1f} cm³, too little for a vertebral body"
        raise PatchError("patch_outside_body", text)
    middle: np.ndarray = to_world(affine, index.mean(axis=0))
    return middle


def _slice(image: np.ndarray, affine: np.ndarray, middle: np.ndarray, slices: Slices) -> np.ndarray:
    """Average one slice about a place in RAS+ mm [3]; HU float32 [P, P].

    Raises:
        PatchError: The scan shows too little of it.
    """
    pixel = slices.size_mm / slices.pixels
    fine = math.ceil(pixel / SAMPLE_MM)
    thickness = slices.thickness_mm or 0.0
    planes = max(1, math.ceil(thickness / SAMPLE_MM))
    steps = np.array([pixel / fine, pixel / fine, thickness / planes])
    counts = np.array([slices.pixels * fine, slices.pixels * fine, planes])
    low = middle + [0, FORWARD_MM, 0] - steps * (counts - 1) / 2
    samples = ndimage.affine_transform(
        image,
        np.linalg.inv(affine[:3, :3]) * steps,
        to_index(affine, low),
        tuple(int(count) for count in counts),
        output=np.float32,
        order=1,
        cval=np.nan,
    )
    blocks = samples.reshape(slices.pixels, fine, slices.pixels, fine, planes)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3, 4))
    if (count > 0).mean() < LEAST_SEEN:
        text = "the CT shows too little of the trunk about the body; give whole axial slices"
        raise PatchError("no_axial_data", text)
    total = np.where(known, blocks, 0).sum(axis=(1, 3, 4), dtype=np.float64)
    hu = np.where(count > 0, total / np.maximum(count, 1), OUTSIDE_HU).astype(np.float32)
    return hu[::-1, ::-1].T
