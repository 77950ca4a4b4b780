"""A drawn abdomen of known tissues on any grid: bodies, psoas, back, aorta, fat, skin and air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

#: Centres of L4 to L1 along the patient's axis, mm; ids 4 to 1.
CENTRES_MM = (-51.0, -17.0, 17.0, 51.0)
BODY_MM = (21.0, 16.0, 13.0)
LOW_MM, HIGH_MM = np.array([-120.0, -150.0, -72.0]), np.array([120.0, 75.0, 72.0])


@dataclass(frozen=True)
class Abdomen:
    """HU of what is drawn; sizes in mm."""

    air: float = -1000.0
    fat: float = -107.0
    muscle: float = 50.0
    blood: float = 42.0
    aorta_mm: float = 10.0
    plaque: float | None = None
    streaks: float = 0.0
    gas: bool = False
    metal: bool = False
    inner_fat: float | None = None
    table: bool = False
    noise: float = 10.0

    def draw(self, spacing=(3.0, 3.0, 3.0), turn_deg=(0.0, 0.0, 0.0), low=LOW_MM, high=HIGH_MM):
        """Draw it on a grid between two corners, turned about its middle.

        Returns:
            HU float32 [X, Y, Z], 4x4 affine, label map uint8 [X, Y, Z].
        """
        spacing = np.array(spacing)
        shape = np.ceil((np.array(high) - low) / spacing).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() * spacing
        affine[:3, 3] = (np.array(high) + low) / 2 - affine[:3, :3] @ ((shape - 1) / 2)
        at = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
        x, y, z = np.moveaxis(at, -1, 0)
        random = np.random.default_rng(0)
        hu = np.full(tuple(shape), float(self.air))
        hu[np.hypot(x / 150, (y - 10) / 125) < 1] = self.fat
        if self.inner_fat is not None:
            hu[np.hypot(x / 115, (y - 10) / 92) < 1] = self.inner_fat
        if self.table:
            hu[(y < -125) & (y > -131)] = 120
        meat = (np.abs(x) > 8) & (np.abs(x) < 62) & (y < -36) & (y > -82)
        meat |= np.hypot(np.abs(x) - 38, y + 4) < 14
        hu[meat] = self.muscle
        # Fat between bundles of muscle fibres: strands of a millimetre or two along the muscle.
        strands = random.random((60, 60)) < self.streaks
        column = np.floor(x / 4).astype(int) % 60, np.floor(y / 4).astype(int) % 60
        hu[meat & strands[column]] = self.fat
        hu[np.hypot(x / BODY_MM[0], y / BODY_MM[1]) < 1] = 80
        labels = np.zeros(hu.shape, np.uint8)
        for label, centre in zip((4, 3, 2, 1), CENTRES_MM, strict=True):
            body = np.hypot(x / BODY_MM[0], y / BODY_MM[1]) < 1
            labels[body & (np.abs(z - centre) < BODY_MM[2])] = label
        hu[labels > 0] = 150
        off = np.hypot(x + 9, y - 19 - self.aorta_mm)
        hu[off < self.aorta_mm] = self.blood
        if self.plaque is not None:
            hu[(np.abs(off - self.aorta_mm) < 1.5) & (x > -9)] = self.plaque
        if self.gas:
            hu[np.hypot(x - 30, y - 50) < 18] = -900
            hu[np.hypot(x + 48, y - 45) < 15] = 25
        if self.metal:
            hu[(np.hypot(np.abs(x) - 18, z - 17) < 3.5) & (y < 10) & (y > -60)] = 3071
        hu += random.normal(0, self.noise, hu.shape)
        return hu.clip(-1024, 3071).astype(np.float32), affine, labels
