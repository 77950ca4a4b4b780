import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from scipy import ndimage

from tools.levels import LABEL_IDS
from tools.phantom.real import Scan
from tools.phantom.recipe import load
from tools.phantom.tone.figures import draw_edges, draw_histograms
from tools.phantom.tone.look import Look
from tools.phantom.tone.measures import border_profile, describe, rise_mm, skin_edge
from tools.phantom.tone.phantoms import MATCHES, like, settings
from tools.phantom.tone.regions import patient, tissues
from tools.volumes import Grid

SPACING = 2.0
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])


def _drawn(blur_mm: float = 0.0, noise: float = 0.0) -> tuple[Scan, dict[str, np.ndarray]]:
    """Return a scan of ellipses (fat, back muscle, a body with a cortex, a table) and its parts."""
    shape = (120, 90, 40)
    x, y, z = np.indices(shape)
    trunk = ((x - 60) / 50) ** 2 + ((y - 45) / 32) ** 2 < 1
    muscle = (np.abs(x - 60) < 40) & (y > 18) & (y < 34) & trunk
    body = ((x - 60) / 12) ** 2 + ((y - 48) / 9) ** 2 < 1
    body &= (z % 20 > 3) & (z % 20 < 17)
    core = ndimage.binary_erosion(body)
    image = np.full(shape, -1000.0)
    for mask, hu in ((trunk, -100), (muscle, 50), (body, 500), (core, 140)):
        image[mask] = hu
    image[10:110, 5:7] = 0  # table
    if blur_mm:
        image = ndimage.gaussian_filter(image, blur_mm / SPACING)
    image += np.random.default_rng(0).normal(0, noise, shape)
    bodies = np.where(body, 1 + z // 20, 0).astype(np.uint8)
    scan = Scan("drawn", image.astype(np.float32), AFFINE, bodies)
    fat = trunk & ~muscle & ~body
    return scan, {"trunk": trunk, "fat": fat, "muscle": muscle, "trabecular": core}


def test_the_table_is_no_patient() -> None:
    scan, parts = _drawn(noise=10)
    found = patient(scan.image, scan.grid.spacing_mm)
    assert not found[:, :8].any()
    assert (found & parts["trunk"]).sum() / (found | parts["trunk"]).sum() > 0.97


@pytest.mark.parametrize("tissue", ["fat", "muscle", "trabecular"])
def test_regions_lie_inside_their_tissue(tissue: str) -> None:
    scan, parts = _drawn(noise=10)
    found = tissues(scan)[tissue]
    assert found.sum() > 500
    assert (found & ~parts[tissue]).sum() == 0


def test_no_mask_no_bone() -> None:
    scan, _ = _drawn()
    assert set(tissues(Scan("plain", scan.image, AFFINE))) == {"fat", "muscle"}


@pytest.mark.parametrize("sd", [5.0, 20.0])
def test_noise_is_recovered_and_white_noise_has_little_grain(sd: float) -> None:
    scan, parts = _drawn(noise=sd)
    found = describe(scan.image, ndimage.binary_erosion(parts["fat"]))
    assert found is not None
    assert found.median == pytest.approx(-100, abs=1)
    assert found.sd == pytest.approx(sd, rel=0.03)
    assert found.noise == pytest.approx(sd, rel=0.05)
    assert abs(found.grain_in_plane) < 0.06
    assert abs(found.grain_along_z) < 0.06


def test_blotchy_noise_has_grain_in_its_own_direction() -> None:
    noise = np.random.default_rng(1).normal(0, 20, (60, 60, 40))
    blotchy = ndimage.gaussian_filter1d(noise, 1.0, axis=2)
    found = describe(blotchy, np.ones(noise.shape, bool))
    assert found is not None
    assert found.grain_along_z > 0.5
    assert abs(found.grain_in_plane) < 0.06


def test_a_smooth_gradient_is_no_noise() -> None:
    ramp = np.indices((60, 60, 40))[0] * 0.5
    found = describe(ramp, np.ones(ramp.shape, bool))
    assert found is not None
    assert found.sd > 8
    assert found.noise < 1


def test_a_small_region_gives_no_number() -> None:
    region = np.zeros((20, 20, 20), bool)
    region[:5, :5, :5] = True
    assert describe(np.zeros(region.shape), region) is None


@pytest.mark.parametrize("blur_mm", [2.0, 3.0])
def test_the_skin_edge_gives_the_blur_back(blur_mm: float) -> None:
    scan, _ = _drawn(blur_mm=blur_mm)
    edge = skin_edge(scan)
    assert edge is not None
    # 10-90 % of a Gaussian edge is 2.563 SD.
    assert rise_mm(*edge) == pytest.approx(2.563 * blur_mm, rel=0.12)


def test_a_crop_without_skin_has_no_edge() -> None:
    scan, _ = _drawn(noise=5)
    inner = scan.image[40:80, 30:60]
    assert skin_edge(Scan("crop", inner, AFFINE)) is None


def test_the_border_profile_peaks_at_the_cortex() -> None:
    scan, _ = _drawn()
    profile = border_profile(scan)
    assert profile is not None
    distance, value = profile
    assert -SPACING <= distance[value.argmax()] <= 0
    assert value.max() > 400
    assert value[distance < -6].mean() == pytest.approx(140, abs=5)
    assert value[distance > 3].mean() == pytest.approx(-100, abs=20)


def test_a_phantom_on_the_real_grid_keeps_place_and_values() -> None:
    scan, _ = _drawn(blur_mm=2.0)
    labels = np.where(scan.bodies == 1, LABEL_IDS["L4"], 0).astype(np.uint8)
    labels[:, :5] = LABEL_IDS["sacrum"]
    affine = AFFINE.copy()
    affine[:3, 3] = -100, 20, 300
    case = SimpleNamespace(image=scan.image, labels=labels, affine=affine)
    grid = Grid((1, 1, 1), np.diag([3.0, 3.0, 3.0, 1.0]))
    found = like(case, "phantom", grid, (np.inf, np.inf, np.inf))
    assert found.image.shape == (80, 60, 27)
    assert found.bodies is not None
    assert set(np.unique(found.bodies)) == {0, LABEL_IDS["L4"]}
    volume = (found.bodies > 0).sum() * 27
    assert volume == pytest.approx((labels == LABEL_IDS["L4"]).sum() * 8, rel=0.12)
    places = [
        Scan("", case.image, map_affine).grid.to_world(np.argwhere(mask).mean(axis=0))
        for mask, map_affine in (
            (case.labels == LABEL_IDS["L4"], affine),
            (found.bodies > 0, found.affine),
        )
    ]
    np.testing.assert_allclose(*places, atol=0.5)
    index = np.array([39.5, 32.0, 5.0])
    world = found.affine[:3, :3] @ index + found.affine[:3, 3]
    there = np.linalg.solve(affine, [*world, 1])[:3]
    expected = ndimage.map_coordinates(case.image, there[:, None], order=3)[0]
    assert ndimage.map_coordinates(found.image, index[:, None], order=3)[0] == pytest.approx(
        expected, abs=8
    )


def test_a_crop_lies_about_the_bodies() -> None:
    scan, _ = _drawn()
    assert scan.bodies is not None
    case = SimpleNamespace(image=scan.image, labels=scan.bodies, affine=AFFINE)
    crop = like(case, "crop", scan.grid, (60.0, np.inf, 40.0))
    assert crop.image.shape == (31, 90, 21)
    middle = scan.grid.to_world(np.argwhere(scan.bodies > 0).mean(axis=0))
    np.testing.assert_allclose(crop.grid.center_mm[[0, 2]], middle[[0, 2]], atol=SPACING)
    start = np.rint(scan.grid.to_index(crop.affine[:3, 3])).astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start, crop.image.shape, strict=True))
    np.testing.assert_allclose(crop.image, scan.image[box], atol=0.5)


def test_every_match_is_a_recipe_the_phantom_accepts(tmp_path: Path) -> None:
    for number, match in enumerate(MATCHES):
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(settings(load("standard"), match)))
        assert load(path)["scan"]["kernel"] == match.scan["kernel"]


def test_pictures_are_drawn_for_what_was_measured(tmp_path: Path) -> None:
    look, other = Look(_drawn(noise=5)[0]), Look(_drawn(blur_mm=2)[0])
    pairs = {"drawn": [look.tissues["fat"], other.tissues["fat"]]}
    draw_histograms(tmp_path / "fat.png", "fat", pairs)
    draw_edges(tmp_path / "border.png", "border", {"drawn": [look.border, other.border]})
    draw_edges(tmp_path / "none.png", "skin", {"drawn": [None, other.skin]})
    assert {path.name for path in tmp_path.iterdir()} == {"fat.png", "border.png"}
    for name, value in itertools.islice(look.numbers().items(), 4):
        assert value is not None, name
