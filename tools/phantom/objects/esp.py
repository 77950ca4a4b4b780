"""An ESP-like spine phantom: three vertebrae of known density in a water-equivalent body.

Read about the European Spine Phantom (Kalender et al. 1995; Lees et al. 1997): three
semi-anthropomorphic vertebrae of hydroxyapatite in water-equivalent plastic, of rising density
and rising cortical thickness; trabecular densities of 50, 100 and 200 mg/cm3. The maker's forearm
phantom, of the same material, has walls of 800 mg/cm3, 0.6 and 1.2 mm thick. The patent that
describes the design (US 5,235,628) has a cylindrical body, a band as neural arch, and processes.
Recalled: an oval body of 280 x 180 mm. All other dimensions are our design.

    from tools.phantom.objects.esp import draw_esp
    image = draw_esp(REFERENCE_BEAM, (0.8, 0.8, 1.0))
"""

from __future__ import annotations

import numpy as np

from tools.phantom.objects.layers import Layer, box, draw, ellipse
from tools.phantom.physics.beam import REFERENCE_BEAM, Beam
from tools.phantom.physics.materials import MATERIALS, ha_insert

ESP_DENSITIES_MG_CM3 = (50.0, 100.0, 200.0)
"""Trabecular HA, mg/cm3, of the vertebrae from bottom to top."""

ESP_WALLS_MM = (0.5, 1.0, 1.5)
"""Thickness of shell and endplates of the three vertebrae, mm; our design."""

ESP_WALL_MG_CM3 = 800.0
"""HA of shell, endplates and neural arch, mg/cm3; as in the maker's forearm phantom."""

ESP_LENGTH_MM = 115.0
"""Length of the body along the spine, mm; our design."""

BODY_SIZES_MM = ((280.0, 180.0), (330.0, 230.0), (380.0, 280.0))
"""Width and depth of the body, mm: the phantom itself and with two extension rings (design)."""

VERTEBRA_DIAMETER_MM = 36.0
VERTEBRA_HEIGHT_MM = 25.0
DISC_MM = 12.0
SPINE_Y_MM = -20.0
"""Centre of the vertebral bodies behind the middle of the phantom, mm; our design."""

CANAL_DIAMETER_MM = 18.0
ARCH_MM = 3.0
"""Thickness of the band that is the neural arch, mm; our design."""

FIELD_MARGIN_MM = 20.0
"""Air drawn around the object, mm."""


def esp_layers(body_mm: tuple[float, float] = BODY_SIZES_MM[0]) -> list[Layer]:
    """Return the phantom's parts, centred on the origin, anterior to positive y.

    Args:
        body_mm: width and depth of the water-equivalent body.
    """
    epoxy = MATERIALS["water_epoxy"]
    wall = ha_insert(ESP_WALL_MG_CM3, epoxy)
    half = ESP_LENGTH_MM / 2.0
    layers = [Layer(epoxy, ellipse(*body_mm), (-half, half))]
    pitch = VERTEBRA_HEIGHT_MM + DISC_MM
    canal_y = SPINE_Y_MM - (VERTEBRA_DIAMETER_MM + CANAL_DIAMETER_MM) / 2.0
    arch = CANAL_DIAMETER_MM + 2.0 * ARCH_MM
    for index, (density, thickness) in enumerate(
        zip(ESP_DENSITIES_MG_CM3, ESP_WALLS_MM, strict=True)
    ):
        middle = (index - 1) * pitch
        whole = (middle - VERTEBRA_HEIGHT_MM / 2.0, middle + VERTEBRA_HEIGHT_MM / 2.0)
        behind = (middle - VERTEBRA_HEIGHT_MM / 4.0, middle + VERTEBRA_HEIGHT_MM / 4.0)
        core = (whole[0] + thickness, whole[1] - thickness)
        inner = VERTEBRA_DIAMETER_MM - 2.0 * thickness
        layers += [
            Layer(wall, box(60.0, 5.0, 0.0, canal_y), behind),
            Layer(wall, box(5.0, 28.0, 0.0, canal_y - arch / 2.0 - 12.0), behind),
            Layer(wall, ellipse(arch, arch, 0.0, canal_y), behind),
            Layer(epoxy, ellipse(CANAL_DIAMETER_MM, CANAL_DIAMETER_MM, 0.0, canal_y), behind),
            Layer(
                wall, ellipse(VERTEBRA_DIAMETER_MM, VERTEBRA_DIAMETER_MM, 0.0, SPINE_Y_MM), whole
            ),
            Layer(ha_insert(density, epoxy), ellipse(inner, inner, 0.0, SPINE_Y_MM), core),
        ]
    return layers


def draw_esp(
    beam: Beam = REFERENCE_BEAM,
    spacing_mm: tuple[float, float, float] = (0.8, 0.8, 1.0),
    body_mm: tuple[float, float] = BODY_SIZES_MM[0],
) -> np.ndarray:
    """Draw the phantom's ideal CT image.

    Args:
        beam: hardened spectrum.
        spacing_mm: voxel size along x, y, z.
        body_mm: width and depth of the body.

    Returns:
        HU, float32, [X, Y, Z], axes to the right, front and top.
    """
    sides = (body_mm[0], body_mm[1], ESP_LENGTH_MM)
    extent = tuple(side + 2.0 * FIELD_MARGIN_MM for side in sides)
    return draw(esp_layers(body_mm), beam, (extent[0], extent[1], extent[2]), spacing_mm)
