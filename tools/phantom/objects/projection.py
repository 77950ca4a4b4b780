"""One polychromatic CT scan of an axial slice: the check on the effective-spectrum shortcut.

The phantom gives every material one HU per beam. Here the beam is instead sent through the slice
energy by energy: line integrals of each material, transmitted spectrum, detected energy, logarithm,
the water correction that scanners apply, and filtered back-projection (parallel beam).

    image = scan_slice(esp_layers(body), z_mm=0.0, beam=REFERENCE_BEAM, side_mm=400.0)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.transform import iradon, radon

from tools.phantom.objects.layers import Layer, axis_mm, fractions
from tools.phantom.physics.beam import Beam
from tools.phantom.physics.materials import MATERIALS, Material

PIXEL_MM = 1.5
"""Pixel and detector bin, mm: inserts of 20 mm and more need no finer one."""

ANGLES = 180
"""Projections over 180 degrees; with 1 mm pixels and 480 no core mean changes by over 0.5 HU."""

RANK_TOLERANCE = 1e-9
"""Spectra weaker than this share of the strongest are rounding."""

WATER_RANGE_CM = 60.0
"""Longest water path of the water correction, cm."""

CORRECTION_DEGREE = 7
"""Degree of the polynomial that turns the logarithm into cm of water."""


def sinogram(
    maps: dict[Material, np.ndarray], beam: Beam, angles_deg: np.ndarray, pixel_mm: float
) -> np.ndarray:
    """Return the negative logarithm of the detected signal behind the slice.

    Args:
        maps: area fraction of each material, [N, N] each; air is taken as nothing.
        beam: source spectrum and detector; its `water_cm` does not act, the slice is the patient.
        angles_deg: view angles, shape [A].
        pixel_mm: pixel and detector bin.

    Returns:
        Sinogram, [N, A].
    """
    energies = beam.energies_kev
    solid = [material for material in maps if material.name != "air"]
    spectra = np.stack([material.attenuation(energies) for material in solid])
    # Inserts are mixtures of few substances: project only as many maps as their spectra span.
    mixing, strength, basis = np.linalg.svd(spectra, full_matrices=False)
    rank = int(np.sum(strength > RANK_TOLERANCE * strength[0]))
    shares = np.stack([maps[material] for material in solid])
    combined = np.tensordot((mixing * strength)[:, :rank].T, shares, axes=1)
    paths_cm = np.stack([radon(share, theta=angles_deg) for share in combined], axis=-1)
    depth = paths_cm @ basis[:rank] * (pixel_mm / 10.0)
    return -np.log(np.exp(-depth) @ beam.source_weights)


def water_correction(beam: Beam) -> np.ndarray:
    """Fit the cm of water that give a detected logarithm, as a polynomial without constant.

    Returns:
        Coefficients for `numpy.polyval`, highest power first.
    """
    paths = np.linspace(0.0, WATER_RANGE_CM, 601)
    transmitted = np.exp(-paths[:, None] * MATERIALS["water"].attenuation(beam.energies_kev))
    logarithm = -np.log(transmitted @ beam.source_weights)
    powers = np.stack([logarithm**k for k in range(CORRECTION_DEGREE, 0, -1)], axis=1)
    # Columns are scaled before the fit: powers of up to 12^7 would spoil its condition.
    scale = powers.max(axis=0)
    coefficients, *_ = np.linalg.lstsq(powers / scale, paths, rcond=None)
    return np.append(coefficients / scale, 0.0)


def scan_slice(
    layers: Sequence[Layer],
    z_mm: float,
    beam: Beam,
    side_mm: float,
    pixel_mm: float = PIXEL_MM,
    angles: int = ANGLES,
) -> np.ndarray:
    """Scan one axial plane of a test object and reconstruct it.

    Args:
        layers: the object.
        z_mm: height of the plane.
        beam: source spectrum and detector.
        side_mm: side of the square field; the object lies within its inscribed circle.
        pixel_mm: pixel and detector bin.
        angles: views over 180 degrees.

    Returns:
        HU, float32, [N, N, 1].
    """
    axis = axis_mm(side_mm, pixel_mm)
    views = np.arange(angles) * 180.0 / angles
    measured = sinogram(fractions(layers, axis, axis, z_mm), beam, views, pixel_mm)
    water_cm = np.polyval(water_correction(beam), measured)
    image = iradon(water_cm, theta=views, filter_name="hann") / (pixel_mm / 10.0)
    return (1000.0 * (image - 1.0)).astype(np.float32)[..., None]
