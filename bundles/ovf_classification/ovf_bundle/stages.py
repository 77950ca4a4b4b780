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
from monai.bundle import ConfigParser, ConfigWorkflow

from ovf_bundle.common import command_ids, newest_checkpoint, read_weights

logger = logging.getLogger(__name__)

#: Overlays, in their order.
STAGES = ("stage1_slices", "stage2_sequence", "stage3_finetune")
#: What the last stage leaves in the folder of checkpoints: a plain state dict.
MODEL = "model.pt"
#: What `run mean_image` writes.
MEAN_IMAGE = "mean_image.pt"
#: Ids of a command line that are this program's, not a stage's.
OWN = frozenset({"ckpt_dir", "stage_overlays", "overlays_of_stage", "start_file", "resume"})


def train(
    configs: str | Path,
    ckpt_dir: str | Path,
    overlays: Sequence[str] = (),
    of_stage: Mapping[str, Sequence[str]] | None = None,
    ids: Mapping[str, Any] | None = None,
    argv: Sequence[str] = (),
) -> Path:
    """Train all stages, or what is missing of them.

    Args:
        configs: Folder of the bundle's configs.
        ckpt_dir: Folder of the checkpoints; each stage has one within.
        overlays: Names of further overlays, read before that of the stage.
        of_stage: Stage -> overlays read after its own.
        ids: Ids of the config -> values, of all stages.
        argv: The command line, `sys.argv`, whose ids every stage has, too.

    Returns:
        File of the weights.
    """
    start: str | None = None
    said = {key: value for key, value in command_ids(argv).items() if key not in OWN}
    for stage in STAGES:
        names = ["train", *overlays, stage, *(of_stage or {}).get(stage, ())]
        folder = Path(ckpt_dir) / stage
        logger.info("stage %s", stage)
        files = [str(Path(configs) / f"{name}.yaml") for name in names]
        given = {
            **said,
            **(ids or {}),
            "ckpt_dir": str(folder),
            "start_file": start,
            "resume": True,
        }
        if start is None:
            mean = Path(ckpt_dir) / MEAN_IMAGE
            if not mean.exists():
                _run(files, "mean_image", {**given, "output_dir": str(ckpt_dir)})
            given["mean_image_file"] = str(mean)
        config = ConfigParser(ConfigParser.load_config_files(files))
        config.update(given)
        if reached(folder) < int(config.get_parsed_content("epochs")):
            _run(files, "training", given)
        start = newest_checkpoint(str(folder))
    model = Path(ckpt_dir) / MODEL
    part = model.with_suffix(".part")
    torch.save(read_weights(str(start)), part)
    part.replace(model)
    return model


def _run(files: list[str], run_id: str, ids: Mapping[str, Any]) -> None:
    """Run one id of a config."""
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", run_id=run_id, **ids)
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def reached(folder: Path) -> int:
    """Return the epoch of the newest checkpoint in a folder, 0 without any."""
    newest = newest_checkpoint(str(folder))
    return 0 if newest is None else int(newest.rpartition("=")[2].removesuffix(".pt"))
