"""What a DICOM header says of contrast medium, and when a scan counts as enhanced.

    contrast.of_series(paths)                 # "applied", "none" or "unknown"
    contrast.is_enhanced("unknown", 160.0)    # True: the blood of the aorta shows it

Headers often do not tell; the blood of the aorta does (`bmd_bundle.aorta`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom

from bmd_bundle.common import DAMAGED
from bmd_bundle.tissues import ENHANCED_HU

Contrast = Literal["none", "applied", "unknown"]

#: Tags that hold an amount of contrast agent, ml, its flow, ml/s, or how long it flowed, s; above 0
#: some was given.
AMOUNTS = ("ContrastBolusVolume", "ContrastBolusTotalDose", "ContrastFlowRate",
           "ContrastFlowDuration")  # fmt: skip
#: Tags that hold when it was given.
TIMES = ("ContrastBolusStartTime", "ContrastBolusStopTime")
#: All tags that tell of contrast medium.
TAGS = ("ContrastBolusAgent", *TIMES, *AMOUNTS)
#: What departments write into the contrast agent's tag when none was given.
WORDS_FOR_NO = frozenset(
    {"none", "no", "nil", "nein", "kein", "keine", "keines", "non", "not", "without", "wo", "w/o"}
    | {"ohne", "native", "nativ", "plain", "unenhanced", "noncontrast", "aucun", "sans", "senza"}
    | {"sin", "n/a", "na", "0"}
)
#: Words that stand beside those; any other word is an agent's name.
WORDS_BESIDE_NO = frozenset(
    {"contrast", "contraste", "contrasto", "kontrast", "kontrastmittel", "km", "cm", "agent"}
    | {"medium", "media", "bolus", "iv", "given", "applied", "used", "administered", "ml"}
)
#: What is written where nobody knows.
WORDS_FOR_UNKNOWN = frozenset({"unknown", "unbekannt"})


def positive(value: Any) -> float | None:
    """A positive number, or None for an empty, zero or unreadable tag."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def value(dataset: pydicom.Dataset, keyword: str) -> Any:
    """Value of a tag; None where it is missing or malformed, such as letters for a number."""
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom raises nearly anything for damaged bytes
        return None


def values(dataset: pydicom.Dataset, keyword: str) -> list[str]:
    """Values of a tag as text, empty ones left out."""
    found = value(dataset, keyword)
    several = list(found) if isinstance(found, pydicom.multival.MultiValue | list) else [found]
    return [text for each in several if each is not None and (text := str(each).strip())]


def describe(dataset: pydicom.Dataset) -> Contrast:
    """A named agent was applied, so was an amount or one with a time; that none is proves little.

    Examples:
        >>> made = pydicom.Dataset()
        >>> made.ContrastBolusAgent = "ohne KM"
        >>> describe(made)
        'none'
    """
    amounts = [amount for tag in AMOUNTS for amount in values(dataset, tag)]
    # A time of zeros only is how an unused tag is filled.
    begun = any(re.search("[1-9]", text) for tag in TIMES for text in values(dataset, tag))
    if begun or any(positive(amount) for amount in amounts):
        return "applied"
    agent = " ".join(values(dataset, "ContrastBolusAgent")).lower()
    words = set(re.findall(r"w/o|n/a|[^\W_]+", agent.replace("i.v.", "iv")))
    if not agent or words & WORDS_FOR_UNKNOWN:
        return "unknown"
    # A dash alone, or nothing but words for "none".
    says_no = not words or words & WORDS_FOR_NO
    return "none" if says_no and words <= WORDS_FOR_NO | WORDS_BESIDE_NO else "applied"


def merge(slices: Iterable[Contrast]) -> Contrast:
    """Take for a series the worst that one of its slices says; none was given only if all say so.

    Examples:
        >>> merge(["none", "applied"]), merge(["none", "unknown"]), merge(["none", "none"])
        ('applied', 'unknown', 'none')
    """
    said = set(slices)
    if "applied" in said:
        return "applied"
    return said.pop() if len(said) == 1 else "unknown"


def of_series(paths: Sequence[str | Path]) -> Contrast:
    """Read what the files of a DICOM series say; a file that is none says nothing."""
    said: list[Contrast] = []
    for path in paths:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
            said.append(describe(header))
        except DAMAGED:
            said.append("unknown")
    return merge(said)


def is_enhanced(said: Contrast, aorta_hu: float | None) -> bool:
    """Tell whether contrast medium is in the blood: the aorta shows it, or the header says so.

    Args:
        said: What the header says.
        aorta_hu: Blood of the aorta, HU; None if it was not found.

    Examples:
        >>> is_enhanced("unknown", 45.0), is_enhanced("none", 81.0), is_enhanced("applied", None)
        (False, True, True)
    """
    return said == "applied" or (aorta_hu is not None and aorta_hu > ENHANCED_HU)
