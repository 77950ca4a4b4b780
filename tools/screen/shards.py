"""A run split into parts that work side by side, on one machine or many, into one folder.

    with shards.part_at_work(out, Part(0, 4)) as seat:
        ...
        if seat.is_last():
            ...

Every part takes its own share of one list of cases. Who ends last joins what all of them wrote.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tools.files import LOCK_FILE, locked
from tools.screen.scan import Case

SEATS_FILE = f"{LOCK_FILE}-seats"


@dataclass(frozen=True)
class Part:
    """One part of a run.

    Attributes:
        id: Its number, from 0.
        of: Parts that the run has.
    """

    id: int
    of: int

    def pick(self, cases: Sequence[Case]) -> list[Case]:
        """Its share of all cases; every case is in one part, series of one study in the same.

        >>> cases = [Case(name, "dicom", (), study) for name, study in zip("abcd", "1123")]
        >>> [[case.name for case in Part(k, 2).pick(cases)] for k in (0, 1)]
        [['a', 'b', 'd'], ['c']]
        """
        units = [case.study or case.name for case in cases]
        own = set(list(dict.fromkeys(units))[self.id :: self.of])
        return [case for case, unit in zip(cases, units, strict=True) if unit in own]

    @property
    def file(self) -> str:
        """Name of its file beside run.json."""
        return f"run-{self.id}.json"


def from_options(num_parts: int | None, part_id: int | None) -> Part | None:
    """Read the part from a command's options; None for the whole.

    Raises:
        ValueError: If there is no such part.
    """
    if num_parts is None and part_id is None:
        return None
    if num_parts is None or part_id is None:
        raise ValueError("--num-parts and --part-id go together, such as --num-parts 4 --part-id 0")
    if num_parts < 1 or not 0 <= part_id < num_parts:
        raise ValueError(
            f"--part-id counts from 0 to --num-parts less 1; there is no part {part_id} of "
            f"{num_parts}"
        )
    return Part(part_id, num_parts)


class Seat:
    """A part's place among those that measure."""

    def __init__(self, seats: IO[str]) -> None:
        self._seats = seats
        fcntl.flock(seats, fcntl.LOCK_SH)  # waits while another part joins the results

    def is_last(self) -> bool:
        """Leave, and tell whether no other part measures; one that comes now waits at its start.

        Each gives up its share of the lock before it asks for all of it, so whoever leaves last is
        told so.
        """
        fcntl.flock(self._seats, fcntl.LOCK_UN)
        try:
            fcntl.flock(self._seats, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def part_at_work(out: Path, part: Part) -> Iterator[Seat]:
    """Let parts of one run work side by side, and keep all others out.

    Temporary files are left to whole runs: here they may be another part's.

    Args:
        out: Folder of the results; it must exist.
        part: The part.

    Raises:
        OSError: If a whole run, the same part, or a part of another division is at work there.
    """
    own = out / f"{LOCK_FILE}-{part.id}-of-{part.of}"
    with locked(out / LOCK_FILE, shared=True), locked(own):
        for other in out.glob(f"{LOCK_FILE}-*-of-*"):
            if not other.name.endswith(f"-of-{part.of}"):  # its shares overlap with ours
                with locked(other):
                    pass
        with (out / SEATS_FILE).open("a+") as seats:
            yield Seat(seats)
