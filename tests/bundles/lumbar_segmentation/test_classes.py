"""Label ids and channels."""

import json

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from lumbar_bundle.classes import (
    BODY_CHANNELS,
    CHAIN_CHANNELS,
    CHANNELS,
    LEVELS,
    SACRUM,
    to_classes,
)
from lumbar_bundle.labels import ToClassesd
from tools.levels import LABEL_IDS

WANTED = {level: CHANNELS.index(level) for level in ("L1", "L2", "L3", "L4", "L5", "T12", "T11")}
WANTED |= {"sacrum": SACRUM, "L6": CHANNELS.index("L5")}


@pytest.mark.parametrize("level", LABEL_IDS)
def test_every_label_id_has_the_channel_of_its_level(level):
    channel = WANTED.get(level, CHANNELS.index("upper"))
    assert to_classes(np.array([LABEL_IDS[level]])).tolist() == [channel]


def test_bodies_are_all_channels_but_background_and_sacrum():
    assert sorted(BODY_CHANNELS) == [1, 2, 3, 4, 5, 7, 8, 9]
    assert sorted(CHAIN_CHANNELS) == sorted(BODY_CHANNELS)
    assert {level: LABEL_IDS[level] for level in LEVELS} == LEVELS


def test_tensors_keep_their_grid():
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    label = MetaTensor(torch.tensor([[[[0, 16, 9]]]]), affine=affine)
    mapped = ToClassesd(keys="label")({"label": label})["label"]
    assert mapped.dtype == torch.uint8
    assert mapped.flatten().tolist() == [0, 9, 9]
    torch.testing.assert_close(mapped.affine, label.affine)


@pytest.mark.parametrize("wrong", [-1, 17, 255])
def test_unknown_ids_are_refused(wrong):
    with pytest.raises(ValueError, match="known are 0 to 16"):
        to_classes(torch.tensor([0, wrong]))


def test_metadata_name_the_channels_as_the_code_does(bundle):
    formats = json.loads((bundle / "configs" / "metadata.json").read_text())["network_data_format"]
    ids = {"0": "background"} | {str(value): name for name, value in LEVELS.items()}
    assert formats["outputs"]["pred"]["channel_def"] == ids
    assert formats["outputs"]["pred"]["num_channels"] == len(CHANNELS)
    assert formats["post_processed_outputs"]["pred"]["channel_def"] == ids
