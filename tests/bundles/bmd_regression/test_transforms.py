"""Patches as MONAI transforms."""

import ast

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bmd_bundle.patches import Patch, extract
from bmd_bundle.transforms import TrabecularPatches, TrabecularPatchesd
from tests.bundles.bmd_regression.solids import grid, solid


@pytest.fixture(scope="module")
def case():
    """L2 that has a patch, and L3 that is too small for one."""
    drawn = solid(*grid((2.0, 2.0, 2.0)), noise_hu=10)
    mask = np.zeros(drawn.body.shape, dtype=np.uint8)
    mask[drawn.body] = 2
    mask[2:4, 2:4, 2:4] = 3
    affine = torch.from_numpy(drawn.affine)
    image = MetaTensor(torch.from_numpy(drawn.image)[None], affine=affine)
    return drawn, {"image": image, "mask": MetaTensor(torch.from_numpy(mask)[None], affine=affine)}


def test_every_level_has_a_patch_or_a_reason(case):
    drawn, data = case
    result = TrabecularPatchesd("image", "mask", size=[24, 24], size_mm=18, tilt=False)(data)
    assert "image" not in result
    assert "image" in data
    assert result["patch_levels"] == ["L2"]
    assert result["patch_refusals"] == {"L3": "patch_outside_body"}
    assert result["patches"].shape == (1, 3, 24, 24)
    expected = extract(drawn.image, drawn.affine, drawn.body, size_mm=18, pixels=24, tilt=False)
    assert np.array_equal(result["patches"][0].numpy(), expected.hu)
    assert result["patch_details"]["L2"].mean_hu == expected.mean_hu


def test_the_array_form_gives_the_patches(case):
    _, data = case
    found = TrabecularPatches()(data["image"], data["mask"])
    assert isinstance(found["L2"], Patch)
    assert set(found) == {"L2", "L3"}


def test_a_map_without_levels_has_no_patches(case):
    _, data = case
    empty = TrabecularPatchesd("image", keep=True)(data | {"mask": data["mask"] * 0})
    assert empty["patches"].shape == (0, 3, 32, 32)
    assert empty["image"] is data["image"]


def test_settings_and_inputs_that_do_not_fit_are_refused(case):
    _, data = case
    with pytest.raises(ValueError, match="two equal"):
        TrabecularPatches(size=(32, 16))
    with pytest.raises(ValueError, match="one image"):
        TrabecularPatchesd(["image", "other"])
    with pytest.raises(ValueError, match="no affine"):
        TrabecularPatches()(np.zeros((1, 4, 4, 4)), np.zeros((1, 4, 4, 4)))
    with pytest.raises(ValueError, match="must both be"):
        TrabecularPatches()(data["image"], data["mask"][:, 1:])


def test_the_bundle_imports_nothing_of_the_repository(bundle):
    for file in (bundle / "bmd_bundle").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            assert not {name.split(".")[0] for name in names} & {"tools", "tests", "lumbar_bundle"}
