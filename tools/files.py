"""Files written whole or not at all, and folders that one run at a time writes to."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

LOCK_FILE = ".lock"

TEMPORARY_FILES = ".part-*"
"""What `write_atomically` leaves when its process is killed."""


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that it either exists whole or does not exist.

    Args:
        path: Where the file shall be; its folder must exist.
        write: Called with a temporary path in the same folder, and fills it.

    Raises:
        OSError: If writing fails (a full disk, no permission); nothing is left at `path`.
    """
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        # A full disk names no file by itself.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_content(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomically(path, write)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If a number is not finite, which JSON cannot hold.
    """
    write_content(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


@contextmanager
def exclusive(folder: Path, parts: Sequence[str] = ("",)) -> Iterator[None]:
    """Keep a second run out of a folder, and clear the temporary files of a killed one.

    The lock is the process's own, so that a kill frees it.

    Args:
        folder: What is locked; it must exist.
        parts: Folders in it that are cleared, "" for itself.

    Raises:
        OSError: If another run is at work in the folder, or it cannot be written to.
    """
    with locked(folder / LOCK_FILE):
        clear(folder, parts)
        try:
            yield
        finally:
            clear(folder, parts)


@contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[IO[str]]:
    """Hold a lock that is the process's own, so that a kill frees it.

    Args:
        path: Its file, made if need be; its folder is what the lock keeps others out of.
        shared: Hold it together with others who ask for the same.

    Yields:
        The file, for `fcntl.flock`.

    Raises:
        OSError: If it is taken, or the file cannot be written to.
    """
    with path.open("a+") as lock:  # network file systems want it readable and writable
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"{path.parent}: another run is writing here") from error
        yield lock


def clear(folder: Path, parts: Sequence[str] = ("",)) -> None:
    """Remove the temporary files of a killed run."""
    for part in parts:
        for path in (folder / part).glob(TEMPORARY_FILES):
            path.unlink(missing_ok=True)
