"""S1's three stages, one after the other: slices, sequence, the whole network.

Each is the bundle's own training with the overlay of its stage, and starts from the last
checkpoint of the stage before.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigWorkflow

from ovf_bundle.common import newest_checkpoint
from ovf_bundle.weights import read

logger = logging.getLogger(__name__)

#: Overlays, in their order.
STAGES = ("stage1_slices", "stage2_sequence", "stage3_finetune")
#: What the last stage leaves in the folder of checkpoints: a plain state dict.
MODEL = "model.pt"


def train(
    configs: str | Path,
    ckpt_dir: str | Path,
    overlays: Sequence[str] = (),
    of_stage: Mapping[str, Sequence[str]] | None = None,
    ids: Mapping[str, Any] | None = None,
) -> Path:
    """Train all stages, or what is missing of them.

    Args:
        configs: Folder of the bundle's configs.
        ckpt_dir: Folder of the checkpoints; each stage has one within.
        overlays: Names of further overlays, read before that of the stage.
        of_stage: Stage -> overlays read after its own.
        ids: Ids of the config -> values, of all stages.

    Returns:
        File of the weights.
    """
    start: str | None = None
    for stage in STAGES:
        names = ["train", *overlays, stage, *(of_stage or {}).get(stage, ())]
        folder = Path(ckpt_dir) / stage
        logger.info("stage %s", stage)
        workflow = ConfigWorkflow(
            config_file=[str(Path(configs) / f"{name}.yaml") for name in names],
            workflow_type="train",
            run_id="training",
            **{**(ids or {}), "ckpt_dir": str(folder), "start_file": start, "resume": True},
        )
        workflow.initialize()
        if reached(folder) < int(workflow.parser.get_parsed_content("epochs")):
            workflow.run()
        workflow.finalize()
        start = newest_checkpoint(str(folder))
    model = Path(ckpt_dir) / MODEL
    part = model.with_suffix(".part")
    torch.save(read(str(start)), part)
    part.replace(model)
    return model


def reached(folder: Path) -> int:
    """Return the epoch of the newest checkpoint in a folder, 0 without any."""
    newest = newest_checkpoint(str(folder))
    return 0 if newest is None else int(newest.rpartition("=")[2].removesuffix(".pt"))
