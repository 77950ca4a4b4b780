"""A scanner's line from one CT of a spine phantom with known densities, such as the ESP.

    found = spine_phantom.measure(image, affine, (50.0, 100.0, 200.0))
    found.slope, found.intercept      # HU per mg/cm³ and HU, for a patient of 25 cm of water

Only the image and the certificate are seen (`tools.phantom.objects.reader`). What the object
cannot tell of patients: where water lies in them (the scanner's cupping and offset differ with size
and place), and how much their size spreads. Its own size is read from the image: a beam is harder
behind a larger body, and the line is moved to the body that the reference beam went through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tools import bundles
from tools.phantom.objects import reader
from tools.screen import scale
from tools.volumes import Grid, reorient

SIZE_EFFECT = 0.08
"""Share of the slope that is lost from 20 to 30 cm of water (the physics of a common beam)."""

SIZE_STEP_CM = 10.0
"""Growth of the body over which it is, cm."""

REFERENCE_CM = 25.0
"""Water-equivalent diameter behind which the reference line holds, cm."""

SIZE_SPREAD = SIZE_EFFECT / math.sqrt(12)
"""Relative SD of the slope over patients of 20 to 30 cm of water, all alike frequent."""

ASYNCHRONOUS_SPREAD = (0.014 + 0.067) / 2
"""Relative error of QCT calibrated by a spine phantom in another scan: the middle of 1.4 to 6.7 %,
the accuracies published for the European Spine Phantom."""

PATIENT_CM = 30.0
"""Patients of most interest are up to this large, cm of water; smaller objects say less of them."""

WATER_HU_PER_CM = 0.5
"""SD of what a scanner makes of water when a body grows by a centimetre, HU (design: corrections of
water are made for one size each, and are off by some HU at 20 and at 35 cm)."""

MOST_RESIDUAL_HU = 6.0
"""Inserts further from their line than this, HU (root mean square), are others than the certificate
says, or no inserts (design: 4 mg/cm³)."""

MOST_TILT_DEG = 10.0
"""An object tilted further, degrees, is read across its inserts' ends (design)."""

BODY_HU = -500.0
"""Halfway between air and water."""

LEAST_LENGTH_MM = 50.0
"""Objects are longer than this along the spine, mm: two vertebrae with their disc."""

TABLE_MM = 6.0
"""What is thinner than twice this, mm, is a table or a strap, no object."""


@dataclass(frozen=True)
class Measured:
    """What a CT of the object shows.

    Attributes:
        certificate_mg_cm3: Densities of the inserts, rising.
        hu: Their mean HU.
        object_slope: HU per mg/cm³ in the object.
        intercept: HU without mineral.
        residual_hu: Root mean square distance of the inserts from their line, HU.
        object_cm: Diameter of a water cylinder of the object's section, cm.
    """

    certificate_mg_cm3: tuple[float, ...]
    hu: tuple[float, ...]
    object_slope: float
    intercept: float
    residual_hu: float
    object_cm: float

    @property
    def slope(self) -> float:
        """HU per mg/cm³ in a body of `REFERENCE_CM`."""
        steps = (REFERENCE_CM - self.object_cm) / SIZE_STEP_CM
        return float(self.object_slope * (1 - SIZE_EFFECT) ** steps)

    @property
    def slope_error(self) -> float:
        """Standard error of the slope from the inserts' distances, HU per mg/cm³."""
        density = np.array(self.certificate_mg_cm3)
        free = max(1, len(density) - 2)
        variance = self.residual_hu**2 * len(density) / free
        return float(math.sqrt(variance / np.sum((density - density.mean()) ** 2)))

    @property
    def water_sd_hu(self) -> float:
        """SD of the HU of water over patients: the usual, and the distance from their size."""
        usual = bundles.module("bmd_regression", "bmd_bundle.calibration").WATER_SD_HU
        return math.hypot(usual, WATER_HU_PER_CM * abs(PATIENT_CM - self.object_cm))

    @property
    def spread(self) -> float:
        """Relative SD of the slope over the patients that the line is used on."""
        fit = self.slope_error / self.object_slope
        return math.hypot(SIZE_SPREAD, ASYNCHRONOUS_SPREAD, fit)


def measure(
    image: np.ndarray,
    affine: np.ndarray,
    certificate_mg_cm3: Sequence[float],
    plastic_hu: float = 0.0,
) -> Measured:
    """Measure the object.

    Args:
        image: HU [X, Y, Z], any orientation.
        affine: 4x4 voxel to RAS+ millimetre matrix.
        certificate_mg_cm3: Densities of the inserts; brighter ones hold more.
        plastic_hu: What the inserts' plastic reads above water at this voltage, HU, by certificate.

    Raises:
        ValueError: If the image does not show the object that the certificate describes; one line.
    """
    _refuse_tilted(affine)
    volume, turned = reorient(np.asarray(image), affine, "RAS")
    spacing = Grid((volume.shape[0], volume.shape[1], volume.shape[2]), turned).spacing_mm
    volume = np.ascontiguousarray(volume, dtype=np.float32)
    _refuse_scaled(volume)
    body = _object(volume, spacing)
    volume[~body] = -1000.0
    try:
        hu = np.sort(reader.insert_means(volume, spacing))
    except (ValueError, IndexError) as error:
        said = str(error) or "the field does not hold the object"
        raise ValueError(
            f"{said}; scan the whole object, axial slices, its spine along z"
        ) from None
    density = np.sort(np.asarray(certificate_mg_cm3, dtype=float))
    if len(hu) != len(density):
        raise ValueError(
            f"{len(hu)} inserts found, the certificate lists {len(density)}; scan the whole "
            "object, or give its own densities with --certificate"
        )
    slope, intercept = np.polyfit(density, hu, deg=1)
    residual = float(np.sqrt(np.mean((hu - slope * density - intercept) ** 2)))
    if residual > MOST_RESIDUAL_HU:
        raise ValueError(
            f"the inserts read {', '.join(f'{one:.0f}' for one in hu)} HU, {residual:.1f} HU from "
            "a line over the certificate's densities; check the certificate"
        )
    return Measured(
        tuple(density.tolist()),
        tuple(float(one) for one in hu),
        float(slope),
        float(intercept) - plastic_hu,
        residual,
        _size_cm(body, spacing),
    )


def _refuse_tilted(affine: np.ndarray) -> None:
    directions = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    tilt = math.degrees(math.acos(min(1.0, float(directions.max(axis=0).min()))))
    if tilt > MOST_TILT_DEG:
        raise ValueError(
            f"the image is tilted by {tilt:.0f}°; scan the object without gantry tilt, up to "
            f"{MOST_TILT_DEG:.0f}°"
        )


def _refuse_scaled(volume: np.ndarray) -> None:
    """Refuse numbers that are no HU: the air about the object reads -1000.

    `tools.screen.scale` looks for what patients show; an object has ends within the field.
    """
    dark = volume[volume < scale.DARK_HU]
    if dark.size == 0:
        raise ValueError("nothing in the scan is as dark as air; give the scan in HU")
    air = float(np.median(dark))
    if abs(air - scale.AIR_HU) > scale.TOLERANCE_HU:
        raise ValueError(f"air reads {air:.0f} HU, not {scale.AIR_HU:.0f}; give the scan in HU")


def _object(volume: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """The largest solid in the field without the table it lies on, bool [X, Y, Z]."""
    length_mm = (volume > BODY_HU).sum(axis=2) * spacing[2]
    axial = ndimage.binary_fill_holes(length_mm > LEAST_LENGTH_MM)
    depth = ndimage.distance_transform_edt(axial, sampling=spacing[:2])
    parts, count = ndimage.label(depth > TABLE_MM)
    if count == 0:
        raise ValueError("the image shows no object; give a CT of the spine phantom")
    sizes = ndimage.sum_labels(parts > 0, parts, np.arange(1, count + 1))
    core = parts == 1 + int(np.argmax(sizes))
    near = ndimage.distance_transform_edt(~core, sampling=spacing[:2]) <= TABLE_MM
    found: np.ndarray = np.broadcast_to((axial & near)[:, :, None], volume.shape)
    return found


def _size_cm(body: np.ndarray, spacing: Sequence[float]) -> float:
    """Diameter of a circle of the object's section, cm."""
    area = float(body[:, :, body.shape[2] // 2].sum()) * spacing[0] * spacing[1]
    return 2 * math.sqrt(area / math.pi) / 10
