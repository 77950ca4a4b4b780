"""Names counted from ribs where no sacrum shows, through the transform and the wide CT."""

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from lumbar_bundle.classes import LEVELS
from lumbar_bundle.naming import NameLevelsd
from tests.bundles.lumbar_segmentation.test_ribs import Spine

#: Channels of the drawn bodies, L3 to T10, and the same one level up.
RIGHT, ONE_UP = (3, 2, 1, 7, 8, 9), (2, 1, 7, 8, 9, 9)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = -30, -60, -75
SHAPE = (31, 60, 130)


def item(said: tuple[int, ...], blank_above_mm: float | None = None) -> dict[str, Any]:
    """What the network says of rods and blocks, with the CT they are drawn on."""
    spine = Spine()
    wide, wide_affine = spine.draw()
    world = np.moveaxis(np.indices(SHAPE), 0, -1) * 2.0 + AFFINE[:3, 3]
    logits = np.zeros((10, *SHAPE), np.float32)
    logits[0] = 5.0
    for centre, channel in zip(spine.bodies(), said, strict=True):
        inside = (np.abs(world - centre) < [22, 16, 12]).all(-1)
        logits[channel][inside] = 10.0
    image = np.ones((1, *SHAPE), np.float32)
    if blank_above_mm is not None:
        heights = np.arange(wide.shape[2]) * 3.0 + wide_affine[2, 3]
        wide[:, :, heights > blank_above_mm] = -1024
        logits[1:, world[..., 2] > blank_above_mm] = 0.0
    meta = {"original_affine": wide_affine, "spatial_shape": np.array(wide.shape)}
    wide_tensor = torch.from_numpy(wide[None].astype(np.int16))
    return {
        "image": MetaTensor(torch.from_numpy(image), affine=torch.from_numpy(AFFINE), meta=meta),
        "wide": MetaTensor(wide_tensor, affine=torch.from_numpy(wide_affine)),
        "pred": torch.from_numpy(logits),
    }


def test_bodies_below_the_last_rib_are_named() -> None:
    result = NameLevelsd()(item(RIGHT))
    assert [body["name"] for body in result["chain"]] == ["L3", "L2", "L1", "T12", "T11", "T10"]
    assert {body["anchor"] for body in result["chain"]} == {"ribs"}
    status = {name: level["status"] for name, level in result["levels"].items()}
    assert status == {"L1": "measured", "L2": "measured", "L3": "measured", "L4": "refused"}
    assert result["levels"]["L4"]["reasons"] == ["level_not_found"]
    for place, name in ((0, "L3"), (2, "L1")):
        index = np.round((Spine().bodies()[place] - AFFINE[:3, 3]) / 2).astype(int)
        assert int(result["pred"][0][tuple(index)]) == LEVELS[name]


@pytest.mark.parametrize("without", ["wide", "agreement"])
def test_without_ribs_or_agreement_there_is_no_anchor(without: str) -> None:
    data = item(RIGHT if without == "wide" else ONE_UP)
    if without == "wide":
        del data["wide"]
    result = NameLevelsd()(data)
    assert {level["reasons"][0] for level in result["levels"].values()} == {"no_anchor"}
    assert not result["pred"].any()


def test_blank_filling_in_the_wide_ct_cuts_a_body() -> None:
    top = Spine().bodies()[4][2] + 5
    chain = NameLevelsd()(item(RIGHT, blank_above_mm=top))["chain"]
    assert [body["complete"] for body in chain] == [True] * 4 + [False]
