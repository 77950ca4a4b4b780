"""A rod calibration phantom: rods of known HA density in a body-sized holder.

A different object from the ESP: other shape, other densities, other places. The holder has the
size of a body, so that the rods see about the hardening that a patient's spine sees; a flat plate
under the table would not. All dimensions are our design.

    from tools.phantom.objects.rods import ROD_DENSITIES_MG_CM3, draw_rods
    image = draw_rods(REFERENCE_BEAM, (0.8, 0.8, 1.0))
"""

from __future__ import annotations

import numpy as np

from tools.phantom.objects.layers import Layer, draw, ellipse
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.materials import MATERIALS, Material, ha_insert

ROD_DENSITIES_MG_CM3 = (25.0, 75.0, 125.0, 175.0, 225.0)
"""HA of the rods, mg/cm3, as the certificate states them; none equals an ESP insert."""

ROD_DIAMETER_MM = 22.0
RING_RADIUS_MM = 38.0
"""Distance of the rods from the middle of the holder, mm: near where a spine lies."""

ROD_LENGTH_MM = 80.0
HOLDER_MM = (290.0, 190.0)
"""Width and depth of the holder, mm."""

FIELD_MARGIN_MM = 20.0
"""Air drawn around the object, mm."""


def rod_layers(
    holder_mm: tuple[float, float] = HOLDER_MM, matrix: Material | None = None
) -> list[Layer]:
    """Return the phantom's parts, centred on the origin.

    Args:
        holder_mm: width and depth of the holder.
        matrix: plastic that the rods' HA displaces; the water-equivalent epoxy when omitted.
    """
    half = ROD_LENGTH_MM / 2.0
    layers = [Layer(MATERIALS["water_epoxy"], ellipse(*holder_mm), (-half, half))]
    for index, density in enumerate(ROD_DENSITIES_MG_CM3):
        angle = 2.0 * np.pi * index / len(ROD_DENSITIES_MG_CM3)
        x, y = RING_RADIUS_MM * np.sin(angle), RING_RADIUS_MM * np.cos(angle)
        rod = ha_insert(density, matrix or MATERIALS["water_epoxy"])
        outline = ellipse(ROD_DIAMETER_MM, ROD_DIAMETER_MM, float(x), float(y))
        layers.append(Layer(rod, outline, (-half, half)))
    return layers


def draw_rods(
    beam: Beam = REFERENCE_BEAM,
    spacing_mm: tuple[float, float, float] = (0.8, 0.8, 1.0),
    holder_mm: tuple[float, float] = HOLDER_MM,
    matrix: Material | None = None,
) -> np.ndarray:
    """Draw the phantom's ideal CT image.

    Args:
        beam: hardened spectrum.
        spacing_mm: voxel size along x, y, z.
        holder_mm: width and depth of the holder.
        matrix: plastic of the rods.

    Returns:
        HU, float32, [X, Y, Z].
    """
    width, depth = (side + 2.0 * FIELD_MARGIN_MM for side in holder_mm)
    extent = (width, depth, ROD_LENGTH_MM + 2.0 * FIELD_MARGIN_MM)
    return draw(rod_layers(holder_mm, matrix), beam, extent, spacing_mm)
