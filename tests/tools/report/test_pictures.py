import io
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.tools.report import made_up, scene
from tools import pictures as pic
from tools.levels import LABEL_IDS
from tools.page import Figure
from tools.report import axial, pictures
from tools.report.scene import GREY, WHITE
from tools.report.views import CurvedView, ObliqueView, oblique_about
from tools.volumes import reorient

BONE_GREY = int(pic.window(np.array([scene.BONE_HU]), pictures.SPINE_WINDOW)[0])


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(figure.png)).convert("RGB")).astype(int)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=-1).any())


def draw(report: dict[str, Any], **changes: Any) -> dict[str, Figure]:
    image, labels = scene.scan()
    given = {"image": image, "affine": scene.AFFINE, "labels": labels, "patches": scene.patches()}
    return pictures.draw(report, **(given | changes))


@cache
def usual() -> dict[str, Figure]:
    """The pictures of a report without anything special."""
    return draw(scene.report())


def sagittal() -> pic.View:
    path = np.array(list(scene.CENTRES_MM.values()))
    return pictures.sagittal_view(scene.SHAPE, scene.AFFINE, path, path)


def test_every_picture_is_there() -> None:
    assert sorted(usual()) == [
        *(f"axial_{name}" for name in scene.CENTRES_MM),
        "sagittal",
        "sagittal_levels",
    ]


def test_the_sagittal_view_follows_a_bent_spine() -> None:
    image, _ = scene.scan()
    curved = sagittal()
    assert isinstance(curved, CurvedView)
    for centre in scene.CENTRES_MM.values():
        column, row = np.rint(curved.to_pixels(centre)).astype(int)
        assert curved.sample(image, scene.AFFINE)[row, column] == scene.BONE_HU
    flat = pic.view_through(scene.SHAPE, scene.AFFINE, "sagittal", 0.0, curved.pixel_mm)
    column, row = np.rint(flat.to_pixels(scene.CENTRES_MM["L1"])).astype(int)
    assert flat.sample(image, scene.AFFINE)[row, column] == scene.TISSUE_HU


def test_heights_and_depths_of_the_sagittal_view_are_true() -> None:
    image, _ = scene.scan()
    view = sagittal()
    bone = view.sample(image, scene.AFFINE) > (scene.BONE_HU + scene.TISSUE_HU) / 2
    column, row = np.rint(view.to_pixels(scene.CENTRES_MM["L4"])).astype(int)
    edge_mm = 2 * scene.HALF_MM + scene.SPACING_MM
    around = slice(row - 50, row + 51)
    assert bone[around, column].sum() * view.pixel_mm == pytest.approx(edge_mm, abs=1)
    assert bone[row].sum() * view.pixel_mm == pytest.approx(edge_mm, abs=1)


def test_without_a_spine_the_whole_scan_is_shown_flat() -> None:
    levels = dict.fromkeys(scene.CENTRES_MM, made_up.missing("no_anchor"))
    report = made_up.refused("no_anchor", levels=levels)
    figures = draw(report, labels=np.zeros(scene.SHAPE, np.uint8), patches=[])
    assert list(figures) == ["sagittal"]
    assert "scan's middle" in figures["sagittal"].caption
    rows, columns, _ = pixels(figures["sagittal"]).shape
    extent = (np.array(scene.SHAPE) - 1) * scene.SPACING_MM / pictures.SAGITTAL_PIXEL_MM
    np.testing.assert_allclose([rows, columns], [extent[2] + 1, extent[1] + 1], atol=1)


def test_levels_are_outlined_in_their_colours() -> None:
    picture = pixels(usual()["sagittal_levels"])
    for name in scene.CENTRES_MM:
        assert has(picture, pic.LABEL_COLOURS[LABEL_IDS[name]]), name


@pytest.mark.parametrize(
    "level",
    [
        pytest.param(made_up.fractured(), id="suspected fracture"),
        pytest.param(made_up.missing("metal_or_cement"), id="refused"),
    ],
)
def test_a_level_left_out_is_grey_and_says_why(level: dict[str, Any]) -> None:
    centred = level | {"centroid_ras_mm": scene.CENTRES_MM["L2"].tolist()}
    figures = draw(scene.report({"L2": centred}))
    colour = pic.LABEL_COLOURS[LABEL_IDS["L2"]]
    for stem in ("sagittal_levels", "axial_L2"):
        picture = pixels(figures[stem])
        assert not has(picture, colour)
        assert has(picture, GREY)
    reason = (level["reasons"] or level["warnings"])[0].split("_")[0]
    assert reason in figures["axial_L2"].caption


def test_a_refused_level_is_dim_and_shows_no_patch() -> None:
    missing = made_up.missing("metal_or_cement")
    centred = missing | {"centroid_ras_mm": scene.CENTRES_MM["L2"].tolist()}
    bright = pixels(usual()["axial_L2"])
    dim = pixels(draw(scene.report({"L2": centred}))["axial_L2"])
    middle = np.s_[100:140, 150:180]  # inside the body, within the patch
    assert dim[middle].mean() == pytest.approx(axial.DIMMED * bright[middle].mean(), rel=0.05)
    assert not has(dim[60:200, 60:-60], WHITE)
    assert has(bright[60:200, 60:-60], WHITE)


def test_a_patch_is_drawn_where_it_lies() -> None:
    picture = pixels(usual()["axial_L3"])
    rows, columns = picture.shape[:2]
    body = picture[60:200, 60 : columns - 60]  # without the texts at the edges
    at = np.argwhere((body == WHITE).all(axis=-1))
    height, width = np.ptp(at, axis=0) * axial.PIXEL_MM
    assert height == pytest.approx(scene.PATCH_MM, abs=1)
    assert width == pytest.approx(scene.PATCH_MM, abs=1)
    centre = at.mean(axis=0) + [60, 60]
    expected = [rows / 2 - axial.SHIFT_MM / axial.PIXEL_MM, columns / 2]
    np.testing.assert_allclose(centre, expected, atol=3)


def test_a_patch_seen_from_the_side_is_a_line_of_its_length() -> None:
    plain, marked = (pixels(usual()[f"sagittal{end}"]) for end in ("", "_levels"))
    column, row = np.rint(sagittal().to_pixels(scene.CENTRES_MM["L3"])).astype(int)
    assert tuple(marked[row, column]) == WHITE
    assert tuple(plain[row, column]) == (BONE_GREY,) * 3
    length = (marked[row, column - 40 : column + 41] == WHITE).all(axis=-1).sum()
    assert length * pictures.SAGITTAL_PIXEL_MM == pytest.approx(scene.PATCH_MM, abs=1.5)


@pytest.mark.parametrize("codes", ["LPS", "PIR", "SRA"])
def test_the_stored_orientation_does_not_matter(codes: str) -> None:
    image, labels = scene.scan()
    turned, affine = reorient(image, scene.AFFINE, codes)
    turned_labels, _ = reorient(labels, scene.AFFINE, codes)
    straight = usual()
    other = draw(scene.report(), image=turned, affine=affine, labels=turned_labels)
    for stem, figure in straight.items():
        off = np.abs(pixels(figure) - pixels(other[stem])).max(axis=-1)
        assert (off > 2).mean() < 0.005, stem  # an outline may fall on the next pixel


def test_a_sagittal_reformat_has_no_axial_pictures() -> None:
    report = scene.report()
    report["input"]["sagittal_reformat"] = True
    assert sorted(draw(report)) == ["sagittal", "sagittal_levels"]


def test_neighbours_are_named_from_the_chain() -> None:
    chain = [
        {"name": name, "centroid_ras_mm": centre.tolist()}
        for name, centre in scene.CENTRES_MM.items()
    ]
    above = {"name": "T12", "centroid_ras_mm": [60.0, -20.0, 95.0]}
    alone = pixels(draw(scene.report(), chain=chain)["sagittal_levels"])
    named = pixels(draw(scene.report(), chain=[*chain, above])["sagittal_levels"])
    column, row = np.rint(sagittal().to_pixels(np.array(above["centroid_ras_mm"]))).astype(int)
    place = np.s_[row - 10 : row + 11, column - 20 : column + 21]
    assert has(named[place], GREY)
    assert not has(alone[place], GREY)


def test_an_oblique_view_shows_right_on_the_left_and_front_above() -> None:
    view = oblique_about(np.array([5.0, 6.0, 7.0]), np.array([0.2, 0.3, -2.0]), (40, 60), 0.5)
    assert isinstance(view, ObliqueView)
    right, down = view.axes()
    assert right[0] < -0.9
    assert down[1] < -0.9
    assert right @ down == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose([right @ view.normal, down @ view.normal], 0, atol=1e-12)
    middle = view.to_world(np.array([(120 - 1) / 2, (80 - 1) / 2]))
    np.testing.assert_allclose(middle, [5, 6, 7])


def test_an_upright_plane_is_no_axial_view() -> None:
    with pytest.raises(ValueError, match="at most 60°"):
        oblique_about(np.zeros(3), np.array([0.0, 1.0, 0.1]), (40, 60), 0.5)
