"""How cases are called: as the bundles and `screen` name them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tools import bundles


def case_name(image: Path) -> str:
    """Name a case by its image; a series that is not here by its folder."""
    try:
        return str(_common().case_name(image))
    except (OSError, ValueError):
        return stem(image.name)


def series_name(uid: str) -> str:
    """Name a DICOM series by its SeriesInstanceUID."""
    return f"series-{hashlib.sha256(uid.encode()).hexdigest()[: _common().UID_DIGITS]}"


def stem(image: str) -> str:
    """Name a file without its folder and ending.

    >>> stem("images/A0001.nii.gz")
    'A0001'
    """
    name = Path(image).name
    for ending in _common().NIFTI_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _common() -> Any:
    return bundles.module("lumbar_segmentation", "lumbar_bundle.common")
