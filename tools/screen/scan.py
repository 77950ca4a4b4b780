"""One CT in memory: HU on its own grid, and what its header says about how it was made.

    cases = find("ct.nii.gz", out)
    scan = read(cases[0])

Reading is the segmentation bundle's own, so that both see the same volume.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from monai.data import MetaTensor

from tools import bundles, segmentation
from tools.screen import header, scale
from tools.screen.header import Header

RUN_FILES = ("run.json", "results.csv")
"""Files of a run, which lie beside the folders of its cases."""

PART_FILE = re.compile(r"run-(\d+)\.json")
"""The file of one part of a run that was split."""

HASH_DIGITS = 10
"""Hexadecimal digits in the name of a case whose own cannot name a folder."""

LONGEST_NAME = 200
"""Bytes of a case's name: folders take 255, and room is left for what tells two of a name apart."""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: Of its folder among the results; names no patient.
        kind: "nifti" or "dicom".
        paths: Its file, or the files of a DICOM series.
        study: Of a DICOM series, what its study and place are known by, hashed; else None.
        better: Name of another series of its study that is measured in its place; else None.
        left_out: Why that one is better; else None.
    """

    name: str
    kind: str
    paths: tuple[Path, ...]
    study: str | None = None
    better: str | None = None
    left_out: str | None = None

    @property
    def source(self) -> str:
        """Its file, or the first file of a series, as text that any file can hold."""
        return os.fsencode(self.paths[0]).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Scan:
    """A CT that was read.

    Attributes:
        case: Where it is from.
        image: HU with affine and meta data, [1, X, Y, Z], int16 or float32.
        header: How it was made.
        scale_problem: What is wrong with its numbers if they are no HU (`tools.screen.scale`).
    """

    case: Case
    image: MetaTensor
    header: Header
    scale_problem: str | None = None

    @property
    def hu(self) -> np.ndarray:
        """HU [X, Y, Z], sharing memory with `image`."""
        return self.image.as_tensor().numpy()[0]

    @property
    def affine(self) -> np.ndarray:
        """4x4 voxel to RAS+ millimetre matrix."""
        return np.asarray(self.image.affine, dtype=float)

    def as_input(self) -> dict[str, Any]:
        """The scan as the segmentation bundle takes it."""
        return segmentation.as_input(self.image, self.case.name, self.case.kind)


def find(given: str | Path, out: str | Path) -> list[Case]:
    """List the cases of an input, every series of a study among them.

    Args:
        given: NIfTI file, DICOM file or folder, pattern, or a text file with a path per line.
        out: Folder of the results; what lies in it is no input.

    Raises:
        ValueError: If there is nothing to read.
    """
    with quiet():
        return [_case(item) for item in _module("inputs").find_cases(str(given), out)]


def read(case: Case) -> Scan:
    """Read a case.

    Raises:
        ValueError: If it cannot be read or is no CT in HU; one line that names file and mend.
        OSError: If a file cannot be read.
    """
    loading = _module("loading")
    source = case.paths[0] if len(case.paths) == 1 else list(case.paths)
    with quiet():
        loaded = loading.LoadImageCT()(source)
        image = loading.CheckCT()(loaded)
        said = header.read(case.paths) if case.kind == "dicom" else Header()
    stored = loaded.as_tensor().numpy()[0]
    return Scan(case, image, said, scale.problem(stored, np.asarray(image.affine, dtype=float)))


def _case(item: Mapping[str, Any]) -> Case:
    image = item["image"]
    paths = tuple(Path(path) for path in ([image] if isinstance(image, str) else image))
    name = item["case"]
    if not _names_a_folder(name):
        place = hashlib.sha256(os.fsencode(paths[0].absolute()))
        name = f"case-{place.hexdigest()[:HASH_DIGITS]}"
    return Case(name, item["kind"], paths)


def _names_a_folder(name: str) -> bool:
    """Tell whether a folder among the results may be called so.

    It must be seen, must not lead elsewhere, and must not be one of the run's own files.

    Examples:
        >>> [_names_a_folder(name) for name in ("A0001", "..", "run.json", "run-0.json", "-x")]
        [True, False, False, False, False]
    """
    return (
        name == name.strip()
        and not name.startswith((".", "-"))
        and name.isprintable()  # no line breaks, no bytes that are not UTF-8
        and 0 < len(os.fsencode(name)) <= LONGEST_NAME
        and name.casefold() not in RUN_FILES
        and not PART_FILE.fullmatch(name.casefold())
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what pydicom says of odd values: it quotes them, and they may name a patient."""
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _module(name: str) -> ModuleType:
    return bundles.module(segmentation.NAME, f"lumbar_bundle.{name}")
