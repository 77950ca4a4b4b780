"""From a training checkpoint to the weights a bundle ships, and the record of their making."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tools import versions
from tools.files import write_atomically, write_json

NETWORK_KEY = "model"
"""Name of the network's state in a training checkpoint."""


def half_precision(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Take the network's weights out of a training checkpoint.

    Args:
        checkpoint: Written by the training: {"model": state dict, ...}, or a plain state dict.

    Returns:
        Plain state dict on the CPU; floating-point numbers in half precision, others as they are.

    Raises:
        OSError: The checkpoint is damaged or holds no network.
        ValueError: A weight is not a number, or too large for half precision.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = content.get(NETWORK_KEY, content)
        tensors = {str(key): value.detach().clone() for key, value in state.items()}
    except Exception as error:  # unpickling a damaged file raises nearly anything
        raise OSError(
            f"{checkpoint}: damaged; delete it, and the same command goes on from the one before"
        ) from error
    halved = {key: t.half() if t.is_floating_point() else t for key, t in tensors.items()}
    for key, tensor in halved.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{checkpoint}: {key} is not finite in half precision; train anew")
    return halved


def write(
    model: Path,
    manifest_file: Path,
    checkpoint: Path,
    settings: Mapping[str, Any],
    made_from: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the weights and then their manifest.

    Args:
        model: File of the weights.
        manifest_file: File that says how they were made.
        checkpoint: Checkpoint of the training.
        settings: What the run was asked for.
        made_from: The settings, and what else the manifest shall say.

    Returns:
        The manifest.

    Raises:
        OSError: A file cannot be written, or the checkpoint is damaged.
    """
    state = half_precision(checkpoint)

    def save(temporary: Path) -> None:
        with temporary.open("wb") as stream:  # torch refuses names that begin with a dot
            torch.save(state, stream)

    write_atomically(model, save)
    manifest = {
        "file": model.name,
        "sha256": sha256(model),
        "bytes": model.stat().st_size,
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "precision": "float16",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings_sha256": _digest(settings),
        **made_from,
        "checkpoint": checkpoint.name,
        "code_commit": code_commit(),
        "versions": versions.describe(),
    }
    write_json(manifest_file, manifest)
    return manifest


def is_finished(model: Path, manifest_file: Path, settings: Mapping[str, Any]) -> bool:
    """Tell whether weights are there that this very request made, unharmed."""
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
        wanted = (_digest(settings), sha256(model))
        return (manifest["settings_sha256"], manifest["sha256"]) == wanted
    except (OSError, ValueError, LookupError, TypeError):
        return False


def sha256(path: Path) -> str:
    """Return a file's SHA-256, hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def code_commit() -> str | None:
    """Name the commit of this code, `-dirty` if files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        made = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=here, capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return made.stdout.strip() or None
