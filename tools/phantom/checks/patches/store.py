"""Where the bench's arrays lie: a folder of blocks, each whole or missing, and how they were made.

    OUT/bench.json                   recipe, seed, pairing, settings, software
    OUT/A-00000.npz                  scanner A's patients 0 to 19, arrays [patients, ...]

The same command given again makes only the blocks that are missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.files import write_atomically, write_json

SETTINGS_FILE = "bench.json"

BLOCK = 20
"""Patients per file."""


def prepare(out: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder, or check that it holds the start of this very bench.

    Raises:
        ValueError: The folder holds something else, or a bench made with other settings.
        OSError: It cannot be written.
    """
    wanted = json.loads(json.dumps(settings))
    path = out / SETTINGS_FILE
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged; choose another folder") from error
        for key in sorted(wanted | found):
            if wanted.get(key) != found.get(key):
                raise ValueError(
                    f"{out} holds a bench made with another {key}; choose another folder"
                )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty and holds no bench; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, wanted)


def block_path(out: Path, scanner: str, start: int) -> Path:
    """Return the file of the block whose first patient is `start`."""
    return out / f"{scanner}-{start:05d}.npz"


def patients_in(path: Path) -> int:
    """Number of patients in a block's file, 0 where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return len(content["patient"])
    except (OSError, ValueError, KeyError, EOFError):
        return 0
    except Exception as error:  # a cut zip file: zipfile's own error, which has no common base
        if type(error).__module__ in ("zipfile", "zlib"):
            return 0
        raise


def save(path: Path, patients: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Write a block whole or not at all.

    Args:
        path: The block's file.
        patients: Arrays of each patient.

    Raises:
        OSError: It cannot be written.
    """
    arrays: dict[str, Any] = {
        name: np.stack([each[name] for each in patients]) for name in patients[0]
    }

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # given a name, numpy would add its own ending
            np.savez_compressed(file, **arrays)

    write_atomically(path, write)


def load(out: Path, scanner: str | None = None) -> dict[str, np.ndarray]:
    """Read a whole bench, or one scanner's part of it.

    Args:
        out: Folder that the command wrote.
        scanner: Whose patients are read; None for all.

    Returns:
        Arrays [patients, ...] in the order of scanner and patient; their meaning stands in
        `reading.read_patient`.

    Raises:
        ValueError: The folder holds no bench or none of that scanner, or a block is damaged.
    """
    paths = sorted(Path(out).glob("[A-Z]-*.npz"))
    if not paths or not (Path(out) / SETTINGS_FILE).exists():
        raise ValueError(f"{out} holds no bench of patches")
    if scanner is not None:
        paths = [path for path in paths if path.name.rpartition("-")[0] == scanner]
        if not paths:
            raise ValueError(f"{out} holds no patients of scanner {scanner!r}; draw them first")
    parts = []
    for path in paths:
        if not patients_in(path):
            raise ValueError(f"{path} is damaged; delete it and give the command again")
        with np.load(path, allow_pickle=False) as content:
            parts.append(dict(content))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
