"""Which weights gave a network's reading: a correction of it holds for these alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.calibration.cells import Line

MEASURING = "bmd_regression"
CNN_COLUMN = "bmd_cnn_mg_cm3"

SHA256 = re.compile("[0-9a-f]{64}")


def of_row(path: Path, line: Line, given: str | None) -> str:
    """SHA-256 of the weights that gave a row's reading: its own, its report's, or as given.

    Args:
        path: The table.
        line: Its row.
        given: Weights of rows that do not say them.

    Raises:
        ValueError: If nothing says them, or they are no checksum; one line that names the file.
    """
    text = line.get("weights_sha256", "").lower() or _reported(path.parent, line["case"]) or given
    if not text:
        raise ValueError(
            f"{path}: does not say which weights gave {CNN_COLUMN}; give their file with --weights"
        )
    if not SHA256.fullmatch(text):
        raise ValueError(f"{path}: weights_sha256 is {text[:70]!r}, no SHA-256 of {line['case']}")
    return text


def _reported(folder: Path, case: str) -> str | None:
    """Weights of the network as the case's report beside the table names them."""
    if Path(case).name != case:
        return None
    try:
        content: Any = json.loads((folder / case / "report.json").read_text(encoding="utf-8"))
        found: str = content["software"]["weights"][MEASURING]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
