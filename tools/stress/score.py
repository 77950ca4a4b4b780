"""Rows of one examined scan: was each level named, was the name right, how well is it outlined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.stress.sample import Sample

CENTRAL_MM = 10.0
"""Half width of the central part of a body, mm: where density is measured."""

MARGIN = 2
"""Voxels about all labels that are kept for scoring."""

RIGHT, REFUSED, WRONG, ABSENT, RIGHT_CUT = "right", "refused", "wrong", "absent", "right_cut"
"""What became of a level: named right; shown whole, but not named; named wrong; not shown whole
and not named, as it should be; named right, though the field cuts it."""


def rows(
    sample: Sample, written: np.ndarray, levels: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Score a scan's levels.

    Args:
        sample: What is known of the scan.
        written: Label map that the bundle wrote, ids 1-4 [X, Y, Z].
        levels: What the bundle said of each level: status, reasons, confidence, centroid.

    Returns:
        One row per level L1 to L4, JSON-ready.
    """
    known = _known(sample, written) if sample.labels is not None else None
    scored = []
    for level in MEASURED_LEVELS:
        said = levels[level]
        named = bool((written == LABEL_IDS[level]).any())
        row = {
            "level": level,
            "complete": level in sample.complete,
            "status": said["status"],
            "reasons": list(said.get("reasons", [])),
            "confidence": said.get("confidence"),
            "verdict": _verdict_unknown(level, named, sample),
            **dict.fromkeys(("dsc", "dsc_central", "ppv", "sensitivity", "msd_mm")),
            "centroid_error_mm": None,
        }
        if known is not None:
            row |= known[level]
            row["verdict"] = _verdict(named, row.pop("named_right"), row["complete"])
            row["centroid_error_mm"] = _centroid_error(sample, level, said, row["complete"])
        scored.append(row)
    return scored


def _verdict(named: bool, right: bool | None, complete: bool) -> str:
    """Judge a level whose reference is known."""
    if not named:
        return REFUSED if complete else ABSENT
    if not right:
        return WRONG
    return RIGHT if complete else RIGHT_CUT


def _verdict_unknown(level: str, named: bool, sample: Sample) -> str:
    """Judge a level of a scan without a reference."""
    if not named:
        return ABSENT
    return RIGHT if level in sample.may_name else WRONG


def _known(sample: Sample, written: np.ndarray) -> dict[str, dict[str, Any]]:
    """Agreement of each level with the reference."""
    assert sample.labels is not None  # only called with a reference
    metrics = bundles.module("lumbar_segmentation", "lumbar_bundle.metrics")
    box = _box((sample.labels > 0) | (written > 0))
    mine, reference = written[box], sample.labels[box]
    spacing = sample.grid.spacing_mm
    scores = metrics.score_levels(mine, reference, spacing)
    found = {}
    for level, score in scores.items():
        # Both must say so: the field's own geometry, and the map, which no border may touch.
        complete = level in sample.complete and bool(score.present)
        agreement = {
            "dsc": score.dsc or 0.0,
            "dsc_central": _central(sample, level, mine, reference, box),
            "ppv": score.ppv,
            "sensitivity": score.sensitivity,
            "msd_mm": score.msd_mm,
        }
        found[level] = {
            "complete": complete,
            "named_right": score.named_right,
            **(agreement if complete else dict.fromkeys(agreement)),
        }
    return found


def _central(
    sample: Sample, level: str, mine: np.ndarray, reference: np.ndarray, box: tuple[slice, ...]
) -> float | None:
    """Dice of the part of a body within 10 mm of its middle, right to left."""
    if sample.across is None:
        return None
    label = LABEL_IDS[level]
    both = np.argwhere((mine == label) | (reference == label))
    wanted = np.argwhere(reference == label)
    if not len(wanted):
        return None
    start = np.array([part.start for part in box])
    along = sample.grid.to_world(both + start) @ sample.across
    middle = float((sample.grid.to_world(wanted + start) @ sample.across).mean())
    near = both[np.abs(along - middle) <= CENTRAL_MM]
    found, true = (part[tuple(near.T)] == label for part in (mine, reference))
    total = int(found.sum() + true.sum())
    return float(2 * (found & true).sum() / total) if total else None


def _centroid_error(
    sample: Sample, level: str, said: Mapping[str, Any], complete: bool
) -> float | None:
    """Distance between the centre that the bundle gives and the reference's, mm."""
    assert sample.labels is not None  # only called with a reference
    place = said.get("centroid_ras_mm")
    if place is None or not complete:
        return None
    wanted = sample.grid.to_world(np.argwhere(sample.labels == LABEL_IDS[level])).mean(axis=0)
    return float(np.linalg.norm(np.asarray(place, dtype=float) - wanted))


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Box about a mask with a margin, so that what touches the field's border still does."""
    box = []
    for axis, size in enumerate(mask.shape):
        held = np.flatnonzero(mask.any(axis=tuple(i for i in range(3) if i != axis)))
        if not len(held):
            return (slice(0, mask.shape[0]), slice(0, mask.shape[1]), slice(0, mask.shape[2]))
        box.append(slice(max(0, held[0] - MARGIN), min(size, held[-1] + MARGIN + 1)))
    return tuple(box)
