"""Which folder among the results is a case's own, when several inputs are called alike.

    cases = places.assign(scans.find(given, out), out)

A folder belongs to the input that its record names. Another input of the same name gets a folder
of its own, and finds it again on the next run, whatever it is given together with.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tools.screen import folder as folders
from tools.screen.scan import Case

ORIGIN_DIGITS = 6
"""Hexadecimal digits of the hash of a path that tell two inputs of one name apart."""


def origin(case: Case) -> str:
    """SHA-256 of where an input lies, however its path is spelt.

    A DICOM series counts by its folder: its first file is another when one more arrives.
    """
    path = real(case.paths[0])
    return _hash(path.parent if case.kind == "dicom" else path)


def real(path: Path) -> Path:
    """The absolute path of a file, links followed; a link to itself stays as it is."""
    return Path(os.path.realpath(path))


def assign(cases: Sequence[Case], out: Path) -> list[Case]:
    """Name cases so that none takes a folder that holds another input's results.

    Args:
        cases: Inputs, their names different.
        out: Folder of the results.

    Returns:
        The cases in the same order, renamed where need be.
    """
    owners = {name: record.origin for name, record in folders.records(out).items()}
    return [replace(case, name=_name(case, owners)) for case in cases]


def _name(case: Case, owners: dict[str, str]) -> str:
    own = origin(case)
    # Given together with others of its name, a case is already called after its path.
    spelt = _hash(case.paths[0].absolute())[:ORIGIN_DIGITS]
    base = case.name.removesuffix(f"-{spelt}").removesuffix(f"-{own[:ORIGIN_DIGITS]}")
    apart = f"{base}-{own[:ORIGIN_DIGITS]}"
    for name in (base, case.name, apart):
        if owners.get(name) == own:
            return name
    # Names that differ in upper and lower case are one folder on some systems.
    taken = {name.casefold() for name in owners}
    return apart if case.name.casefold() in taken else case.name


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()
