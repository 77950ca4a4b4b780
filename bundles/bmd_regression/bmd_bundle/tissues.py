"""HU of the patient's own air, fat, muscle and blood: what a scan's scale can be judged by.

    tissues = measure(image, affine, labels)
    tissues.fat_hu                    # -106.2, or None where no fat is shown

Errors of water calibration move fat, muscle and blood as they move bone, and a harder beam makes
fat brighter where it makes bone darker; people's own tissues differ, too, which limits what they
tell. Each tissue is read where it is even: fat behind the spine, under the skin, else anywhere in
view; muscle in the psoas beside L2 to L4, else in the back muscles; blood in the aorta
(`bmd_bundle.aorta`) unless contrast medium is in it; air beside the patient (`bmd_bundle.air`).
What is not shown, or is not one even tissue, is None.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle import air, aorta
from bmd_bundle.geometry import bounds, to_index, to_world

#: Ids of the bodies in the label map.
LEVELS = {1: "L1", 2: "L2", 3: "L3", 4: "L4"}
#: Bodies of less than this are left out, mm³: crumbs of a label map.
LEAST_BODY_MM3 = 3000.0
#: What is read about the bodies' middle: to each side, behind and before, mm.
SIDE_MM, BEHIND_MM, BEFORE_MM = 95.0, 190.0, 60.0
#: Voxels are averaged over blocks of about this edge, mm, which takes the noise out.
BLOCK_MM = 2.5
#: Smoothing of the blocks by which tissues are told apart, and with which they are read, SD in mm:
#: less for reading, so that fat between the fibres of a muscle is not smeared over it.
SMOOTHING_MM, READING_MM = 2.5, 1.2
#: Where smoothed HU rise or fall faster than this, HU per mm, there is an edge and two tissues mix.
EDGE_HU_PER_MM = 6.0
#: Smoothed HU of fat and of muscle; fatty muscle, calcified vessel, bowel and organs lie outside.
FAT_HU = (-140.0, -60.0)
MUSCLE_HU = (10.0, 95.0)
#: The most frequent value: the median of all within so many HU of the shortest interval that holds
#: this share of them. The interval alone jumps about; the median alone follows what is mixed in.
MODE_SHARE, NEAR_HU = 0.4, 15.0
#: Less than this of a tissue is not read, mm³.
LEAST_MM3 = 3000.0
#: Metal and what lies within a distance of it are left out, HU and mm.
METAL_HU, METAL_MM = 1800.0, 12.0
#: Fat under the skin of the back lies behind the bodies' middle by more than this, mm.
DORSAL_MM = 50.0
#: The psoas lies beside the body, from and to this far from its side, and so far behind and before
#: its middle, mm; the vessels lie before it, the back muscles behind.
PSOAS_BESIDE_MM, PSOAS_DEPTH_MM = (3.0, 32.0), (-25.0, 8.0)
#: Back muscles: to the sides of the middle line, and behind the bodies' middle, mm.
BACK_SIDE_MM, BACK_DEPTH_MM = (10.0, 65.0), (-85.0, -40.0)
#: Blood above this holds contrast medium, HU: unenhanced blood reads 35 to 60.
ENHANCED_HU = 80.0
#: Below this blood is anaemic beyond belief, or no blood, HU.
LEAST_BLOOD_HU = 15.0


@dataclass(frozen=True)
class Tissues:
    """HU of tissues in one scan; None where one is not shown or not certain.

    Attributes:
        air_hu: Air beside the patient.
        fat_hu: Fat.
        muscle_hu: Muscle.
        blood_hu: Blood of the aorta without contrast medium.
    """

    air_hu: float | None = None
    fat_hu: float | None = None
    muscle_hu: float | None = None
    blood_hu: float | None = None


def measure(image: np.ndarray, affine: np.ndarray, labels: np.ndarray) -> Tissues:
    """Measure the tissues of a scan.

    Args:
        image: HU [X, Y, Z]; any orientation, spacing and obliquity.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        labels: Label map of the bodies on the image's grid [X, Y, Z], ids 1-4 = L1-L4; any other
            id is left out.

    Returns:
        The tissues; without a body only air can be known.

    Raises:
        ValueError: Image and label map are not volumes of one shape.
    """
    image, labels = np.asarray(image), np.asarray(labels)
    affine = np.asarray(affine, dtype=float)
    if image.ndim != 3 or image.shape != labels.shape:
        raise ValueError(
            f"image {image.shape} and labels {labels.shape} are no volumes of one grid"
        )
    beside = _air_hu(image, affine)
    bodies = _bodies(labels, affine)
    if not bodies:
        return Tissues(air_hu=beside)
    view = _View.cut(image, affine, bodies)
    if view is None:
        return Tissues(air_hu=beside)
    return Tissues(
        beside, view.fat_hu(), view.muscle_hu(), _blood_hu(view.part, view.affine, bodies)
    )


def _air_hu(image: np.ndarray, affine: np.ndarray) -> float | None:
    """HU of the air beside the patient, None where it is a table's foam or the scale is no HU."""
    found = air.air_hu(image, affine)
    return found if found is not None and abs(found - air.AIR_HU) <= air.TOLERANCE_HU else None


def _bodies(labels: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """Voxel centres of every body, RAS+ mm [N, 3], by level."""
    voxel = abs(float(np.linalg.det(affine[:3, :3])))
    found = {}
    for label, level in LEVELS.items():
        mask = labels == label
        box = bounds(mask)
        if box is None:
            continue
        index = np.argwhere(mask[box])
        if len(index) * voxel >= LEAST_BODY_MM3:
            found[level] = to_world(affine, (index + [each.start for each in box]).astype(float))
    return found


def _blood_hu(image: np.ndarray, affine: np.ndarray, bodies: dict[str, np.ndarray]) -> float | None:
    """HU of the aorta's blood, None where it is enhanced or not found."""
    found = aorta.find(image, affine, bodies).hu_median
    return found if found is not None and LEAST_BLOOD_HU <= found <= ENHANCED_HU else None


@dataclass(frozen=True)
class _View:
    """What lies about the bodies, in blocks of a few millimetres.

    Attributes:
        part: The voxels that the blocks were made of, HU [X, Y, Z].
        affine: Their 4x4 matrix to RAS+ mm.
        hu: Smoothed HU of the blocks, by which tissues are told apart, [I, J, K].
        read: Less smoothed HU of the blocks, from which they are read.
        even: Whether a block lies in one even tissue, away from metal.
        aside: Distance from the bodies' middle line to the left or right, mm, [I, J, K].
        depth: Before (+) or behind (-) the bodies' middle, mm.
        height: Along the patient's axis, RAS+ mm.
        width: Half width of the body there, mm.
        ends: Lowest and highest place of muscle beside bodies, L4's foot to L2's head, RAS+ mm.
        block_mm3: Volume of a block.
    """

    part: np.ndarray
    affine: np.ndarray
    hu: np.ndarray
    read: np.ndarray
    even: np.ndarray
    aside: np.ndarray
    depth: np.ndarray
    height: np.ndarray
    width: np.ndarray
    ends: tuple[float, float]
    block_mm3: float

    @staticmethod
    def cut(image: np.ndarray, affine: np.ndarray, bodies: dict[str, np.ndarray]) -> _View | None:
        """Cut the view out of a scan; None where less than two slices of it are there."""
        everything = np.concatenate(list(bodies.values()))
        low, high = everything.min(axis=0), everything.max(axis=0)
        middle = (low + high) / 2
        box_mm = np.array(
            [
                [middle[0] - SIDE_MM, middle[1] - BEHIND_MM, low[2]],
                [middle[0] + SIDE_MM, middle[1] + BEFORE_MM, high[2]],
            ]
        )
        box = _voxels(affine, box_mm, image.shape)
        part = np.asarray(image[box], dtype=np.float32)
        if min(part.shape) < 2:
            return None
        moved = affine.copy()
        moved[:3, 3] = to_world(affine, np.array([float(each.start) for each in box]))
        blocks, grid, dense = _blocks(part, moved)
        spacing = np.linalg.norm(grid[:3, :3], axis=0)
        known = np.isfinite(blocks)
        filled = np.where(known, blocks, 0)
        hu, read = (
            ndimage.gaussian_filter(filled, sigma / spacing) for sigma in (SMOOTHING_MM, READING_MM)
        )
        slopes = np.gradient(hu, *spacing) if min(hu.shape) > 1 else [np.zeros_like(hu)] * 3
        even = known & (np.sqrt(sum(slope**2 for slope in slopes)) < EDGE_HU_PER_MM)
        reach = np.ceil(METAL_MM / spacing).astype(int)
        if dense.any():
            even &= ~ndimage.maximum_filter(dense, 2 * reach + 1)
        places = to_world(grid, np.moveaxis(np.indices(hu.shape), 0, -1).astype(float))
        aside, depth, width = _about(places, bodies)
        inner = [points for level, points in bodies.items() if level != "L1"] or [everything]
        ends = (min(p[:, 2].min() for p in inner), max(p[:, 2].max() for p in inner))
        return _View(
            part, moved, hu, read, even, aside, depth, places[..., 2], width,
            (float(ends[0]), float(ends[1])), float(np.prod(spacing)),
        )  # fmt: skip

    def fat_hu(self) -> float | None:
        """HU of fat: under the skin of the back, else anywhere in view."""
        low, high = FAT_HU
        fat = self.even & (self.hu > low) & (self.hu < high)
        fat = ndimage.binary_opening(fat, iterations=1)
        dorsal = self._mode(fat & (self.depth < -DORSAL_MM))
        return dorsal if dorsal is not None else self._mode(fat)

    def muscle_hu(self) -> float | None:
        """HU of muscle: the psoas, else the back muscles."""
        low, high = MUSCLE_HU
        muscle = self.even & (self.hu > low) & (self.hu < high)
        beside = np.abs(self.aside) - self.width
        psoas = (beside > PSOAS_BESIDE_MM[0]) & (beside < PSOAS_BESIDE_MM[1])
        psoas &= (self.depth > PSOAS_DEPTH_MM[0]) & (self.depth < PSOAS_DEPTH_MM[1])
        psoas &= (self.height > self.ends[0]) & (self.height < self.ends[1])
        found = self._mode(muscle & psoas)
        if found is not None:
            return found
        back = (np.abs(self.aside) > BACK_SIDE_MM[0]) & (np.abs(self.aside) < BACK_SIDE_MM[1])
        back &= (self.depth > BACK_DEPTH_MM[0]) & (self.depth < BACK_DEPTH_MM[1])
        return self._mode(muscle & back)

    def _mode(self, where: np.ndarray) -> float | None:
        """Most frequent HU among blocks, None where they are too few."""
        values = np.sort(self.read[where])
        if len(values) * self.block_mm3 < LEAST_MM3 or len(values) < 10:
            return None
        count = max(2, round(MODE_SHARE * len(values)))
        first = int(np.argmin(values[count - 1 :] - values[: len(values) - count + 1]))
        middle = values[first : first + count].mean()
        return float(np.median(values[np.abs(values - middle) <= NEAR_HU]))


def _voxels(
    affine: np.ndarray, box_mm: np.ndarray, shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """Smallest box of voxels about a box in RAS+ mm [2, 3]."""
    corners = np.array(
        [[x, y, z] for x in box_mm[:, 0] for y in box_mm[:, 1] for z in box_mm[:, 2]]
    )
    index = to_index(affine, corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, shape)
    first, second, third = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return first, second, third


def _blocks(part: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average voxels over blocks.

    Returns:
        Mean HU [I, J, K], the blocks' 4x4 matrix to RAS+ mm, and whether a block holds metal.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    edges = [
        max(1, min(size, round(BLOCK_MM / step)))
        for size, step in zip(part.shape, spacing, strict=True)
    ]
    counts = [size // edge for size, edge in zip(part.shape, edges, strict=True)]
    # What is left over is shared by both ends, so that a mirrored scan has mirrored blocks.
    starts = [
        (size - n * edge) // 2 for size, n, edge in zip(part.shape, counts, edges, strict=True)
    ]
    kept = part[tuple(slice(s, s + n * e) for s, n, e in zip(starts, counts, edges, strict=True))]
    split = kept.reshape([each for pair in zip(counts, edges, strict=True) for each in pair])
    grid = affine.copy()
    grid[:3, :3] = affine[:3, :3] * edges
    grid[:3, 3] = to_world(affine, np.array(starts) + (np.array(edges) - 1) / 2)
    return split.mean(axis=(1, 3, 5)), grid, split.max(axis=(1, 3, 5)) > METAL_HU


def _about(
    places: np.ndarray, bodies: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance aside of and before the bodies' middle, and their half width, at places [..., 3]."""
    knots = []
    for points in bodies.values():
        low, high = np.quantile(points[:, 0], [0.02, 0.98])
        knots.append([points[:, 2].mean(), (low + high) / 2, points[:, 1].mean(), (high - low) / 2])
    line = np.array(sorted(knots))
    z = places[..., 2]
    x, y, width = (np.interp(z, line[:, 0], line[:, column]) for column in (1, 2, 3))
    return places[..., 0] - x, places[..., 1] - y, width
