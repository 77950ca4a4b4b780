"""What a DICOM header says about how a CT was made: voltage, kernel, contrast, kind of image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom

Contrast = Literal["none", "applied", "unknown"]

TAGS = (
    "KVP",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    "ImageType",
    "FilterMaterial",
    "FilterType",
)

WORDS_FOR_NO_AGENT = frozenset({"none", "no", "nein", "non", "without", "ohne", "native", "nativ"})
"""What departments write into the contrast agent's tag when none was given."""

OTHER_BEAMS = ("MONO", "VMI", "IODINE", "VNC", "VIRTUAL_NON", "EFF_Z", "ELECTRON_DENSITY", "CBCT",
               "CONE_BEAM")  # fmt: skip
"""Words in a value of ImageType whose HU are those of no tube voltage: mono-energetic images,
material maps, virtual unenhanced images, cone-beam CT."""

TIN = "TIN"
"""Filter material that hardens the beam so that no calibration by voltage holds."""


@dataclass(frozen=True)
class Header:
    """How a scan was made, as far as it says; a NIfTI file says nothing.

    Attributes:
        kvp: Tube voltage, kV.
        kernel: Reconstruction kernel.
        contrast: Whether a contrast agent is recorded.
        beam_problem: Whether the images are mono-energetic, a material map, cone-beam or
            tin-filtered: their HU have no calibration by tube voltage.
    """

    kvp: float | None = None
    kernel: str | None = None
    contrast: Contrast = "unknown"
    beam_problem: bool = False


def read(path: Path) -> Header:
    """Read the header of a DICOM file, or of the first file in a folder.

    Raises:
        OSError: If the file cannot be read.
    """
    if path.is_dir():
        path = min(each for each in path.rglob("*") if each.is_file())
    return describe(pydicom.dcmread(path, specific_tags=list(TAGS)))


def describe(dataset: pydicom.Dataset) -> Header:
    """Take from a data set what a measurement of density needs to know."""
    return Header(
        _positive(dataset.get("KVP")),
        "\\".join(_values(dataset, "ConvolutionKernel")) or None,
        _contrast(dataset),
        _other_beam(dataset),
    )


def _positive(value: Any) -> float | None:
    """A positive number, or None for an empty, zero or unreadable tag."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _values(dataset: pydicom.Dataset, keyword: str) -> list[str]:
    """Values of a tag as text, empty ones left out."""
    value = dataset.get(keyword)
    several = [value] if isinstance(value, str) or value is None else list(value)
    return [text for each in several if each is not None and (text := str(each).strip())]


def _contrast(dataset: pydicom.Dataset) -> Contrast:
    """A named agent was applied; that none is named proves nothing."""
    agent = " ".join(_values(dataset, "ContrastBolusAgent")).lower()
    if not agent:
        return "unknown"
    return "none" if agent in WORDS_FOR_NO_AGENT else "applied"


def _other_beam(dataset: pydicom.Dataset) -> bool:
    kinds = [value.upper().replace(" ", "_") for value in _values(dataset, "ImageType")]
    if any(word in kind for kind in kinds for word in OTHER_BEAMS):
        return True
    filters = [*_values(dataset, "FilterMaterial"), *_values(dataset, "FilterType")]
    return any(value.upper() == TIN for value in filters)
