"""UIDs made from text: the same text gives the same UID, on every machine."""

from __future__ import annotations

import json
import uuid

from pydicom.uid import UID

NAMESPACE = uuid.UUID("a6f8c1de-0d0d-4c0c-9b52-5f1a7cb2f3d4")
"""Of all UIDs that `screen` makes from text, drawn once at random."""


def derived_uid(*parts: str) -> UID:
    """Return the UID that belongs to a list of parts (root 2.25, PS3.5, B.2).

    >>> derived_uid("study", "1.2.3") == derived_uid("study", "1.2.3") != derived_uid("1.2.3")
    True
    """
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, json.dumps(parts)).int}")
