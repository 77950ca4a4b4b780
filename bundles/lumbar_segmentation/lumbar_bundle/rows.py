"""`predictions.csv`: one row per case and level, from which every table is computed later.

Confidence intervals, kappa and tables belong to `python -m tools evaluate`; here only means are
logged, so that a run says at once how it went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor

from lumbar_bundle.classes import LEVELS
from lumbar_bundle.common import FAILED, FAILURE, MEASURED, CaseRows, plain
from lumbar_bundle.grids import spacing_mm
from lumbar_bundle.metrics import Score, complete_levels, refused_scores, scan_valid, score_levels

#: Columns of `predictions.csv`.
COLUMNS = (
    "case", "level", "status", "reasons", "confidence", "present", "dsc", "ppv", "sensitivity",
    "msd_mm", "named_right", "scan_valid",
)  # fmt: skip
#: Between several reasons in one field.
REASON_SEPARATOR = ";"

Row = dict[str, Any]


class PredictionRows(CaseRows):
    """Ignite handler that scores every case and writes `predictions.csv` when an epoch ends.

    Failed cases stay in the table, with DSC 0. With several processes the first one writes the
    rows of all; a case that two of them saw, as a sampler's padding makes happen, counts once.
    The means go to `engine.state.metrics`; attach this handler before those that log them.

    Args:
        output_dir: Where to write; made if missing.
        filename: Name of the file.
        pred_key: Key of the label map written, uint8 [1, X, Y, Z].
        label_key: Key of the reference on the same grid.
        levels_key: Key of status, reasons and confidence per level.
        case_key: Key of the case's name.
    """

    def __init__(
        self,
        output_dir: str | Path,
        filename: str = "predictions.csv",
        pred_key: str = "pred",
        label_key: str = "label",
        levels_key: str = "levels",
        case_key: str = "case",
    ) -> None:
        super().__init__(Path(output_dir) / filename, COLUMNS)
        self.pred_key, self.label_key = pred_key, label_key
        self.levels_key, self.case_key = levels_key, case_key

    def means(self, rows: Sequence[Row]) -> dict[str, float]:
        """Means of the agreement, as `summarize`."""
        return summarize(rows)

    def in_words(self, rows: Sequence[Row]) -> str:
        """The means of all levels in one line."""
        return in_words(rows)

    def rows_of_case(self, data: Mapping[str, Any]) -> list[Row]:
        """Rows of one case."""
        case = str(data[self.case_key])
        label = data.get(self.label_key)
        if FAILURE in data:
            scores = refused_scores(_present(label))
            levels = {level: {"status": FAILED, "reasons": [data[FAILURE]]} for level in LEVELS}
            return rows_of(case, levels, scores)
        pred = data[self.pred_key]
        edges = _edges_mm(pred.affine)
        scores = score_levels(_array(pred), _array(data[self.label_key]), edges)
        return rows_of(case, data[self.levels_key], scores)


def rows_of(
    case: str, levels: Mapping[str, Mapping[str, Any]], scores: Mapping[str, Score]
) -> list[Row]:
    """Join what was said of each level with how well it agrees; one row per level."""
    valid = scan_valid(scores)
    rows = []
    for level in LEVELS:
        said, score = levels[level], scores[level]
        row = {
            "case": case,
            "level": level,
            "status": said["status"],
            "reasons": REASON_SEPARATOR.join(said.get("reasons", [])),
            "confidence": said.get("confidence"),
            **{name: getattr(score, name) for name in COLUMNS[5:-1]},
            "scan_valid": valid,
        }
        rows.append(plain(row))
    return rows


def summarize(rows: Sequence[Row]) -> dict[str, float]:
    """Means over all rows that count; what has no value is left out.

    Returns:
        `dsc` and `dsc_L1` … `dsc_L4` over the levels the reference shows, refusals counted as 0;
        `msd_mm` over those written; `named_right` of the levels written; `measured`, the share of
        shown levels that were written; `valid_scans`, S2's rule.
    """
    shown = [row for row in rows if row["present"]]
    values: dict[str, list[Any]] = {"dsc": [row["dsc"] for row in shown]}
    for level in LEVELS:
        values[f"dsc_{level}"] = [row["dsc"] for row in shown if row["level"] == level]
    for name in ("ppv", "sensitivity", "msd_mm"):
        values[name] = [row[name] for row in shown]
    values["measured"] = [row["status"] == MEASURED for row in shown]
    values["named_right"] = [row["named_right"] for row in rows]
    scans = {row["case"]: row["scan_valid"] for row in rows}
    values["valid_scans"] = list(scans.values())
    kept = {name: [v for v in column if v is not None] for name, column in values.items()}
    return {name: float(np.mean(column)) for name, column in kept.items() if column}


def in_words(rows: Sequence[Row]) -> str:
    """Say the means in one line."""
    means = summarize(rows)
    if not means:
        return "no reference shows a complete level"
    return ", ".join(f"{name} {value:.3f}" for name, value in means.items())


def _array(labels: torch.Tensor) -> np.ndarray:
    return labels.detach().cpu().numpy()[0].astype(np.uint8)


def _edges_mm(affine: Any) -> tuple[float, float, float]:
    x, y, z = spacing_mm(np.asarray(affine)).tolist()
    return x, y, z


def _present(label: Any) -> dict[str, bool | None]:
    """Tell which levels the reference of a failed case shows; None for each without a reference."""
    if isinstance(label, MetaTensor):
        return {**complete_levels(_array(label), _edges_mm(label.affine))}
    unknown: dict[str, bool | None] = dict.fromkeys(LEVELS)
    if not isinstance(label, str):
        return unknown
    # Reading the case failed before its reference was loaded.
    try:
        image: Any = nib.load(label)
        array = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError):
        return unknown
    return {**complete_levels(array, _edges_mm(image.affine))} if array.ndim == 3 else unknown
