"""Reads density from images of the test objects, and from nothing else.

This module stands for the QCT software of a hospital. It sees an image, its voxel size and what is
printed on a phantom's label; it imports nothing of the phantom's generator.

    calibration = calibrate(rod_image, spacing, certificate_mg_cm3)
    densities = read_inserts(esp_image, spacing, calibration)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

BODY_HU = -500.0
"""Halfway between air and water: what is above belongs to the object."""

SMOOTHING_MM = 1.5
"""SD of the Gaussian that quiets noise before objects are found; measurements use raw HU."""

CONTRAST_HU = 15.0
"""Excess over the plastic, HU, that makes a rod: less than 25 mg/cm3 at any voltage."""

BONE_HU = 30.0
"""Excess over the plastic, HU, that makes a vertebra: half of 50 mg/cm3 at 140 kV."""

RIM_MM = 12.0
"""Rim of the object left out of the search: its edge may overshoot."""

ROD_SEED_MM = 4.0
"""Noise and the holder's edge make no bright spot deeper than this, mm."""

BODY_SEED_MM = 10.0
"""Deeper than this, mm, are only vertebral bodies: arch and processes are thinner than 20 mm."""

CORE_DEPTH = 0.55
"""A core is deeper than this share of its object's greatest depth: clear of shell and blur. The
outline found is up to 4 mm too wide, the more so the brighter the object, so a fixed rim will not
do."""

SMALLEST_CORE = 0.2
"""Cores smaller than this share of the largest one are specks that noise cut off."""


@dataclass(frozen=True)
class Calibration:
    """HU as a line over density, HU = slope * density + intercept.

    Args:
        slope: HU per mg/cm3.
        intercept: HU at 0 mg/cm3.
        residual_hu: root mean square distance of the rods from the line, HU.
    """

    slope: float
    intercept: float
    residual_hu: float

    def density(self, hu: float) -> float:
        """Return the density, mg/cm3, at a mean HU."""
        return (hu - self.intercept) / self.slope


def rod_means(image: np.ndarray, spacing_mm: Sequence[float], count: int) -> np.ndarray:
    """Find straight rods along z and measure them.

    Args:
        image: HU, [X, Y, Z].
        spacing_mm: voxel size along x, y, z.
        count: number of rods on the phantom's label.

    Returns:
        Mean HU of each rod's core, rising, shape [count].

    Raises:
        ValueError: the image does not show `count` rods.
    """
    planes = _inner_planes(image, spacing_mm[2])
    axial = image[:, :, planes].mean(axis=2)
    pixel = spacing_mm[:2]
    inside = _eroded_body(axial, pixel)
    smooth = ndimage.gaussian_filter(axial, [SMOOTHING_MM / s for s in pixel])
    bright = inside & (smooth > np.median(axial[inside]) + CONTRAST_HU)
    cores, rods = _cores(bright, pixel, seed_mm=ROD_SEED_MM)
    if rods.size != count:
        raise ValueError(f"found {rods.size} rods, the certificate lists {count}")
    return np.sort(ndimage.mean(axial, cores, rods))


def calibrate(
    image: np.ndarray, spacing_mm: Sequence[float], certificate_mg_cm3: Sequence[float]
) -> Calibration:
    """Fit the line of HU over density to the rods of a calibration phantom.

    Args:
        image: HU, [X, Y, Z].
        spacing_mm: voxel size along x, y, z.
        certificate_mg_cm3: densities on the phantom's label; brighter rods hold more.
    """
    hu = rod_means(image, spacing_mm, len(certificate_mg_cm3))
    density = np.sort(np.asarray(certificate_mg_cm3, dtype=float))
    slope, intercept = np.polyfit(density, hu, deg=1)
    residual = float(np.sqrt(np.mean((hu - slope * density - intercept) ** 2)))
    return Calibration(float(slope), float(intercept), residual)


def insert_means(image: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Find vertebral bodies and measure their trabecular cores.

    Args:
        image: HU, [X, Y, Z].
        spacing_mm: voxel size along x, y, z.

    Returns:
        Mean HU of each core, from bottom to top, shape [vertebrae].

    Raises:
        ValueError: no vertebral body is seen.
    """
    planes = _inner_planes(image, spacing_mm[2])
    volume = image[:, :, planes]
    inside = _eroded_body(volume.mean(axis=2), spacing_mm[:2])[:, :, None]
    smooth = ndimage.gaussian_filter(volume, [SMOOTHING_MM / s for s in spacing_mm])
    plastic = np.median(volume[np.broadcast_to(inside, volume.shape)])
    bone = inside & (smooth > plastic + BONE_HU)
    labels, index = _cores(bone, spacing_mm, seed_mm=BODY_SEED_MM)
    if index.size == 0:
        raise ValueError("no vertebral body found in the image")
    centres = [z for _, _, z in ndimage.center_of_mass(labels > 0, labels, index)]
    return ndimage.mean(volume, labels, index)[np.argsort(centres)]


def read_inserts(
    image: np.ndarray, spacing_mm: Sequence[float], calibration: Calibration
) -> np.ndarray:
    """Return the density of each vertebral body, mg/cm3, from bottom to top."""
    return np.array([calibration.density(hu) for hu in insert_means(image, spacing_mm)])


def _cores(
    mask: np.ndarray, spacing_mm: Sequence[float], seed_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Label the deep middle of every object in a mask.

    Args:
        mask: what was found bright, of any dimension.
        spacing_mm: voxel size along each axis.
        seed_mm: an object is a connected part that is deeper than this.

    Returns:
        Labels of the cores, shaped as the mask, and the label of each object.
    """
    depth = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    seeds, found = ndimage.label(depth > seed_mm)
    index = np.arange(1, found + 1)
    deepest = np.concatenate([[np.inf], ndimage.maximum(depth, seeds, index)])
    cores = np.where(depth > CORE_DEPTH * deepest[seeds], seeds, 0)
    size = ndimage.sum_labels(cores > 0, cores, index)
    return cores, index[size > SMALLEST_CORE * size.max(initial=0.0)]


def _inner_planes(image: np.ndarray, spacing_z_mm: float) -> slice:
    """Return the planes that hold the object, less `RIM_MM` at its two ends (3-D images)."""
    middle = image[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 2]
    (filled,) = np.nonzero(middle.mean(axis=0) > BODY_HU)
    if filled.size == 0:
        raise ValueError("the image shows no object")
    rim = int(np.ceil(RIM_MM / spacing_z_mm)) if image.shape[2] > 1 else 0
    return slice(int(filled[0]) + rim, int(filled[-1]) + 1 - rim)


def _eroded_body(axial: np.ndarray, pixel_mm: Sequence[float]) -> np.ndarray:
    """Return the object in an axial image [X, Y] without its outer rim."""
    body = ndimage.binary_fill_holes(axial > BODY_HU)
    return ndimage.distance_transform_edt(body, sampling=pixel_mm) > RIM_MM
