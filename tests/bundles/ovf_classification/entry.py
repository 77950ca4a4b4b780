"""What the joint tests know of this bundle."""

import json
from pathlib import Path

import torch

from tests.bundles.entry import Entry
from tests.bundles.ovf_classification.cohort import draw


def check_network(network: torch.nn.Module) -> None:
    """It takes any number of slices, and gives a logit for each scan."""
    for slices in (1, 5):
        assert network(torch.rand(2, 3, slices, 224, 224)).shape == (2, 1)


def check_inferred(output: Path) -> None:
    """The scan was judged."""
    ovf = json.loads((output / "A0004_ovf.json").read_text())["ovf"]
    assert (ovf["status"], ovf["slices"]) == ("measured", 3)


SMALL = {"network_def::encoder::_target_": "resnet10", "pixels": 32, "source_pixels": 64}

ENTRY = Entry(
    draw=draw,
    inputs=["image"],
    more_inputs=[],
    batch_id="scans_per_batch",
    small_training={"scans_per_batch": 4, "cache_workers": 0},
    small_network=SMALL,
    small_overlays=[],
    small_options=SMALL,
    overlays={
        *("augment_more", "evidence", "finetune", "multi_gpu_train", "paper", "pretrain", "quick"),
        *("stages", "stage1_slices", "stage2_sequence", "stage3_finetune", "with_bodies"),
    },
    network_overlays=(),
    check_network=check_network,
    key_metric="val_auc",
    worst_metric=1.0,
    encoder="encoder",
    decoder="head.aggregator",
    finetuning_moves_norms=False,
    shared=[
        *("share", "least", "slice_mm", "most_mm", "centre", "jpeg_ratio", "source_pixels"),
        *("pixels", "hu_window", "aggregator", "network_def", "network", "device", "seed", "amp"),
        *("load_image", "check_image", "select_slices", "compress", "shrink", "to_window"),
        *("take_slices", "repeat_channels", "to_probability"),
    ],
    own={"initialize", "imports", "run", "output_dir", "dataset_dir", "num_workers"},
    check_inferred=check_inferred,
    weights={},
    export_shapes=[(1, 3, 1, 224, 224), (2, 3, 3, 224, 224), (1, 3, 7, 224, 224)],
    export_axes={0: "scans", 2: "slices"},
    reasons={"field_too_small", "spine_beside_slices"},
)
