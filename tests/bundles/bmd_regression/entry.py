"""What the joint tests know of this bundle."""

import json
from pathlib import Path

import torch

from tests.bundles.bmd_regression.spines import spine
from tests.bundles.cohorts import save_case, save_lists
from tests.bundles.entry import Entry


def draw(folder: Path) -> None:
    """Six tiny patients: three to train on, two to validate, one to test."""
    records = []
    for number in range(6):
        densities = {"L2": 60.0 + 30 * number, "L3": 70.0 + 25 * number}
        image, mask, affine = spine(densities, seed=number)
        reference = {
            "bmd": {"L1": None, **densities},
            "unit": "mg/cm3",
            "mineral": "HA",
            "reference": "QCT",
            "kvp": 120,
        }
        arrays = {"image": image, "mask": mask}
        records.append(save_case(folder, number, arrays, affine, **reference))
    save_lists(
        folder, "bmd_regression", training=records[:3], validation=records[3:5], test=records[5:]
    )


def check_network(network: torch.nn.Module) -> None:
    """It takes any number of patches, and gives a density of each."""
    for patches in (1, 5):
        assert network(torch.rand(patches, 3, 32, 32)).shape == (patches, 1)


def check_inferred(output: Path) -> None:
    """The levels drawn were measured, and the others refused."""
    levels = json.loads((output / "A0004_bmd.json").read_text())["levels"]
    assert [level["status"] for level in levels.values()] == [
        *("refused", "measured", "measured", "refused")
    ]


EXPORT_SHAPES = [(1, 3, 32, 32), (2, 3, 32, 32), (7, 3, 32, 32)]
NETWORK_OVERLAYS = ("network_densenet_small", "network_regressor")

ENTRY = Entry(
    draw=draw,
    inputs=["image", "mask"],
    more_inputs=["calibration_file"],
    batch_id="scans_per_batch",
    small_training={"scans_per_batch": 3, "cache_workers": 0},
    small_network={
        "network_def::init_features": 8,
        "network_def::growth_rate": 4,
        "network_def::block_config": [1, 1, 1, 1],
    },
    small_overlays=["network_densenet_small"],
    small_options={},
    overlays={
        *("finetune", "internal_calibration", "multi_gpu_train", "paper", "pretrain"),
        *("pretrain_internal_calibration", "quick", "cross_validation", *NETWORK_OVERLAYS),
        *("task_classification", "reference_dxa", "pretrain_reference_dxa"),
    },
    network_overlays=NETWORK_OVERLAYS,
    check_network=check_network,
    key_metric="val_mae",
    worst_metric=500.0,  # mg/cm³
    encoder="features",
    decoder="class_layers",
    finetuning_moves_norms=False,
    shared=[
        *("hu_window", "patch_size", "patch_mm", "margin_mm", "slice_step_mm"),
        *("slice_thickness_mm", "tilt", "density_mean", "density_sd", "network_def", "network"),
        *("device", "seed", "amp", "load_image", "check_image", "load_mask", "match_mask"),
        *("load_scan", "to_window", "before_patches", "behind_patches"),
    ],
    own={
        *("initialize", "imports", "run", "output_dir", "dataset_dir", "num_workers"),
        # Tested in `test_contract_inference.py`: training has a label and no option for the kV.
        *("read_kvp", "to_density"),
    },
    check_inferred=check_inferred,
    weights={"model.pt": [], "model_internal_calibration.pt": ["internal_calibration"]},
    export_shapes=EXPORT_SHAPES,
    export_axes={0: "batch"},
    reasons={
        *("patch_outside_body", "no_axial_data", "level_not_found", "kvp_out_of_range"),
        "contrast",
    },
    swaps={
        "task_classification": EXPORT_SHAPES,
        "reference_dxa": [(1, 1, 128, 128), (2, 1, 128, 128), (7, 1, 128, 128)],
    },
)
