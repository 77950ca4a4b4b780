"""Names on phantom patients, as a network with all its usual errors would show them.

Every case asserts that no name is wrong; and which are there.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from lumbar_bundle.classes import LEVELS
from lumbar_bundle.naming import NameLevelsd, Naming, name_levels
from tests.bundles.lumbar_segmentation import network_like as like

SEED = 41
#: Room of the scan beside and before the working grid, voxels: bodies end in the field.
ROOM = np.array([20, 20, 0])
ALL = frozenset(LEVELS)


def named(spine: like.Spine, probabilities: np.ndarray) -> Naming:
    affine = spine.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ ROOM
    return name_levels(probabilities, spine.affine, affine, tuple(spine.labels.shape + 2 * ROOM))


def right_names(naming: Naming, spine: like.Spine) -> set[str]:
    """Levels accepted, after asserting that each lies on its own body."""
    right = set()
    for name, number in LEVELS.items():
        below = spine.labels[naming.names == number]
        if naming.levels[name]["status"] != "measured":
            assert below.size == 0, f"{name} is refused and drawn"
            continue
        assert (below == number).sum() > 0.9 * (spine.labels == number).sum(), f"{name} is wrong"
        assert not (below[below > 0] != number).mean() > 0.06, f"{name} spills"
        assert 0.5 < naming.levels[name]["confidence"] <= 1
        right.add(name)
    return right


def rng(index: int) -> np.random.Generator:
    return np.random.default_rng([SEED, index])


@pytest.fixture(scope="module", params=[0, pytest.param(1, marks=pytest.mark.slow)])
def spine(request: pytest.FixtureRequest) -> like.Spine:
    return like.phantom_spine(SEED, request.param)


def ends(spine: like.Spine, label: int) -> tuple[int, int]:
    height = np.argwhere(spine.labels == label)[:, 2]
    return int(height.min()), int(height.max())


def test_all_four_are_right(spine: like.Spine) -> None:
    naming = named(spine, like.network_says(spine, rng(0)))
    assert right_names(naming, spine) == ALL
    names = [body["name"] for body in naming.chain]
    assert names[:8] == ["L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10"]
    assert {body["anchor"] for body in naming.chain} == {"sacrum"}


@pytest.mark.parametrize(
    "turn",
    [
        (15, 0, 0),
        (0, -15, 0),
        *(
            pytest.param(turn, marks=pytest.mark.slow)
            for turn in ((-15, 0, 0), (0, 15, 0), (0, 0, 15))
        ),
    ],
    ids=str,
)
def test_turned_patients(turn: tuple[float, ...]) -> None:
    spine = like.phantom_spine(SEED, 2, turn)
    assert right_names(named(spine, like.network_says(spine, rng(1))), spine) == ALL


def test_mirrored_is_the_same(spine: like.Spine) -> None:
    flipped = replace(spine, labels=spine.labels[::-1].copy())
    probabilities = like.network_says(spine, rng(0))[:, ::-1]
    assert right_names(named(flipped, probabilities), flipped) == ALL


def test_one_sagittal_slice(spine: like.Spine) -> None:
    middle = round(np.argwhere(spine.labels == 3)[:, 0].mean())
    one = spine.cut(0, middle, middle + 1)
    naming = name_levels(like.network_says(one, rng(3)), one.affine, one.affine, one.labels.shape)
    assert right_names(naming, one) == ALL


def test_slices_of_five_millimetres(spine: like.Spine) -> None:
    affine = spine.affine.copy()
    affine[:3, 0] *= 2.5
    keep = np.round(np.arange(0, spine.labels.shape[0] - 1, 2.5)).astype(int)
    thick = like.Spine(spine.labels[keep], affine)
    naming = name_levels(
        like.network_says(thick, rng(4)), thick.affine, thick.affine, thick.labels.shape
    )
    assert right_names(naming, thick) == ALL


@pytest.mark.parametrize(
    ("missing", "reasons"),
    [
        (5, dict.fromkeys(LEVELS, "no_anchor")),
        (3, {"L3": "level_not_found", "L2": "chain_broken", "L1": "chain_broken"}),
        (1, {"L1": "level_not_found"}),
    ],
    ids=["L5", "L3", "L1"],
)
def test_a_hole_breaks_the_count(spine: like.Spine, missing: int, reasons: dict[str, str]) -> None:
    naming = named(spine, like.network_says(like.without(spine, missing), rng(5)))
    assert right_names(naming, spine) == ALL - set(reasons)
    found = {n: level["reasons"] for n, level in naming.levels.items() if level["reasons"]}
    assert found == {name: [reason] for name, reason in reasons.items()}


def s1_for_l5(spine: like.Spine) -> np.ndarray:
    body, below = like.first_sacral_body(spine)
    shifted = like.relabelled(spine.labels, like.ONE_UP)
    return np.where(body, 5, np.where(below, 0, shifted))


def s1_besides_l5(spine: like.Spine) -> np.ndarray:
    body, below = like.first_sacral_body(spine)
    return np.where(body, 5, np.where(below, 0, spine.labels))


def l5_in_the_sacrum(spine: like.Spine) -> np.ndarray:
    return like.relabelled(spine.labels, {5: 6, **like.ONE_DOWN})


@pytest.mark.parametrize(
    "believed",
    [
        s1_for_l5,
        s1_besides_l5,
        l5_in_the_sacrum,
        lambda spine: like.relabelled(spine.labels, {5: 6}),
        lambda spine: like.relabelled(spine.labels, like.ONE_UP),
        lambda spine: like.relabelled(spine.labels, like.ONE_DOWN | {5: 5}),
    ],
    ids=["S1 as L5", "S1 as L5 too", "L5 in sacrum", "L5 in sacrum only", "one up", "one down"],
)
def test_a_false_count_is_no_wrong_name(
    spine: like.Spine, believed: Callable[[like.Spine], np.ndarray]
) -> None:
    naming = named(spine, like.network_says(spine, rng(6), believed(spine)))
    assert right_names(naming, spine) in (set(), ALL)


def test_s1_outlined_as_a_body_is_refused(spine: like.Spine) -> None:
    naming = named(spine, like.network_says(spine, rng(7), s1_for_l5(spine)))
    assert all(level["reasons"] == ["no_anchor"] for level in naming.levels.values())


@pytest.mark.parametrize("level", [5, 4, 3, 2, 1])
def test_cut_below_there_is_no_anchor(spine: like.Spine, level: int) -> None:
    low, high = ends(spine, level)
    cut = spine.cut(2, (low + high) // 2, spine.labels.shape[2])
    naming = named(cut, like.network_says(cut, rng(8)))
    assert right_names(naming, cut) == set()
    assert {level["reasons"][0] for level in naming.levels.values()} == {"no_anchor"}


@pytest.mark.parametrize("level", [4, 3, 2, 1])
def test_cut_above_the_rest_is_named(spine: like.Spine, level: int) -> None:
    low, high = ends(spine, level)
    cut = spine.cut(2, 0, (low + high) // 2)
    naming = named(cut, like.network_says(cut, rng(9)))
    # In the phantom an upright slope may leave the body below within 3 mm of the face as well.
    whole = {name for name, number in LEVELS.items() if number > level}
    below = {f"L{level + 1}"} & ALL
    assert whole - below <= right_names(naming, cut) <= whole
    assert naming.levels[f"L{level}"]["reasons"] == ["touches_border"]


def test_nothing_found(spine: like.Spine) -> None:
    empty = like.network_says(spine, rng(10), np.zeros_like(spine.labels))
    naming = named(spine, empty)
    assert {level["reasons"][0] for level in naming.levels.values()} == {"level_not_found"}
    assert naming.chain == []


def test_transform_keeps_the_grids(spine: like.Spine) -> None:
    probabilities = like.network_says(spine, rng(0))
    affine = spine.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ ROOM
    meta = {"original_affine": affine, "spatial_shape": spine.labels.shape + 2 * ROOM}
    image = torch.ones((1, *spine.labels.shape))
    data = {
        "image": MetaTensor(image, affine=torch.from_numpy(spine.affine), meta=meta),
        "pred": torch.from_numpy(np.log(probabilities)),
    }
    result = NameLevelsd()(data)
    assert result["pred"].shape == result["body"].shape == image.shape
    assert result["pred"].dtype == torch.uint8
    np.testing.assert_allclose(result["pred"].affine, spine.affine)
    expected = named(spine, probabilities)
    np.testing.assert_array_equal(result["pred"][0], expected.names)
    assert result["levels"] == expected.levels
    # Every voxel of a named body has its name: names reach past the outline.
    outline = (result["body"][0] >= 0.5).numpy() & (spine.labels == 2)
    assert (result["pred"][0].numpy()[outline] == 2).all()


def test_blank_filling_beside_a_body_counts_as_its_border(spine: like.Spine) -> None:
    probabilities = like.network_says(spine, rng(0))
    low, high = ends(spine, 1)
    image = torch.ones((1, *spine.labels.shape))
    blank = np.zeros(spine.labels.shape, bool)
    blank[:, :, (low + high) // 2 :] = True
    probabilities = np.where(blank, np.eye(10)[0][:, None, None, None], probabilities)
    image[0][torch.from_numpy(blank)] = 0.0
    affine = spine.affine.copy()
    meta = {"original_affine": affine, "spatial_shape": np.array(spine.labels.shape)}
    data = {
        "image": MetaTensor(image, affine=torch.from_numpy(affine), meta=meta),
        "pred": torch.from_numpy(np.log(np.clip(probabilities, 1e-6, 1))),
    }
    levels = NameLevelsd()(data)["levels"]
    assert levels["L1"]["reasons"] == ["touches_border"]
    assert levels["L3"]["status"] == "measured"


def test_logits_of_another_grid_are_refused(spine: like.Spine) -> None:
    image = MetaTensor(torch.ones((1, *spine.labels.shape)))
    with pytest.raises(ValueError, match="channels on the image's own grid"):
        NameLevelsd()({"image": image, "pred": torch.zeros((10, 3, 4, 5))})


@pytest.mark.realdata
@pytest.mark.parametrize("turn", [None, "mirrored"])
def test_real_outlines(shared_data: Path, turn: str | None) -> None:
    """The outlines of a real spine, as a network might give them, are named right."""
    folder = shared_data / "lumbar_ct_3mm"
    if not folder.is_dir():
        pytest.skip("no lumbar_ct_3mm")
    bodies, vertebrae = (
        np.asarray(nib.load(folder / f"{name}.nii.gz").dataobj).astype(int)
        for name in ("vertebral_bodies", "vertebrae")
    )
    labels = np.select(
        [bodies == number for number in (19, 20, 21, 22, 23, 24)], [7, 1, 2, 3, 4, 5], 0
    )
    labels = np.where((labels == 0) & (vertebrae == 26), 6, labels).astype(np.uint8)
    labels = ndimage.zoom(labels, 1.5, order=0, grid_mode=True, mode="nearest")
    if turn == "mirrored":
        labels = labels[::-1]
    middle = int(np.argwhere(labels == 3)[:, 0].mean())
    whole = like.Spine(labels, np.diag([2.0, 2.0, 2.0, 1.0]))
    spine = whole.cut(0, middle - 16, middle + 17)
    assert right_names(named(spine, like.network_says(spine, rng(11))), spine) == ALL
