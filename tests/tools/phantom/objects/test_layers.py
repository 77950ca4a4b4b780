"""Layered objects keep their mass and know their place."""

import numpy as np
import pytest

from tools.phantom.objects.esp import BODY_SIZES_MM, draw_esp, esp_layers
from tools.phantom.objects.layers import Layer, axis_mm, box, draw, ellipse, fractions
from tools.phantom.objects.rods import draw_rods
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.phantom.physics.materials import MATERIALS, ha_insert


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 1.0), (1.3, 1.3, 3.0)])
def test_cylinder_keeps_its_volume(spacing: tuple[float, float, float]) -> None:
    water = Layer(MATERIALS["water"], ellipse(30.0, 20.0, 1.1, -2.3), (-7.25, 8.75))
    image = draw([water], REFERENCE_BEAM, (50.0, 50.0, 40.0), spacing)
    volume = (image + 1000.0).sum() / 1000.0 * np.prod(spacing)
    # 0.5 %: an edge is taken as straight within a pixel.
    assert volume == pytest.approx(np.pi * 15.0 * 10.0 * 16.0, rel=0.005)


@pytest.mark.parametrize("thickness", [0.5, 1.5])
def test_thin_wall_keeps_its_mass(thickness: float) -> None:
    wall = ha_insert(800.0)
    layers = [
        Layer(MATERIALS["water"], box(60.0, 60.0), (-5.0, 5.0)),
        Layer(wall, ellipse(36.0, 36.0), (-5.0, 5.0)),
        Layer(MATERIALS["water"], ellipse(36.0 - 2 * thickness, 36.0 - 2 * thickness), (-5.0, 5.0)),
    ]
    axis = axis_mm(58.0, 1.0)
    share = fractions(layers, axis, axis, 0.0)[wall]
    ring = np.pi * (18.0**2 - (18.0 - thickness) ** 2)
    # 4 %: where both edges cross a pixel, their overlap is taken as random.
    assert share.sum() == pytest.approx(ring, rel=0.04)


def test_fractions_sum_to_one_and_agree_with_the_drawn_image() -> None:
    axis = axis_mm(300.0, 2.0)
    found = fractions(esp_layers(), axis, axis, 0.0)
    np.testing.assert_allclose(sum(found.values()), 1.0, atol=1e-12)
    hu = sum(share * REFERENCE_BEAM.hu(material) for material, share in found.items())
    image = draw(esp_layers(), REFERENCE_BEAM, (300.0, 300.0, 2.0), (2.0, 2.0, 2.0))
    np.testing.assert_allclose(image[:, :, 0], hu, atol=0.01)


def test_objects_lie_within_their_field() -> None:
    for image in (draw_esp(spacing_mm=(3.0, 3.0, 3.0)), draw_rods(spacing_mm=(3.0, 3.0, 3.0))):
        faces = [image[0], image[-1], image[:, 0], image[:, -1], image[..., 0], image[..., -1]]
        assert all(np.all(face == -1000.0) for face in faces)


def test_larger_body_gets_a_larger_field() -> None:
    small, _, large = (draw_esp(spacing_mm=(4.0, 4.0, 8.0), body_mm=b) for b in BODY_SIZES_MM)
    assert large.shape[0] > small.shape[0]
    assert large.shape[1] > small.shape[1]
