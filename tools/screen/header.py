"""What DICOM headers say about how a CT was made: voltage, kernel, contrast, kind, thickness."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pydicom

from tools import bundles

_contrast = bundles.module("bmd_regression", "bmd_bundle.contrast")
_positive, _value, _values = _contrast.positive, _contrast.value, _contrast.values

Contrast = Literal["none", "applied", "unknown"]

TAGS = (
    "KVP",
    "ConvolutionKernel",
    *_contrast.TAGS,
    "ImageType",
    "FilterMaterial",
    "FilterType",
    "SliceThickness",
    "SeriesDescription",
    "DerivationDescription",
    "ProtocolName",
)

OTHER_BEAMS = ("MONO", "VMI", "IODINE", "VNC", "VIRTUAL_NON", "EFF_Z", "ELECTRON_DENSITY", "CBCT",
               "CONE_BEAM", "KEV")  # fmt: skip
"""Words in a value of ImageType whose HU are those of no tube voltage: mono-energetic images (of so
many keV), material maps, virtual unenhanced images, cone-beam CT."""

OTHER_BEAMS_SAID = re.compile(
    r"\bMONO(E|\b|[ _-]?ENERG)|\bVMI\b|\d ?KEV\b|\bKEV ?\d|\bIODINE|\bVNC\b|VIRTUAL (NON|UNEN)"
    r"|\bZ[ -]?EFF|\bEFF(ECTIVE)?[ _-]Z\b|ELECTRON DENSITY|\bCBCT\b|CONE[ -]?BEAM"
)
"""The same in the words of a series' description, in capitals, "_" read as a space: not every
vendor says it in ImageType."""

TIN = frozenset({"TIN", "SN"})
"""Filter material that hardens the beam so that no calibration by voltage holds."""

TIN_SAID = re.compile(r"\bSN ?\d{2,3}\b|\bTIN[ -]?FILT")
"""The same in the description of a series or a protocol: "Sn100" is 100 kV behind tin."""


@dataclass(frozen=True)
class Header:
    """How a scan was made, as far as it says; a NIfTI file says nothing.

    Attributes:
        kvp: Tube voltage, kV; None also where slices differ.
        kernel: Reconstruction kernel.
        contrast: Whether a contrast agent is recorded.
        beam_problem: Whether images are mono-energetic, a material map, cone-beam or tin-filtered,
            or of more than one tube voltage: their HU have no calibration by tube voltage.
        thickness_mm: Slice thickness, mm; slices may lie closer than they are thick.
    """

    kvp: float | None = None
    kernel: str | None = None
    contrast: Contrast = "unknown"
    beam_problem: bool = False
    thickness_mm: float | None = None


def read(paths: Sequence[Path]) -> Header:
    """Read the headers of all files of a series.

    Raises:
        OSError: If a file cannot be read.
    """
    return merge(
        [
            describe(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS)))
            for path in paths
        ]
    )


def merge(slices: Sequence[Header]) -> Header:
    """Take for a series the worst that one of its slices says.

    Args:
        slices: Header of every slice.

    Returns:
        One header: a contrast agent in any slice was applied, none was only if all say so; two tube
        voltages, or any other beam, have no calibration; the thickest slice counts.
    """
    voltages = {one.kvp for one in slices if one.kvp is not None}
    kernels = dict.fromkeys(one.kernel for one in slices if one.kernel is not None)
    return Header(
        voltages.pop() if len(voltages) == 1 else None,
        ", ".join(kernels) or None,
        _contrast.merge(one.contrast for one in slices),
        any(one.beam_problem for one in slices) or len(voltages) > 1,
        max((one.thickness_mm for one in slices if one.thickness_mm is not None), default=None),
    )


def describe(dataset: pydicom.Dataset) -> Header:
    """Take from a data set what a measurement of density needs to know."""
    voltages = list(dict.fromkeys(_values(dataset, "KVP")))
    return Header(
        _positive(voltages[0]) if len(voltages) == 1 else None,
        "\\".join(_values(dataset, "ConvolutionKernel")) or None,
        _contrast.describe(dataset),
        len(voltages) > 1 or _other_beam(dataset),
        _positive(_value(dataset, "SliceThickness")),
    )


def _other_beam(dataset: pydicom.Dataset) -> bool:
    kinds = [value.upper().replace(" ", "_") for value in _values(dataset, "ImageType")]
    if any(word in kind for kind in kinds for word in OTHER_BEAMS):
        return True
    if OTHER_BEAMS_SAID.search(_said(dataset, "SeriesDescription", "DerivationDescription")):
        return True
    filters = [
        *_values(dataset, "FilterMaterial"),
        *_values(dataset, "FilterType"),
    ]
    if any(value.upper() in TIN for value in filters):
        return True
    return TIN_SAID.search(_said(dataset, "SeriesDescription", "ProtocolName")) is not None


def _said(dataset: pydicom.Dataset, *keywords: str) -> str:
    """Values of free text, in capitals, with a space for "_"."""
    return (
        " ".join(text for each in keywords for text in _values(dataset, each))
        .upper()
        .replace("_", " ")
    )
