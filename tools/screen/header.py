"""What DICOM headers say about how a CT was made: voltage, kernel, contrast, kind, thickness."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom

Contrast = Literal["none", "applied", "unknown"]

AMOUNTS = ("ContrastBolusVolume", "ContrastBolusTotalDose", "ContrastFlowRate",
           "ContrastFlowDuration")  # fmt: skip
"""Tags that hold an amount of contrast agent, ml, its flow, ml/s, or how long it flowed, s; above 0
some was given."""

TIMES = ("ContrastBolusStartTime", "ContrastBolusStopTime")
"""Tags that hold when it was given."""

TAGS = (
    "KVP",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    *TIMES,
    *AMOUNTS,
    "ImageType",
    "FilterMaterial",
    "FilterType",
    "SliceThickness",
    "SeriesDescription",
    "DerivationDescription",
    "ProtocolName",
)

WORDS_FOR_NO = frozenset(
    {"none", "no", "nil", "nein", "kein", "keine", "keines", "non", "not", "without", "wo", "w/o"}
    | {"ohne", "native", "nativ", "plain", "unenhanced", "noncontrast", "aucun", "sans", "senza"}
    | {"sin", "n/a", "na", "0"}
)
"""What departments write into the contrast agent's tag when none was given."""

WORDS_BESIDE_NO = frozenset(
    {"contrast", "contraste", "contrasto", "kontrast", "kontrastmittel", "km", "cm", "agent"}
    | {"medium", "media", "bolus", "iv", "given", "applied", "used", "administered", "ml"}
)
"""Words that stand beside those; any other word is an agent's name."""

WORDS_FOR_UNKNOWN = frozenset({"unknown", "unbekannt"})
"""What is written where nobody knows."""

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
    contrasts = {one.contrast for one in slices}
    agreed: Contrast = slices[0].contrast if len(contrasts) == 1 else "unknown"
    return Header(
        voltages.pop() if len(voltages) == 1 else None,
        ", ".join(kernels) or None,
        "applied" if "applied" in contrasts else agreed,
        any(one.beam_problem for one in slices) or len(voltages) > 1,
        max((one.thickness_mm for one in slices if one.thickness_mm is not None), default=None),
    )


def describe(dataset: pydicom.Dataset) -> Header:
    """Take from a data set what a measurement of density needs to know."""
    voltages = list(dict.fromkeys(_values(dataset, "KVP")))
    return Header(
        _positive(voltages[0]) if len(voltages) == 1 else None,
        "\\".join(_values(dataset, "ConvolutionKernel")) or None,
        _contrast(dataset),
        len(voltages) > 1 or _other_beam(dataset),
        _positive(_value(dataset, "SliceThickness")),
    )


def _positive(value: Any) -> float | None:
    """A positive number, or None for an empty, zero or unreadable tag."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _value(dataset: pydicom.Dataset, keyword: str) -> Any:
    """Value of a tag; None where it is missing or malformed, such as letters for a number."""
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom raises nearly anything for damaged bytes
        return None


def _values(dataset: pydicom.Dataset, keyword: str) -> list[str]:
    """Values of a tag as text, empty ones left out."""
    value = _value(dataset, keyword)
    several = list(value) if isinstance(value, pydicom.multival.MultiValue | list) else [value]
    return [text for each in several if each is not None and (text := str(each).strip())]


def _contrast(dataset: pydicom.Dataset) -> Contrast:
    """A named agent was applied, so was an amount or one with a time; that none is proves little.

    Examples:
        >>> made = pydicom.Dataset()
        >>> made.ContrastBolusAgent = "ohne KM"
        >>> _contrast(made)
        'none'
    """
    amounts = [value for tag in AMOUNTS for value in _values(dataset, tag)]
    # A time of zeros only is how an unused tag is filled.
    begun = any(re.search("[1-9]", text) for tag in TIMES for text in _values(dataset, tag))
    if begun or any(_positive(value) for value in amounts):
        return "applied"
    agent = " ".join(_values(dataset, "ContrastBolusAgent")).lower()
    words = set(re.findall(r"w/o|n/a|[^\W_]+", agent.replace("i.v.", "iv")))
    if not agent or words & WORDS_FOR_UNKNOWN:
        return "unknown"
    # A dash alone, or nothing but words for "none".
    says_no = not words or words & WORDS_FOR_NO
    return "none" if says_no and words <= WORDS_FOR_NO | WORDS_BESIDE_NO else "applied"


def _other_beam(dataset: pydicom.Dataset) -> bool:
    kinds = [value.upper().replace(" ", "_") for value in _values(dataset, "ImageType")]
    if any(word in kind for kind in kinds for word in OTHER_BEAMS):
        return True
    if OTHER_BEAMS_SAID.search(_said(dataset, "SeriesDescription", "DerivationDescription")):
        return True
    filters = [*_values(dataset, "FilterMaterial"), *_values(dataset, "FilterType")]
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
