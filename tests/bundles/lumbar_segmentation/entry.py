"""What the joint tests know of this bundle."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from tests.bundles.cohorts import save_case, save_lists
from tests.bundles.entry import Entry

SPACING_MM = 4.0
LABELS = (6, 5, 4, 3, 2, 1, 7, 8)  # sacrum, L5 … L1, T12, T11: bottom to top


def block_spine(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a trunk of water with a column of blocks before a canal.

    Args:
        seed: Of the noise.

    Returns:
        CT in HU, float32, and label ids, uint8; both [20, 24, 80], 4 mm, RAS.
    """
    noise = np.random.default_rng(seed)
    image = np.full((20, 24, 80), -1000.0, dtype=np.float32)
    label = np.zeros(image.shape, dtype=np.uint8)
    image[1:-1, 1:-1, :] = 40.0
    image[6:14, 4:18, :] = 60.0
    for place, name in enumerate(LABELS):
        low = 2 + 10 * place
        label[6:14, 9:17, low : low + 8] = name
        image[6:14, 4:9, low : low + 8] = 300.0  # posterior elements
        image[8:12, 6:8, :] = 30.0  # canal
    image[label > 0] = 250.0
    return image + noise.normal(0.0, 10.0, image.shape).astype(np.float32), label


def draw(folder: Path) -> None:
    """Five tiny patients: two to train on, two to validate, one to test."""
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    records = [
        save_case(
            folder, seed, dict(zip(("image", "label"), block_spine(seed), strict=True)), affine
        )
        for seed in range(5)
    ]
    save_lists(
        folder,
        "lumbar_segmentation",
        training=records[:2],
        validation=records[2:4],
        test=records[4:],
    )


def check_network(network: torch.nn.Module) -> None:
    """It takes any size that its depth divides, and gives logits."""
    for height, width in ((16, 16), (16, 48), (112, 80)):
        logits = network(torch.rand(2, 1, height, width))
        assert logits.shape == (2, 10, height, width)
        assert (logits < 0).any()  # logits: no activation at the end


def check_inferred(output: Path) -> None:
    """Label map and levels were written."""
    assert nib.load(output / "A0004_seg.nii.gz").get_data_dtype() == np.uint8
    levels = json.loads((output / "A0004_levels.json").read_text())["levels"]
    assert set(levels) == {"L1", "L2", "L3", "L4"}


NETWORK_OVERLAYS = (
    "network_unet",
    "network_resunet",
    "network_attention_unet",
    "network_dynunet",
)

ENTRY = Entry(
    draw=draw,
    inputs=["image"],
    more_inputs=[],
    batch_id="slabs_per_batch",
    small_training={
        "slabs_per_batch": 2,
        "slices_per_slab": 1,
        "crop": [32, 32],
        "validation_size": [32, 32],
    },
    small_network={"network_def::width": 2},
    small_overlays=[],
    small_options={"network_def::width": 2},
    overlays={"finetune", "multi_gpu_train", "paper", "pretrain", "quick", *NETWORK_OVERLAYS},
    network_overlays=NETWORK_OVERLAYS,
    check_network=check_network,
    key_metric="val_dice",
    worst_metric=1.0,
    encoder="encoder",
    decoder="decoder",
    finetuning_moves_norms=True,
    shared=[
        *("hu_window", "spacing_mm", "slice_step_mm", "half_width_mm"),
        *("network_def", "network", "device", "seed", "amp", "to_window"),
    ],
    own={"initialize", "imports", "run", "output_dir", "dataset_dir", "num_workers"},
    check_inferred=check_inferred,
    weights={"model.pt": []},
    export_shapes=[(1, 1, 16, 16), (2, 1, 32, 48), (3, 1, 112, 80)],
    export_axes={0: "slices", 2: "height", 3: "width"},
    reasons={"no_anchor", "chain_broken", "touches_border", "level_not_found"},
)
