"""Trains and reads all folds of a cross-validation by one command, and goes on where it stopped.

Each fold is the bundle's own training with the configs of the command, then its own evaluation of
every scan: who was learnt from, who was left out, and other scanners.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigWorkflow
from monai.data import PersistentDataset
from monai.data.utils import pickle_hashing

from bmd_bundle import folds as splitting
from bmd_bundle import summary
from bmd_bundle.common import (
    SettingError,
    command_ids,
    file_list,
    newest_checkpoint,
    parse_command_line,
    read_weights,
    write_json,
    write_table,
)

logger = logging.getLogger(__name__)

#: What a cross-validation leaves in its folder.
PREDICTIONS, SUMMARY, SETTINGS, MODEL = (
    "predictions.csv", "summary.json", "settings.json", "model.pt",
)  # fmt: skip
#: Columns before those of a fold's own table.
BEFORE = ("fold", "part")
#: Options that change where and how fast it runs, but no number.
INDIFFERENT = frozenset(
    {"bundle_root", "dataset_dir", "datalist", "output_dir", "ckpt_dir", "cache_dir", "device"}
    | {"num_workers", "cache_workers", "resume", "fold", "fold_files", "fold_options"}
)


class Kept:
    """A deterministic transform whose result is kept on disk: the folds read the same scans.

    Args:
        transform: What reads and prepares a case.
        cache_dir: Folder for what it gives; safe to delete.
    """

    def __init__(self, transform: Callable, cache_dir: str | Path) -> None:
        self.kept = PersistentDataset([], transform, cache_dir, hash_transform=pickle_hashing)

    def __call__(self, item: Mapping[str, Any]) -> Any:
        """Prepare a case, or read what it gave before."""
        return self.kept._cachecheck(item)


def run(
    argv: Sequence[str],
    files: Sequence[str] | None,
    options: Mapping[str, Any],
    output_dir: str | Path,
    folds: int,
    ids: Mapping[str, Any],
) -> Path:
    """Run all folds, or what is missing of them.

    Args:
        argv: The command line, `sys.argv`, whose configs and options every fold has.
        files: Configs in its place; None for those of the command line.
        options: Further ids of all folds.
        output_dir: Folder for everything.
        folds: How many.
        ids: Ids of the split and of where things lie, resolved.

    Returns:
        The table of all predictions.

    Raises:
        SettingError: The folder holds another cross-validation, or there are no configs; one line.
        SystemExit: The former, on the command line; status 1.
    """
    said_files = file_list(parse_command_line(argv)[1].get("config_file"))
    configs = [file for file in files or said_files if Path(file).stem != "evaluate"]
    if not configs:
        raise SettingError("fold_files: give the configs of the trainings, train.yaml first")
    given = {**command_ids(argv), **ids, **options}
    out = Path(output_dir)
    try:
        _settle(out, configs, {**given, "folds": folds})
    except SettingError as error:
        if said_files:
            raise SystemExit(f"error: {error}") from None
        raise
    beside = Path(configs[0]).with_name("evaluate.yaml")
    for fold in range(1, folds + 1):
        place = out / f"fold{fold}"
        own = {**given, "folds": folds, "fold": fold, "output_dir": str(place)}
        if not (place / MODEL).is_file():
            logger.info("fold %d of %d: training", fold, folds)
            _train(configs, own, place)
        if not (place / PREDICTIONS).is_file():
            logger.info("fold %d of %d: reading", fold, folds)
            reading = [configs[0], str(beside), *configs[1:]]
            _run(reading, "evaluating", {**own, "weights_file": str(place / MODEL)}, "train")
    return _join(out, folds, ids)


def _settle(out: Path, configs: Sequence[str], ids: Mapping[str, Any]) -> None:
    """Write down what is run, or refuse a folder in which something else was."""
    wanted = {
        "configs": [Path(file).name for file in configs],
        "configs_sha256": _checksum(*configs),
        "datalist_sha256": _checksum(ids["datalist"]),
        "ids": {key: str(value) for key, value in sorted(ids.items()) if key not in INDIFFERENT},
    }
    path = out / SETTINGS
    if not path.is_file():
        write_json(path, wanted)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    other = [key for key in wanted if found.get(key) != wanted[key]]
    if other:
        raise SettingError(
            f"output_dir: {out} holds a cross-validation with other {', '.join(other)}; give "
            "another folder"
        )


def _checksum(*files: str) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _train(configs: Sequence[str], ids: Mapping[str, Any], place: Path) -> None:
    """Train a fold; what is left of it are plain weights."""
    folder = place / "checkpoints"
    _run(configs, "training", {**ids, "ckpt_dir": str(folder), "resume": True}, "train")
    part = place / f"{MODEL}.part"
    torch.save(read_weights(str(newest_checkpoint(str(folder)))), part)
    part.replace(place / MODEL)
    shutil.rmtree(folder)


def _run(configs: Sequence[str], run_id: str, ids: Mapping[str, Any], kind: str) -> None:
    """Run one id of a config."""
    workflow = ConfigWorkflow(
        config_file=list(configs), workflow_type=kind, run_id=run_id, logging_file=False, **ids
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def _join(out: Path, folds: int, ids: Mapping[str, Any]) -> Path:
    """Put the tables of all folds into one, and sum them up."""
    everything: list[dict[str, Any]] = []
    columns: list[str] = []
    for fold in range(1, folds + 1):
        cases = splitting.evaluated_cases(
            ids["datalist"], ids["pooled_lists"], ids["independent_lists"],
            fold=fold, folds=folds, split=ids["fold_split"], seed=ids["fold_seed"],
        )  # fmt: skip
        parts = {case["case"]: case["part"] for case in cases}
        with (out / f"fold{fold}" / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            columns = [*(table.fieldnames or ())]
            everything += [{"fold": fold, "part": parts[row["case"]], **row} for row in table]
    write_json(out / SUMMARY, summary.of(everything))
    write_table(out / PREDICTIONS, (*BEFORE, *columns), everything)
    logger.info("%d rows in %s; sums in %s", len(everything), out / PREDICTIONS, out / SUMMARY)
    return out / PREDICTIONS
