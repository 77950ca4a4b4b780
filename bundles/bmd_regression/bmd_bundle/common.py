"""What every bundle of this project needs, in one file; it is byte-identical in each of them.

* `check` refuses a misspelt setting, which MONAI's runner would silently ignore.
* `Spacingd` is MONAI's, made safe against text under keys such as `image_path`.
* `case_name` and `write_json` name and write what a run leaves behind.
"""

import difflib
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fire.parser
import pydicom
import yaml
from monai import transforms
from monai.bundle import ConfigParser

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
