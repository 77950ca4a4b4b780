"""What a truth says of contrast medium in the vessels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = ("contrast", "intravenous_contrast", "iv_contrast")
"""Where a truth, or its `scan`, says so."""

WORDS_FOR_NO = ("", "none", "no", "native")


def is_enhanced(truth: Mapping[str, Any]) -> bool:
    """Tell whether contrast medium was given into a vein, as far as the truth says.

    Any value counts but false, 0, none and what names none; in a mapping that of its `phase`.

    >>> is_enhanced({"scan": {}}), is_enhanced({"scan": {"contrast": {"phase": "portal"}}})
    (False, True)
    """
    given = [place.get(key) for place in (truth, truth.get("scan", {})) for key in KEYS]
    phases = [value.get("phase", True) if isinstance(value, Mapping) else value for value in given]
    return any(value and str(value).lower() not in WORDS_FOR_NO for value in phases)
