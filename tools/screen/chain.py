"""The measuring chain of one CT: names and outlines, patches, heights, metal, aorta.

    findings = chain.measure(scan, segmentation)

Nothing is judged here: what the findings mean is `gate`'s to say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from tools import bundles
from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.morphometry.model import Heights
from tools.screen import aorta, bodies, heights, metal
from tools.screen.boxes import surroundings
from tools.screen.scan import Scan
from tools.screen.settings import MEASURING


@dataclass
class Findings:
    """What was measured in one CT.

    Attributes:
        labels: Ids 1-4 of named levels on the CT's grid, uint8 [X, Y, Z].
        levels: For L1-L4 status, reasons, warnings, confidence, centroid and volume, from naming.
        chain: Every body found, bottom to top, from naming.
        patches: Level -> its trabecular patch (`bmd_bundle.patches.Patch`).
        refusals: Level -> reason code why there is no patch.
        heights: Name -> heights, mm, of bodies that are wholly shown.
        losses: Name -> share of the height that is lost, in front, in the middle and behind.
        bodies_mm: Name, or "#<number>" of a body without one, -> its voxels, RAS+ mm [N, 3].
        dense: Names of bodies with metal or cement.
        aorta: The aorta (`bmd_bundle.aorta.Aorta`).
        timing_s: Seconds by stage.
    """

    labels: np.ndarray
    levels: dict[str, dict[str, Any]]
    chain: list[dict[str, Any]]
    patches: dict[str, Any] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    heights: dict[str, Heights] = field(default_factory=dict)
    losses: dict[str, dict[str, float] | None] = field(default_factory=dict)
    bodies_mm: dict[str, np.ndarray] = field(default_factory=dict)
    dense: frozenset[str] = frozenset()
    aorta: Any = aorta.NOT_FOUND
    timing_s: dict[str, float] = field(default_factory=dict)


def measure(scan: Scan, segmentation: bundles.Bundle) -> Findings:
    """Measure one CT.

    Args:
        scan: The CT.
        segmentation: The segmentation bundle.

    Returns:
        What was found.

    Raises:
        ValueError: If the bundle cannot use the CT; one line that names file and mend.
    """
    timing: dict[str, float] = {}
    with _clock(timing, "segmentation"):
        result = segmentation.run(scan.as_input())
        labels = np.asarray(result["pred"].cpu().numpy()[0], dtype=np.uint8)
    found = Findings(labels, result["levels"], list(result["chain"]), timing_s=timing)
    with _clock(timing, "bmd"):
        _cut_patches(scan, found)
        _measure_bodies(scan, result, found)
    return found


def _cut_patches(scan: Scan, found: Findings) -> None:
    """Cut the patch of every named level, each out of its surroundings alone."""
    patches = _module("patches")
    for level in MEASURED_LEVELS:
        inside = found.labels == LABEL_IDS[level]
        if found.levels[level]["status"] != "measured" or not inside.any():
            continue
        box, affine = surroundings(inside, scan.affine)
        try:
            found.patches[level] = patches.extract(scan.hu[box], affine, inside[box])
        except patches.PatchError as error:
            found.refusals[level] = error.reason


def _measure_bodies(scan: Scan, result: Mapping[str, Any], found: Findings) -> None:
    """Heights of all bodies found, metal and cement at them, and the aorta before them."""
    names = [body.get("name") for body in found.chain]
    instances = result["instances"][0].cpu().numpy()
    grid = np.asarray(result["instances"].affine, dtype=float)
    whole = [bool(body.get("complete")) for body in found.chain]
    tall = heights.measure(result["body"][0].cpu().numpy(), instances, grid, whole)
    found.heights = heights.named(tall, names)
    found.losses = heights.losses(found.heights)
    places = found.bodies_mm = bodies.points_mm(instances, grid, names)
    found.dense = metal.found(scan.hu, scan.affine, places)
    if any(name in MEASURED_LEVELS for name in names):  # else nobody knows what lies before them
        found.aorta = aorta.find(scan.hu, scan.affine, places)


@contextmanager
def _clock(timing: dict[str, float], stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    try:
        yield
    finally:
        timing[stage] = time.perf_counter() - begin


def _module(name: str) -> ModuleType:
    return bundles.module(MEASURING, f"bmd_bundle.{name}")
