"""HU of the patient's own air, fat, muscle and blood: what a scan's scale can be judged by.

    tissues = measure(image, affine, labels)
    tissues.fat_hu                    # -106.2, or None where no fat is shown

Errors of water calibration move fat, muscle and blood as they move bone, and a harder beam makes
fat brighter where it makes bone darker; people's own tissues differ, too, which limits what they
tell. Each tissue is read where it is even: fat between the skin of the back and the muscles, else
anywhere in view; muscle in the psoas beside L2 to L4, else in the back muscles; blood in the aorta
(`bmd_bundle.aorta`) unless contrast medium is in it; air beside the patient (`bmd_bundle.air`).
What is not shown, or is not one even tissue, is None. Contrast medium in the aorta has reached the
muscles, too: then neither is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmd_bundle import air, aorta
from bmd_bundle.geometry import bounds, to_world
from bmd_bundle.surroundings import Surroundings

#: Ids of the bodies in the label map.
LEVELS = {1: "L1", 2: "L2", 3: "L3", 4: "L4"}
#: Bodies of less than this are left out, mm³: crumbs of a label map.
LEAST_BODY_MM3 = 3000.0
#: Smoothed HU of fat and of muscle; fatty muscle, calcified vessel, bowel and organs lie outside.
FAT_HU = (-140.0, -60.0)
MUSCLE_HU = (10.0, 95.0)
#: Fat under the skin of the back lies behind the bodies' middle by more than this, mm, and behind
#: the first block of the patient that is brighter than this, HU: muscle or bone.
DORSAL_MM, SOLID_HU = 40.0, 0.0
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

    def values(self) -> tuple[float | None, ...]:
        """HU of air, fat, muscle and blood."""
        return self.air_hu, self.fat_hu, self.muscle_hu, self.blood_hu


def measure(
    image: np.ndarray,
    affine: np.ndarray,
    labels: np.ndarray,
    vessel: aorta.Aorta | None = None,
) -> Tissues:
    """Measure the tissues of a scan.

    Args:
        image: HU [X, Y, Z]; any orientation, spacing and obliquity.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        labels: Label map of the bodies on the image's grid [X, Y, Z], ids 1-4 = L1-L4; any other
            id is left out.
        vessel: The aorta, where it is known; None looks for it.

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
    bodies = bodies_mm(labels, affine)
    if not bodies:
        return Tissues(air_hu=beside)
    around = Surroundings.cut(image, affine, bodies)
    if around is None:
        return Tissues(air_hu=beside)
    vessel = vessel or aorta.find(around.part, around.affine, bodies)
    enhanced = (vessel.hu_median or 0.0) > ENHANCED_HU
    return Tissues(
        air_hu=beside,
        fat_hu=_fat_hu(around),
        muscle_hu=None if enhanced else _muscle_hu(around),
        blood_hu=None if enhanced else _blood_hu(vessel),
    )


def _air_hu(image: np.ndarray, affine: np.ndarray) -> float | None:
    """HU of the air beside the patient, None where it is a table's foam or the scale is no HU."""
    found = air.air_hu(image, affine)
    return found if found is not None and abs(found - air.AIR_HU) <= air.TOLERANCE_HU else None


def bodies_mm(labels: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
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


def _blood_hu(vessel: aorta.Aorta) -> float | None:
    """HU of the aorta's blood, None where it is not found or reads like none."""
    found = vessel.hu_median
    return found if found is not None and found >= LEAST_BLOOD_HU else None


def _fat_hu(around: Surroundings) -> float | None:
    """HU of fat: under the skin of the back, else anywhere in view.

    Fat inside the trunk is another tissue by some HU, so the two are not mixed.
    """
    low, high = FAT_HU
    fat = around.even & (around.hu > low) & (around.hu < high)
    # Under the skin of the slender fat is a few blocks thick: nothing is worn off it.
    dorsal = around.most_frequent(
        fat & (around.depth < -DORSAL_MM) & ~around.inside(around.hu > SOLID_HU)
    )
    return dorsal if dorsal is not None else around.most_frequent(ndimage.binary_opening(fat))


def _muscle_hu(around: Surroundings) -> float | None:
    """HU of muscle: the psoas, else the back muscles."""
    low, high = MUSCLE_HU
    muscle = around.even & (around.hu > low) & (around.hu < high)
    beside = np.abs(around.aside) - around.width
    psoas = (beside > PSOAS_BESIDE_MM[0]) & (beside < PSOAS_BESIDE_MM[1])
    psoas &= (around.depth > PSOAS_DEPTH_MM[0]) & (around.depth < PSOAS_DEPTH_MM[1])
    psoas &= (around.height > around.ends[0]) & (around.height < around.ends[1])
    found = around.most_frequent(muscle & psoas)
    if found is not None:
        return found
    back = (np.abs(around.aside) > BACK_SIDE_MM[0]) & (np.abs(around.aside) < BACK_SIDE_MM[1])
    back &= (around.depth > BACK_DEPTH_MM[0]) & (around.depth < BACK_DEPTH_MM[1])
    return around.most_frequent(muscle & back)
