"""What every bundle of this project needs, in one file; it is byte-identical in each of them.

1. `check` refuses a misspelt setting, which MONAI's runner would silently ignore.
2. `Spacingd` is MONAI's, made safe against text under keys such as `image_path`; `case_name` and
   `write_json`, `plain` and `write_table` name and write what a run leaves behind.
3. `CaseDataset` and `CaseEvaluator`: one bad case does not stop the others.
4. `ResumableCheckpoints` and `EpochSeed`: stopped training goes on; `SettledNorms`: batch norms
   that end as they will be used; `PreparedScans`: scans read once; `handlers_of_rank`: processes
   that train together.
5. `group_series`, `read_volume`, `LoadImageCTd`, `CheckCTd`: NIfTI and DICOM become one volume in
   HU, or one line that says why not.
6. `find_cases`, `datalist_records`, `datalist_cases`: what the user gives becomes a list of named
   cases.
"""

from __future__ import annotations

import csv
import difflib
import glob
import hashlib
import json
import logging
import math
import os
import random
import re
import struct
import sys
import tempfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from pathlib import Path
from typing import Any

import fire.parser
import ignite.distributed as idist
import nibabel as nib
import numpy as np
import pydicom
import torch
import yaml
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from monai import transforms
from monai.bundle import ConfigParser
from monai.config import KeysCollection
from monai.data import (
    Dataset,
    MetaTensor,
    NibabelReader,
    PersistentDataset,
)
from monai.data.utils import pickle_hashing
from monai.engines import SupervisedEvaluator
from monai.handlers import CheckpointLoader, StatsHandler, TensorBoardHandler
from monai.transforms import LoadImaged, MapTransform, Randomizable, Transform
from monai.utils import string_list_all_gather
from pydicom.encaps import generate_frames
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import CTImageStorage, JPEGTransferSyntaxes
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

logger = logging.getLogger(__name__)

#: Arguments of `python -m monai.bundle run` and `run_workflow` themselves, which are no ids.
RUNNER_ARGUMENTS = frozenset(
    {"run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking"}
    | {"args_file", "workflow_name", "workflow_type", "properties_path"}
)
#: Ids that MONAI's experiment tracking adds to a config; known when `--tracking` is given.
TRACKING_IDS = frozenset(
    {"output_dir", "tracking_uri", "experiment_name", "run_name", "save_execute_config"}
)
#: Ids whose value is read: a path given for one of them must exist before the run starts.
INPUT_IDS = frozenset(
    {"bundle_root", "dataset_dir", "datalist", "image", "mask", "calibration_file"}
    | {"weights_file", "pretrained_file"}
)

SEPARATOR = "::"  # between the parts of a nested id; MONAI also reads "#"
NIFTI_ENDINGS = (".nii.gz", ".nii")
UID_DIGITS = 10  # hexadecimal digits in a DICOM series' name: two of 10^5 series clash in 0.5 %
PATH_DIGITS = 6  # hexadecimal digits of the hash that tells two inputs of one name apart


class SettingError(ValueError):
    """A setting that names nothing, or a path that does not exist."""


def check(
    argv: Sequence[str] | None = None,
    bundle_root: str | os.PathLike | None = None,
    overrides: Mapping[str, Any] | None = None,
    paths: Mapping[str, Any] | None = None,
) -> None:
    """Refuse ids that no config of the bundle knows, and paths that do not exist.

    A nested id may be written `train::trainer::max_epochs` or `train#trainer#max_epochs`. Left
    alone are `+id` (an overlay adds) and every id with a part that begins with `_` (private).

    Args:
        argv: the command line, `sys.argv`; looked at only when it is one of `monai.bundle run`,
            so that a workflow driven inside another program is not judged by that program's.
        bundle_root: folder of the bundle; None means the bundle this file belongs to.
        overrides: id → value, as given to `ConfigWorkflow`.
        paths: id → path or list of paths, resolved, that a run from the command line reads
            (patterns allowed). Other programs may set up a workflow before they have an input.

    Raises:
        SettingError: for `overrides`; one line that names what is wrong.
        SystemExit: for a command line; one line at the end of the output, status 1.
    """
    root = Path(bundle_root) if bundle_root is not None else Path(__file__).resolve().parents[1]
    if overrides:
        settings = Settings(root)
        problems = settings.wrong_ids(overrides, "overrides") + settings.missing_paths(overrides)
        if problems:
            raise SettingError("; ".join(problems))
    positional, options = parse_command_line(argv or [])
    if not options.keys() & {"config_file", "args_file"}:
        return
    try:
        problems = Settings(root).wrong_command(positional, options) + missing(paths or {})
    except (OSError, ValueError, yaml.YAMLError) as error:
        problems = [" ".join(str(error).split())]
    if problems:
        raise SystemExit("error: " + "; ".join(dict.fromkeys(problems)))


class Settings:
    """Every id the configs of a bundle know.

    Args:
        bundle_root: folder that holds `configs/`.

    Raises:
        SettingError: the folder holds no config.
    """

    def __init__(self, bundle_root: Path) -> None:
        """Read all configs of the bundle."""
        self.folder = bundle_root / "configs"
        found = sorted(p for p in self.folder.glob("*") if p.suffix in (".yaml", ".yml", ".json"))
        self.files = [p for p in found if p.name != "metadata.json"]
        if not self.files:
            raise SettingError(f"{bundle_root} holds no configs: give --bundle_root its folder")
        self.known: set[str] = set()
        for file in self.files:
            self.known.update(ids_of(ConfigParser.load_config_file(file)))

    def wrong_ids(self, pairs: Mapping[str, Any], source: str) -> list[str]:
        """Say for each id of `pairs` that the bundle does not know what was meant."""
        unknown = [key for key in pairs if not exempt(key) and normalize(key) not in self.known]
        return [f"{source}: unknown id '{key}'{suggestion(key, self.known)}" for key in unknown]

    def missing_paths(self, pairs: Mapping[str, Any]) -> list[str]:
        """Say which paths to be read, written out in `pairs`, do not exist."""
        return missing({key: value for key, value in pairs.items() if key in INPUT_IDS})

    def wrong_command(self, positional: Sequence[str], options: Mapping[str, Any]) -> list[str]:
        """List what is wrong with one command line of the runner; see `check`."""
        given = dict(options)
        if "args_file" in given:
            defaults = ConfigParser.load_config_file(given["args_file"])
            given = {**defaults, **{k: v for k, v in given.items() if v is not None}}
        given.update(zip(("run_id", "init_id", "final_id"), positional, strict=False))
        overlays = file_list(given.get("config_file"))
        problems = missing({k: given[k] for k in ("meta_file", "logging_file") if k in given})
        read: set[str] = set()  # ids that the files of this run define
        for position, file in enumerate(overlays):
            content = ConfigParser.load_config_file(file)
            read.update(ids_of(content))
            own = Path(file).resolve().parent == self.folder.resolve()
            if position == 0 and not own:
                self.known.update(ids_of(content))  # a complete config of the user's own
            elif not own:
                problems += self.wrong_ids(content, Path(file).name) + self.missing_paths(content)
        for name in ("run_id", "init_id", "final_id"):
            if name in given and normalize(str(given[name])) not in read:
                problems.append(
                    f"{name} '{given[name]}' is in none of the run's configs"
                    f"{suggestion(str(given[name]), read)}"
                )
        ids = {key: value for key, value in given.items() if key not in RUNNER_ARGUMENTS}
        if given.get("tracking") is not None:
            ids = {key: value for key, value in ids.items() if key not in TRACKING_IDS}
        problems += self.wrong_ids(ids, "command line")
        unread = [k for k in ids if not exempt(k) and normalize(k) in self.known - read]
        names = ", ".join(Path(file).name for file in overlays)
        problems += [f"command line: '{key}' is not read by {names}" for key in unread]
        return problems + self.missing_paths(ids)


def ids_of(config: Any, prefix: str = "") -> Iterator[str]:
    """Give every id of a config, nested ones and list positions included.

    Examples:
        >>> sorted(set(ids_of({"train#lr": 1, "+post": [{"keys": "pred"}]})))
        ['post', 'post::0', 'post::0::keys', 'train', 'train::lr']
    """
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(config, Mapping):
        pairs = config.items()
    elif isinstance(config, list):
        pairs = enumerate(config)
    for key, value in pairs:
        name = prefix + normalize(str(key))
        parts = name.split(SEPARATOR)
        yield from (SEPARATOR.join(parts[:n]) for n in range(1, len(parts) + 1))
        yield from ids_of(value, name + SEPARATOR)


def normalize(name: str) -> str:
    """Write an id the way MONAI stores it.

    Examples:
        >>> normalize("+train#handlers")
        'train::handlers'
    """
    return name.removeprefix("+").replace("#", SEPARATOR)


def exempt(name: str) -> bool:
    """Tell whether an id is added on purpose: `+id`, or a part that begins with `_`."""
    return name.startswith("+") or any(p.startswith("_") for p in normalize(name).split(SEPARATOR))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Phrase the known id nearest to a wrong one, or nothing when none is near.

    Examples:
        >>> suggestion("train.trainer.max_epoch", ["train::trainer::max_epochs"])
        ", did you mean 'train::trainer::max_epochs'?"
        >>> suggestion("epoch", ["train::trainer::max_epochs", "image"])
        ", did you mean 'train::trainer::max_epochs'?"
    """
    known = sorted(known, key=lambda other: (other.count(SEPARATOR), other))
    wanted = normalize(name).replace(".", SEPARATOR)
    last = {other.split(SEPARATOR)[-1]: other for other in reversed(known)}
    if wanted in last:  # the last part of a nested id, without the parts before
        near = [last[wanted]]
    else:
        close = difflib.get_close_matches(wanted.split(SEPARATOR)[-1], last, n=1)
        near = difflib.get_close_matches(wanted, known, n=1) or [last[part] for part in close]
    return f", did you mean '{near[0]}'?" if near else ""


def missing(paths: Mapping[str, Any]) -> list[str]:
    """Say which of the paths do not exist; expressions and references are left to the runner."""
    problems = []
    for key, value in paths.items():
        for path in value if isinstance(value, (list, tuple)) else [value]:
            if not isinstance(path, (str, os.PathLike)) or str(path)[:1] in ("$", "@", "%", ""):
                continue
            if not Path(path).exists() and not glob.glob(str(path), recursive=True):  # noqa: PTH207
                problems.append(f"{key}: {path} does not exist")
    return problems


def parse_command_line(argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Read a command line as python-fire does for `monai.bundle run`.

    Returns:
        The positional arguments after `run`, and option → value.

    Examples:
        >>> parse_command_line(["", "run", "training", "--config_file", "['a.yaml']", "--amp"])
        (['training'], {'config_file': ['a.yaml'], 'amp': True})
        >>> parse_command_line(["pytest", "--maxfail=1"])
        ([], {})
    """
    command = next((i for i, a in enumerate(argv[:2]) if a in ("run", "run_workflow")), None)
    if command is None:
        return [], {}
    words = list(argv[command + 1 :])
    if "--" in words:  # what follows are fire's own options
        words = words[: words.index("--")]
    positional, options, position = [], {}, 0
    while position < len(words):
        word = words[position]
        position += 1
        if not is_option(word):
            positional.append(word)
            continue
        key, equals, text = word.lstrip("-").partition("=")
        key = key.replace("-", "_")
        if not equals and position < len(words) and not is_option(words[position]):
            equals, text = "=", words[position]
            position += 1
        if equals:
            options[key] = fire.parser.DefaultParseValue(text)
        elif key.startswith("no") and key not in RUNNER_ARGUMENTS:
            options[key[2:]] = False  # fire's way to write "off"
        else:
            options[key] = True
    return positional, options


def command_ids(argv: Sequence[str]) -> dict[str, Any]:
    """Return the ids that a command line of `monai.bundle run` gives; nothing of any other.

    Examples:
        >>> command_ids("x run training --config_file a.yaml --epochs 3".split())
        {'epochs': 3}
    """
    options = parse_command_line(argv)[1]
    if "args_file" in options:
        options = {**ConfigParser.load_config_file(options["args_file"]), **options}
    return {key: value for key, value in options.items() if key not in RUNNER_ARGUMENTS}


def is_option(word: str) -> bool:
    """Tell an option from a value; a negative number is a value."""
    return word.startswith("--") or (word[:1] == "-" and word[1:2].isalpha())


def file_list(value: Any) -> list[str]:
    """List the files of `--config_file`: one path, a list, or paths joined by commas."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value] if Path(value).is_file() else value.split(",")
    return [str(file) for file in value]


class Spacingd(transforms.Spacingd):
    """MONAI's `Spacingd`, for items that carry text under `image_path`, `image_id` and the like.

    From version 1.6.0 on MONAI calls `.update` on whatever lies under a key that begins with
    `<key>_`; anything but a dictionary makes it fail. MONAI Label adds such a key to each item.
    """

    def __call__(self, data: Mapping[Hashable, Any], *args: Any, **kwargs: Any) -> dict:
        """Resample; `data` maps keys to arrays [C, spatial…], see MONAI's `Spacingd`."""
        prefixes = tuple(f"{key}_" for key in self.keys)
        aside = {
            key: value
            for key, value in data.items()
            if str(key).startswith(prefixes)
            and key not in self.keys
            and not isinstance(value, Mapping)
        }
        rest = {key: value for key, value in data.items() if key not in aside}
        return {**super().__call__(rest, *args, **kwargs), **aside}


def case_name(path: str | os.PathLike) -> str:
    """Name a case after its input, never after a patient.

    A file keeps its stem. A DICOM file, or a folder of them, becomes `series-` and ten hexadecimal
    digits of the SHA-256 of its SeriesInstanceUID.

    Raises:
        SettingError: a folder without a DICOM file.

    Examples:
        >>> case_name("/data/A0001.nii.gz")
        'A0001'
    """
    path = Path(path)
    for ending in NIFTI_ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    candidates = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in candidates:
        if pydicom.misc.is_dicom(file):
            header = pydicom.dcmread(file, specific_tags=["SeriesInstanceUID"])
            digest = hashlib.sha256(str(header.get("SeriesInstanceUID", "")).encode()).hexdigest()
            return f"series-{digest[:UID_DIGITS]}"
    if path.is_dir():
        raise SettingError(f"{path} holds no DICOM file: give a CT file or a DICOM folder")
    return path.stem


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write JSON so that the file is either whole or not there; folders are made.

    Raises:
        ValueError: the content holds NaN or infinity, which are no JSON.
        OSError: the folder cannot be written.
    """
    path = Path(path)
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


#: Version of the JSON that a case leaves behind; that of `report.json`, of which it is a block.
SCHEMA = 1
#: Digits of numbers in it: 0.1 micrometre, 0.0001 HU or mg/cm³.
DECIMALS = 4
#: What a case came to.
DONE, REFUSED, FAILED = "done", "refused", "failed"
#: Status of a level that was measured.
MEASURED = "measured"


def plain(value: Any) -> Any:
    """Make a value ready for JSON: rounded numbers, null for what is not finite.

    Examples:
        >>> plain({"a": np.float32(0.25), "b": (np.int64(2), float("nan"))})
        {'a': 0.25, 'b': [2, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        return plain(value.detach().cpu().numpy())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV table, whole or not at all; empty fields are unknown, truth is 1 or 0.

    Args:
        path: File to write; its folder is made.
        columns: Names of the columns.
        rows: Column -> value.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({key: _cell(value) for key, value in row.items()})
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _cell(value: Any) -> Any:
    """Write a value of a table."""
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value


# --------------------------------------------------------------------------------------------------
# One bad case does not stop the others: it becomes a failure, and the run goes on.
#
# `CaseDataset` turns what goes wrong while a case is read into a small item with a `failure`, and
# `CaseEvaluator` carries such items past the network; each bundle's handlers write them down.
# --------------------------------------------------------------------------------------------------

#: Key of the one-line reason in an item, a batch or an output that failed.
FAILURE = "failure"
#: Keys of text that a failed item keeps, so that handlers can name it and find its reference.
KEPT = ("case", "kind", "label")
#: What an item without a name is called.
UNNAMED = "case"


class CaseError(ValueError):
    """An input that cannot be used, in one line: the file, what is wrong with it, and the mend.

    Args:
        path: The file or folder.
        problem: What is wrong with it.
        mend: What the user can do.

    Attributes:
        reason: Problem and mend without the path, which may name a patient.
    """

    def __init__(self, path: Any, problem: str, mend: str) -> None:
        super().__init__(f"{path}: {problem}; {mend}")
        self.reason = f"{problem}; {mend}"


def describe(error: BaseException) -> str:
    """Put an error in one line that names no file.

    MONAI wraps what a transform raises; the `CaseError` at the root is what the user needs.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CaseError):
            return cause.reason
        last, cause = cause, cause.__cause__
    first = (str(last).splitlines() or [""])[0]
    return f"unexpected {type(last).__name__}: {first}; see the log"


def log_failure(case: str, error: Exception) -> None:
    """Log a failed case: one line for a known problem, the whole trace for any other."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, CaseError):
        cause = cause.__cause__
    if cause is not None:
        logger.error("%s failed: %s", case, cause)
    else:
        logger.error("%s failed unexpectedly", case, exc_info=error)


class CaseDataset(Dataset):
    """Cases to read, of which each may fail on its own.

    Args:
        data: One dictionary per case, with its name under "case".
        transform: What reads and prepares a case.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Callable) -> None:
        super().__init__(data=data, transform=transform)

    def _transform(self, index: int) -> Any:
        """Prepare case number `index`, or say in a small item why that failed."""
        try:
            return super()._transform(index)
        except Exception as error:  # whatever one case does, the others go on
            item = self.data[index]
            log_failure(str(item.get("case", UNNAMED)), error)
            kept = {key: str(item[key]) for key in KEPT if key in item}
            return {"case": UNNAMED} | kept | {FAILURE: describe(error)}


class CaseEvaluator(SupervisedEvaluator):
    """MONAI's evaluator, for batches of one case of which each may fail on its own.

    The output of a failed case is a list of one dictionary with "case", "failure" and whatever
    other text the case carried; network, postprocessing and metrics never see it.
    """

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> Any:
        """Run one case through network and postprocessing, or hand its failure on."""
        if FAILURE in batchdata:
            self._fail(engine, batchdata, batchdata[FAILURE][0])
            return engine.state.output
        try:
            return super()._iteration(engine, batchdata)
        except Exception as error:  # whatever one case does, the others go on
            log_failure(str(batchdata.get("case", [UNNAMED])[0]), error)
            self._fail(engine, batchdata, describe(error))
            return engine.state.output

    @staticmethod
    def _fail(engine: SupervisedEvaluator, batch: Mapping[str, Any], reason: str) -> None:
        """Make the failure the output of this iteration."""
        # The label is text only when reading failed before it was loaded.
        text = {key: batch[key][0] for key in KEPT if isinstance(batch.get(key), list)}
        output = {"case": UNNAMED} | text | {FAILURE: reason}
        if isinstance(batch.get("label"), torch.Tensor):
            output["label"] = batch["label"][0]
        engine.state.output = [output]


def image_only_batch(
    batchdata: Mapping[str, Any],
    device: str | torch.device | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Take only the image to the device: the reference stays where metrics are computed.

    Args:
        batchdata: Batch with "image".
        device: Where the network is.
        non_blocking: Whether the copy may overlap with the host.
        **kwargs: Passed on to `Tensor.to`.
    """
    return batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs), None


# --------------------------------------------------------------------------------------------------
# Stopped training goes on as if it had not stopped: all state in one file, one seed per epoch.
# --------------------------------------------------------------------------------------------------

#: What `CheckpointSaver` calls the checkpoints it writes at the end of an epoch.
_EPOCH_FILE = re.compile(r"_epoch=(\d+)\.pt$")


def newest_checkpoint(folder: str) -> str | None:
    """Find the checkpoint with the highest epoch.

    Args:
        folder: Folder of checkpoints; may not exist yet.

    Returns:
        Path of the checkpoint, or None if there is none.
    """
    found = {
        int(match.group(1)): path
        for path in Path(folder).glob("*.pt")
        if (match := _EPOCH_FILE.search(path.name))
    }
    return str(found[max(found)]) if found else None


class ResumableCheckpoints:
    """Ignite handler that writes all state after each epoch and, if asked to, starts from it.

    The trainer's own state belongs to it, which a config cannot name inside the trainer's handlers.

    Args:
        folder: Folder of the checkpoints.
        state: What to save by name: network, optimiser, scheduler …
        resume: Whether to go on from the newest checkpoint, if there is one.
        interval: Epochs between checkpoints.
        kept: Checkpoints kept, the newest ones.
        device: Device to load to.
    """

    def __init__(
        self,
        folder: str,
        state: Mapping[str, Any],
        resume: bool = False,
        interval: int = 1,
        kept: int = 2,
        device: torch.device | str = "cpu",
    ) -> None:
        self.folder, self.state, self.resume = folder, dict(state), resume
        self.interval, self.kept, self.device = interval, kept, device

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        whole = {**self.state, "trainer": engine}
        if self.resume and (path := newest_checkpoint(self.folder)) is not None:
            # MONAI's type hint is narrower than what torch takes.
            device: Any = self.device
            CheckpointLoader(path, whole, map_location=device).attach(engine)
        # MONAI's CheckpointSaver writes under the final name: killed meanwhile, it leaves a torso.
        saver = Checkpoint(
            whole,
            DiskSaver(self.folder, require_empty=False, atomic=True),
            filename_prefix="checkpoint",
            filename_pattern="{filename_prefix}_epoch={global_step}.pt",
            global_step_transform=lambda trainer, _: trainer.state.epoch,
            n_saved=self.kept,
        )
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), saver)


class EpochSeed:
    """Ignite handler that seeds everything random anew at the start of each epoch.

    Epoch n is then the same whether the epochs before it were run just now or before a stop. It
    holds for loading without workers; workers get their seeds from the same numbers, but which
    worker loads what may differ.

    Args:
        seed: The run's seed.
        transform: Random transform of the training data, usually a `Compose`.
    """

    def __init__(self, seed: int, transform: Any = None) -> None:
        self.seed = seed
        self.transform = transform

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed torch, NumPy, Python and the transform by seed, epoch and process."""
        # Processes that train together must not all draw the same changes.
        parts = [self.seed, engine.state.epoch, idist.get_rank()]
        number = int(np.random.SeedSequence(parts).generate_state(1)[0])
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002 - third-party transforms draw from it
        random.seed(number)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed=number)


# --------------------------------------------------------------------------------------------------
# Weights: those of the network in use, whole, or one line
# --------------------------------------------------------------------------------------------------


def read_weights(path: str | os.PathLike) -> dict[str, torch.Tensor]:
    """Read a state dict, also out of a checkpoint {"model": state dict, ...}.

    Args:
        path: File of the weights.

    Raises:
        SettingError: The file cannot be read, or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, torch.Tensor] = dict(content.get("model", content))
        if not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise TypeError("no state dict")
    except Exception as error:  # unpickling a damaged file raises nearly anything
        problem = "cannot be read as weights; restore it, or give another"
        raise SettingError(f"{path}: {problem}") from error
    return state


class LoadWeights:
    """Ignite handler that loads the weights when a run starts.

    Args:
        network: The network to fill; its precision stays.
        path: Plain state dict, or a checkpoint of a training.
        argv: The command line, `sys.argv`; one of `monai.bundle run` ends in the line alone.

    Raises:
        SettingError: The file is damaged, or its weights are not those of this network; one line.
        SystemExit: The same, for a command line; status 1.
    """

    def __init__(
        self, network: torch.nn.Module, path: str, argv: Sequence[str] | None = None
    ) -> None:
        self.network, self.path = network, path
        self.commanded = bool(parse_command_line(argv or [])[1])

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine | None = None) -> None:
        """Load."""
        try:
            self.network.load_state_dict(self.fitting(read_weights(self.path)))
        except SettingError as error:
            if self.commanded:
                raise SystemExit(f"error: {error}") from None
            raise

    def fitting(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the weights, every one of which the network has and lacks none.

        Raises:
            SettingError: The first that is not so.
        """
        wanted = self.network.state_dict()
        for name in (*wanted, *state):
            if name not in state or name not in wanted:
                problem = f"{name} is {'missing' if name in wanted else 'unknown'}"
            elif state[name].shape != wanted[name].shape:
                problem = f"{name} is {[*state[name].shape]}, not {[*wanted[name].shape]}"
            else:
                continue
            raise SettingError(
                f"{self.path}: weights of another network, {problem}; give those made with the "
                "same configs"
            )
        return state


# --------------------------------------------------------------------------------------------------
# Batch norms whose statistics are settled before the end of a training.
# --------------------------------------------------------------------------------------------------


class SettledNorms:
    """Ignite handler that lets batch norms use their running statistics from an epoch on.

    Their weights go on learning.

    Args:
        network: The network.
        share: Share of the epochs after which the statistics are settled; 1 means never.

    Raises:
        ValueError: `share` is not within 0 and 1.
    """

    def __init__(self, network: nn.Module, share: float = 0.7) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share is from 0 to 1, not {share}")
        self.network, self.share = network, share

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Settle the statistics when their epoch has come."""
        if engine.state.epoch <= math.ceil(self.share * (engine.state.max_epochs or 0)):
            return
        settle(self.network)


def settle(network: nn.Module) -> None:
    """Let every batch norm use its running statistics, even when the network is told to train."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            stay: Any = module
            # The trainer calls `network.train()` at every step, which would undo it.
            stay.train = _Stay(module)


class _Stay:
    """Takes the place of a settled module's `train`."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, mode: bool = True) -> nn.Module:
        return self.module


# --------------------------------------------------------------------------------------------------
# Scans that are prepared once, before the first epoch, and kept on disk.
# --------------------------------------------------------------------------------------------------

#: Progress of preparing is told about this often.
TOLD = 10


class UnusableError(ValueError):
    """Scans that cannot be used, in one line."""


class PreparedScans(PersistentDataset):
    """Scans of which everything up to the first random transform is made once, on all cores.

    Reading a CT costs a second or more, training on what is taken from it a few milliseconds: so it
    is prepared before the first epoch, and what could not be is said then.

    Args:
        data: One record per scan, with its path under "image".
        transform: Transforms, the random ones last.
        cache_dir: Folder for what is made; safe to delete.
        workers: Processes that prepare, 0 for this one.
        made_of: What a scan is made into, plural, for messages.

    Raises:
        UnusableError: A scan cannot be read.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        cache_dir: str | Path,
        workers: int = 0,
        made_of: str = "slices",
    ) -> None:
        super().__init__(data, transform, cache_dir, hash_transform=pickle_hashing)
        problems = []
        for number, problem in enumerate(self._prepare(workers), start=1):
            if problem:
                problems.append(problem)
                logger.error(problem)
            if len(self.data) >= TOLD and number % (len(self.data) // TOLD) == 0:
                logger.info("%s of %d of %d scans", made_of, number, len(self.data))
        if problems:
            more = f" (and {len(problems) - 1} more, see above)" if len(problems) > 1 else ""
            raise UnusableError(problems[0] + more)

    def _prepare(self, workers: int) -> Iterator[str]:
        """Prepare all scans; gives one text per scan, in order: what went wrong, or nothing."""
        making = _Preparing(self)
        if workers == 0:
            yield from (making[index] for index in range(len(making)))
            return
        loader = DataLoader(
            making, batch_size=1, num_workers=workers, collate_fn=_only, prefetch_factor=2
        )
        # The loader draws a seed, which the training would miss.
        with torch.random.fork_rng(devices=[]):
            yield from loader


class _Preparing(torch.utils.data.Dataset):
    """Prepares a scan when asked for it; gives what went wrong, or nothing."""

    def __init__(self, owner: PreparedScans) -> None:
        self.owner = owner

    def __len__(self) -> int:
        return len(self.owner.data)

    def __getitem__(self, index: int) -> str:
        item = self.owner.data[index]
        try:
            self.owner._cachecheck(item)
        except Exception as error:  # whatever is wrong with one scan, the others are looked at too
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            first = (str(cause).splitlines() or [""])[0]
            return f"{item['image']}: {first}; mend the record or leave it out"
        return ""


def _only(batch: list[str]) -> str:
    """Take the one item out of its batch."""
    return batch[0]


# --------------------------------------------------------------------------------------------------
# What the processes of one distributed run share out among themselves.
# --------------------------------------------------------------------------------------------------

#: Handlers that only report; one process reports for all.
REPORTING = (StatsHandler, TensorBoardHandler)


def handlers_of_rank(handlers: Sequence[Any]) -> list[Any]:
    """Leave the printing and plotting to the first process.

    All processes keep the others: a checkpoint saver or a metric that one of them lacks would leave
    the rest waiting for it.

    Args:
        handlers: Handlers of a trainer or an evaluator.

    Returns:
        Those that this process attaches; all of them outside a distributed run.
    """
    group = torch.distributed
    if not group.is_initialized() or group.get_rank() == 0:
        return list(handlers)
    return [handler for handler in handlers if not isinstance(handler, REPORTING)]


# --------------------------------------------------------------------------------------------------
# DICOM files told apart by series, as archives hold them: with empty UIDs, localizers, copies.
#
# Only headers are read; `dicom` reads and checks the slices of one series.
# --------------------------------------------------------------------------------------------------

#: Endings that promise DICOM: such a file is reported when it is none, others are passed over.
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
#: Tags that tell series apart; nothing else is read until a case is loaded.
GROUPING_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "AcquisitionNumber", "ImageType", "Rows", "Columns", "PixelSpacing", "ImageOrientationPatient",
    "ImagePositionPatient", "TemporalPositionIndex", "ConvolutionKernel", "SliceThickness", "KVP",
)  # fmt: skip
#: Tags that tell apart what scanners store in one series at the same places: phases, kernels.
TELLING_APART = (
    "AcquisitionNumber", "TemporalPositionIndex", "ConvolutionKernel", "ImageType",
    "SliceThickness", "KVP",
)  # fmt: skip
#: What pydicom raises for files that are none or whose bytes were changed; it decodes values late.
DAMAGED = (
    InvalidDicomError, BytesLengthException, OSError, EOFError, ValueError, TypeError, LookupError,
    AttributeError, ArithmeticError, NotImplementedError, RecursionError, struct.error,
)  # fmt: skip
#: Table of contents of a medium; holds no image.
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
#: Words in ImageType of what no mean over slices made: brightest or darkest voxel, renderings.
PROJECTIONS = frozenset(
    {"MIP", "MINIP", "MAXIP", "MNIP", "MAX", "MIN", "MAXIMUM", "MINIMUM", "PROJECTION"}
    | {"VRT", "VOLREN", "RENDERED", "SSD", "SUBTRACTION"}
)
#: The same in a series' description, where few words are sure.
PROJECTIONS_SAID = frozenset({"MIP", "MINIP", "VRT"})
#: Difference of direction cosines within one series: rounding, not another plane.
SAME_DIRECTION = 1e-3


@dataclass
class Series:
    """Files that belong together, not yet in order.

    Attributes:
        header: Header of the first file, grouping tags only.
        paths: The files.
        uids: SOP instance UIDs, from the file meta where the tag is empty, of those that have one.
        marks: Of each file its position, then the values of `TELLING_APART`.
    """

    header: pydicom.Dataset
    paths: list[Path] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)
    marks: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, path: Path, header: pydicom.Dataset) -> None:
        """Add a file, unless it is the same image stored twice."""
        own = instance_uid(header)
        if own and own in self.uids:
            return
        self.paths.append(path)
        self.uids += [own] if own else []
        marks = (tag_text(header, tag) for tag in ("ImagePositionPatient", *TELLING_APART))
        self.marks.append(tuple(map(sys.intern, marks)))  # most are alike in all slices

    def parts(self) -> list[Series]:
        """Split a series whose slices lie on each other by the first tag that tells them apart.

        Left whole where no tag does, or where nothing lies on anything.
        """
        if not _coincide(self.marks):
            return [self]
        for number in range(1, len(TELLING_APART) + 1):
            values = dict.fromkeys(mark[number] for mark in self.marks)
            chosen = [[mark[number] == value for mark in self.marks] for value in values]
            if not any(_coincide(list(compress(self.marks, own))) for own in chosen):
                return [self._part(own) for own in chosen]
        return [self]

    def _part(self, chosen: Sequence[bool]) -> Series:
        """Take some of the files; their name stays that of the whole."""
        paths, marks = list(compress(self.paths, chosen)), list(compress(self.marks, chosen))
        return Series(self.header, paths, self.uids, marks)

    @property
    def name(self) -> str:
        """`series-` and 10 hexadecimal digits of the SHA-256 of the SeriesInstanceUID.

        Where that is empty, of the lowest SOPInstanceUID; where that is empty too, of the path.
        """
        uid = tag_text(self.header, "SeriesInstanceUID") or min(self.uids, default="")
        return hashed_name(uid or str(self.paths[0].absolute()))


def _coincide(marks: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether two slices that say where they lie say the same."""
    places = [mark[0] for mark in marks if mark[0]]
    return len(set(places)) < len(places)


def hashed_name(uid: str) -> str:
    """Name a series after a hash of its UID, which names no patient.

    Examples:
        >>> hashed_name("1.2.3")
        'series-c47f5b18b8'
    """
    # A path may hold bytes that are no UTF-8.
    data = uid.encode("utf-8", "surrogateescape")
    return f"series-{hashlib.sha256(data).hexdigest()[:UID_DIGITS]}"


def tag_text(header: pydicom.Dataset, tag: str) -> str:
    """Return a tag as text; empty where it is missing, empty or damaged."""
    try:
        value = header.get(tag)
    except DAMAGED:
        return ""
    return "" if value is None else str(value).strip()


def tag_numbers(header: pydicom.Dataset, tag: str, count: int) -> np.ndarray | None:
    """Return a tag of `count` finite numbers; None where it is missing, empty or malformed."""
    try:
        value = np.array([float(part) for part in header.get(tag) or []])
    except DAMAGED:
        return None
    return value if value.shape == (count,) and np.isfinite(value).all() else None


def is_localizer(header: pydicom.Dataset) -> bool:
    """Tell a scout view, which is a projection, from a slice."""
    return "LOCALIZER" in tag_text(header, "ImageType").upper()


def is_projection(header: pydicom.Dataset) -> bool:
    """Tell what is calculated of many slices and holds no mean HU: MIP, rendering, difference."""
    kind, said = (
        re.split(r"[^A-Z]+", tag_text(header, tag).upper())
        for tag in ("ImageType", "SeriesDescription")
    )
    return not (PROJECTIONS.isdisjoint(kind) and PROJECTIONS_SAID.isdisjoint(said))


def sop_class(header: pydicom.Dataset) -> str:
    """SOP class UID; the file meta's where the tag is empty, empty where both are."""
    return tag_text(header, "SOPClassUID") or tag_text(header.file_meta, "MediaStorageSOPClassUID")


def read_header(path: Path) -> pydicom.Dataset | None:
    """Read what tells series apart; None if the file is no DICOM image."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(GROUPING_TAGS))
        return None if sop_class(header) == MEDIA_DIRECTORY else header
    except DAMAGED:
        return None


def instance_uid(header: pydicom.Dataset) -> str:
    """SOP instance UID; the file meta's where the tag is empty, empty where both are."""
    return tag_text(header, "SOPInstanceUID") or tag_text(
        header.file_meta, "MediaStorageSOPInstanceUID"
    )


def group_series(paths: Sequence[Path]) -> tuple[list[Series], list[Path]]:
    """Sort files into series of one plane and one size.

    Args:
        paths: Files of any kind.

    Returns:
        The series in the order of their first file, and the files that are no DICOM images.
    """
    found: dict[tuple, list[Series]] = {}
    others = []
    for path in paths:
        header = read_header(path)
        if header is None:
            others.append(path)
            continue
        uid = tag_text(header, "SeriesInstanceUID")
        # Without a UID the folder, the frame of reference and the acquisition hold it together.
        frame = (tag_text(header, "FrameOfReferenceUID"), tag_text(header, "AcquisitionNumber"))
        key = (uid,) if uid else ("", str(path.parent), *frame)
        same = found.setdefault(key, [])
        series = next((s for s in same if same_plane(s.header, header)), None)
        if series is None:
            series = Series(header)
            same.append(series)
        series.add(path, header)
    return [part for same in found.values() for series in same for part in series.parts()], others


def same_plane(first: pydicom.Dataset, second: pydicom.Dataset) -> bool:
    """Tell whether two slices have one size, one orientation and one kind."""
    if is_localizer(first) != is_localizer(second):
        return False
    if any(tag_text(first, tag) != tag_text(second, tag) for tag in ("Rows", "Columns")):
        return False
    for tag, count in (("ImageOrientationPatient", 6), ("PixelSpacing", 2)):
        one, other = tag_numbers(first, tag, count), tag_numbers(second, tag, count)
        if one is None or other is None:
            if one is not other:
                return False
        elif not np.allclose(one, other, atol=SAME_DIRECTION):
            return False
    return True


# --------------------------------------------------------------------------------------------------
# The slices of one DICOM series become a volume, checked for gaps, or one line says why not.
#
# What real archives hold decides the checks: other modalities, slices lost on the way, files cut
# off, gantry tilt, reformats of a single slice. DICOM PS3.3, C.7.6.2 (image plane), C.8.2.1 (CT).
# --------------------------------------------------------------------------------------------------

#: A step between slices this much longer than the usual one means that a slice is missing.
GAP_RATIO = 1.5
#: Smaller deviations from even steps are rounding of the positions.
UNEVEN_RATIO = 0.1
#: Part of a pixel by which a slice may lie beside the line through the first and last one.
BESIDE_PIXELS = 0.5
#: Units of rescaled values that are HU; US (unspecified) is what older scanners write.
HU_TYPES = ("", "HU", "US", "HU_MOD")
#: First byte of a mark in a JPEG picture, and second ones of those that begin a frame.
JPEG_MARK, JPEG_FRAMES = 0xFF, frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: What is wrong with a file whose tags cannot be decoded.
HARMED = "its header is damaged"
#: Thickness assumed for a single slice that states none, mm.
DEFAULT_THICKNESS_MM = 1.0
#: LPS, the axes of DICOM, to RAS, the axes of NIfTI.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_volume(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read the slices of one series into a volume.

    Args:
        paths: Files of one series, in any order.

    Returns:
        HU, int16 where that is exact, otherwise float32, [X, Y, Z] with X along the rows of the
        slices, Y along their columns and Z from slice to slice, and the 4x4 matrix from voxel
        indices to RAS+ millimetres.

    Raises:
        CaseError: If the files are no CT slices, differ, or do not follow each other evenly.
    """
    slices = place_slices(paths)
    first, last = slices[0], slices[-1]
    if len(slices) == 1:
        step = first.normal * _single_thickness_mm(first.header)
    else:
        step = (last.position - first.position) / (len(slices) - 1)
    row, column = first.orientation[:3], first.orientation[3:]
    row_mm, column_mm = first.spacing  # distance of rows, distance of columns
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * column_mm, column * row_mm, step], axis=1)
    affine[:3, 3] = first.position
    return _stack(slices), LPS_TO_RAS @ affine


def place_slices(paths: Sequence[Path]) -> list[PlacedSlice]:
    """Read where the slices of one series lie, and check that they make a volume.

    Args:
        paths: Files of one series, in any order.

    Returns:
        The slices in the order in which they lie, copies of a slice left out.

    Raises:
        CaseError: As `read_volume`, but for what only pixels show.
    """
    slices = sorted((_read_place(path) for path in paths), key=lambda item: item.along_mm)
    first = slices[0]
    for item in slices[1:]:
        if not same_plane(first.header, item.header):
            problem = f"lies in another plane than {first.path.name} or has another size"
            raise CaseError(item.path, problem, "give each series by itself")
    slices = [first, *(item for before, item in pairwise(slices) if not _is_copy(before, item))]
    if len(slices) > 1:
        _check_steps(slices)
    return slices


def _is_copy(first: PlacedSlice, second: PlacedSlice) -> bool:
    """Tell whether two slices at one place hold the same pixels, under two UIDs."""
    if not np.array_equal(first.position, second.position):
        return False
    return np.array_equal(_read_pixels(first.path), _read_pixels(second.path))


@dataclass
class PlacedSlice:
    """Where one slice lies, in LPS millimetres."""

    path: Path
    header: pydicom.Dataset
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def along_mm(self) -> float:
        """Place along the normal, mm."""
        return float(self.position @ self.normal)


def _stack(slices: Sequence[PlacedSlice]) -> np.ndarray:
    """Decode the slices straight into their volume [X, Y, Z]: memory holds the scan once."""
    volume = np.empty((0, 0, 0), dtype=np.int16)
    for index, item in enumerate(slices):
        pixels = _read_pixels(item.path)
        if index == 0:
            volume = np.empty((*pixels.shape[::-1], len(slices)), dtype=pixels.dtype, order="F")
        elif volume.dtype != pixels.dtype:
            volume = volume.astype(np.float32)
        volume[:, :, index] = pixels.T
    return volume


def _read_file(path: Path, pixels: bool) -> pydicom.FileDataset:
    """Read a DICOM file, with or without its pixels."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except FileNotFoundError:
        raise CaseError(
            path,
            "does not exist",
            "give the path again; in a list, paths start from its own folder",
        ) from None
    except DAMAGED as error:
        problem = "is neither NIfTI nor readable DICOM, or is cut off"
        raise CaseError(path, problem, "copy it again from the archive") from error


def _read_place(path: Path) -> PlacedSlice:
    """Read where a slice lies; see `read_volume`."""
    header = _read_file(path, pixels=False)
    try:
        _check_header(path, header)
        position = tag_numbers(header, "ImagePositionPatient", 3)
        orientation = tag_numbers(header, "ImageOrientationPatient", 6)
        spacing = tag_numbers(header, "PixelSpacing", 2)
    except CaseError:
        raise
    except DAMAGED as error:
        raise CaseError(path, HARMED, "copy it again from the archive") from error
    if position is None or orientation is None or spacing is None or spacing.min() <= 0:
        problem = "says not where it lies (position, orientation or pixel spacing missing)"
        raise CaseError(path, problem, "leave it out, it is no slice of a volume")
    return PlacedSlice(path, header, position, orientation, spacing)


def _check_header(path: Path, header: pydicom.Dataset) -> None:
    """Refuse what is no CT slice."""
    modality = tag_text(header, "Modality")
    if not modality and sop_class(header) == CTImageStorage:
        modality = "CT"
    if modality != "CT":
        problem = f"its modality is {modality or 'missing'}, not CT"
        raise CaseError(path, problem, "leave this series out")
    if is_localizer(header):
        problem = "is a localizer (scout view), not a slice"
        raise CaseError(path, problem, "leave this series out")
    if is_projection(header):
        problem = "is a projection of many slices (such as a MIP) or a difference, not a slice"
        raise CaseError(path, problem, "give the original series")
    if int(header.get("NumberOfFrames") or 1) > 1:
        problem = "holds several frames (enhanced CT)"
        raise CaseError(path, problem, "convert it to NIfTI with dcm2niix")
    if int(header.get("SamplesPerPixel") or 1) != 1:
        problem = "is a colour picture, not CT numbers"
        raise CaseError(path, problem, "give the original series")
    unit = tag_text(header, "RescaleType").upper()
    if unit not in HU_TYPES:
        problem = f"its values are {unit}, not HU"
        raise CaseError(path, problem, "give the plain CT series")
    if header.get("RescaleIntercept") is None:
        problem = "has no RescaleIntercept, so its values are not HU"
        raise CaseError(path, problem, "give the original series")


def _read_pixels(path: Path) -> np.ndarray:
    """Decode a slice to HU [rows, columns], int16 where that is exact, otherwise float32."""
    header = _read_file(path, pixels=True)
    try:
        syntax = getattr(getattr(header.file_meta, "TransferSyntaxUID", None), "name", "unknown")
        slope = float(header.get("RescaleSlope") or 1.0)
        intercept = float(header.get("RescaleIntercept") or 0.0)
        fits = _jpeg_fits(header)
    except DAMAGED as error:
        raise CaseError(path, HARMED, "copy it again from the archive") from error
    if not fits:
        problem = "its pixels are damaged (they are of another size than the header says)"
        raise CaseError(path, problem, "copy it again from the archive")
    try:
        stored = header.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        problem = f"its pixels cannot be decoded ({syntax})"
        mend = "copy it again, or install python-gdcm for lossless JPEG and rare compressions"
        raise CaseError(path, problem, mend) from error
    except DAMAGED as error:
        problem = "its pixels are missing or cut off"
        raise CaseError(path, problem, "copy it again from the archive") from error
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise CaseError(path, "its rescale slope is not finite", "give the original series")
    if slope == 1.0 and intercept.is_integer():
        whole = stored.astype(np.int32) + int(intercept)
        limits = np.iinfo(np.int16)
        if whole.size and limits.min <= whole.min() and whole.max() <= limits.max:
            return whole.astype(np.int16)
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _jpeg_fits(header: pydicom.FileDataset) -> bool:
    """Tell whether a JPEG picture is of the size that the header says; true for any other.

    Decoders trust the picture's own frame header (ITU-T T.81, B.2.2), and a damaged one can end
    the whole process.
    """
    if header.file_meta.get("TransferSyntaxUID") not in JPEGTransferSyntaxes:
        return True
    content = next(iter(generate_frames(header.PixelData, number_of_frames=1)))
    place = 2  # behind the mark that begins a picture
    while place + 10 <= len(content) and content[place] == JPEG_MARK:
        kind, length = struct.unpack_from(">BH", content, place + 1)
        if kind in JPEG_FRAMES:
            bits, *size = struct.unpack_from(">BHHB", content, place + 4)
            said = [header.Rows, header.Columns, header.get("SamplesPerPixel") or 1]
            return size == said and bits <= header.BitsAllocated
        place += 2 + length
    return False


def _single_thickness_mm(header: pydicom.Dataset) -> float:
    """Extent of a lone slice across its plane, mm."""
    for tag in ("SliceThickness", "SpacingBetweenSlices"):
        try:
            value = float(header.get(tag) or 0)
        except DAMAGED:
            continue
        if value > 0 and math.isfinite(value):
            return value
    return DEFAULT_THICKNESS_MM


def _check_steps(slices: Sequence[PlacedSlice]) -> None:
    """Refuse slices that lie on each other, leave gaps or wander off sideways."""
    steps = np.diff([item.along_mm for item in slices])
    usual = float(np.median(steps))
    if steps.min() <= UNEVEN_RATIO * usual or usual <= 0:
        where = int(np.argmin(steps))
        problem = f"two slices lie at one place ({slices[where].along_mm:.1f} mm)"
        raise CaseError(slices[where + 1].path, problem, "give one reconstruction by itself")
    if steps.max() > GAP_RATIO * usual:
        where = int(np.argmax(steps))
        problem = (
            f"slices are missing before it ({steps[where]:.2f} mm from the one before, usually "
            f"{usual:.2f} mm)"
        )
        raise CaseError(slices[where + 1].path, problem, "export the whole series again")
    if np.abs(steps - usual).max() > UNEVEN_RATIO * usual:
        problem = f"slices lie {steps.min():.2f} to {steps.max():.2f} mm apart"
        raise CaseError(slices[0].path, problem, "reconstruct the series with even steps")
    positions = np.array([item.position for item in slices])
    line = np.linspace(positions[0], positions[-1], len(slices))
    beside = np.linalg.norm(positions - line, axis=1).max()
    if beside > BESIDE_PIXELS * min(slices[0].spacing) + UNEVEN_RATIO * usual:
        problem = f"slices lie up to {beside:.1f} mm beside one line"
        raise CaseError(slices[0].path, problem, "give one acquisition by itself")


# --------------------------------------------------------------------------------------------------
# A case becomes one volume in HU, or one line that says why not.
# --------------------------------------------------------------------------------------------------

#: NumPy's kinds of numbers that a CT is stored in; colours and complex numbers are others.
NUMBER_KINDS = "iuf"
#: HU of air outside the reconstruction; scanners pad with values down to -3024.
PADDING_HU = -1024
#: A slice of one value up to this is padding, HU; nothing denser is without noise.
BLANK_HU = -900
#: No CT value lies above what 16 bits hold, metal included.
MOST_HU = 32767
#: HU that every CT shows something below: fat, skin or air. Scaled images start at 0 (or -1).
LEAST_HU_SEEN = -20
#: Largest value of images scaled to 0..1 and to 8 bits.
UNIT_RANGE, BYTE_RANGE = 1.0, 255.0
#: Voxel edges of CT volumes and reformats, mm; others mean a wrong unit or a lost header.
LEAST_EDGE_MM, MOST_EDGE_MM = 0.05, 100.0
#: A volume narrower than this from right to left is taken for a sagittal reformat, mm: a lumbar
#: vertebra with its transverse processes is about 80 mm wide, and no axial scan is this narrow.
NARROW_MM = 60.0
#: Slices at least this far apart from right to left, mm, and by so many times further than the
#: pixels within them, are a sagittal reformat of any width.
THICK_MM, THICK_RATIO = 2.5, 1.5


class LoadImageCT(Transform):
    """Read a NIfTI file, a DICOM file, the files of a DICOM series, or a folder with one series.

    Stored integers stay int16 where that is exact: a CT of 512 x 512 x 600 voxels is 315 MB.
    """

    def __call__(self, source: str | Path | Sequence[str | Path]) -> MetaTensor:
        """Read one case.

        Args:
            source: Path, or the paths of one DICOM series.

        Returns:
            HU [1, X, Y, Z], int16 or float32, affine to RAS+ millimetres; meta data hold
            `filename_or_obj`, `original_affine` and `spatial_shape`.

        Raises:
            CaseError: If it cannot be read or is not one volume.
        """
        paths = [Path(source)] if isinstance(source, str | Path) else [Path(p) for p in source]
        if len(paths) == 1 and is_nifti(paths[0]):
            array, affine = self._read_nifti(paths[0])
        else:
            array, affine = read_volume(_one_series(paths))
        meta = {
            "filename_or_obj": str(paths[0]),
            "original_affine": affine.copy(),
            "spatial_shape": np.array(array.shape),
            "original_channel_dim": 0,
            "space": "RAS",
        }
        return MetaTensor(torch.from_numpy(array[None]), affine=torch.tensor(affine), meta=meta)

    @staticmethod
    def _read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Read a NIfTI file with MONAI; array [X, Y, Z] and affine."""
        if not path.exists():
            raise CaseError(path, "does not exist", "give the path again")
        reader = NibabelReader(squeeze_non_spatial_dims=False)
        try:
            image: Any = reader.read(path)
            stored = image.get_data_dtype()
            if stored.kind not in NUMBER_KINDS:
                problem = (
                    f"holds {'colours' if stored.names else 'complex numbers'}, not CT numbers"
                )
                raise CaseError(path, problem, "give the CT in HU, as the scanner wrote it")
            array, _ = reader.get_data(image)
        except CaseError:
            raise
        except (OSError, ValueError, ArithmeticError, RuntimeError, EOFError, zlib.error) as error:
            problem = "is no readable NIfTI file or is cut off"
            raise CaseError(path, problem, "copy or convert it again") from error
        except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError) as error:
            problem = "is no NIfTI file, or its header is damaged"
            raise CaseError(path, problem, "copy or convert it again") from error
        if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
            problem = "says not how the patient lies (sform and qform code are 0)"
            raise CaseError(path, problem, "convert it again from DICOM with dcm2niix")
        if array.ndim == 2:
            array = array[:, :, None]
        while array.ndim > 3 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim != 3 or min(array.shape) == 0:
            problem = f"shape {array.shape} is not one volume"
            raise CaseError(path, problem, "give a single 3-D volume with one channel")
        return np.ascontiguousarray(_compact(array)), np.asarray(image.affine, dtype=float)


def _one_series(paths: list[Path]) -> list[Path]:
    """Look into a folder; several series in it are not one case."""
    if len(paths) > 1 or not paths[0].is_dir():
        return paths
    series, _ = group_series(files_below(paths[0]))
    if len(series) != 1:
        problem = f"holds {len(series)} DICOM series"
        raise CaseError(paths[0], problem, "give a folder with exactly one")
    return series[0].paths


def _compact(array: np.ndarray) -> np.ndarray:
    """Keep integers that fit in 16 bits as such, everything else as float32."""
    if array.dtype == np.int16:
        return array
    limits = np.iinfo(np.int16)
    whole = np.issubdtype(array.dtype, np.integer)
    if whole and array.min() >= limits.min and array.max() <= limits.max:
        return array.astype(np.int16)
    return array.astype(np.float32)


class LoadImageCTd(LoadImaged):
    """Dictionary form of `LoadImageCT`; volumes already in memory are left alone.

    It is a `LoadImaged` because MONAI Label and MONAI Deploy replace those by loaders of their own.

    Args:
        keys: Keys of paths.
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys, reader="NibabelReader", image_only=True, ensure_channel_first=True)
        self.load = LoadImageCT()

    def __call__(self, data: Mapping[Hashable, Any], reader: Any = None) -> dict[Hashable, Any]:
        """Return the data with volumes in place of paths."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            if not isinstance(changed[key], torch.Tensor | np.ndarray):
                changed[key] = self.load(changed[key])
        return changed


class CheckCT(Transform):
    """Refuse what is no CT volume in HU, and cut padding off at air."""

    def __call__(self, image: MetaTensor) -> MetaTensor:
        """Check one volume.

        Args:
            image: HU [1, X, Y, Z] with affine.

        Returns:
            The same volume, with no value below -1024 HU.

        Raises:
            CaseError: If it has several channels or another dimension, if its affine places it
                nowhere, or if its values are not HU.
        """
        path = image.meta.get("filename_or_obj", "image")
        if image.ndim != 4 or image.shape[0] != 1:
            problem = f"shape {tuple(image.shape)} is not one volume with one channel"
            raise CaseError(path, problem, "give a single CT volume")
        _check_affine(path, np.asarray(image.affine, dtype=float))
        # NumPy, because torch copies a volume whose first axis is the fastest, as readers give it.
        values = image.as_tensor().cpu().numpy()
        lows, highs = values.min(axis=(0, 1, 2)), values.max(axis=(0, 1, 2))
        low, high = float(lows.min()), float(highs.max())
        problem = _value_problem(low, high)
        if problem:
            raise CaseError(path, problem, "give the CT in HU, as the scanner wrote it")
        if lost := _lost_slices(lows, highs):
            problem = f"{lost} of its slices hold one value only: they were lost or zero-filled"
            raise CaseError(path, problem, "copy it again from the archive")
        if low < PADDING_HU:
            return image.clamp(min=PADDING_HU)  # type: ignore[return-value]
        return image


def _check_affine(path: Any, affine: np.ndarray) -> None:
    mend = "convert it again from DICOM"
    if not np.isfinite(affine).all():
        raise CaseError(path, "its affine is not finite", mend)
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if edges.min() < LEAST_EDGE_MM or edges.max() > MOST_EDGE_MM:
        size = " x ".join(f"{edge:.3g}" for edge in edges)
        raise CaseError(path, f"its voxels measure {size} mm", mend)
    if abs(np.linalg.det(affine[:3, :3] / edges)) < LEAST_EDGE_MM:
        raise CaseError(path, "its affine has no volume", mend)


def _value_problem(low: float, high: float) -> str:
    """Say why a range of values cannot be that of a CT in HU; empty if it can.

    Examples:
        >>> _value_problem(-1024.0, 1800.0)
        ''
        >>> _value_problem(0.0, 1.0)
        'values 0 to 1 look scaled to 0..1'
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return "some values are not finite (NaN or infinity)"
    if low == high:
        return f"every voxel is {low:g}"
    span = f"values {low:g} to {high:g}"
    if low >= -UNIT_RANGE and high <= UNIT_RANGE:
        return f"{span} look scaled to 0..1"
    if low >= 0 and high <= BYTE_RANGE:
        return f"{span} look scaled to 0..255"
    if low >= LEAST_HU_SEEN:
        return f"{span} hold nothing lighter than water: the intercept (-1024) seems missing"
    if high > MOST_HU:
        return f"{span} are no CT numbers"
    return ""


def _lost_slices(lows: np.ndarray, highs: np.ndarray) -> int:
    """Count slices without a picture where no padding explains them.

    Reformats may begin and end with slices of padding; none lies between others, and noise leaves
    no slice of tissue or water at one value.

    Args:
        lows: Least value of each slice, HU.
        highs: Greatest.

    Examples:
        >>> _lost_slices(np.array([-1024, -900, 0, -900]), np.array([-1024, 800, 0, 800]))
        1
    """
    shown = np.flatnonzero(lows < highs)
    if not shown.size:
        return 0  # a volume of layers is no file that lost some
    between = np.zeros(len(lows), dtype=bool)
    between[shown[0] : shown[-1]] = True
    return int(np.count_nonzero((lows == highs) & (between | (highs > BLANK_HU))))


def is_sagittal_reformat(shape: Sequence[int], affine: np.ndarray) -> bool:
    """Tell a sagittal reformat (one slice, or few or thick ones) from a volume.

    Args:
        shape: Shape of a grid whose first axis is the one nearest to left and right.
        affine: Its 4x4 voxel to millimetre matrix.
    """
    across, *within = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)
    thick = across >= THICK_MM and across >= THICK_RATIO * max(within)
    return bool(shape[0] * across < NARROW_MM or thick)


class CheckCTd(MapTransform):
    """Dictionary form of `CheckCT`."""

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)
        self.check = CheckCT()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with checked volumes."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = self.check(changed[key])
        return changed


# --------------------------------------------------------------------------------------------------
# From what the user gives as `image` to a list of named cases.
#
# A NIfTI file, a DICOM file, a folder of either (searched to the bottom), a pattern, a text file
# with one path per line, or a list of these.
# --------------------------------------------------------------------------------------------------

#: Ending of label maps this bundle writes: not read again when results lie among the inputs.
SEGMENTATION_ENDING = "_seg.nii.gz"
#: Ending of the file beside them.
LEVELS_ENDING = "_levels.json"
#: The label map in a case's folder of `python -m tools screen`, and the record beside it.
SCREENED = ("segmentation.nii.gz", "case.json")
#: Its DICOM objects there, where the input was DICOM.
SCREENED_OBJECTS = ("segmentation.dcm", "report.dcm")
#: Endings of lists of paths.
LIST_ENDINGS = (".txt",)

Case = dict[str, Any]


def find_cases(image: Any, output_dir: str | Path | None = None) -> list[Case]:
    """Turn what was given as `image` into cases with unique names that name no patient.

    Args:
        image: File, folder, pattern, text file of paths, or a list of these.
        output_dir: Folder of results; what lies in it is no input.

    Returns:
        One dictionary per case: "image" (a path, or the paths of a DICOM series), "case" (its
        name) and "kind" ("nifti" or "dicom"), in the order of the paths. What a list names is
        always a case, even if it does not exist: reading it then says so.

    Raises:
        SettingError: If something given does not exist, if a list cannot be read, or if nothing to
            read was found.
    """
    results = Path(output_dir).resolve() if output_dir is not None else None
    given = _Given()
    _collect(image, results, given)
    # One file spelt in two ways is one case, called as it was spelt first.
    spelt: dict[Path, Path] = {}
    for path in (*given.named, *given.found):
        spelt.setdefault(path.resolve(), path)
    files = list(spelt.values())
    cases: list[Case] = []
    rest = []
    for path in files:
        if is_nifti(path):
            cases.append({"image": str(path), "case": case_name(path), "kind": "nifti"})
        else:
            rest.append(path)
    series, foreign = group_series(rest)
    others = dict.fromkeys(foreign)
    cases += [
        {"image": [str(path) for path in one.paths], "case": one.name, "kind": "dicom"}
        for one in series
    ]
    # What looks like DICOM or was named by the user is reported, the rest lies there by chance.
    reported = {path for path in others if _promises_dicom(path)} | (set(given.named) & set(others))
    cases += [_unread(path) for path in others if path in reported]
    holding = {file.parent for file in files if file not in others or file in reported}
    used = {folder for place in holding for folder in (place, *place.parents)}
    cases += [_unread(folder) for folder in dict.fromkeys(given.listed) if folder not in used]
    if not cases:
        raise SettingError(_nothing(image, output_dir, given))
    return name_apart(sorted(cases, key=_first_path))


def _promises_dicom(path: Path) -> bool:
    """Tell a file that ends or begins like DICOM; a table of contents is no promise of an image."""
    if path.suffix.lower() in DICOM_ENDINGS:
        return True
    try:
        return path.stem.upper() != "DICOMDIR" and pydicom.misc.is_dicom(path)
    except OSError:
        return False


def _unread(path: Path) -> Case:
    """Make a case of what holds no image, so that reading it says why."""
    return {"image": str(path), "case": hashed_name(str(path.absolute())), "kind": "dicom"}


def _nothing(image: Any, output_dir: str | Path | None, given: _Given) -> str:
    if given.left_out:
        folder = "" if output_dir is None else f" or lies in the folder of results, {output_dir}"
        return (
            f"image: everything in {image} is a result of a run{folder}; give a CT, or another "
            "folder for the results"
        )
    return f"image: {image} holds neither NIfTI nor DICOM; give a CT file, a folder or a pattern"


#: Keys of a datalist's records that are paths, from the datalist's folder on.
RECORD_PATHS = ("image", "label", "mask", "bodies")


def datalist_records(
    datalist: str, key: str, paths: Sequence[str] = RECORD_PATHS
) -> list[dict[str, Any]]:
    """Read the records of one list of a datalist.

    MONAI's `load_decathlon_datalist` makes a path of every text that is the name of a file or
    folder beside the datalist: of the scanner "A" too, where a folder is called so.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "test".
        paths: Keys that are paths.

    Returns:
        The records; relative paths are from the datalist's folder on.

    Raises:
        SettingError: The file does not exist or is no JSON, or the list is none of records.
    """
    if not Path(datalist).is_file():
        raise SettingError(f"datalist: {datalist} does not exist")
    try:
        records = json.loads(Path(datalist).read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, LookupError, TypeError):
        raise SettingError(f"{datalist} holds no list '{key}', or is no JSON") from None
    if not isinstance(records, list):
        raise SettingError(f"{datalist}: '{key}' is no list; give it records")
    for n, record in enumerate(records):
        if not isinstance(record, dict):
            what = type(record).__name__
            raise SettingError(f"{datalist}: {key} {n} is no record but {what}; give {{...}}")
        if not isinstance(record.get("image"), str) or not record["image"]:
            raise SettingError(f'{datalist}: {key} {n} needs "image", the path of one CT')
    base = Path(datalist).parent
    return [
        {
            name: os.path.normpath(base / value)
            if name in paths and isinstance(value, str)
            else value
            for name, value in record.items()
        }
        for record in records
    ]


def refuse_lists(
    read: Callable[[str], Any], keys: Sequence[str], argv: Sequence[str] | None
) -> None:
    """Refuse a datalist with an unusable record before a run starts.

    Args:
        read: Reads a list by its name; raises `SettingError` for what cannot be used.
        keys: Names of the lists that will be read.
        argv: The command line, `sys.argv`; only one of `monai.bundle run` is judged. Other programs
            meet a bad record when they read it.

    Raises:
        SystemExit: One line that names the file, the record, and the mend; status 1.
    """
    if not parse_command_line(argv or [])[1].keys() & {"config_file", "args_file"}:
        return
    try:
        for key in keys:
            read(key)
    except SettingError as error:
        raise SystemExit(f"error: {error}") from None


def datalist_cases(datalist: str, key: str) -> list[Case]:
    """Read the records of one list of a datalist and name them as `find_cases` does.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "test".

    Returns:
        The records with "case" and "kind".

    Raises:
        SettingError: As `datalist_records`.
    """
    records = datalist_records(datalist, key)
    cases = []
    for record in records:
        path = Path(record["image"])
        if is_nifti(path):
            cases.append({**record, "case": case_name(path), "kind": "nifti"})
            continue
        series, _ = group_series(files_below(path) if path.is_dir() else [path])
        name = series[0].name if series else hashed_name(str(path.absolute()))
        cases.append({**record, "case": name, "kind": "dicom"})
    return name_apart(cases)


def name_apart(cases: Sequence[Case]) -> list[Case]:
    """Tell cases of one name apart by a hash of their path.

    Examples:
        >>> [case["case"] for case in name_apart([{"image": "/a/ct.nii", "case": "ct"},
        ...     {"image": "/b/ct.nii", "case": "ct"}, {"image": "/a/x.nii", "case": "x"}])]
        ['ct-e716b9', 'ct-002854', 'x']
    """
    # Two names that differ in upper and lower case are one file on some systems.
    names = [case["case"].casefold() for case in cases]
    return [
        {**case, "case": f"{case['case']}-{_path_hash(case)}"} if names.count(name) > 1 else case
        for case, name in zip(cases, names, strict=True)
    ]


def is_nifti(path: Path) -> bool:
    """Tell a NIfTI file by its name."""
    return path.name.lower().endswith(NIFTI_ENDINGS)


def _first_path(case: Mapping[str, Any]) -> str:
    image = case["image"]
    return image if isinstance(image, str) else image[0]


def _path_hash(case: Mapping[str, Any]) -> str:
    path = os.fsencode(Path(_first_path(case)).absolute())
    return hashlib.sha256(path).hexdigest()[:PATH_DIGITS]


@dataclass
class _Given:
    """What the user's words come to.

    Attributes:
        named: Files named by the user.
        found: Files in folders that the user named.
        listed: Folders that a list names.
        left_out: Whether results of a run were passed over.
    """

    named: list[Path] = field(default_factory=list)
    found: list[Path] = field(default_factory=list)
    listed: list[Path] = field(default_factory=list)
    left_out: bool = False


def _collect(image: Any, results: Path | None, given: _Given) -> None:
    """Add what the user gave as `image`."""
    if image is None or image == "":
        raise SettingError("image: give a CT file, a folder or a pattern, as in --image scans/")
    if isinstance(image, list | tuple):
        for part in image:
            _collect(part, results, given)
    elif not _add(_expanded(str(image)), results, given, ()):
        raise SettingError(f"image: {image} does not exist")


def _add(path: Path, results: Path | None, given: _Given, lists: tuple[Path, ...]) -> bool:
    """Add a file, a folder, the paths in a list or what matches a pattern.

    Args:
        path: Which.
        results: Folder whose content is no input.
        given: Added to.
        lists: The lists that led here, outermost first.

    Returns:
        Whether there is any such thing.
    """
    if _is(path, Path.is_dir):
        files = files_below(path)
        kept = [file for file in files if not _is_result(file, results)]
        given.found += kept
        given.left_out |= len(kept) < len(files)
        given.listed += [path] if lists else []
        return True
    if _is(path, Path.is_file):
        if path.suffix.lower() in LIST_ENDINGS:
            _add_listed(path, results, given, lists)
        else:
            given.named.append(path)
        return True
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
    for match in map(Path, matches):
        if _is_result(match, results):
            given.left_out = True
        elif match == path or not _add(match, results, given, lists):
            given.named.append(match)  # a link to what is gone, or no file
    return bool(matches)


def _add_listed(path: Path, results: Path | None, given: _Given, lists: tuple[Path, ...]) -> None:
    """Add the paths in a text file; relative ones start from its folder, # begins a remark."""
    place = path.resolve()
    if place in lists:
        raise SettingError(f"image: the list {path} leads back to itself; take that line out")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise SettingError(f"image: the list {path} is no UTF-8 text; save it as UTF-8") from None
    for line in lines:
        if line and not line.startswith("#"):
            one = path.parent / _expanded(line)
            if not _add(one, results, given, (*lists, place)):
                given.named.append(one)


def _expanded(text: str) -> Path:
    """Put the home folder in place of ~; an unknown user's stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Ask the system what a path is; what it cannot look at (a name too long) is nothing."""
    try:
        return kind(path)
    except OSError:
        return False


def files_below(folder: Path) -> list[Path]:
    """List all files under a folder, hidden ones left out."""
    return sorted(file for file in folder.rglob("*") if _is_visible(file, folder))


def _is_visible(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file()


def _is_result(file: Path, results: Path | None) -> bool:
    """Tell whether an earlier run wrote this file."""
    if results is not None and results in (place := file.parent.resolve(), *place.parents):
        return True
    if file.name in (SCREENED[0], *SCREENED_OBJECTS):
        return file.with_name(SCREENED[1]).exists()
    if not file.name.endswith(SEGMENTATION_ENDING):
        return False
    case = file.name.removesuffix(SEGMENTATION_ENDING)
    return (file.parent / f"{case}{LEVELS_ENDING}").exists()


class FailureFiles:
    """Ignite handler that writes the JSON of a case that failed, and counts cases.

    Args:
        output_dir: Where to write; made if missing.
        ending: Ending of the JSON's name.
        blocks: Keys of the JSON that are null for such a case.
        removed: Ending of a file of the same case from an earlier run that would contradict the
            JSON; None for none.
    """

    def __init__(
        self,
        output_dir: str | Path,
        ending: str = LEVELS_ENDING,
        blocks: Sequence[str] = ("levels", "chain"),
        removed: str | None = SEGMENTATION_ENDING,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.ending, self.blocks, self.removed = ending, tuple(blocks), removed
        self.done = 0
        self.failed: list[str] = []

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write)
        engine.add_event_handler(Events.COMPLETED, self.summarize)

    def start(self, engine: Engine) -> None:
        """Begin to count."""
        self.done, self.failed = 0, []

    def write(self, engine: Engine) -> None:
        """Write down every failed case of a batch."""
        outputs: Any = engine.state.output
        for output in outputs:
            if FAILURE not in output:
                self.done += 1
                continue
            name = str(output["case"])
            self.failed.append(name)
            if self.removed is not None:
                (self.output_dir / f"{name}{self.removed}").unlink(missing_ok=True)
            unknown = {"shape": None, "spacing_mm": None, "sagittal_reformat": None}
            content = {
                "schema": SCHEMA,
                "case": name,
                "status": FAILED,
                "reason": str(output[FAILURE]),
                "input": {"kind": output.get("kind"), **unknown},
                **dict.fromkeys(self.blocks),
            }
            write_json(self.output_dir / f"{name}{self.ending}", content)

    def summarize(self, engine: Engine) -> None:
        """Log how many cases went through."""
        names = f": {', '.join(self.failed)}" if self.failed else ""
        logger.info(
            "%d cases read, %d failed%s; results in %s",
            self.done, len(self.failed), names, self.output_dir,
        )  # fmt: skip


class CaseRows(ABC):
    """Ignite handler that gathers rows per case, or case and level, and writes one table an epoch.

    With several processes the first one writes the rows of all; a case that two of them saw, as a
    sampler's padding makes happen, counts once. The means go to `engine.state.metrics`; attach this
    handler before those that log them. What a row holds is its bundle's to say.

    Args:
        path: Table to write; its folder is made if missing.
        columns: Names of its columns.
        names: Columns that name a row: no two rows share their values.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], names: Sequence[str] = ("case", "level")
    ) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.names = tuple(names)
        self.rows: list[dict[str, Any]] = []

    @abstractmethod
    def rows_of_case(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of one case, from its item and its output joined."""

    @abstractmethod
    def means(self, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
        """Metrics over all rows."""

    @abstractmethod
    def in_words(self, rows: Sequence[dict[str, Any]]) -> str:
        """What the run's log says of all rows."""

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Begin a new table."""
        self.rows = []

    def collect(self, engine: Engine) -> None:
        """Take the rows of the cases of one batch."""
        batch: Any = engine.state.batch
        outputs: Any = engine.state.output
        # A batch is split into its cases on the way to the output; that of a failed case is not.
        items = batch if isinstance(batch, list) else [{}] * len(outputs)
        for item, output in zip(items, outputs, strict=True):
            known = {key: value for key, value in output.items() if value is not None}
            self.rows += self.rows_of_case({**item, **known})

    def finish(self, engine: Engine) -> None:
        """Gather the rows of all processes, write them once and log the means."""
        texts = string_list_all_gather([json.dumps(row) for row in self.rows])
        found = map(json.loads, filter(None, texts))
        rows = {tuple(row[name] for name in self.names): row for row in found}
        everything = [rows[key] for key in sorted(rows)]
        engine.state.metrics.update(self.means(everything))
        if idist.get_rank() == 0:
            write_table(self.path, self.columns, everything)
            logger.info("%d rows in %s; %s", len(rows), self.path, self.in_words(everything))
