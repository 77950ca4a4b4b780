"""The only place that runs a bundle: one initialised workflow per process, called case by case.

    from tools import bundles
    segmentation = bundles.load("lumbar_segmentation")
    result = segmentation.run("ct.nii.gz")       # result["levels"], result["pred"]

Reading, network, and naming are the bundle's own, taken from its config; nothing here knows what
a bundle does. A case goes through the same collation as in `python -m monai.bundle run inferring`,
so both give the same result.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from monai.bundle import ConfigWorkflow
from monai.data import decollate_batch, list_data_collate

from tools.options import nearest

#: Where the bundles lie.
FOLDER = Path(__file__).resolve().parents[1] / "bundles"

WEIGHTS = Path("models", "model.pt")
"""The shipped weights, relative to a bundle's root."""

Overrides = Mapping[str, Any]

_loaded: dict[Hashable, Bundle] = {}
"""Bundles that this process has initialised; a second `load` of the same gives the same."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that is ready to run.

    Attributes:
        name: Its folder's name.
        root: Its folder.
        weights: File of the weights in use.
        weights_sha256: Checksum of that file, hexadecimal digits.
        device: Where the network runs.
        network: The network, weights loaded, in evaluation mode.
        preprocessing: Dictionary transform from paths to tensors [C, ...].
        inferer: Called as `inferer(inputs [1, C, ...], network)`.
        postprocessing: Dictionary transform from `pred` to the results.
    """

    name: str
    root: Path
    weights: Path
    weights_sha256: str
    device: torch.device
    network: torch.nn.Module
    preprocessing: Callable[[Any], Any]
    inferer: Callable[..., torch.Tensor]
    postprocessing: Callable[[Any], Any]

    def run(self, case: str | Path | Mapping[str, Any]) -> dict[str, Any]:
        """Run one case.

        Args:
            case: Path of an image, or a dictionary with key `image` and what else the bundle's
                preprocessing reads.

        Returns:
            What the bundle's postprocessing leaves: `pred` and the other keys its page names.

        Raises:
            ValueError: The bundle cannot use the input; one line that names file and mend.
        """
        given = dict(case) if isinstance(case, Mapping) else {"image": str(case)}
        try:
            batch = list_data_collate([self.preprocessing(given)])
            on_card = self.device.type == "cuda"
            with torch.no_grad(), torch.autocast(self.device.type, enabled=on_card):
                batch["pred"] = self.inferer(batch["image"].to(self.device), self.network)
            result: dict[str, Any] = self.postprocessing(decollate_batch(batch)[0])
        except RuntimeError as error:
            if (refusal := self._refusal(error)) is not None:
                raise ValueError(str(refusal)) from error
            raise
        return result

    def _refusal(self, error: BaseException) -> BaseException | None:
        """Find the bundle's own refusal of an input in what MONAI's `Compose` wraps around it."""
        cause: BaseException | None = error
        while cause is not None:
            package = type(cause).__module__.partition(".")[0]
            if isinstance(cause, ValueError) and (self.root / package).is_dir():
                return cause
            cause = cause.__cause__
        return None


def load(
    name: str,
    config: str | Sequence[str] = "inference",
    overrides: Overrides | None = None,
    weights: str | Path | None = None,
    folder: Path = FOLDER,
) -> Bundle:
    """Initialise a bundle's workflow, or return the one this process already has.

    Args:
        name: Name of the bundle's folder.
        config: Name of its config, or of a config and overlays, such as
            `["inference", "network_unet"]`.
        overrides: Ids of the config -> their values; an id the config lacks is refused.
        weights: File of the weights; by default the shipped `models/model.pt`.
        folder: Where the bundles lie.

    Returns:
        The bundle.

    Raises:
        ValueError: The bundle, a config, an id or the weights do not exist or do not fit; one line
            that names the file and the mend.
    """
    root = _root(name, folder)
    names = [config] if isinstance(config, str) else list(config)
    files = [_config_file(root, each) for each in names]
    changed = dict(overrides or {})
    path = Path(weights).expanduser().resolve() if weights else root / WEIGHTS
    key = (root, *names, path, json.dumps(changed, sort_keys=True, default=repr))
    if key not in _loaded:
        _loaded[key] = _initialise(name, root, files, changed, path)
    return _loaded[key]


def in_memory(steps: Overrides, device: str) -> dict[str, Any]:
    """Ids that keep a bundle from writing files, and say where its network runs.

    Args:
        steps: The bundle's postprocessing without files.
        device: "auto", "cpu" or "cuda".
    """
    return {**steps, **({} if device == "auto" else {"device": f"$torch.device('{device}')"})}


def module(name: str, dotted: str, folder: Path = FOLDER) -> ModuleType:
    """Import a module of a bundle's package.

    Args:
        name: Name of the bundle's folder.
        dotted: The module, such as `lumbar_bundle.metrics`.
        folder: Where the bundles lie.

    Raises:
        ValueError: The bundle does not exist.
    """
    _on_path(_root(name, folder, marker="*_bundle/__init__.py"))
    return importlib.import_module(dotted)


def _on_path(root: Path) -> None:
    """Let a bundle's package be imported, as MONAI's runner does."""
    if str(root) not in sys.path:
        sys.path.insert(1, str(root))


def _root(name: str, folder: Path, marker: str = "configs/metadata.json") -> Path:
    """Return the folder of a bundle; `marker` is the file that makes it one."""
    known = sorted(path.parent.parent.name for path in folder.glob(f"*/{marker}"))
    if name not in known:
        listed = ", ".join(known) or "none"
        raise ValueError(f"no bundle {name!r} in {folder}{nearest(name, known)}; known: {listed}")
    return (folder / name).resolve()


def _config_file(root: Path, name: str) -> Path:
    """Return the file of one of a bundle's configs."""
    path = root / "configs" / f"{name}.yaml"
    if not path.is_file():
        known = sorted(found.stem for found in path.parent.glob("*.yaml"))
        raise ValueError(f"no such config: {path}{nearest(name, known)}")
    return path


def _initialise(
    name: str, root: Path, files: Sequence[Path], overrides: Overrides, weights: Path
) -> Bundle:
    """Build the workflow and take from it what a case needs."""
    sha256 = checksum(weights)
    _on_path(root)  # before anything of the config is built: it names code by `_target_`
    with _quiet("monai.bundle.workflows"):  # it warns that it was told not to log
        workflow = ConfigWorkflow(
            [str(path) for path in files],
            workflow_type="infer",
            logging_file=False,  # the calling program decides what is logged
            bundle_root=str(root),
        )
    for override in overrides:
        if override not in workflow.parser:
            hint = nearest(override, workflow.parser.get())
            raise ValueError(f"{files[0]} has no id {override!r}{hint}")
    # A run checks at its start that its input and weights exist; here inputs come later.
    own = {"image": str(root), "weights_file": str(weights)}
    known = {key: value for key, value in own.items() if key in workflow.parser}
    workflow.parser.update(pairs={**known, **overrides})
    workflow.initialize()
    device = torch.device(workflow.device)
    network = workflow.network_def
    read_weights(network, weights)
    return Bundle(
        name=name,
        root=root,
        weights=weights,
        weights_sha256=sha256,
        device=device,
        network=_channels_last(network.to(device)).eval(),
        preprocessing=workflow.preprocessing,
        inferer=workflow.inferer,
        postprocessing=workflow.postprocessing,
    )


def _channels_last(network: torch.nn.Module) -> torch.nn.Module:
    """Let a 2-D network run channels last, as the bundles' own configs do: a third faster."""
    if any(parameter.ndim > 4 for parameter in network.parameters()):  # of volumes
        return network
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Hold back the warnings of one logger."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def read_weights(network: torch.nn.Module, path: Path) -> None:
    """Load a plain state dict of any precision into a network, whose own precision stays.

    Args:
        network: The network to fill.
        path: File written with `torch.save(network.state_dict(), path)`.

    Raises:
        ValueError: The file is missing or damaged, holds something else, or was made for another
            network; one line that names the file and the mend.
    """
    mend = f"fetch {path.name} again, or give the file that `python -m tools pretrain` wrote"
    checksum(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a damaged file raises nearly anything
        raise ValueError(f"{path}: damaged, or no weights; {mend}") from error
    is_plain = isinstance(state, Mapping) and all(
        isinstance(v, torch.Tensor) for v in state.values()
    )
    if not is_plain or not state:
        raise ValueError(f"{path}: not a plain state dict (a training checkpoint?); {mend}")
    if problem := _misfit(network.state_dict(), state):
        raise ValueError(f"{path}: made for another network, {problem}; {mend}")
    network.load_state_dict(state)  # copies into the network's own precision


def _misfit(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> str | None:
    """Say what is wrong first with a state dict: names, shapes, numbers."""
    for key, tensor in wanted.items():
        if key not in given:
            return f"{key} is missing"
        if given[key].shape != tensor.shape:
            return f"{key} is {list(given[key].shape)}, not {list(tensor.shape)}"
        if not bool(torch.isfinite(given[key]).all()):
            return f"{key} is not finite"
    unknown = next((key for key in given if key not in wanted), None)
    return f"{unknown} is unknown" if unknown else None


def checksum(weights: Path) -> str:
    """Return the SHA-256 of a weights file, hexadecimal digits.

    Raises:
        ValueError: The file cannot be read; one line.
    """
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(
            f"{weights}: {error.strerror or error}; restore it with `git checkout`, or make "
            "weights with `python -m tools pretrain`"
        ) from error
