"""Overlap of predicted and reference bodies, whole and near the midline, with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage

from tools.phantom.probe.predict import predict_slices
from tools.phantom.probe.slices import BODY, SliceSet
from tools.phantom.real import Scan

#: Half width of the central part of the bodies, mm.
CENTRAL_MM = 10.0
#: The reference's highest body ends here along the spine: this percentile of its voxels, so that
#: single voxels on its rim do not move the plane.
TOP_PERCENTILE = 99.0
RESAMPLES = 2000


def dice(overlap: float, predicted: float, reference: float) -> float | None:
    """Dice similarity of two sets from their sizes; None where both are empty.

    >>> dice(2, 3, 5)
    0.5
    """
    total = predicted + reference
    return float(2 * overlap / total) if total else None


def compare(predicted: np.ndarray, reference: np.ndarray, counted: np.ndarray) -> dict[str, Any]:
    """Dice with a 95 % interval from resampling sagittal slices.

    Args:
        predicted: Boolean [X, Y, Z].
        reference: Boolean [X, Y, Z].
        counted: Boolean [X, Y, Z]; voxels outside it are left out.

    Returns:
        {"dsc", "ci95", "slices", "voxels_reference"}. The interval holds for the choice of slices
        in this one scan: neighbouring slices are alike, and it says nothing about other patients.
    """
    parts = (predicted & reference, predicted, reference)
    counts = np.stack([(part & counted).sum(axis=(1, 2)) for part in parts], axis=1)
    counts = counts[counts.any(axis=1)]
    overlap, found, wanted = counts.sum(axis=0)
    return {
        "dsc": dice(overlap, found, wanted),
        "ci95": bootstrap(counts),
        "slices": len(counts),
        "voxels_reference": int(wanted),
    }


def bootstrap(counts: np.ndarray, seed: int = 0) -> list[float] | None:
    """95 % percentile interval of the pooled Dice over resampled rows.

    Args:
        counts: Overlap, predicted, reference per slice (or patient), [N, 3].
        seed: Seed of the resampling.

    Returns:
        [low, high]; None where there is nothing to resample.
    """
    if len(counts) == 0:
        return None
    rng = np.random.default_rng(seed)
    drawn = counts[rng.integers(len(counts), size=(RESAMPLES, len(counts)))].sum(axis=1)
    scores = 2 * drawn[:, 0] / np.maximum(1, drawn[:, 1] + drawn[:, 2])
    low, high = np.percentile(scores, [2.5, 97.5])
    return [float(low), float(high)]


def below_top(scan: Scan) -> np.ndarray:
    """Voxels that are scored: those below the upper endplate of the highest reference body.

    What lies above may be a body that has no reference mask (T11 on the lumbar CT). The plane is
    perpendicular to the line through the two highest bodies. Reference voxels always count.

    Args:
        scan: A scan with body ids.

    Returns:
        Boolean [X, Y, Z].
    """
    assert scan.bodies is not None  # callers score scans that have a reference
    centroids = _centroids(scan)
    highest, below = sorted(centroids, key=lambda level: centroids[level][2])[-1:-3:-1]
    axis = centroids[highest] - centroids[below]
    axis /= np.linalg.norm(axis)
    index = np.moveaxis(np.indices(scan.image.shape), 0, -1)
    along = scan.grid.to_world(index) @ axis
    top = np.percentile(along[scan.bodies == highest], TOP_PERCENTILE)
    return (along <= top) | (scan.bodies > 0)


def near_midline(scan: Scan) -> np.ndarray:
    """Voxels within 10 mm of the midline, which runs through the bodies' centroids.

    Args:
        scan: A scan with body ids.

    Returns:
        Boolean [X, Y, Z].
    """
    places = sorted(_centroids(scan).values(), key=lambda place: float(place[2]))
    world = scan.grid.to_world(np.moveaxis(np.indices(scan.image.shape), 0, -1))
    midline = np.interp(world[..., 2], [p[2] for p in places], [p[0] for p in places])
    return np.abs(world[..., 0] - midline) <= CENTRAL_MM


def _centroids(scan: Scan) -> dict[int, np.ndarray]:
    """RAS+ millimetres of each reference body's centroid."""
    assert scan.bodies is not None
    ids = [int(level) for level in np.unique(scan.bodies) if level > 0]
    places = ndimage.center_of_mass(scan.bodies > 0, scan.bodies, ids)
    return {level: scan.grid.to_world(np.array(p)) for level, p in zip(ids, places, strict=True)}


def score_scan(scan: Scan, predicted: np.ndarray) -> dict[str, Any]:
    """Score a scan: whole, central, and how much of each reference body is found.

    Args:
        scan: A scan with body ids.
        predicted: Boolean [X, Y, Z].

    Returns:
        {"whole", "central_20mm", "sensitivity_by_id"}.
    """
    assert scan.bodies is not None
    reference, counted = scan.bodies > 0, below_top(scan)
    return {
        "whole": compare(predicted, reference, counted),
        "central_20mm": compare(predicted, reference, counted & near_midline(scan)),
        "sensitivity_by_id": {
            str(level): float(predicted[scan.bodies == level].mean())
            for level in np.unique(scan.bodies)
            if level > 0
        },
    }


def score_phantoms(network: torch.nn.Module, slices: SliceSet) -> dict[str, Any]:
    """Dice of the bodies on held-out phantom slices, pooled, with an interval over patients.

    Args:
        network: The trained network.
        slices: Slices of patients that were not trained on.

    Returns:
        {"dsc", "ci95", "patients", "slices", "dsc_worst_patient"}.
    """
    found = predict_slices(network, slices.images).argmax(1) == BODY
    wanted = slices.labels == BODY
    parts = torch.stack([(part).sum((1, 2)) for part in (found & wanted, found, wanted)], dim=1)
    rows = [parts[slices.patients == patient].sum(0) for patient in slices.patients.unique()]
    counts = torch.stack(rows).numpy()
    scores = [dice(*row) for row in counts.astype(float)]
    return {
        "dsc": dice(*counts.sum(axis=0).astype(float)),
        "ci95": bootstrap(counts),
        "patients": len(counts),
        "slices": len(slices.images),
        "dsc_worst_patient": min((score for score in scores if score is not None), default=None),
    }
